"""What making scenes costs: its share of the time of a training step of the FCN.

Owns: the measurement. Scenes are made anew for every step, by the process that learns from them.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from core import data as datasets
from core.bench.table import aligned
from core.config import TrainConfig

if TYPE_CHECKING:
    from core.training.learner import Learner

STEPS = 100


def main() -> None:
    """Print the milliseconds of a step, of making its scenes, and the share."""
    from core.training.device import use_threads
    from core.training.learner import Learner

    use_threads(0)
    dataset = "mnist-scenes" if datasets.available("mnist-scenes") else "mnist-mini-scenes"
    config = TrainConfig(model="fcn", dataset=dataset, recipe="fast")
    whole, making = _seconds(Learner(config, datasets.load(dataset)))
    print(f"{dataset}, batch of {config.batch_size}, median of {STEPS} steps")
    row = (f"{whole * 1e3:.1f} ms", f"{making * 1e3:.1f} ms", f"{making / whole:.1%}")
    print(aligned([("a step", "of it making scenes", "share"), row]))


def _seconds(learner: Learner) -> tuple[float, float]:
    """Of a whole step, and of making as many scenes as it learns from, in turns; medians."""
    from core.data.ink.dataset import step_scenes

    index, maker = learner.epoch_order()[0], learner.data.maker
    assert maker
    step_scenes(maker, len(index), 0, 0, 0)  # thins the digits that pens draw again, once
    learner.learn(index)
    turns = []
    for step in range(STEPS):
        begin = time.perf_counter()
        step_scenes(maker, len(index), 0, 0, step)
        middle = time.perf_counter()
        learner.learn(index)
        turns.append((time.perf_counter() - middle, middle - begin))
    whole, making = zip(*turns, strict=True)
    return statistics.median(whole), statistics.median(making)
