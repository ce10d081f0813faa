"""A drawing in, class probabilities for every pixel out, and the digits that they spell.

Owns: segment, and reading digits off its answer; how many digits of whole scenes are read right. Leaves figures by
pixel to `core.evaluation`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import DataError, shown

if TYPE_CHECKING:
    from torch import Tensor, nn

SIDE, BACKGROUND = 64, 10
INK = 48  # from this value, of 255, a pixel is ink
GAP = 2  # pixels between strokes that still belong together
SHARE = 0.3  # of a piece of ink that another digit must claim to be read beside the first
LEAST = 12  # pixels of a digit; less is a speck


@dataclass(frozen=True)
class Segmentation:
    """What a network says of every pixel of a field: probabilities float32 [11, 64, 64], labels uint8 [64, 64]."""

    probabilities: NDArray[np.float32]
    labels: NDArray[np.uint8]


@dataclass(frozen=True)
class Reading:
    """One digit read off a field. confidence: mean probability of it on its pixels against the other digits, 0..1.

    box: left, top, right and bottom of its pixels, all included.
    """

    digit: int
    confidence: float
    box: tuple[int, int, int, int]


def segment(model: nn.Module, image: NDArray[np.uint8] | Tensor) -> Segmentation:
    """Run an FCN on ink: uint8 [64, 64], 0 black to 255 white ink.

    model: in evaluation mode and on the CPU, as `load_model` gives it; its mode is not changed here.

    Raises: DataError for anything else.
    """
    ink = np.asarray(image)
    if ink.shape != (SIDE, SIDE) or ink.dtype != np.uint8:
        raise DataError(
            f"The ink is {ink.dtype} of shape {shown(list(ink.shape))}, expected bytes of shape [64, 64], ink white."
        )
    with torch.inference_mode():
        pixels = torch.from_numpy(np.ascontiguousarray(ink)).float().div_(255)[None, None]
        probabilities = model(pixels).float().softmax(1)[0].numpy()  # [11, 64, 64]
    return Segmentation(probabilities, probabilities.argmax(0).astype(np.uint8))


def receptive_field(model: nn.Module, image: NDArray[np.uint8], pixel: tuple[int, int]) -> NDArray[np.float32]:
    """How much each pixel of the ink sways what an FCN calls one pixel: float32 [64, 64] in 0..1, the most is 1.

    It is the size of the gradient of that pixel's likeliest class: the effective receptive field of Luo et al. 2016,
    arXiv 1701.04128. pixel: (x, y). image: uint8 [64, 64]. All 0 where nothing sways it.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(image)).float().div_(255)[None, None].requires_grad_()
    x, y = pixel
    logits = model(pixels)[0, :, y, x]
    (gradient,) = torch.autograd.grad(logits.max(), pixels)
    size = gradient[0, 0].abs()
    return np.asarray((size / size.max().clamp_min(1e-12)).numpy(), dtype=np.float32)


def read(ink: NDArray[np.uint8], found: Segmentation) -> list[Reading]:
    """The digits on a field, left to right: for each piece of ink the digit that most of it is called.

    A piece of which two digits that stand side by side each claim a third or so is read as both: they touch. Specks are
    not read.

    ink: uint8 [64, 64]. found: what `segment` says of it.
    """
    readings = [reading for piece in _pieces(ink) for reading in _read_piece(piece, found)]
    return sorted(readings, key=lambda reading: reading.box[0] + reading.box[2])


def _pieces(ink: NDArray[np.uint8]) -> Iterator[NDArray[np.bool_]]:
    """Ink that hangs together, small gaps closed: bool [64, 64] each."""
    is_ink = (ink >= INK).astype(np.uint8)
    near = cv2.dilate(is_ink, np.ones((GAP + 1, GAP + 1), np.uint8))
    count, piece = cv2.connectedComponents(near, connectivity=8)
    for number in range(1, count):
        pixels = (piece == number) & (is_ink > 0)
        if pixels.sum() >= LEAST:
            yield pixels


def _read_piece(piece: NDArray[np.bool_], found: Segmentation) -> Iterator[Reading]:
    digits = found.probabilities[:BACKGROUND][:, piece]  # [10, P]
    among_digits = digits / digits.sum(0).clip(1e-9)
    answer = among_digits.argmax(0)
    share = np.bincount(answer, minlength=BACKGROUND) / len(answer)
    y, x = np.nonzero(piece)
    claims = [answer == digit for digit in np.flatnonzero(share >= SHARE)]
    if len(claims) < 2 or not _side_by_side(*(x[its] for its in claims[:2])):
        claims = [np.ones(len(answer), bool)]
    for its in claims:
        digit = int(among_digits[:, its].mean(1).argmax())
        box = (int(x[its].min()), int(y[its].min()), int(x[its].max()), int(y[its].max()))
        yield Reading(digit, float(among_digits[digit, its].mean()), box)


def _side_by_side(first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    """Whether pixels in these columns overlap by less than half of the narrower."""
    overlap = min(first.max(), second.max()) - max(first.min(), second.min())
    return bool(overlap < min(np.ptp(first), np.ptp(second)) / 2)


@dataclass(frozen=True)
class DigitAccuracy:
    """How many digits of scenes are read right: in the middle, and cut or touched by the edge of the field."""

    middle_right: int
    middle: int
    border_right: int
    border: int

    @property
    def accuracy(self) -> float:
        """Of all digits, 0..1."""
        return (self.middle_right + self.border_right) / max(1, self.middle + self.border)


def digit_accuracy(predictions: Tensor, truth: Tensor) -> DigitAccuracy:
    """Digits read right, each a connected piece of one class in the truth: right if most of its pixels say so.

    Only answers that are a digit count; pieces of fewer than 12 pixels are left out.

    predictions, truth: integers [N, 64, 64], 10 for the background.
    """
    counts = {"middle": [0, 0], "border": [0, 0]}
    for answer, mask in zip(predictions.numpy(), truth.numpy(), strict=True):
        for digit in np.unique(mask[mask != BACKGROUND]):
            total, piece = cv2.connectedComponents((mask == digit).astype(np.uint8), connectivity=8)
            for number in range(1, total):
                its = piece == number
                if its.sum() >= LEAST:
                    votes = np.bincount(answer[its], minlength=BACKGROUND + 1)[:BACKGROUND]
                    place = counts["border" if _touches_edge(its) else "middle"]
                    place[0] += bool(votes.any() and votes.argmax() == digit)
                    place[1] += 1
    return DigitAccuracy(*counts["middle"], *counts["border"])


def _touches_edge(piece: NDArray[np.bool_]) -> bool:
    return bool(piece[[0, -1]].any() or piece[:, [0, -1]].any())
