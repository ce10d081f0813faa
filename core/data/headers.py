"""What a PNG or JPEG says of itself, found out before a pixel is decoded.

Owns: sizes from headers, and what in a file would cost a decoder far more than its pixels are worth: chunks of a PNG
that no pixel is made of, compressed data that swell, JPEGs of thousands of scans. Leaves limits on a picture's size to
`uploads.py`, pixels to OpenCV.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from core.errors import DataError

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
PNG_END = b"IEND\xaeB`\x82"
PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
FILM = b"acTL"  # the chunk that tells how many frames there are
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by a PNG's kind of colour
INFLATED_AT_ONCE = 1 << 20  # bytes
JPEG_END = b"\xff\xd9"
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # JPEG markers that are followed by the picture's size
WITHOUT_LENGTH = {0x01, *range(0xD0, 0xDA)}  # JPEG markers that stand alone
SCAN = b"\xff\xda"
MOST_SCANS = 200  # cameras and editors write ten; each goes over all pixels again
CMYK = 4  # components


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height, at least 1, from the header of a PNG that has an end. Raises: DataError."""
    if len(data) < 33 or data[12:16] != b"IHDR" or PNG_END not in data[-64:]:
        raise damaged("PNG")
    width, height = struct.unpack(">II", data[16:24])
    if not width or not height:
        raise damaged("PNG")
    return width, height


def pixels_of_png(data: bytes) -> bytes:
    """The same PNG with nothing in it but its pixels: no texts, no colour profiles, no further frames of a film.

    Raises: DataError when it is damaged, or its data would swell to far more than the pixels that its header tells of.
    """
    kept = [(kind, chunk) for kind, chunk in _chunks(data) if kind in PIXEL_CHUNKS]
    compressed = b"".join(chunk[8:-4] for kind, chunk in kept if kind == b"IDAT")
    if _swells_beyond(compressed, _most_bytes(data)):
        raise damaged("PNG")
    return PNG + b"".join(chunk for _, chunk in kept)


def is_film(data: bytes) -> bool:
    """Whether a picture is a PNG of several frames. Raises: DataError when it is a PNG that is cut off."""
    return data.startswith(PNG) and any(kind == FILM for kind, _ in _chunks(data))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and bytes of every chunk, up to the end of the picture. Raises: DataError when one is cut off."""
    place, kind = len(PNG), b""
    while kind != b"IEND":
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        kind = data[place + 4 : place + 8]
        if end > len(data):
            raise damaged("PNG")
        yield kind, data[place:end]
        place = end


def _most_bytes(data: bytes) -> int:
    """What a PNG's pixels may take before compression: twice their size, since interlaced ones take a little more."""
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    if kind not in SAMPLES:
        raise damaged("PNG")
    return 2 * int(height * (2 + width * SAMPLES[kind] * depth // 8)) + INFLATED_AT_ONCE


def _swells_beyond(compressed: bytes, most: int) -> bool:
    """Whether zlib's data hold more than `most` bytes; never more than a megabyte of them is in memory."""
    inflater, count = zlib.decompressobj(), 0
    try:
        while compressed and count <= most and not inflater.eof:
            count += len(inflater.decompress(compressed, INFLATED_AT_ONCE))
            compressed = inflater.unconsumed_tail
    except zlib.error:
        raise damaged("PNG") from None
    return count > most


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height, at least 1, from the header of a JPEG that has an end.

    Raises: DataError when it is damaged, in CMYK, or of so many scans that it was made to keep a decoder busy.
    """
    if JPEG_END not in data[-64:]:
        raise damaged("JPEG")
    if (scans := data.count(SCAN)) > MOST_SCANS:
        raise DataError(f"This JPEG has {scans:,} scans, at most {MOST_SCANS} are read. Save it again in an editor.")
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
    raise damaged("JPEG")


def damaged(kind: str) -> DataError:
    """The error for a "PNG" or "JPEG" that is not whole."""
    return DataError(f"This {kind} is damaged or incomplete. Open it in a viewer, save it again and send that.")
