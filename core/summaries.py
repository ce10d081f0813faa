"""What a table says of each run: read once, kept, and read again only where a file changed.

Owns: Summary and what is kept of it. Leaves to `core.runs` what the files are, to pages how it is shown.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.runs import Run, RunStore, Status

WATCHED = ("config.json", "meta.json", "status.json", "test.json", "metrics.jsonl")
EPOCH = b'{"event": "epoch"'
CURVE_POINTS = 32  # of the sparkline
Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Summary:
    """One run in a table. What is not known yet, or can't be read, is None or empty.

    state, reason: as in Status. config: every knob, None when it can't be read. best_epoch: the epoch, from 1, with
    the lowest validation loss; val_loss in nats and val_accuracy 0..1 are its. seconds: of training; seconds_per_epoch
    with its validation; seconds_to_best until the end of the best epoch. test_accuracy 0..1 at the best weights; of
    scenes the accuracies are the digits' mean intersection over union, and test_images is None.
    opened: when its test set was opened, seconds since 1970. bytes: of all its files.
    curve: validation accuracy by epoch, thinned to 32 points.
    """

    id: str
    name: str
    state: str
    reason: str
    is_shipped: bool
    created: float
    config: dict[str, Any] | None
    tags: tuple[str, ...]
    hidden: bool
    epochs: int
    best_epoch: int | None
    val_accuracy: float | None
    val_loss: float | None
    seconds: float
    seconds_per_epoch: float | None
    seconds_to_best: float | None
    test_accuracy: float | None
    test_images: int | None
    opened: tuple[float, ...]
    parameters: int | None
    multiply_adds: int | None
    bytes: int
    curve: tuple[float, ...]


class Summaries:
    """The summaries of a store's runs; safe to ask from several threads."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Stamp, Status, Summary]] = {}

    def all(self) -> list[Summary]:
        """Every run of the store, the newest first, the reference runs last."""
        runs = self._store.list()
        with self._lock:
            found = {run.id: self._one(run) for run in runs}
            self._kept = found
        return [summary for _, _, summary in found.values()]

    def _one(self, run: Run) -> tuple[Stamp, Status, Summary]:
        stamp, status = _stamp(run.path), run.status()
        kept = self._kept.get(run.id)
        if kept and kept[:2] == (stamp, status):
            return kept
        return stamp, status, summarise(run, status)


def _stamp(folder: Path) -> Stamp:
    """Equal as long as none of the watched files changed."""
    facts = []
    for name in WATCHED:
        try:
            found = (folder / name).stat()
            facts.append((found.st_mtime_ns, found.st_size))
        except OSError:
            facts.append((0, 0))
    return tuple(facts)


def summarise(run: Run, status: Status) -> Summary:
    """Read the summary of a run from its files."""
    config = run.config_or_none
    meta, epochs, test = run.meta(), _epochs(run.path / "metrics.jsonl"), run.test() or {}
    best = min(epochs, key=lambda epoch: epoch["val_loss"], default=None)
    seconds = [epoch["seconds"] for epoch in epochs]
    return Summary(
        id=run.id,
        name=run.name,
        state=status.state,
        reason=status.reason,
        is_shipped=run.is_shipped,
        created=status.created,
        config=config.as_dict() if config else None,
        tags=meta.tags,
        hidden=meta.hidden,
        epochs=len(epochs),
        best_epoch=best["epoch"] if best else None,
        val_accuracy=best["val_accuracy"] if best else None,
        val_loss=best["val_loss"] if best else None,
        seconds=seconds[-1] if seconds else status.seconds,
        seconds_per_epoch=seconds[-1] / len(seconds) if seconds else None,
        seconds_to_best=best["seconds"] if best else None,
        test_accuracy=_number(test.get("iou", test.get("accuracy"))),
        test_images=test["images"] if isinstance(test.get("images"), int) and "iou" not in test else None,
        opened=_numbers(test.get("opened")),
        parameters=status.parameters or None,
        multiply_adds=status.multiply_adds or None,
        bytes=_bytes(run.path),
        curve=_thinned([epoch["val_accuracy"] for epoch in epochs]),
    )


def _epochs(path: Path) -> list[dict[str, Any]]:
    """The epoch events of a metrics file, without parsing the many steps between them; damaged lines are left out."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        if line.startswith(EPOCH):
            try:
                event = json.loads(line)
                for name in ("seconds", "val_loss", "val_accuracy"):
                    event[name] = float(event[name])
                event["epoch"] = int(event["epoch"])
                event["val_accuracy"] = float(event.get("val_iou", event["val_accuracy"]))
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
            found.append(event)
    return found


def _number(value: object) -> float | None:
    """A number of a file that anybody may have written, None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _numbers(values: object) -> tuple[float, ...]:
    return tuple(n for value in values if (n := _number(value)) is not None) if isinstance(values, list) else ()


def _thinned(values: list[float]) -> tuple[float, ...]:
    """At most 32 of the values, equally far apart, the last among them."""
    every = max(1, -(-len(values) // CURVE_POINTS))
    return tuple(values[::-1][::every][::-1])


def _bytes(folder: Path) -> int:
    try:
        return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return 0
