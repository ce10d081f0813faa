"""The 3x3 convolution, whose filters get their gradients of small maps side by side.

Owns: a faster way to the same gradients on processors with AMX, whose arithmetic outruns what PyTorch's own library
feeds it: it adds up the products of a filter's gradient map by map, and on maps of 3x3 to 8x8 writing down the sums
takes longer than the products. Ten maps in a row, a column of zeros between them, are one wide map to it.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import machine

WIDEST = 8  # columns of a map that gains: at 11 the copies cost what they save
MOST_IN_A_ROW = 10  # maps; with more, a row no longer fits a core's cache


class Conv3x3(nn.Conv2d):
    """A 3x3 convolution without bias that keeps the sides of a map.

    forward: float [N, channels_in, H, W] -> [N, channels_out, H, W]. The gradients are nn.Conv2d's, but for the order
    of a sum.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, kernel_size=3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The map of each filter."""
        if self.training and gains(x):
            out: Tensor = _SideBySide.apply(x.bfloat16(), self.weight.bfloat16())  # type: ignore[no-untyped-call]
            return out
        return super().forward(x)


def gains(x: Tensor) -> bool:
    """Whether the filters of maps [N, C, H, W] get their gradients sooner side by side: small ones, in bf16, on AMX."""
    return (
        x.shape[3] <= WIDEST
        and x.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and machine.describe().amx
    )


class _SideBySide(torch.autograd.Function):
    """The convolution of maps bf16 [N, C, H, W] and filters bf16 [K, C, 3, 3], with a backward pass of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:  # noqa: ANN401
        """The map of each filter, bf16 [N, K, H, W]."""
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, padding=1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:  # noqa: ANN401
        """Gradients of maps and filters, in their shapes, from that of the output, [N, K, H, W]; None where frozen."""
        x, weight = ctx.saved_tensors
        of_x, of_weight = ctx.needs_input_grad
        return (
            _gradients(x, weight, gradient, of_weight=False) if of_x else None,
            _gradients(side_by_side(x), weight, side_by_side(gradient), of_weight=True) if of_weight else None,
        )


def side_by_side(maps: Tensor) -> Tensor:
    """Maps in rows of up to ten, each followed by a column of zeros: [N, C, H, W] -> [N / n, C, H, n * (W + 1)].

    n is the greatest number up to ten that divides N. The zeros are what a convolution sees beyond the edge of a map.
    """
    count, channels, height, width = maps.shape
    each = next(n for n in range(MOST_IN_A_ROW, 0, -1) if count % n == 0)
    rows = maps.new_empty(count // each, height, each, width + 1, channels)
    rows[:, :, :, width] = 0
    rows[:, :, :, :width] = maps.permute(0, 2, 3, 1).reshape(-1, each, height, width, channels).transpose(1, 2)
    return rows.view(count // each, height, each * (width + 1), channels).permute(0, 3, 1, 2)


def _gradients(x: Tensor, weight: Tensor, gradient: Tensor, *, of_weight: bool) -> Tensor:
    """What PyTorch's own backward pass gives of a 3x3 convolution: of the filters, or of the maps."""
    wanted = [not of_weight, of_weight, False]
    found = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, wanted
    )
    gradients: Tensor = found[1 if of_weight else 0]
    return gradients
