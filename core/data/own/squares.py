"""Pictures of any size as squares of one size, all grey or all in colour, as networks take them.

Owns: the choices, made once for a whole set. Of a picture that is no square the middle is kept, since that is where
people put what they photograph: nothing is squeezed out of shape, and there are no bars to learn from. A set is grey
when every pixel of every picture is. It becomes 28x28 if grey, 32x32 in colour, as the networks were tuned on; 64x64
when most of its pictures have that much to show: four times the work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from core.data.own.limits import LARGE_SIDE, MOST_BYTES, SIDE, SMALL_SIDES
from core.errors import ConfigError, DataError, shown

Picture = NDArray[np.uint8]


@dataclass
class Squares:
    """Collects pictures and makes them alike.

    side: of the squares in pixels; None lets the pictures decide. Until then each is kept as a square of its own, at
    most as large as it can become. cropped: how many were no squares.

    Raises: ConfigError for a side that networks don't take.
    """

    side: int | None = None
    cropped: int = 0
    _kept: list[Picture] = field(default_factory=list)
    _sides: list[int] = field(default_factory=list)
    _bytes: int = 0

    def __post_init__(self) -> None:
        low, high = SIDE
        if self.side is not None and (type(self.side) is not int or not low <= self.side <= high):
            raise ConfigError(f"The size is {shown(self.side)}, allowed are {low} to {high} pixels a side.")

    def add(self, picture: Picture) -> None:
        """Take a picture uint8 [H, W] or [H, W, 3]. Raises: DataError when it is too small."""
        height, width = picture.shape[:2]
        if min(height, width) < SIDE[0]:
            raise DataError(f"This picture has {width} x {height} pixels, at least {SIDE[0]} a side are needed.")
        self.cropped += height != width
        self._sides.append(min(height, width))
        kept = _grey_if_it_is(_middle(picture))
        most = self.side or LARGE_SIDE
        self._kept.append(_resized(kept, most) if len(kept) > most else kept.copy())
        self._bytes += self._kept[-1].nbytes

    def check_room(self) -> None:
        """Raises: DataError when there are too many pictures to learn from in memory."""
        if self._bytes > MOST_BYTES:
            raise _too_many()

    def chosen_in_words(self, side: int) -> str:
        """Why they became squares of this side."""
        if self.side is not None:
            return ""
        most = "have" if side == LARGE_SIDE else "are smaller than"
        return (
            f"They became {side}x{side}, since most {most} {LARGE_SIDE} pixels a side{' or more' * (most == 'have')}."
        )

    def alike(self) -> Picture:
        """All of them, in order, as uint8 [N, side, side, C], C 1 or 3; lets them go. Raises: DataError."""
        channels = max((square.shape[2] if square.ndim == 3 else 1 for square in self._kept), default=1)
        side = self.side or (LARGE_SIDE if median(self._sides) >= LARGE_SIDE else SMALL_SIDES[channels])
        if len(self._kept) * side * side * channels > MOST_BYTES:
            raise _too_many()
        found = np.empty((len(self._kept), side, side, channels), np.uint8)
        for place, square in enumerate(self._kept):
            same = _resized(square, side)
            found[place] = same[..., np.newaxis] if same.ndim == 2 else same
        self._kept.clear()
        return found


def _middle(picture: Picture) -> Picture:
    """The largest square in the middle of a picture."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def _grey_if_it_is(picture: Picture) -> Picture:
    """uint8 [H, W] of a picture whose three channels are the same; any other as it is."""
    if picture.ndim == 3 and (picture == picture[..., :1]).all():
        return picture[..., 0]
    return picture


def _resized(square: Picture, side: int) -> Picture:
    if len(square) == side:
        return square
    way = cv2.INTER_AREA if len(square) > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(square), (side, side), interpolation=way), dtype=np.uint8)


def _too_many() -> DataError:
    return DataError(
        f"These are too many pictures for their size: at most {MOST_BYTES / 1e6:.0f} MB of pixels are taken. "
        "Choose a smaller size, or leave some out."
    )
