"""What a model costs: its parameters, and the multiply-adds of one image, in all and layer by layer.

Owns: counting, by one pass over a copy without numbers, so that the model itself is not touched. Leaves to others what
the counts mean in seconds.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from core.models.registry import build


@dataclass(frozen=True)
class Cost:
    """Numbers to learn, and multiplications with their additions to answer for one image."""

    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class LayerCost:
    """One layer in the order in which an image meets it.

    name: its path in the model, such as "layer1.0.conv1". kind: its class, such as "Conv2d".
    shape: its output for one image, without the batch: (C, H, W) or (features,).
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


def cost(model: nn.Module, in_shape: tuple[int, int, int]) -> Cost:
    """Parameters and multiply-adds of a model for one image of shape (C, H, W).

    Counted are convolutions, transposed convolutions and linear layers, without biases; the rest is small beside them.
    Mode, buffers, hooks and random state of the model stay as they were.
    """
    return Cost(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        multiply_adds=sum(layer.multiply_adds for layer in layers(model, in_shape)),
    )


def cost_of(name: str, in_shape: tuple[int, int, int], num_classes: int, width: int) -> Cost:
    """Parameters and multiply-adds of a registered model, without making its weights.

    Raises: UnknownNameError, ConfigError as `core.models.build` does.
    """
    with torch.device("meta"):
        return cost(build(name, in_shape, num_classes, width=width), in_shape)


def parameters_of(name: str, in_shape: tuple[int, int, int], num_classes: int, width: int) -> int:
    """Parameters of a registered model. Quicker than `cost_of`, whose first use in a process loads for a second.

    Raises: UnknownNameError, ConfigError as `core.models.build` does.
    """
    with torch.random.fork_rng(devices=[]):
        model = build(name, in_shape, num_classes, width=width)
    return sum(parameter.numel() for parameter in model.parameters())


def layers(model: nn.Module, in_shape: tuple[int, int, int]) -> list[LayerCost]:
    """Every layer that an image of shape (C, H, W) meets, in order; a layer met twice is listed twice.

    A layer is a module without modules inside. Mode, buffers, hooks and random state of the model stay as they were.
    """
    found: list[LayerCost] = []
    ghost = _ghost(model)
    for name, module in ghost.named_modules():
        if not any(module.children()):
            module.register_forward_hook(partial(_record, found, name))
    with torch.no_grad():
        ghost(torch.empty(1, *in_shape, device="meta"))
    return found


def _ghost(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode on the meta device: shapes without numbers, so it needs neither memory nor time."""
    memo: dict[int, object] = {id(buffer): buffer.to("meta") for buffer in model.buffers()}
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), parameter.requires_grad)
    ghost = deepcopy(model, memo)
    for module in ghost.modules():  # else somebody's hook, copied along, would be handed tensors without numbers
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    return ghost.float().eval()


def _record(found: list[LayerCost], name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    found.append(
        LayerCost(
            name=name,
            kind=type(module).__name__,
            shape=tuple(output.shape[1:]),
            parameters=sum(parameter.numel() for parameter in module.parameters()),
            multiply_adds=multiply_adds_of(module, inputs[0], output),
        )
    )


def multiply_adds_of(module: nn.Module, x: Tensor, y: Tensor) -> int:
    """Multiply-adds of one module that made y of x, a batch of 1.

    Each weight is used once for each output pixel, in a transposed convolution for each input pixel.
    """
    if isinstance(module, nn.Conv2d):
        return module.weight.numel() * y.shape[2] * y.shape[3]
    if isinstance(module, nn.ConvTranspose2d):
        return module.weight.numel() * x.shape[2] * x.shape[3]
    if isinstance(module, nn.Linear):
        return module.weight.numel() * (y.numel() // module.out_features)
    return 0
