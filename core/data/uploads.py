"""A person's own picture: bytes that anybody may have sent, to pixels.

Owns: what is accepted, found out from the content, never from a name, and before a pixel is decoded: PNG or JPEG, at
most 5 MB and 4 megapixels, whole. OpenCV does the decoding. Leaves what files say of themselves to `headers.py`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from core.data.headers import JPEG, PNG, damaged, jpeg_size, pixels_of_png, png_size
from core.errors import DataError

Picture = NDArray[np.uint8]

MOST_BYTES = 5_000_000
MOST_PIXELS = 4_000_000
PIXELS_AT_ONCE = 1 << 16  # mixed with white in one go: in floating point they take many times their size


def read_picture(data: bytes) -> Picture:
    """The pixels of a PNG or JPEG file: uint8 [H, W, 3], red, green, blue.

    16 bits become 8, grey becomes colour, what is transparent lies on white, a photograph that a camera turned stands
    upright, and of a film there is the first frame.

    Raises: DataError, in words for the person who sent it, for anything else: another format, more than 5 MB or
    4 megapixels, CMYK, a damaged or incomplete file.
    """
    if len(data) > MOST_BYTES:
        raise DataError(f"This file has {len(data) / 1e6:.1f} MB, at most 5 MB are read. Send a smaller one.")
    if data.startswith(PNG):
        width, height = png_size(data)
    elif data.startswith(JPEG):
        width, height = jpeg_size(data)
    else:
        raise DataError(
            "This file is neither a PNG nor a JPEG, whatever its name says. Save the picture as one of them."
        )
    if width * height > MOST_PIXELS:
        raise DataError(f"This picture has {width} x {height} pixels, at most 4 million are read. Send a smaller one.")
    return _decoded_png(pixels_of_png(data)) if data.startswith(PNG) else _decoded_jpeg(data)


def _decoded_png(data: bytes) -> Picture:
    pixels = _decoded(data, cv2.IMREAD_UNCHANGED, "PNG")  # keeps transparency
    if pixels.ndim == 2:
        pixels = np.stack((pixels,) * 3, axis=2)
    if pixels.shape[2] == 4:
        pixels = _on_white(pixels)
    return np.ascontiguousarray(pixels[..., ::-1])  # OpenCV has blue first


def _decoded_jpeg(data: bytes) -> Picture:
    pixels = _decoded(data, cv2.IMREAD_COLOR, "JPEG")  # turns it as the camera says
    return np.ascontiguousarray(pixels[..., ::-1])


def _decoded(data: bytes, flag: int, kind: str) -> Picture:
    """uint8 [H, W] or [H, W, channels] as OpenCV has them. Raises: DataError."""
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        found = None
    if found is None or found.dtype not in (np.uint8, np.uint16):
        raise damaged(kind)
    if found.dtype == np.uint8:
        return np.asarray(found, dtype=np.uint8)
    return np.floor_divide(found, 257, out=np.empty(found.shape, np.uint8), casting="unsafe")


def _on_white(pixels: Picture) -> Picture:
    """uint8 [H, W, 4] with its transparency -> uint8 [H, W, 3]."""
    found = np.empty((*pixels.shape[:2], 3), np.uint8)
    rows = max(1, PIXELS_AT_ONCE // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        part = pixels[top : top + rows]
        share = part[..., 3:].astype(np.float32) / 255
        found[top : top + rows] = (part[..., :3] * share + 255 * (1 - share)).round()
    return found
