"""What has to hold in the folder of a run, and the sentence for where it does not.

Owns: one look at one run. A tensor file is hashed and never parsed. Leaves to `core.runs.auditing` when to look again.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from core.checkpoints import MANIFEST, STATE_NAME, STATES, WEIGHTS, best_entry, is_whole, read_manifest
from core.errors import CheckpointError
from core.files import read_json
from core.metrics import Metrics
from core.runs.results import ANSWERS, FIGURES, SUMS
from core.runs.run import Run
from core.runs.status import ENDED, Status

Found = Iterator[tuple[str, str]]  # severity and sentence

DAMAGE, LOOSE_END = "damage", "loose end"
METRICS = "metrics.jsonl"
REMEDIES = {  # for each JSON file that a run can do without
    "meta.json": "Its name and tags are lost: rename it.",
    "control.json": "Press one of its buttons, and it is written anew.",
    MANIFEST: "Its weights and checkpoints can't be trusted any more: fork the run.",
    FIGURES: "Evaluate it again: python -m core evaluate {id} --again",
}
FILES = {"config.json", "status.json", *REMEDIES, METRICS, WEIGHTS, ANSWERS, "log.txt", "lock"}
TEMPORARY = re.compile(r"\..+\.tmp\Z")
OPEN_ENDED = ("queued", "running", "interrupted", "failed")  # a last line may be torn: a resume cuts it off
END = b'{"event": "end"'
MOST_OFF = 1e-6  # of an accuracy that was computed twice


def look(run: Run) -> Found:
    """Everything that is wrong with a run at this moment: severity and sentence."""
    status = run.status()
    try:
        manifest: dict[str, Any] | None = read_manifest(run.path)
    except CheckpointError:
        manifest = None  # one of the JSON files
    yield from _json_files(run, status)
    yield from _lock(run)
    if manifest is not None:
        yield from _states(run, status, manifest)
        yield from _weights(run, status, manifest)
    yield from _metrics(run, status)
    yield from _test(run, status)
    yield from _strays(run, status, manifest)


def is_held(run: Run) -> bool:
    """Whether a process works on the run. Makes no lock file where there is none."""
    return (run.path / "lock").exists() and run.is_held()


def _json_files(run: Run, status: Status) -> Found:
    if status.state == "damaged":
        yield DAMAGE, f"{status.reason.rstrip('.')}. Put its files back from a backup, or discard it."
    for name, remedy in REMEDIES.items():
        try:
            if (run.path / name).exists():
                read_json(run.path / name)
        except (OSError, ValueError) as error:
            yield DAMAGE, f"{name} can't be read ({error}). {remedy.format(id=run.id)}"


def _lock(run: Run) -> Found:
    """Whoever holds the lock has written "running", and the other way round."""
    try:
        says_running = read_json(run.path / "status.json").get("state") == "running"
    except (OSError, ValueError):
        return
    if says_running and not is_held(run):
        yield LOOSE_END, "it is marked as running, but no process works on it. Resume or discard it."
    if not says_running and is_held(run):
        yield LOOSE_END, "a process holds its lock, but it is not marked as running. If that lasts, end that process."


def _states(run: Run, status: Status, manifest: dict[str, Any]) -> Found:
    if status.state in ENDED:
        if left := [path for path in run.path.iterdir() if STATE_NAME.match(path.name)]:
            names = ", ".join(sorted(path.name for path in left))
            megabytes = sum(path.stat().st_size for path in left) / 1e6
            yield (
                LOOSE_END,
                (
                    f"it has ended, and {megabytes:.1f} MB of checkpoints are left over: {names}. "
                    "Delete them if you need the room."
                ),
            )
        return
    files = {manifest[key]["file"]: is_whole(run.path / manifest[key]["file"], manifest[key])
             for key in STATES if key in manifest}  # fmt: skip
    remedy = "Resume goes on from the other one." if any(files.values()) else "It can't go on: fork it."
    for name, whole in files.items():
        if not whole:
            yield DAMAGE, f"the checkpoint {name} is missing or not as it was written. {remedy}"


def _weights(run: Run, status: Status, manifest: dict[str, Any]) -> Found:
    best = best_entry(run.path, manifest)
    epochs = run.metrics().epochs
    if "best" in manifest or "best_pending" in manifest:
        if not best and (run.has_weights or "best" in manifest):
            yield (
                DAMAGE,
                (
                    f"{WEIGHTS} is missing or not as it was written. "
                    "Resume the run if it has not ended, or fork it to train again."
                ),
            )
    elif run.has_weights:
        yield DAMAGE, f"{WEIGHTS} is not in its manifest, so nobody can tell whether it is whole. Fork the run."
    elif status.state in ENDED and epochs and not run.id.startswith("ref-"):
        yield DAMAGE, f"it has ended after {len(epochs['epoch'])} epochs, but has no weights. Fork it to train again."
    if best and status.state in ENDED and epochs:
        steps = [step for step, is_best in zip(epochs["step"], epochs["best"], strict=True) if is_best]
        if steps[-1:] != [best.get("step")]:
            yield (
                DAMAGE,
                (
                    f"its weights are those of step {best.get('step')}, but its best epoch ended with step "
                    f"{steps[-1] if steps else 'none'}. Do not compare it with others; fork it to train again."
                ),
            )


def _metrics(run: Run, status: Status) -> Found:
    try:
        path = run.path / METRICS
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        yield DAMAGE, f"{METRICS} can't be read ({error}). Let this user read it."
        return
    remedy = "Put it back from a backup, or fork the run to train again."
    if status.metrics_sha256 and hashlib.sha256(content).hexdigest() != status.metrics_sha256:
        yield DAMAGE, f"{METRICS} is not as the run left it, so its curves may be wrong. {remedy}"
    if content and not content.endswith(b"\n") and status.state not in OPEN_ENDED:
        yield DAMAGE, f"the last line of {METRICS} is cut off. {remedy}"
    metrics = run.metrics()
    for wrong in _disorder(metrics):
        yield DAMAGE, f"{wrong} in {METRICS}. {remedy}"
    if status.state in ENDED:
        for wrong in _end_disagrees(status, metrics, content):
            yield DAMAGE, f"{wrong}. {remedy}"


def _disorder(metrics: Metrics) -> Iterator[str]:
    """What is wrong in the order of its events."""
    if metrics.damaged_lines:
        yield f"{metrics.damaged_lines} damaged lines"
    for kind, columns in (("step", metrics.steps), ("epoch", metrics.epochs)):
        if not all(one < next_one for one, next_one in pairwise(columns.get("step", []))):
            yield f"the steps of its {kind} events do not rise"
    epochs = metrics.epochs.get("epoch", [])
    if epochs != list(range(1, len(epochs) + 1)):
        yield "an epoch is missing or told twice"


def _end_disagrees(status: Status, metrics: Metrics, content: bytes) -> Iterator[str]:
    """What its last event and its state say differently. One that was stopped before its first epoch tells nothing."""
    epochs = len(metrics.epochs.get("epoch", []))
    if status.epoch != epochs:
        yield f"its status says {status.epoch} epochs, {METRICS} has {epochs}"
    if metrics.end is None and status.state == "stopped" and not epochs:
        return
    told = metrics.end.get("state") if metrics.end else None
    if told != status.state:
        yield f"it is {status.state}, but the end that {METRICS} tells is {told or 'none'}"
    elif content.count(END) != 1 or not content.splitlines()[-1].startswith(END):
        yield f"{METRICS} goes on after its end"


def _test(run: Run, status: Status) -> Found:
    figures, answers = run.test(), run.path / ANSWERS
    if figures is None:
        if status.state in ENDED and run.has_weights and not (run.path / FIGURES).exists():
            yield LOOSE_END, f"its test set was never opened. Evaluate it: python -m core evaluate {run.id}"
        return
    try:
        content = answers.read_bytes()
        if SUMS in figures and hashlib.sha256(content).hexdigest() not in figures[SUMS]:
            raise ValueError(f"{ANSWERS} is not as it was written")
        _compare(figures, content)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        yield (
            DAMAGE,
            (
                f"its answers to the test set and its figures do not agree ({error}). "
                f"Evaluate it again: python -m core evaluate {run.id} --again"
            ),
        )


def _compare(figures: dict[str, Any], content: bytes) -> None:
    """Raises: ValueError and others when the figures are not those of the answers."""
    import numpy as np

    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        prediction, label = file["prediction"], file["label"]
    if len(prediction) != figures["images"] or prediction.shape != label.shape:
        raise ValueError(f"{len(prediction)} answers, {len(label)} labels and figures of {figures['images']} images")
    accuracy = float(np.mean(prediction == label))
    if not abs(accuracy - figures["accuracy"]) < MOST_OFF:
        raise ValueError(f"the answers give an accuracy of {accuracy:.4f}, {FIGURES} says {figures['accuracy']:.4f}")
    if np.sum(figures["confusion"]) != prediction.size:
        raise ValueError(f"its confusion counts {np.sum(figures['confusion'])} answers of {prediction.size}")


def _strays(run: Run, status: Status, manifest: dict[str, Any] | None) -> Found:
    """Files that are none of a run. Those that come and go while it is written are left alone while it is held."""
    named = {manifest[key]["file"] for key in STATES if key in manifest} if manifest else set()
    for entry in sorted(os.scandir(run.path), key=lambda entry: entry.name) if run.path.is_dir() else ():
        if not entry.is_file(follow_symlinks=False):
            yield DAMAGE, f"{entry.name} is no plain file, as all of a run are. Move it elsewhere."
        elif STATE_NAME.match(entry.name):
            if not (entry.name in named or manifest is None or status.state in ENDED or is_held(run)):
                yield LOOSE_END, f"{entry.name} is a checkpoint that a crash kept from being used. It may be deleted."
        elif TEMPORARY.match(entry.name):
            if not is_held(run):
                yield LOOSE_END, f"{entry.name} was left behind by a crash. It may be deleted."
        elif entry.name.endswith(".damaged"):
            yield LOOSE_END, f"{entry.name} is a checkpoint that was damaged and set aside. It may be deleted."
        elif entry.name not in FILES:
            yield LOOSE_END, f"{entry.name} is no file of a run. Move it elsewhere or delete it."
