"""One pass of images through a network that keeps the feature map of a layer, ready for gradients from there on.

Owns: the hooks. They hang on a twin of the network, which shares its tensors but not its modules: nothing of the
network itself is touched, whatever is raised, and two threads never meet each other's hooks.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import ConfigError

AGREEMENT = 1e-5  # relative; an average pooling written in another way rounds differently


@dataclass(frozen=True)
class Forward:
    """What a pass of N images left.

    activations: float [N, K, h, w], the layer's output, a leaf that gradients can be asked for.
    logits: float [N, C] or [N, C, H, W], with the graph that leads back to the activations, and no further.
    head: the linear layer, where an average over all places of the activations and it alone make the logits.
    """

    activations: Tensor
    logits: Tensor
    head: nn.Linear | None


def twin(model: nn.Module) -> nn.Module:
    """The network in evaluation mode with the same tensors in modules of its own, hooks of others included."""
    return _twin(model, {})


def forward(model: nn.Module, images: Tensor, layer: str) -> Forward:
    """Send images through a network, up to the layer without a graph. layer: the path of a module.

    Raises: ConfigError when that module gives no feature map, or is not used.
    """
    own, kept = twin(model), dict[str, Tensor]()
    own.get_submodule(layer).register_forward_hook(_cut_at(kept))
    linear = [module for module in own.modules() if isinstance(module, nn.Linear)][-1:]
    for module in linear:
        module.register_forward_hook(_remember(kept))
    with torch.inference_mode(False), torch.no_grad():  # the hook lets the graph begin; leaving ends it
        logits = own(images)
    if "activations" not in kept:
        raise ConfigError(f"The layer {layer!r} gave no feature map [N, channels, height, width]. Take a convolution.")
    is_plain = bool(linear) and _is_average_and_linear(kept, logits)
    return Forward(kept["activations"], logits, linear[0] if is_plain else None)


def _cut_at(kept: dict[str, Tensor]) -> Any:  # noqa: ANN401 - a hook, whose type torch does not name
    """A hook that makes the module's output the beginning of the graph."""

    def cut(module: nn.Module, inputs: Any, output: Any) -> Any:  # noqa: ANN401
        """Keep the map, and hand on a copy that the graph begins with."""
        if not isinstance(output, Tensor) or output.dim() != 4:
            return None
        kept["activations"] = leaf = output.detach().requires_grad_()
        torch.set_grad_enabled(True)
        return leaf.clone()  # what follows may change it in place

    return cut


def _remember(kept: dict[str, Tensor]) -> Any:  # noqa: ANN401
    """A hook that keeps what a linear layer was given and what it made of it."""

    def remember(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        kept["pooled"], kept["answer"] = inputs[0].detach(), output.detach()

    return remember


def _is_average_and_linear(kept: dict[str, Tensor], logits: Tensor) -> bool:
    pooled, means = kept.get("pooled"), kept["activations"].detach().mean(dim=(2, 3))
    if pooled is None or pooled.shape != means.shape or kept["answer"].shape != logits.shape:
        return False
    is_average = torch.allclose(pooled, means, rtol=AGREEMENT, atol=AGREEMENT * float(means.abs().max()))
    return is_average and torch.equal(kept["answer"], logits)


def _twin(module: nn.Module, known: dict[int, nn.Module]) -> nn.Module:
    if id(module) in known:
        return known[id(module)]
    own = known[id(module)] = module.__class__.__new__(module.__class__)
    own.__dict__ = {**module.__dict__, "training": False}
    for name in ("_forward_hooks", "_forward_pre_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called"):
        own.__dict__[name] = OrderedDict(module.__dict__[name])
    own.__dict__["_modules"] = {
        name: None if child is None else _twin(child, known) for name, child in module.__dict__["_modules"].items()
    }
    return own
