"""Which layers have a feature map, by name.

Owns: the list of convolutions, where the map of each is after its activation, and the default. Looks at the modules in
the order in which a network lists them, which in ours is the order in which an image meets them.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from core.errors import ConfigError, unknown_name

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
ACTIVATIONS = (nn.ReLU, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.ELU)


@dataclass(frozen=True)
class Layer:
    """One convolution. name: its path in the model. after: the path of the activation that follows it, else its own."""

    name: str
    after: str


def convolutions(model: nn.Module) -> list[Layer]:
    """The convolutions of a network, from the first to the last; none of an MLP."""
    found: list[Layer] = []
    is_open = False  # whether the last convolution still waits for its activation
    for name, module in model.named_modules():
        if isinstance(module, CONVOLUTIONS):
            found.append(Layer(name, name))
            is_open = True
        elif isinstance(module, nn.Linear):
            is_open = False
        elif isinstance(module, ACTIVATIONS) and is_open:
            found[-1] = Layer(found[-1].name, name)
            is_open = False
    return found


def resolve(model: nn.Module, layer: str | None) -> str:
    """The path of the module whose output is explained: the one that is named, else the last feature map.

    The last feature map is the output of the last activation that follows a convolution, or, in a network without
    activations, of the last convolution.

    Raises: UnknownNameError listing the convolutions; ConfigError for a network that has none.
    """
    known = convolutions(model)
    if not known:
        raise ConfigError(
            "This network has no convolution, so it has no feature map to weigh. The methods 'gradient' and "
            "'occlusion' need none."
        )
    if layer is None:
        activated = [found.after for found in known if found.after != found.name]
        return activated[-1] if activated else known[-1].name
    if layer == "" or layer not in dict(model.named_modules()):
        raise unknown_name("layer", layer, [found.name for found in known])
    return layer
