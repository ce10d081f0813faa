"""Every file of a finished and of a paused run, with one byte changed or its end cut off: found, and never loaded."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from core import load_model
from core.answers import answers_of
from core.checkpoints import MANIFEST, WEIGHTS
from core.errors import CheckpointError, LabError, RunError
from core.files import read_json
from core.runs import Meta, Run, auditing

pytestmark = pytest.mark.faults

FLIPS, CUTS = 30, 12  # of each file
WITHOUT_PROMISE = {"log.txt", "lock"}  # text for a person, and an empty file
NUMBER_OF_FILES = 9  # with a promise, in either run


def flipped(content: bytes, chance: random.Random) -> bytes:
    spoiled = bytearray(content)
    spoiled[chance.randrange(len(content))] ^= chance.randrange(1, 256)
    return bytes(spoiled)


def spoiled_copies(content: bytes, seed: str):
    chance = random.Random(seed)
    yield from (flipped(content, chance) for _ in range(FLIPS))
    yield from (content[: chance.randrange(len(content))] for _ in range(CUTS))


def refuses(error: type[LabError], read: Callable[[], object]) -> None:
    with pytest.raises(error):
        read()


def uses_the_other_state(run: Run, name: str) -> None:
    before = read_json(run.path / MANIFEST)
    was_current = before["current"]["file"] == name
    state, _, warning = run.load_state()
    other = before["previous" if was_current else "current"]["file"]
    assert other == f"state-{state.step}.safetensors"
    assert (name in warning) == was_current
    assert (run.path / name).with_suffix(".damaged").exists() == was_current


def assert_not_loaded(run: Run, name: str) -> None:
    """What each reader does with a damaged file: an error of ours, or what it says that it does."""
    status = run.status()
    assert (status.state == "damaged") == (name in ("config.json", "status.json"))
    if name == "config.json":
        refuses(RunError, lambda: run.config)
    elif name == "meta.json":
        assert run.meta() == Meta()
    elif name == "control.json":
        assert run.word() == "run"
    elif name == MANIFEST:
        refuses(CheckpointError, run.load_weights)
        refuses(CheckpointError, run.load_state)
    elif name == WEIGHTS:
        refuses(CheckpointError, lambda: load_model(run))
    elif name == "test.json":
        assert run.test() is None
        refuses(RunError, lambda: answers_of(run))
    elif name == "predictions.npz":
        refuses(RunError, lambda: answers_of(run))
    elif name == "metrics.jsonl":
        assert run.curves_are_changed
    elif name.startswith("state-"):
        uses_the_other_state(run, name)


def restore(folder: Path, whole: dict[str, bytes]) -> None:
    for path in folder.iterdir():
        if path.name not in whole:
            path.unlink()
    for name, content in whole.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("state", ["finished", "paused"])
def test_every_change_of_a_byte_and_every_cut_is_found_and_nothing_damaged_is_loaded(request, state):
    run = request.getfixturevalue("trained" if state == "finished" else "paused")
    run.rename("Ada's")
    run.say("run")
    whole = {path.name: path.read_bytes() for path in run.path.iterdir()}
    names = sorted(set(whole) - WITHOUT_PROMISE)
    assert auditing.audit_run(run) == []
    found = 0
    for name in names:
        for content in spoiled_copies(whole[name], f"{state} {name}"):
            (run.path / name).write_bytes(content)
            findings = [finding for finding in auditing.audit_run(run) if finding.severity == "damage"]
            assert findings, (name, content)
            found += 1
            assert_not_loaded(Run(run.path), name)
            restore(run.path, whole)
    assert auditing.audit_run(run) == []
    assert found == len(names) * (FLIPS + CUTS) == NUMBER_OF_FILES * (FLIPS + CUTS)
