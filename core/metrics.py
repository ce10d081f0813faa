"""Reading metrics.jsonl while it is being written: only what was added since the last look.

Owns: the columns that charts are drawn from. Leaves writing to `core.runs`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Columns = dict[str, list[Any]]

NUMBERS = {  # what a line of each kind must hold; it may hold more
    "step": ("step", "epoch", "seconds", "loss", "accuracy", "lr", "images_per_second"),
    "epoch": ("step", "epoch", "seconds", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "best"),
}


@dataclass(frozen=True)
class Metrics:
    """What a run has told so far, as columns of equal length in the order of writing.

    version: grows with every change, so that a figure made from the same version need not be made again.
    steps, epochs: a list for each field of the Step and Epoch events. end: the End event, or None.
    sha256: of all whole lines.
    damaged_lines: lines that are no JSON objects, or lack a number, and were skipped.
    """

    version: int = 0
    steps: Columns = field(default_factory=dict)
    epochs: Columns = field(default_factory=dict)
    end: dict[str, Any] | None = None
    sha256: str = ""
    damaged_lines: int = 0


class MetricsReader:
    """Follows one metrics file; safe to ask from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._version = 0
        self._forget()

    def read(self) -> Metrics:
        """All that stands in the file now; a last line without its end is left for the next time."""
        with self._lock:
            if self._take_in_what_is_new():
                self._version += 1
                self._metrics = Metrics(
                    version=self._version,
                    steps={name: list(values) for name, values in self._columns["step"].items()},
                    epochs={name: list(values) for name, values in self._columns["epoch"].items()},
                    end=self._end,
                    sha256=self._hash.hexdigest(),
                    damaged_lines=self._damaged,
                )
            return self._metrics

    def _forget(self) -> None:
        self._inode, self._offset = 0, 0
        self._hash = hashlib.sha256()
        self._columns: dict[str, Columns] = {"step": {}, "epoch": {}}
        self._end: dict[str, Any] | None = None
        self._damaged = 0
        self._metrics = Metrics(version=self._version)

    def _take_in_what_is_new(self) -> bool:
        """Parse the lines behind the offset; start over when the file was replaced, as a resume does."""
        try:
            facts = self._path.stat()
        except OSError:
            return False
        if replaced := (facts.st_ino != self._inode or facts.st_size < self._offset):
            self._forget()
            self._inode = facts.st_ino
        if facts.st_size == self._offset:
            return replaced
        with self._path.open("rb") as file:
            file.seek(self._offset)
            block = file.read()
        whole = block[: block.rfind(b"\n") + 1]
        self._hash.update(whole)
        for line in whole.splitlines():
            self._take_in(line)
        self._offset += len(whole)
        return replaced or bool(whole)

    def _take_in(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            kind = event.pop("event")
            if kind == "end":
                self._end = event
                return
            columns = self._columns[kind]
            for name in NUMBERS[kind]:
                float(event[name])
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            self._damaged += 1
            return
        if not columns:
            columns.update({name: [] for name in event})
        for name, values in columns.items():
            values.append(event.get(name))
