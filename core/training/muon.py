"""Muon: momentum whose steps are made orthogonal, for filters and hidden layers; Adam for all other parameters.

Owns: one optimiser for a whole network, with one learning rate. torch.optim.Muon takes matrices only, and no filters.

Source: Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks,
https://kellerjordan.github.io/posts/muon/; the size of a step, which makes Adam's learning rates fit, is from Liu et
al. 2025, Muon is Scalable for LLM Training (arXiv:2502.16982), section 2.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

BETAS, EPSILON = (0.9, 0.98), 1e-8  # Adam's
STEP_SIZE = 0.2  # root mean square of an orthogonal step at learning rate 1, as Adam's usually is
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # brings singular values in 0..1 near 1 in five rounds; from the source
ROUNDS = 5


class Muon(torch.optim.Optimizer):
    """The optimiser. Groups of parameters, each with `lr`, `momentum`, `weight_decay` and `orthogonal`.

    orthogonal: whether the group's steps are made orthogonal: then its parameters are matrices or filters, each seen as
    a matrix with a row for every place of its first axis: a convolution's outputs, a de-convolution's inputs. The
    others make the steps of AdamW. momentum: what is left of a gradient's part in an orthogonal step one step later.
    weight_decay: share of a weight that a step at learning rate 1 takes away, beside the gradient's step.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, momentum: float) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": 0.0, "orthogonal": False})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step on every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    update = self._update(parameter, parameter.grad, group)
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"])

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
        if group["orthogonal"]:
            return self._orthogonal_step(parameter, gradient, group["momentum"])
        return self._adam_step(parameter, gradient)

    def _orthogonal_step(self, parameter: Tensor, gradient: Tensor, momentum: float) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].mul_(momentum).add_(gradient)
        ahead = gradient.add(state["momentum"], alpha=momentum)  # as Nesterov does
        return orthogonal(ahead)

    def _adam_step(self, parameter: Tensor, gradient: Tensor) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        steps = int(state["step"])
        mean: Tensor = state["mean"].lerp_(gradient, 1 - BETAS[0])
        square: Tensor = state["square"].lerp_(gradient.square(), 1 - BETAS[1])
        spread = (square / (1 - BETAS[1] ** steps)).sqrt_().add_(EPSILON)
        return mean / (1 - BETAS[0] ** steps) / spread


def orthogonal(update: Tensor) -> Tensor:
    """The update float [rows, ...] with equal singular values and a root mean square near 0.2; same shape and dtype.

    Five rounds of a Newton-Schulz iteration do it. Each multiplies the update by a polynomial of its rows' products
    with each other, so the rounds are multiplied out in that small square, and the update itself is met twice only.
    These two products may round a float32 update to bf16, as the source does all along.
    """
    last = update.movedim(1, -1)  # as channels_last filters lie in memory; which column is which does not matter
    matrix = last.flatten(1)  # -> [rows, columns]
    is_tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if is_tall else matrix
    with _coarse_factors():
        products = x @ x.T
    norm = products.trace().sqrt() + EPSILON
    rounds = _rounds(products / norm.square())
    with _coarse_factors():
        x = rounds.mul_(STEP_SIZE * max(matrix.shape) ** 0.5 / norm) @ x
    x = x.T if is_tall else x
    return x.reshape(last.shape).movedim(-1, 1)


@contextmanager
def _coarse_factors() -> Iterator[None]:
    """Products of float32 matrices from factors of bf16 or the like, where the processor does these sooner.

    The sums stay float32. With sums of bf16, the products of rows could get negative eigenvalues, which grow.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _rounds(gram: Tensor) -> Tensor:
    """What makes the rows orthogonal whose products with each other are `gram`, float [rows, rows]; same shape."""
    a, b, c = NEWTON_SCHULZ
    factors = []
    for left in reversed(range(ROUNDS)):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        factors.append(factor)
        if left:
            gram = factor @ gram @ factor
    product: Tensor = torch.linalg.multi_dot(factors)
    return product
