"""A disk on which everything that a save does is counted, and which fails at one of these operations.

The operations: `Path.write_bytes`, `Path.replace`, `Path.unlink`, `os.fsync`, and appending to a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class Crash(BaseException):
    """The process is gone: nothing that it would have done afterwards happens."""


class Disk:
    """Counts operations below one folder, and lets one of them go wrong.

    failure: what is raised there. A write or an append has come half way. lasting: whether all later ones fail too.
    """

    def __init__(self, folder: Path, fail_at: int, failure: Callable[[], BaseException], lasting: bool) -> None:
        self.folder, self.fail_at, self.failure, self.lasting = folder, fail_at, failure, lasting
        self.done = 0
        self.unsynced: set[Path] = set()  # files whose content is not safe yet
        self.renames: list[tuple[Path, Path, bytes | None]] = []  # from, to, and what was there, not safe yet

    @property
    def has_failed(self) -> bool:
        return self.done >= self.fail_at

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Let this process write through it."""
        write_bytes, replace, unlink, fsync, open_ = Path.write_bytes, Path.replace, Path.unlink, os.fsync, Path.open

        def counted_write(path: Path, content: bytes) -> int:
            if self._fails(path):
                write_bytes(path, content[: len(content) // 2])
                self.unsynced.add(path)
                raise self.failure()
            self.unsynced.add(path)
            return write_bytes(path, content)

        def counted_replace(path: Path, target: Path) -> Path:
            self._count(path)
            self.renames.append((path, target, target.read_bytes() if target.exists() else None))
            if path in self.unsynced:
                self.unsynced.add(target)
            return replace(path, target)

        def counted_unlink(path: Path, missing_ok: bool = False) -> None:
            self._count(path)
            unlink(path, missing_ok)

        def counted_fsync(handle: int) -> None:
            path = Path(f"/proc/self/fd/{handle}").readlink()
            self._count(path)
            fsync(handle)
            self.unsynced.discard(path)
            self.renames = [rename for rename in self.renames if rename[1].parent != path]

        def counted_open(path: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            file = open_(path, mode, *arguments, **named)
            return Torn(file, self.failure) if mode == "ab" and self._fails(path) else file

        for owner, name, value in (
            *((Path, "write_bytes", counted_write), (Path, "replace", counted_replace)),
            *((Path, "unlink", counted_unlink), (Path, "open", counted_open), (os, "fsync", counted_fsync)),
        ):
            patch.setattr(owner, name, value)

    def cut_power(self, *, rename_is_lost: bool) -> None:
        """What was not made safe is gone: contents always, the earliest such rename if told so."""
        for path in self.unsynced:
            if path.exists():
                path.write_bytes(b"")
        for source, target, before in self.renames[:1] if rename_is_lost else []:
            source.write_bytes(target.read_bytes())
            target.unlink() if before is None else target.write_bytes(before)

    def _fails(self, path: Path) -> bool:
        if self.folder not in (path, path.parent):
            return False
        self.done += 1
        return self.done == self.fail_at or (self.lasting and self.done > self.fail_at)

    def _count(self, path: Path) -> None:
        if self._fails(path):
            raise self.failure()


class Torn:
    """An open file that takes half of what is written and then fails."""

    def __init__(self, file: Any, failure: Callable[[], BaseException]) -> None:
        self.file, self.failure = file, failure

    def __enter__(self) -> Torn:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, content: bytes) -> int:
        self.file.write(content[: len(content) // 2])
        raise self.failure()
