"""Pictures as somebody would write them who wants a server to choke on them. Each is at most 5 MB, made in no time."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
GREY, RGB, PALETTE, RGBA = 0, 2, 3, 6


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, depth=8, kind=RGB, more=b"", rows=None, interlaced=0) -> bytes:
    """A black PNG, its rows compressed one by one. more: chunks before its pixels. rows: if not `height`."""
    rows = height if rows is None else rows
    line = bytes(1 + width * CHANNELS[kind] * depth // 8) if rows else b""
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(line) for _ in range(rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    return SIGNATURE + chunk(b"IHDR", header) + more + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def film(width, height, frames) -> bytes:
    """An animated PNG of as many frames, all alike."""
    pixels = zlib.compress(bytes(1 + 4 * width) * height, 9)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, RGBA, 0, 0, 0)),
             chunk(b"acTL", struct.pack(">II", frames, 0))]  # fmt: skip
    for number in range(frames):
        place = 2 * number - 1 if number else 0
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", place, width, height, 0, 0, 1, 10, 0, 0)))
        frame = struct.pack(">I", place + 1) + pixels
        parts.append(chunk(b"fdAT", frame) if number else chunk(b"IDAT", pixels))
    return SIGNATURE + b"".join(parts) + chunk(b"IEND", b"")


def swelling(kind: bytes, head: bytes, size: int, times: int = 1) -> bytes:
    """Chunks of text or colour profiles that hold `size` bytes each once they are inflated."""
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    return chunk(kind, head + body) * times


def pillow(kind, mode="RGB", size=(20, 30), **options) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind, **options)
    return file.getvalue()


def gif(frames) -> bytes:
    first = pillow("GIF", "P")
    return first[:-1] + first[first.index(b",") : -1] * frames + b";"


def jpeg_of_scans(scans) -> bytes:
    """A JPEG of 4 megapixels whose last scan is repeated: a few bytes each, and a walk over all pixels."""
    whole = pillow("JPEG", size=(2000, 2000), progressive=True, quality=50)
    return whole[:-2] + whole[whole.rindex(b"\xff\xda") : -2] * scans + b"\xff\xd9"


def jpeg_that_says(width, height) -> bytes:
    whole = bytearray(pillow("JPEG"))
    frame = whole.index(b"\xff\xc0")
    whole[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(whole)


def wrong_sum(whole: bytes) -> bytes:
    """A PNG with one bit of its pixels turned over."""
    broken = bytearray(whole)
    broken[broken.index(b"IDAT") + 8] ^= 1
    return bytes(broken)


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return pillow("JPEG", size=(30, 20), exif=exif)


def noisy(side) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    return file.getvalue()


TEXT = b"a\0"
KINDS = {  # name: how it is made, and its shape once it is read, or a part of the words that refuse it
    "30,000 x 30,000": (lambda: png(30_000, 30_000, rows=200), "30000 x 30000 pixels, at most 4 million"),
    "the largest header": (
        lambda: png(8, 8).replace(struct.pack(">II", 8, 8), b"\x7f\xff\xff\xff" * 2, 1),
        "at most 4",
    ),
    "a pixel too many": (lambda: png(2001, 2000, rows=1), "2001 x 2000 pixels"),
    "4 megapixels": (lambda: png(2000, 2000), (2000, 2000, 3)),
    "4 megapixels, transparent, 16 bits": (lambda: png(2000, 2000, 16, RGBA), (2000, 2000, 3)),
    "4 megapixels, transparent": (lambda: png(2000, 2000, 8, RGBA), (2000, 2000, 3)),
    "one row of 4 million": (lambda: png(4_000_000, 1), "damaged"),
    "one column of 4 million": (lambda: png(1, 4_000_000, kind=GREY), "damaged"),
    "one pixel": (lambda: png(1, 1), (1, 1, 3)),
    "no pixel": (lambda: png(0, 8), "damaged"),
    "no bytes": (lambda: b"", "neither a PNG nor a JPEG"),
    "5 MB and a byte": (lambda: noisy(1300).ljust(5_000_001, b"\0"), "at most 5 MB"),
    "a film of 10,000 frames": (lambda: film(16, 16, 10_000), (16, 16, 3)),
    "a film of large frames": (lambda: film(2000, 2000, 200), (2000, 2000, 3)),
    "a GIF of 10,000 frames": (lambda: gif(10_000), "neither a PNG nor a JPEG"),
    "a TIFF": (lambda: pillow("TIFF"), "neither a PNG nor a JPEG"),
    "a WebP": (lambda: pillow("WEBP"), "neither a PNG nor a JPEG"),
    "a BMP": (lambda: pillow("BMP"), "neither a PNG nor a JPEG"),
    "an SVG with a script": (lambda: b"<svg xmlns='x'><script>alert(1)</script></svg>", "neither a PNG nor a JPEG"),
    "HTML": (lambda: b"<!doctype html><script>alert(1)</script>", "neither a PNG nor a JPEG"),
    "a PNG that is a zip too": (lambda: png(8, 8) + b"PK\x05\x06" + bytes(100), "damaged"),
    "a PNG with HTML in it": (lambda: png(8, 8, more=chunk(b"tEXt", TEXT + b"<script>")), (8, 8, 3)),
    "a PNG cut off": (lambda: png(200, 200)[:-20], "damaged"),
    "a PNG without its last rows": (lambda: png(200, 200, rows=100), "damaged"),
    "a PNG with a wrong checksum": (lambda: wrong_sum(png(200, 200)), "damaged"),
    "a chunk longer than the file": (lambda: png(8, 8, more=b"\x7f\xff\xff\xfftEXt"), "damaged"),
    "an unknown kind of colour": (lambda: png(8, 8).replace(b"\x08\x02\0\0\0", b"\x08\x05\0\0\0", 1), "damaged"),
    "an interlaced PNG of plain rows": (lambda: png(2000, 2000, 16, RGBA, interlaced=1), "damaged"),
    "a palette without colours": (lambda: png(8, 8, kind=PALETTE), "damaged"),
    "a palette": (lambda: pillow("PNG", "P"), (30, 20, 3)),
    "texts of 600 x 7 MB": (lambda: png(8, 8, more=swelling(b"zTXt", b"a\0\0", 7 << 20, 600)), (8, 8, 3)),
    "a text of 200 MB": (lambda: png(8, 8, more=swelling(b"iTXt", b"a\0\1\0\0\0", 200 << 20)), (8, 8, 3)),
    "a colour profile of 200 MB": (lambda: png(8, 8, more=swelling(b"iCCP", b"a\0\0", 200 << 20)), (8, 8, 3)),
    "a text of 4.9 MB": (lambda: png(8, 8, more=chunk(b"tEXt", TEXT + b"x" * 4_900_000)), (8, 8, 3)),
    "pixels that swell to 75 MB": (lambda: png(8, 8, rows=3_000_000), "damaged"),
    "a JPEG cut off": (lambda: pillow("JPEG")[:-30], "damaged"),
    "a JPEG that says 65,535 x 65,535": (lambda: jpeg_that_says(65_535, 65_535), "65535 x 65535 pixels"),
    "a JPEG that says 2,000 x 2,000": (lambda: jpeg_that_says(2000, 2000), (2000, 2000, 3)),
    "a JPEG without height": (lambda: jpeg_that_says(100, 0), "damaged"),
    "a JPEG of 5,000 scans": (lambda: jpeg_of_scans(5_000), "scans, at most 200"),
    "a JPEG of 4 megapixels": (lambda: pillow("JPEG", size=(2000, 2000), progressive=True), (2000, 2000, 3)),
    "a JPEG in print's colours": (lambda: pillow("JPEG", "CMYK"), "CMYK"),
    "a JPEG that the camera turned": (turned, (30, 20, 3)),
}
