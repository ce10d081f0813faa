"""A person's own picture: what is read, and what is refused in words. Pillow is the other program that wrote it."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from core.data import uploads
from core.data.uploads import read_picture
from core.errors import DataError


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_a_png_is_read_as_it_is(pixels):
    assert np.array_equal(read_picture(saved(Image.fromarray(pixels), "PNG")), pixels)


def test_a_jpeg_is_read_nearly_as_it_is():
    smooth = np.dstack([np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))] * 3)
    found = read_picture(saved(Image.fromarray(smooth), "JPEG", quality=95, progressive=True))
    assert np.abs(found.astype(int) - smooth).mean() < 2


def test_grey_palette_and_16_bits_become_colour_of_8_bits(pixels):
    grey = pixels[..., 0]
    assert np.array_equal(read_picture(saved(Image.fromarray(grey), "PNG")), np.dstack([grey] * 3))
    wide = read_picture(saved(Image.fromarray(grey.astype(np.uint16) * 257), "PNG"))
    assert np.array_equal(wide, np.dstack([grey] * 3))
    palette = Image.fromarray(pixels).quantize(16)
    assert np.array_equal(read_picture(saved(palette, "PNG")), np.asarray(palette.convert("RGB")))
    assert read_picture(saved(Image.fromarray(grey), "JPEG")).shape == (20, 30, 3)


def test_what_is_transparent_lies_on_white(pixels):
    alpha = np.zeros((20, 30), np.uint8)
    alpha[:, 10:] = 255
    found = read_picture(saved(Image.fromarray(np.dstack((pixels, alpha))), "PNG"))
    assert (found[:, :10] == 255).all()
    assert np.array_equal(found[:, 10:], pixels[:, 10:])
    half = np.dstack((np.zeros((4, 4, 3), np.uint8), np.full((4, 4), 128, np.uint8)))
    assert np.abs(read_picture(saved(Image.fromarray(half), "PNG")).astype(int) - 127).max() <= 1


def test_a_photograph_that_the_camera_turned_stands_upright():
    sideways = np.zeros((20, 30, 3), np.uint8)
    sideways[:, :15] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by a quarter to the right
    found = read_picture(saved(Image.fromarray(sideways), "JPEG", exif=exif))
    assert found.shape == (30, 20, 3)
    assert found[:10].mean() > 250
    assert found[20:].mean() < 5


def test_print_colours_are_refused(pixels):
    with pytest.raises(DataError, match="CMYK"):
        read_picture(saved(Image.fromarray(pixels).convert("CMYK"), "JPEG"))


@pytest.mark.parametrize("kind", ["GIF", "BMP", "WEBP", "TIFF"])
def test_other_formats_are_refused_whatever_their_name(pixels, kind):
    with pytest.raises(DataError, match="neither a PNG nor a JPEG"):
        read_picture(saved(Image.fromarray(pixels), kind))


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"\x89PNG", b"\xff\xd8"])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(DataError):
        read_picture(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_file_cut_anywhere_is_refused(pixels, kind):
    whole = saved(Image.fromarray(pixels), kind)
    for length in range(0, len(whole) - 2, 7):
        with pytest.raises(DataError):
            read_picture(whole[:length])


def test_a_file_with_wrong_bytes_inside_is_refused_or_read_but_never_anything_else(pixels, capfd):
    whole = saved(Image.fromarray(pixels), "PNG")
    random = np.random.default_rng(1)
    for _ in range(100):
        broken = bytearray(whole)
        broken[int(random.integers(8, len(broken)))] ^= int(random.integers(1, 256))
        try:
            assert read_picture(bytes(broken)).dtype == np.uint8
        except DataError:
            continue


def bomb(width, height):
    """A PNG of a few bytes that says it is so large."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return uploads.PNG + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_the_size_is_read_before_a_pixel_is_decoded(monkeypatch, pixels):
    def refuse(*arguments):
        raise AssertionError("decoded")

    monkeypatch.setattr(cv2, "imdecode", refuse)
    with pytest.raises(DataError, match="100000 x 100000 pixels, at most 4 million"):
        read_picture(bomb(100_000, 100_000))
    with pytest.raises(DataError, match="damaged"):
        read_picture(bomb(0, 10))
    jpeg = bytearray(saved(Image.fromarray(pixels), "JPEG"))
    frame = next(place for place in range(len(jpeg)) if jpeg[place : place + 2] in (b"\xff\xc0", b"\xff\xc2"))
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 60_000, 60_000)
    with pytest.raises(DataError, match="60000 x 60000"):
        read_picture(bytes(jpeg))
    with pytest.raises(AssertionError, match="decoded"):
        read_picture(bomb(2000, 2000))


def test_more_than_5_megabytes_are_refused():
    with pytest.raises(DataError, match=r"6\.0 MB, at most 5 MB"):
        read_picture(uploads.PNG + bytes(6_000_000))
