"""Digits thinned to lines one pixel wide, so that a pen of any width can draw them again.

Owns: thinning whole batches, and the lines between the pixels that are left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

INK = 100  # from this value, of 255, a pixel is ink
STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))  # to the neighbours behind and below
RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))  # clockwise from above: bits 0 to 7


def thinned(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The lines in the middle of the ink: bool [N, H, W] of uint8 [N, H, W]; ink that touches stays in touch.

    Source: Zhang and Suen 1984, A Fast Parallel Algorithm for Thinning Digital Patterns.
    """
    ink = np.pad(images >= INK, ((0, 0), (1, 1), (1, 1))).astype(np.uint8)
    while True:
        before = int(ink.sum())
        for table in _TABLES:
            ink[:, 1:-1, 1:-1] &= table[_rings(ink)]
        if int(ink.sum()) == before:
            return ink[:, 1:-1, 1:-1].astype(bool)


def lines(skeleton: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The lines between neighbouring pixels of a skeleton bool [H, W]: float32 [L, 2, 2], x and y of both ends.

    Coordinates are pixels from the middle of the image. A pixel alone is a line of no length. A diagonal beside two
    straight steps is left out.
    """
    height, width = skeleton.shape
    padded = np.pad(skeleton, 1)
    found = []
    for down, right in STEPS:
        there = padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]
        both = skeleton & there
        if down and right:  # the two other corners of the square
            both &= ~(padded[1 + down : 1 + down + height, 1:-1] | padded[1:-1, 1 + right : 1 + right + width])
        y, x = np.nonzero(both)
        found.append(np.stack((np.stack((x, y), 1), np.stack((x + right, y + down), 1)), 1))
    alone = skeleton.copy()
    for ends in found:
        alone[ends[..., 1], ends[..., 0]] = False
    y, x = np.nonzero(alone)
    every = np.concatenate((*found, np.repeat(np.stack((x, y), 1)[:, None], 2, axis=1)))
    return np.asarray(every - np.array([(width - 1) / 2, (height - 1) / 2]), dtype=np.float32)


def _rings(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The eight neighbours of every inner pixel as the bits of one number: uint8 [N, H, W]."""
    rows, columns = ink.shape[1] - 2, ink.shape[2] - 2
    code = np.zeros((len(ink), rows, columns), np.uint8)
    for bit, (down, right) in enumerate(RING):
        code |= ink[:, 1 + down : 1 + down + rows, 1 + right : 1 + right + columns] << bit
    return code


def _keeps(code: int, first: bool) -> bool:
    """Whether a pixel with these neighbours stays in one half of a round of the algorithm."""
    p = [(code >> bit) & 1 for bit in range(8)]  # P2 to P9 of the source
    rises = sum(not p[bit] and p[(bit + 1) % 8] for bit in range(8))
    if first:
        open_side = not (p[0] and p[2] and p[4]) and not (p[2] and p[4] and p[6])
    else:
        open_side = not (p[0] and p[2] and p[6]) and not (p[0] and p[4] and p[6])
    return not (2 <= sum(p) <= 6 and rises == 1 and open_side)


_TABLES = tuple(np.array([_keeps(code, first) for code in range(256)], dtype=np.uint8) for first in (True, False))
