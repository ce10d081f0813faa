"""Imports hostile archives and arrays, each in a process of its own, and prints what came, and what it took.

python -m tests.hostile.importing        needs Linux, which can forget how much memory a process once had
"""

from __future__ import annotations

import json
import os
import tempfile

from core.data.own.bringing import bring
from core.errors import LabError
from tests import own
from tests.hostile.archives import ARCHIVES, ARRAYS, MARKER
from tests.hostile.reading import forget_peak, peak_mb


def tell(name: str) -> None:
    """Print what comes of one file."""
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
    """Every file in a child of its own, in an empty folder: memory that another has given back would hide its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["CNNLAB_DATA"] = f"{folder}/first"
        bring(own.archive(own.files(first=900)), "What the first one loads stays for all")
        for number, name in enumerate({**ARCHIVES, **ARRAYS}):
            os.environ["CNNLAB_DATA"] = f"{folder}/{number}"
            if child := os.fork():
                if os.waitpid(child, 0)[1]:
                    raise SystemExit(f"no answer on {name}")
            else:
                tell(name)
                os._exit(0)


if __name__ == "__main__":
    main()
