"""Imports hostile archives and arrays, each in a process of its own, and prints what came, and what it took.

python -m tests.hostile.importing        needs Linux, which can forget how much memory a process once had
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from core.data.own.bringing import bring
from core.errors import LabError
from tests import own
from tests.hostile.alone import each_alone, forget_peak, peak_mb
from tests.hostile.archives import ARCHIVES, ARRAYS, MARKER


def tell(name: str) -> None:
    """Print what comes of one file, brought into an empty folder."""
    os.environ["CNNLAB_DATA"] = tempfile.mkdtemp(dir=Path.cwd())
    content = {**ARCHIVES, **ARRAYS}[name][0]()
    forget_peak()
    before = peak_mb()
    try:
        bring(content, "Sent by somebody")
        found = None
    except LabError as error:
        found = str(error)
    told = {"name": name, "found": found, "grown_mb": peak_mb() - before, "unpickled": MARKER.exists()}
    print(json.dumps(told), flush=True)


def main() -> None:
    """Every file in a child of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["CNNLAB_DATA"] = f"{folder}/first"
        bring(own.archive(own.files(first=900)), "What the first one loads stays for all")
        each_alone({**ARCHIVES, **ARRAYS}, tell)


if __name__ == "__main__":
    main()
