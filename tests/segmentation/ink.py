"""Ink that no training image comes from: OpenCV's Hershey fonts, and drawings made stroke by stroke by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from core.data.ink import pens

SIDE = 64
FONTS = (
    *(cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX),
    *(cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX_SMALL, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX),
    *(cv2.FONT_HERSHEY_SCRIPT_COMPLEX, cv2.FONT_HERSHEY_SIMPLEX | cv2.FONT_ITALIC),
    *(cv2.FONT_HERSHEY_COMPLEX | cv2.FONT_ITALIC, cv2.FONT_HERSHEY_TRIPLEX | cv2.FONT_ITALIC),
)
HEIGHTS, THICKNESSES, SLANTS = (20, 30, 42), (2, 3, 5), (-0.2, 0.0, 0.2)
DRAWINGS = Path(__file__).parents[1] / "drawings" / "digits.json"
DRAWN_HEIGHTS, PENS = (28.0, 40.0), (2.0, 3.5)


def hershey() -> Iterator[tuple[int, str, np.ndarray]]:
    """Every digit in every font, height, thickness and slant: the digit, what it is, uint8 [64, 64]."""
    for font in FONTS:
        for height in HEIGHTS:
            for thickness in THICKNESSES:
                for slant in SLANTS:
                    for digit in range(10):
                        what = f"font {font}, {height} px, pen {thickness}, slant {slant}"
                        yield digit, what, lettered(digit, font, height, thickness, slant)


def lettered(digit: int, font: int, height: int, thickness: int, slant: float) -> np.ndarray:
    """One digit of a font in the middle of a field."""
    big = np.zeros((SIDE * 4, SIDE * 4), np.uint8)
    scale = height * 4 / cv2.getTextSize("0", font, 1.0, 1)[0][1]
    cv2.putText(big, str(digit), (60, 220), font, scale, 255, thickness * 4, cv2.LINE_AA)
    y, x = np.nonzero(big)
    middle = np.array([(x.min() + x.max()) / 2, (y.min() + y.max()) / 2])
    shear = np.array([[1, -slant], [0, 1]])
    moved = np.column_stack((shear, [SIDE * 2, SIDE * 2] - shear @ middle))
    return cv2.resize(cv2.warpAffine(big, moved, big.shape), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def drawings() -> Iterator[tuple[int, str, np.ndarray]]:
    """Every drawing in two sizes and with two pens: the digit, the habit, uint8 [64, 64]."""
    for number, drawing in enumerate(json.loads(DRAWINGS.read_text(encoding="utf-8"))):
        points = [np.array(stroke, np.float32) for stroke in drawing["strokes"]]
        every = np.concatenate(points)
        low, high = every.min(0), every.max(0)
        for height in DRAWN_HEIGHTS:
            scale = height / max(float(high[1] - low[1]), float(high[0] - low[0]))
            for pen in PENS:
                moved = [(stroke - (low + high) / 2) * scale + (SIDE - 1) / 2 for stroke in points]
                yield drawing["digit"], f"#{number} {drawing['habit']}", pens.draw(moved, pen, SIDE)
