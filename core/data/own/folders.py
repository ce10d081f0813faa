"""The files of a folder on this machine. Nothing outside of it is read, wherever links in it lead.

Owns: walking the folder. Leaves what the files are for to `tree.py`, what is in them to `core.data.uploads`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from core.data.own.limits import MOST_DEPTH, MOST_PICTURES
from core.data.own.tree import File, Way
from core.data.uploads import MOST_BYTES
from core.errors import DataError, shown


def contents(folder: Path) -> tuple[list[File], list[Way]]:
    """The files of a folder, to be read later, and the ways to all folders in it.

    Raises: DataError for a link that leads out of it, for what is neither file nor folder, for far too many files.
    """
    files: list[File] = []
    folders: list[Way] = []
    root = folder.resolve()
    for entry, way in _walk(root, ()):
        if entry.is_dir(follow_symlinks=False):
            folders.append(way)
        else:
            files.append(File(way, partial(_read, _inside(root, Path(entry.path), way))))
        if len(files) + len(folders) > 2 * MOST_PICTURES:
            raise DataError(
                f"There is far too much in {shown(str(folder))}: at most {MOST_PICTURES:,} pictures are taken. "
                "Give a folder with fewer, and with nothing else in it."
            )
    return files, folders


def _walk(folder: Path, way: Way) -> Iterator[tuple[os.DirEntry[str], Way]]:
    """Everything below a folder, hidden things and what lies too deep apart: a folder before what is in it."""
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"The folder {shown(str(folder))} can't be read ({error.strerror}).") from None
    for entry in found:
        if entry.name.startswith("."):
            continue
        yield entry, (*way, entry.name)
        if entry.is_dir(follow_symlinks=False) and len(way) <= MOST_DEPTH:
            yield from _walk(Path(entry.path), (*way, entry.name))


def _inside(root: Path, path: Path, way: Way) -> Path:
    """Where a file really lies. Raises: DataError when that is no file, or outside of the folder."""
    try:
        real = path.resolve(strict=True)
        mode = real.stat().st_mode
    except (OSError, RuntimeError) as error:  # links that lead in a circle
        raise DataError(f"{shown('/'.join(way))} can't be read ({error}).") from None
    if not real.is_relative_to(root):
        raise DataError(f"{shown('/'.join(way))} is a link that leads out of the folder. Put the picture itself there.")
    if not stat.S_ISREG(mode):
        raise DataError(f"{shown('/'.join(way))} is neither a file nor a folder. Take it out.")
    return real


def _read(path: Path) -> bytes:
    """A file's bytes, one more at most than are taken. Raises: OSError."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)
