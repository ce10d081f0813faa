"""python -m core import: data sets of one's own, in, listed and removed."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.cli.progress import ProgressLine
from core.data.own import shelf
from core.errors import ConfigError, RunError
from core.runs import LIVE, RunStore

TICKS = 200  # of the progress line, at most


def bring(options: argparse.Namespace) -> int:
    """Make a data set of a folder, an archive or an .npz; or list those that are here, or remove one."""
    if options.list:
        return _list()
    if options.remove is not None:
        return _remove(options.remove)
    if options.path is None:
        raise ConfigError("Give the path of a folder with a folder of pictures a class, of a ZIP, or of an .npz.")
    from core.data.own.bringing import bring as bring_pictures

    line = ProgressLine()

    def show(done: int, total: int) -> None:
        if done % max(1, total // TICKS) == 0:
            line.show(done / total, f"picture {done:,} of {total:,}")

    try:
        brought = bring_pictures(Path(options.path), options.name, options.size, show)
    finally:
        line.close()
    print(brought.in_words())
    return 0


def _list() -> int:
    """Print a line for each imported set."""
    for info in shelf.listed():
        print(f"{info.name:36} {shelf.in_words(info)}: {info.title}")
    for name in shelf.unreadable():
        print(f"{name:36} damaged: import its pictures again, or take it away with --remove")
    if not shelf.listed() and not shelf.unreadable():
        print("No data set of your own yet. Import one: python -m core import FOLDER")
    return 0


def _remove(name: str) -> int:
    """Delete an imported set for good, unless a run learns from it."""
    if [run for run in RunStore().runs_on(name) if run.status().state in LIVE]:
        raise RunError(f"A run learns from {name} just now, or waits to. Stop it first.")
    shelf.remove(name)
    print(f"{name} is gone. Runs that learned from it stay.")
    return 0
