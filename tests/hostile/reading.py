"""Reads hostile pictures, each in a process of its own, and prints a line of JSON on each: what came, and what it took.

python -m tests.hostile.reading        needs Linux, which can forget how much memory a process once had
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from core import drawings
from core.data.uploads import read_picture
from core.errors import LabError
from tests.hostile.pictures import KINDS, png


def peak_mb() -> float:
    """The most memory that this process had since it was told to forget."""
    found = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


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


def main() -> None:
    """Every picture in a child of its own: memory that another one has given back would hide what it takes."""
    for name in KINDS:
        if child := os.fork():
            if os.waitpid(child, 0)[1]:
                raise SystemExit(f"no answer on {name}")
        else:
            tell(name)
            os._exit(0)


if __name__ == "__main__":
    main()
