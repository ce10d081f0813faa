"""A drawing for networks that were not made for it: squeezed, centred and moved; and a picture made a drawing.

Owns: the ways from a 64x64 field to the 28x28 image of one digit, and over the field. Leaves networks to the caller.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

SIDE, SMALL = 64, 28  # of a field, of an MNIST image
BOX = 20  # pixels of the longer side of a centred digit, as in MNIST
FAINT = 48  # ink below this value, of 255, does not count


def squeezed(ink: Pixels) -> Pixels:
    """The whole field uint8 [64, 64] made small: uint8 [28, 28]."""
    return np.asarray(cv2.resize(ink, (SMALL, SMALL), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def centred(ink: Pixels) -> Pixels:
    """The ink of a field uint8 [64, 64] as MNIST wants it: uint8 [28, 28], black if there is none.

    Its longer side takes 20 pixels, and its centre of mass lies in the middle, to a whole pixel.

    Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits.
    """
    rows, columns = np.nonzero(ink >= FAINT)
    if not len(rows):
        return np.zeros((SMALL, SMALL), np.uint8)
    cut = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height, width = (max(1, round(side * BOX / max(cut.shape))) for side in cut.shape)
    small = cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA if max(cut.shape) > BOX else cv2.INTER_LINEAR)
    weight = small.astype(np.float64)
    y, x = (float((weight.sum(1 - axis) @ np.arange(weight.shape[axis])) / weight.sum()) for axis in (0, 1))
    to_middle = np.array([[1, 0, round(SMALL / 2 - x)], [0, 1, round(SMALL / 2 - y)]], np.float64)
    return np.asarray(cv2.warpAffine(small, to_middle, (SMALL, SMALL)), dtype=np.uint8)


def moved(ink: Pixels, right: int, down: int) -> Pixels:
    """A field uint8 [64, 64] moved by whole pixels; what leaves it is gone, what comes in is black."""
    shift = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return np.asarray(cv2.warpAffine(ink, shift, (SIDE, SIDE), flags=cv2.INTER_NEAREST), dtype=np.uint8)


def over_the_field(ink: Pixels, places: Sequence[int]) -> Pixels:
    """The ink of a field with the middle of its box at every pair of places: uint8 [len(places) ** 2, 64, 64].

    places: pixels, for x and y alike; row by row from the top. The field must hold ink.
    """
    rows, columns = np.nonzero(ink >= FAINT)
    x, y = (int(columns.min()) + int(columns.max())) // 2, (int(rows.min()) + int(rows.max())) // 2
    return np.stack([moved(ink, right - x, down - y) for down in places for right in places])


def from_picture(picture: Pixels) -> Pixels:
    """A picture uint8 [H, W, 3] as ink on a field: uint8 [64, 64], ink white on black whichever way it was.

    Fitted in whole; where it leaves room the field is black. The faintest tenth of its contrast is taken for paper.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    border = np.concatenate((grey[0], grey[-1], grey[:, 0], grey[:, -1]))
    if np.median(border) > 127:  # dark ink on light paper
        grey = 255 - grey
    scale = SIDE / max(grey.shape)
    height, width = (max(1, round(side * scale)) for side in grey.shape)
    small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    low, high = float(small.min()), float(small.max())
    strength = (small - low) / max(1.0, high - low) if high - low > FAINT else np.zeros(small.shape)
    field = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    field[top : top + height, left : left + width] = np.where(strength > 0.1, strength * 255, 0).round()
    return field
