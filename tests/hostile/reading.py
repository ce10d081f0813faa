"""Reads hostile pictures, each in a process of its own, and prints a line of JSON on each: what came, and what it took.

python -m tests.hostile.reading        needs Linux, which can forget how much memory a process once had
"""

from __future__ import annotations

import json

from core import drawings
from core.data.uploads import read_picture
from core.errors import LabError
from tests.hostile.alone import each_alone, forget_peak, peak_mb
from tests.hostile.pictures import KINDS, png


def read(content: bytes) -> list[int] | str:
    """The shape of a picture that is read, after the Segment page's use of it, or the words that refuse it."""
    try:
        picture = read_picture(content)
        drawings.from_picture(picture)
        return list(picture.shape)
    except LabError as error:
        return str(error)


def tell(name: str) -> None:
    """Print what comes of one picture."""
    content = KINDS[name][0]()
    read(png(8, 8))  # what the first picture loads stays for all
    forget_peak()
    before = peak_mb()
    found = read(content)
    told = {"name": name, "found": found, "grown_mb": peak_mb() - before, "bytes": len(content)}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    each_alone(KINDS, tell)
