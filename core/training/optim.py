"""Optimisers, and the learning rate at every step.

Owns: building an optimiser from a config, its state as a flat dictionary of tensors, and the schedule.
Schedules count steps, never seconds, so that a slow machine learns the same thing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from core.errors import shown
from core.training.muon import Muon

if TYPE_CHECKING:
    from core.config import TrainConfig


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimiser of a config. Weight decay leaves biases and normalisation alone, as is usual."""
    learnt = [p for p in model.parameters() if p.requires_grad]
    matrices, vectors = [p for p in learnt if p.ndim > 1], [p for p in learnt if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    rate = config.learning_rate
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=config.momentum, nesterov=config.momentum > 0, fused=True)
    if config.optimizer == "muon":
        # The last layer's rows are classes: orthogonal steps would move them all alike.
        hidden, last = {**groups[0], "params": matrices[:-1]}, {**groups[0], "params": matrices[-1:]}
        return Muon([{**hidden, "orthogonal": True}, last, groups[1]], rate, config.momentum)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=rate, fused=True)


def learning_rate(config: TrainConfig, step: int, total_steps: int) -> float:
    """The learning rate of step `step` (from 0) out of `total_steps`: a linear rise, then the config's schedule."""
    rise = round(config.warmup * total_steps)
    if step < rise:
        return config.learning_rate * (step + 1) / rise
    left = max(0.0, 1 - (step - rise) / max(1, total_steps - rise))  # 1 at the peak, towards 0 at the last step
    factor = {"constant": 1.0, "linear": left, "cosine": (1 - math.cos(math.pi * left)) / 2}[config.schedule]
    return config.learning_rate * factor


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group of parameters this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's memory as `"<parameter number>.<name>": tensor`."""
    state = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, entry in state.items() for name, value in entry.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put tensors from `optimizer_tensors` back, each in the memory format of its parameter.

    The format matters: other strides make other kernels run, and the bits differ.

    Raises: ValueError when the tensors are not what such an optimiser keeps of these parameters.
    """
    kept = [(p, _kept_of(optimizer, group)) for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        like = kept[int(number)][0]
        fitted = torch.empty_like(like).copy_(value) if value.shape == like.shape else value.clone()
        state.setdefault(int(number), {})[name] = fitted
    for place, entry in state.items():
        like, names = kept[place]
        expected = {name: torch.Size() if name == "step" else like.shape for name in names}
        if (shapes := {name: value.shape for name, value in entry.items()}) != expected or place < 0:
            raise ValueError(f"of parameter {place} it remembers {shown(shapes)}, but its optimiser {expected}")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _kept_of(optimizer: torch.optim.Optimizer, group: Mapping[str, Any]) -> tuple[str, ...]:
    """What an optimiser keeps of every parameter of a group, once it has made a step."""
    if isinstance(optimizer, torch.optim.SGD):
        return ("momentum_buffer",)
    if isinstance(optimizer, Muon):
        return ("momentum",) if group["orthogonal"] else ("step", "mean", "square")
    return ("step", "exp_avg", "exp_avg_sq")
