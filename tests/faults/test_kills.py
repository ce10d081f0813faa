"""Workers killed at random: what comes out in the end is to the bit what an undisturbed run gives."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest
import torch

from core import jobs, models
from core.config import TrainConfig
from core.jobs import PROJECT, JobManager
from core.runs import Run
from tests.faults.worker import digests
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

EPOCHS = {"fcn": 10}  # a few seconds of learning; 25 for the others
KILLED_BY_HAND, KILLED_AT_A_FILE = 5, 5  # times that each run dies
MOST_OPERATIONS = 60  # of files, from the start of a worker on, before it dies: its first few checkpoints
TIMES = ("seconds", "cpu_seconds")  # they differ from run to run, and only grow
ALIKE = ("accuracy", "loss", "images", "confusion", "data_sha256")


def config_of(model: str) -> TrainConfig:
    """The smallest run of a model that still augments, has several steps an epoch, and lasts for a few seconds."""
    info = models.describe(model)
    photos = "cifar10-mini" if model in ("convnet", "resnet") else "mnist-mini"
    dataset = "mnist-mini-scenes" if info.task == "masks" else photos
    sizes = {"width": info.widths[0], "train_size": 120, "batch_size": 20, "threads": 1}
    return TrainConfig(model=model, dataset=dataset, seed=5, epochs=EPOCHS.get(model, 25), **sizes)


@pytest.fixture
def manager(store, environment, monkeypatch):
    """A manager whose workers checkpoint often, and die at the file operation that stands in `manager.deadly`."""

    def start(log):
        command = [sys.executable, "-m", "tests.faults.worker", str(manager.deadly)]
        with log.open("ab") as file:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=file, stderr=file, cwd=PROJECT, env=environment
            )

    monkeypatch.setattr(jobs, "start_worker", start)
    with JobManager(store) as manager:
        manager.deadly = 0
        yield manager


def kill_by_hand(manager: JobManager, run: Run, step: int, seconds: float) -> None:
    """Kills the run's worker so many seconds after it has told of a step."""
    wait_for(lambda: run.status().state == "running" and run.metrics().steps.get("step", [0])[-1] >= step)
    time.sleep(seconds)
    assert run.status().state == "running", "it ended before it could be killed: let it learn for longer"
    manager._children[run.id].process.kill()


def deaths(run: Run, chance: random.Random) -> list[tuple[int, float]]:
    """In which order it dies: at a step and so many seconds later, or (0) at a file operation."""
    steps = run.config.epochs * (run.config.train_size // run.config.batch_size)
    by_hand = sorted(chance.randint(1, steps // 2) for _ in range(KILLED_BY_HAND))
    at_a_file = [0] * KILLED_AT_A_FILE
    kinds = chance.sample(["hand", "file"], counts=[KILLED_BY_HAND, KILLED_AT_A_FILE], k=len(by_hand + at_a_file))
    return [(by_hand.pop(0), chance.uniform(0, 0.2)) if kind == "hand" else (0, 0.0) for kind in kinds]


def files_of(run: Run) -> set[str]:
    return {path.name for path in run.path.iterdir()}


def lines(run: Run) -> list[dict]:
    return [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]


def assert_nothing_lost_or_twice(run: Run) -> None:
    """Steps rise strictly, epochs have no gap, the time only grows, and the end comes once."""
    told = lines(run)
    steps = [line["step"] for line in told if line["event"] == "step"]
    epochs = [line for line in told if line["event"] == "epoch"]
    every = run.config.train_size // run.config.batch_size
    assert all(before < after for before, after in pairwise(steps))
    assert [(line["epoch"], line["step"]) for line in epochs] == [
        (number, number * every) for number in range(1, run.config.epochs + 1)
    ]
    for name in (*TIMES, "step"):
        values = [line[name] for line in told if name in line]
        assert values == sorted(values)
    assert [line["event"] for line in told].count("end") == 1
    assert told[-1]["event"] == "end"


def assert_alike(run: Run, whole: Run) -> None:
    """Every figure of every epoch, the best weights and the answers to the test set are the same to the bit."""
    ours, theirs = run.metrics().epochs, whole.metrics().epochs
    assert all(ours[name] == theirs[name] for name in theirs if name not in TIMES)
    weights = run.load_weights()
    assert weights.keys() == whole.load_weights().keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in whole.load_weights().items())
    assert {name: run.test()[name] for name in ALIKE} == {name: whole.test()[name] for name in ALIKE}
    assert len(run.test()["opened"]) == 1
    answers, expected = (np.load(each.path / "predictions.npz") for each in (run, whole))
    assert all(np.array_equal(answers[name], expected[name]) for name in expected.files)


@pytest.mark.parametrize("model", models.names())
def test_a_run_killed_ten_times_comes_out_to_the_bit_as_one_that_never_was(manager, model):
    chance = random.Random(f"kills of {model}")
    whole = manager.store.get(manager.submit(config_of(model)))
    wait_for(lambda: whole.status().state == "finished", 900)
    run = manager.store.get(manager.submit(config_of(model)))
    killed = 0
    for step, seconds in deaths(run, chance):
        manager.deadly = 0 if step else chance.randint(1, MOST_OPERATIONS)
        if killed:
            manager.resume(run.id)
        if step:
            kill_by_hand(manager, run, step, seconds)
        wait_for(lambda: "was killed" in run.status().reason)
        killed += 1
        assert (run.status().state, run.status().warning) == ("interrupted", "")
    assert killed == KILLED_BY_HAND + KILLED_AT_A_FILE
    manager.deadly = 0
    manager.resume(run.id)
    wait_for(lambda: run.status().state == "finished", 900)
    assert all(len(found) == 1 for found in digests(run).values())
    assert digests(run) == digests(whole)
    assert_nothing_lost_or_twice(run)
    assert_alike(run, whole)
    # Nothing half written stays behind. A worker says that it has finished before it clears up.
    wait_for(lambda: files_of(run) - {"control.json"} == files_of(whole))


def test_a_worker_killed_before_it_began_leaves_a_run_that_can_be_resumed(manager, small):
    manager.deadly = 1
    run = manager.store.get(manager.submit(small))
    wait_for(lambda: "was killed" in run.status().reason, 20)
    assert run.status().state == "interrupted"
    assert not run.metrics().steps
    manager.deadly = 0
    manager.resume(run.id)
    wait_for(lambda: run.status().state == "finished")
