"""Pictures that were made to do harm: each is read or refused in words, and none takes much memory or work."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.data import headers
from core.data.uploads import read_picture
from core.errors import DataError
from tests.hostile.pictures import KINDS, RGBA, chunk, film, png, swelling

PROJECT = Path(__file__).resolve().parents[2]
MOST_MB = 150


@pytest.fixture(scope="module")
def readings():
    """What a process of its own made of each picture."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux can forget how much memory a process once had")
    command = [sys.executable, "-m", "tests.hostile.reading"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {reading["name"]: reading for reading in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_read_or_refused_in_words(readings, kind):
    found, expected = readings[kind]["found"], KINDS[kind][1]
    if isinstance(expected, tuple):
        assert found == list(expected)
    else:
        assert expected in found
        assert len(found) < 200


@pytest.mark.parametrize("kind", KINDS)
def test_no_picture_takes_much_memory(readings, kind):
    assert readings[kind]["grown_mb"] < MOST_MB
    assert readings[kind]["bytes"] < 5_000_000 or "at most 5 MB" in readings[kind]["found"]


def test_nothing_but_pixels_reaches_the_decoder(monkeypatch):
    seen = []
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda data, flag: decode(seen.append(bytes(data)) or data, flag))
    extra = swelling(b"zTXt", b"a\0\0", 1 << 20, 50) + chunk(b"iCCP", b"a\0\0x") + chunk(b"eXIf", b"MM")
    read_picture(png(8, 8, more=extra))
    read_picture(film(8, 8, 3))
    assert seen == [png(8, 8), png(8, 8, kind=RGBA)]


@pytest.mark.parametrize("rows", [2, 100])
def test_pixels_are_inflated_no_further_than_the_header_says(monkeypatch, rows):
    """Twice as far, to be exact, and a megabyte: interlaced rows are a little longer."""
    monkeypatch.setattr(headers, "INFLATED_AT_ONCE", 1000)
    inflated = []
    real = zlib.decompressobj

    class Counting:
        def __init__(self):
            self.inner = real()

        def decompress(self, data, most):
            inflated.append(self.inner.decompress(data, most))
            return inflated[-1]

        def __getattr__(self, name):
            return getattr(self.inner, name)

    monkeypatch.setattr(headers.zlib, "decompressobj", Counting)
    with pytest.raises(DataError, match="damaged"):
        read_picture(png(100, rows, rows=100_000))
    assert sum(map(len, inflated)) < 2 * rows * 302 + 2 * 1000 + 1


def test_an_interlaced_picture_is_still_read():
    """Seven passes over 5x5 pixels, each with its own width and height, every row with its filter byte in front."""
    value = bytes([200])
    widths_by_pass = {1: (1, 1), 2: (1, 1), 3: (2, 1), 4: (1, 2), 5: (3, 1), 6: (2, 3), 7: (5, 2)}
    rows = b"".join((b"\0" + value * width) * height for width, height in widths_by_pass.values())
    header = b"\0\0\0\5\0\0\0\5\x08\0\0\0\1"
    whole = headers.PNG + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert np.array_equal(read_picture(whole), np.full((5, 5, 3), 200, np.uint8))


def test_transparency_is_mixed_alike_wherever_a_pixel_lies():
    """Large pictures are mixed part by part: against the same arithmetic on the whole."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (70, 2000, 4), dtype=np.uint8)
    found = read_picture(cv2.imencode(".png", pixels)[1].tobytes())
    share = pixels[..., 3:].astype(np.float64) / 255
    exact = (pixels[..., :3] * share + 255 * (1 - share))[..., ::-1]
    assert np.abs(found - exact).max() <= 0.5 + 1e-4
