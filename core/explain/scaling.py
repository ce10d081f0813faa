"""From what a method computed to what is shown: positive evidence in 0..1, at the images' size.

Owns: what counts as nothing, and how a coarse map is made as large as its image.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

NOTHING = 1e-6  # of the strongest evidence against: less than this for the class is rounding, not evidence


def scaled(raw: Tensor, size: tuple[int, int] | None = None, *, smooth: bool = True) -> Tensor:
    """The positive part of maps, each divided by its greatest value, so that it reaches 1.

    raw: float [N, h, w], above 0 what argues for the score. size: (H, W) to enlarge to; None leaves it as it is.
    smooth: bilinear between the centres of the places; else every place is an even rectangle.

    Returns float [N, H, W] in 0..1. A map with nothing above 0 is all 0: it is never stretched.
    """
    positive = raw.relu().unsqueeze(1)  # [N, 1, h, w]
    if size is not None and tuple(size) != tuple(raw.shape[1:]):
        positive = F.interpolate(positive, size, mode="bilinear") if smooth else F.interpolate(positive, size)
    greatest = positive.amax(dim=(1, 2, 3), keepdim=True)
    floor = NOTHING * raw.abs().amax(dim=(1, 2)).reshape(-1, 1, 1, 1)
    return torch.where(greatest > floor, positive / greatest, torch.zeros_like(positive)).squeeze(1)
