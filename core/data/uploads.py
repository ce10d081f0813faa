"""A person's own picture: bytes that anybody may have sent, to pixels.

Owns: what is accepted, found out from the content, never from a name, and before a pixel is decoded: PNG or JPEG, at
most 5 MB and 4 megapixels, whole. OpenCV does the decoding.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import DataError

Picture = NDArray[np.uint8]

MOST_BYTES = 5_000_000
MOST_PIXELS = 4_000_000
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
PNG_END = b"IEND\xaeB`\x82"
JPEG_END = b"\xff\xd9"
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # JPEG markers that are followed by the picture's size
WITHOUT_LENGTH = {0x01, *range(0xD0, 0xDA)}  # JPEG markers that stand alone
CMYK = 4  # components


def read_picture(data: bytes) -> Picture:
    """The pixels of a PNG or JPEG file: uint8 [H, W, 3], red, green, blue.

    16 bits become 8, grey becomes colour, what is transparent lies on white, and a photograph that a camera turned
    stands upright.

    Raises: DataError, in words for the person who sent it, for anything else: another format, more than 5 MB or
    4 megapixels, CMYK, a damaged or incomplete file.
    """
    if len(data) > MOST_BYTES:
        raise DataError(f"This file has {len(data) / 1e6:.1f} MB, at most 5 MB are read. Send a smaller one.")
    if data.startswith(PNG):
        width, height = _png_size(data)
    elif data.startswith(JPEG):
        width, height = _jpeg_size(data)
    else:
        raise DataError(
            "This file is neither a PNG nor a JPEG, whatever its name says. Save the picture as one of them."
        )
    if width * height > MOST_PIXELS:
        raise DataError(f"This picture has {width} x {height} pixels, at most 4 million are read. Send a smaller one.")
    return _decoded(data)


def _png_size(data: bytes) -> tuple[int, int]:
    """Width and height, at least 1, from the header of a PNG that is whole."""
    if len(data) < 33 or data[12:16] != b"IHDR" or PNG_END not in data[-64:]:
        raise _damaged("PNG")
    width, height = struct.unpack(">II", data[16:24])
    if not width or not height:
        raise _damaged("PNG")
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height, at least 1, from the header of a JPEG that is whole."""
    if JPEG_END not in data[-64:]:
        raise _damaged("JPEG")
    place = 2
    while place + 9 < len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in FRAMES:
            height, width, components = struct.unpack(">HHB", data[place + 5 : place + 10])
            if components == CMYK:
                raise DataError("This JPEG is in CMYK, the colours of print. Save it in RGB, the colours of a screen.")
            if width and height:
                return width, height
            break
        if marker == 0xFF:  # a fill byte
            place += 1
        elif marker in WITHOUT_LENGTH:
            place += 2
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    raise _damaged("JPEG")


def _decoded(data: bytes) -> Picture:
    is_png = data.startswith(PNG)
    flag = cv2.IMREAD_UNCHANGED if is_png else cv2.IMREAD_COLOR  # keeps transparency, or turns as the camera says
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        found = None
    if found is None or found.dtype not in (np.uint8, np.uint16):
        raise _damaged("PNG" if is_png else "JPEG")
    pixels = np.asarray(found if found.dtype == np.uint8 else found // 257, dtype=np.uint8)
    if pixels.ndim == 2:
        pixels = np.stack((pixels,) * 3, axis=2)
    if pixels.shape[2] == 4:
        pixels = _on_white(pixels)
    return np.ascontiguousarray(pixels[..., ::-1])  # OpenCV has blue first


def _on_white(pixels: Picture) -> Picture:
    """uint8 [H, W, 4] with its transparency -> uint8 [H, W, 3]."""
    share = pixels[..., 3:].astype(np.float32) / 255
    mixed = pixels[..., :3] * share + 255 * (1 - share)
    return mixed.round().astype(np.uint8)


def _damaged(kind: str) -> DataError:
    return DataError(f"This {kind} is damaged or incomplete. Open it in a viewer, save it again and send that.")
