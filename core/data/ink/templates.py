"""How people write each digit: the strokes of many habits, each as few points, and hands that vary them.

Owns: the table of habits and what differs from one writing to the next. Leaves the pen to `pens.py`.

A habit is a text of points "x,y" in a box of 100 by 100, y downwards, strokes parted by "/"; "!" marks a corner.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

Points = NDArray[np.float32]

POINTS_A_SPAN = 5  # drawn between two given points of a curve
# fmt: off
HABITS: tuple[tuple[str, ...], ...] = (
    (  # 0
        "50,2 20,15 8,50 20,85 50,98 80,85 92,50 80,15 50,2",
        "50,2 30,20 25,50 30,82 50,98 70,82 75,50 70,20 50,2",
        "58,4 30,8 12,40 18,80 45,98 75,85 88,50 78,18 46,2",
        "60,2 28,12 10,50 22,88 52,98 84,80 88,40 68,8 44,6 30,18",
        "40,6 70,10 88,45 74,86 46,97 18,80 14,42 30,14 44,4",
        "20,12 14,50 24,90 50,97 78,90 86,50 78,10 50,3 20,12",
        "70,10 45,2 20,25 15,60 32,94 60,96 82,70 84,35 66,8",
        "50,2 20,15 8,50 20,85 50,98 80,85 92,50 80,15 50,2/78,14 22,90",
    ),
    (  # 1
        "50,0 50,100",
        "66,0 38,100",
        "40,0 58,100",
        "28,28 55,2! 55,100",
        "8,52 55,2! 55,100",
        "25,25 52,2! 52,98/22,98 82,98",
        "50,2 50,98/25,98 75,98",
        "38,16 54,3! 50,100",
        "30,25 50,4 54,50 52,100",
        "12,40 62,2! 46,100",
    ),
    (  # 2
        "14,25 30,4 65,4 82,28 66,56 30,82 10,97! 90,97",
        "14,25 32,4 64,3 82,26 64,58 30,88 14,92 20,80 40,86 62,97 90,88",
        "12,8 82,8! 14,95! 88,95",
        "10,20 25,2 60,0 80,20 75,45 45,70 12,98! 50,92 90,98",
        "20,30 30,5 60,2 75,25 55,60 15,95! 88,90",
        "25,35 12,20 30,2 66,2 84,26 62,60 12,96! 88,98",
        "16,18 50,0 78,18 70,48 22,95! 74,97",
        "10,10 60,4 76,22 50,60 26,84 20,96 40,88 60,92 86,97",
    ),
    (  # 3
        "14,14 40,2 72,10 76,34 44,48! 78,58 84,82 52,99 12,88",
        "12,4 82,4! 46,42! 80,58 80,86 46,99 10,88",
        "14,4 80,4! 42,46! 82,72! 50,97! 10,90",
        "18,10 60,2 78,22 60,46 44,48 72,54 84,76 60,98 14,92",
        "14,14 46,2 76,18 58,46 40,50 46,42 70,52 84,78 50,99 12,88",
        "24,10 56,4 68,22 44,40! 82,52 88,84 46,100 8,84",
        "20,6 66,6 74,30 36,46! 76,56 78,90 20,96",
        "10,20 34,2 70,8 70,36 38,44! 66,50 76,72 64,96 16,98",
    ),
    (  # 4
        "30,2 16,58! 86,58/66,28 62,100",
        "18,4 18,52! 84,52/66,4 66,100",
        "62,2 10,66! 92,66/62,2 62,100",
        "70,98 66,2! 8,66! 90,64",
        "40,2 14,54! 80,50/62,26 50,100",
        "22,4 18,50! 70,50! 72,4! 70,100",
        "25,2 22,40 40,56 66,50! 70,6! 68,100",
        "44,4 6,60! 94,56/60,36 58,98",
        "56,4 12,60! 88,60/56,4 60,98",
        "14,6 10,46! 76,44/70,2 58,100",
    ),
    (  # 5
        "78,4 26,4! 20,44! 56,38 84,62 70,92 36,99 10,86",
        "26,6 22,46! 58,40 82,64 66,94 12,92/26,6 80,4",
        "80,6 40,4 20,22 34,44 68,54 82,76 58,98 14,92",
        "80,4 22,4! 20,46! 76,46! 78,92! 14,94",
        "30,10 24,46! 60,42 82,68 58,98 12,90/38,4 86,2",
        "70,2 30,2! 26,36! 62,40 74,66 60,96 18,98",
        "74,6 24,8! 18,50! 50,36 86,54 84,88 44,100 8,84",
        "84,4 34,6! 22,42! 50,46 76,60 70,88 30,98",
    ),
    (  # 6
        "70,2 36,22 14,60 22,92 54,99 80,82 74,58 46,52 18,70",
        "60,0 22,58 18,84 42,99 74,90 74,64 44,56 22,74",
        "58,0 24,36 12,74 34,99 68,94 76,70 52,56 18,72",
        "78,12 52,2 22,30 12,72 36,99 72,92 80,64 50,54 16,74",
        "66,0 30,40 20,80 40,98 64,90 62,70 40,66 22,82",
        "24,0 18,50 20,88 50,99 78,84 74,60 46,52 20,70",
        "62,2 16,64! 26,97 76,95 74,62! 20,64",
        "48,0 24,30 16,76 40,99 74,88 70,62 40,60 18,80",
    ),
    (  # 7
        "10,6 86,6! 42,98",
        "10,6 86,6! 44,98/28,50 76,50",
        "12,20 12,4! 86,6! 46,98",
        "12,20 14,6! 84,6! 44,98/30,52 78,50",
        "10,8 60,6 84,10 60,40 46,70 42,99",
        "8,12 30,4 60,10 88,4! 60,44 46,98",
        "14,4 74,4! 62,98",
        "12,8 84,4! 40,98/30,56 74,44",
        "16,4 82,6! 28,98",
    ),
    (  # 8
        "74,16 48,2 22,18 34,40 68,58 80,82 50,99 18,82 32,58 66,40 76,18",
        "50,2 24,14 26,38 50,48 74,38 76,14 50,2/50,48 18,62 18,88 50,99 82,88 82,62 50,48",
        "80,14 54,2 26,14 30,38 66,54 80,80 50,99 20,80 34,54 64,36 84,10",
        "30,4 70,4 62,40 34,58 22,90 76,94 66,58 38,42 30,4",
        "52,48 26,34 30,8 66,4 74,30 52,48 22,66 24,94 70,96 78,68 52,48",
        "50,4 32,14 34,36 50,44 66,36 66,14 50,4/50,44 14,66 24,96 74,97 88,66 50,44",
        "70,10 30,6 26,34 72,62 70,96 24,94 28,64 70,36 70,10",
        "62,4 34,8 30,30 70,60 76,86 46,99 22,84 36,56 72,34 74,12 54,3",
    ),
    (  # 9
        "76,26 52,4 22,16 20,44 48,54 74,34 78,20! 74,98",
        "76,24 50,2 22,16 22,46 52,54 76,30 80,60 64,94 24,98",
        "72,10 36,4 20,30 36,52 70,44 72,8! 70,100",
        "70,22 44,2 18,22 30,50 60,48 72,22/72,6 68,100",
        "78,14 46,2 18,28 38,54 76,40 80,10! 76,76 52,99 18,90",
        "74,30 66,6 30,6 20,36 46,52 74,32! 56,98",
        "78,6 20,8! 22,48! 76,46! 78,6! 72,98",
        "72,28 56,4 28,8 22,34 44,52 68,40 76,14! 66,70 40,98",
    ),
)
# fmt: on
WOBBLE = 0.035  # how far a point strays, in heights of the digit
SHAKE = 0.012  # the same for each point that is drawn


def written(digit: int, chance: RandomState) -> list[Points]:
    """A digit in a habit by chance, written once: float32 [P, 2] for each stroke, x and y in about -0.5..0.5.

    Every point strays a little; some hands join points by straight lines, some shake.
    """
    strokes = _habits(digit)[chance.randint(len(HABITS[digit]))]
    cuts_corners = chance.rand() < 0.15
    shake = SHAKE * chance.rand() if chance.rand() < 0.4 else 0.0
    drawn = []
    for given, spread in strokes:
        points = given + chance.normal(0, WOBBLE, given.shape)
        curve = points if cuts_corners else spread @ points
        drawn.append((curve + chance.normal(0, shake, curve.shape) if shake else curve).astype(np.float32))
    return drawn


@lru_cache(maxsize=16)
def _habits(digit: int) -> list[list[tuple[Points, Points]]]:
    """The habits of a digit: for each stroke its points [K, 2] in -0.5..0.5, and the matrix [P, K] that curves them."""
    return [[_stroke(text) for text in habit.split("/")] for habit in HABITS[digit]]


def _stroke(text: str) -> tuple[Points, Points]:
    words = text.split()
    points = np.array([word.rstrip("!").split(",") for word in words], dtype=np.float32) / 100 - 0.5
    corners = [place for place, word in enumerate(words) if word.endswith("!")]
    ends = [0, *corners, len(words) - 1]
    rows = [_curve(first, last, len(words)) for first, last in pairwise(ends) if last > first]
    return points.astype(np.float32), np.concatenate(rows).astype(np.float32)


def _curve(first: int, last: int, count: int) -> NDArray[np.float64]:
    """The matrix [P, count] of a smooth curve through the points `first` to `last`.

    Source: Catmull and Rom 1974, A Class of Local Interpolating Splines; the ends are doubled.
    """
    rows = []
    for place in range(first, last):
        for t in np.linspace(0, 1, POINTS_A_SPAN, endpoint=False):
            weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3)
            row = np.zeros(count)
            for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
                row[min(max(place + offset, first), last)] += weight / 2
            rows.append(row)
    end = np.zeros(count)
    end[last] = 1
    return np.array([*rows, end])
