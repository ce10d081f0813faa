"""Strokes drawn by a round pen.

Owns: from lines to ink on a square field, with soft edges. Leaves to the caller where the lines are.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

FINER = 2  # times as fine as the field is what is drawn, before it is averaged: widths come in half pixels
TOO_WIDE = 1.7  # pixels by which OpenCV's soft lines are wider than it is told, measured
FRACTION_BITS = 4  # of OpenCV's coordinates


def draw(strokes: Sequence[NDArray[np.float32]], width: float, side: int) -> NDArray[np.uint8]:
    """Ink of strokes on a black field: uint8 [side, side], 255 where the pen covers a pixel wholly.

    strokes: float32 [P, 2] each, x and y in pixels of the field, pixel centres at whole numbers; what lies outside is
    cut off. width: of the pen in pixels, from 0.5.
    """
    canvas = np.zeros((side * FINER, side * FINER), np.uint8)
    shift = (FINER - 1) / 2  # of the pixel centres
    fine = np.rint((np.concatenate(strokes) * FINER + shift) * (1 << FRACTION_BITS)).astype(np.int32)
    whole = np.split(fine, np.cumsum([len(stroke) for stroke in strokes])[:-1])
    cv2.polylines(canvas, whole, False, 255, max(1, round(width * FINER - TOO_WIDE)), cv2.LINE_AA, FRACTION_BITS)
    return np.asarray(cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)
