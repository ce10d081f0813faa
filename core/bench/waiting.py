"""How long threads that wait for each other should spin before they sleep: training alone, and beside a busy process.

Owns: the comparison. What `core` takes stands in its `__init__.py`. Only GNU's OpenMP, torch's on Linux, has the knob.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from core.bench.photos import photos
from core.bench.table import aligned
from core.config import TrainConfig
from core.forecast import measure_in_child

KNOB = "GOMP_SPINCOUNT"
ROUNDS = (0, 2_000, 300_000)  # sleep at once; what we take; what OpenMP takes by itself
MODELS, TURNS = ("cnn", "resnet"), 3


def main() -> None:
    """Print a line for each model and number of rounds: images a second, medians."""
    dataset = photos()
    rows = [("model", "rounds of spinning", "alone, images/s", "beside a busy process")]
    for model in MODELS:
        config = TrainConfig(model=model, dataset=dataset, recipe="fast")
        turns = [[_rates(config, rounds) for rounds in ROUNDS] for _ in range(TURNS)]
        for rounds, taken in zip(ROUNDS, zip(*turns, strict=True), strict=True):
            alone, beside = (statistics.median(side) for side in zip(*taken, strict=True))
            rows.append((model, f"{rounds:,}", f"{alone:,.0f}", f"{beside:,.0f}"))
            print(aligned(rows[-1:]), flush=True)
    print(f"\n{dataset}, recipe fast, median of {TURNS} turns\n{aligned(rows)}")


def _rates(config: TrainConfig, rounds: int) -> tuple[float, float]:
    """Images a second of training in a process of its own, alone and beside one that keeps a core busy."""
    with _spinning(rounds):
        alone = measure_in_child(config)["epoch_seconds"]
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
            try:
                beside = measure_in_child(config)["epoch_seconds"]
            finally:
                busy.kill()
    return config.train_size / alone, config.train_size / beside


@contextmanager
def _spinning(rounds: int) -> Iterator[None]:
    """The environment of processes that start meanwhile."""
    before = os.environ.get(KNOB)
    os.environ[KNOB] = str(rounds)
    try:
        yield
    finally:
        os.environ.pop(KNOB)
        os.environ.update({KNOB: before} if before is not None else {})
