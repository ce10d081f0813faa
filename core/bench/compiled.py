"""What torch.compile is worth to a training step: the network as it is and compiled, in turns, for each model.

Owns: the comparison. Training itself does not compile: on a processor it was slower, see the README.

Source: Ansel et al. 2024, PyTorch 2: Faster Machine Learning Through Dynamic Python Bytecode Transformation and Graph
Compilation.
"""

from __future__ import annotations

import statistics
import time

from core import data as datasets
from core import models
from core.bench.photos import photos
from core.bench.steps import rate, steps_of
from core.bench.table import aligned
from core.config import TrainConfig

BATCH_SIZE = 256
ROUNDS, SECONDS = 3, 6.0  # turns of each, and how long a turn is


def main() -> None:
    """Print a line for each model."""
    from core.training.device import use_threads

    use_threads(0)
    dataset = photos()
    rows = [("model", "plain images/s", "compiled images/s", "ratio", "s to compile")]
    for model in models.names("classes"):
        config = TrainConfig(model=model, dataset=dataset, recipe="fast", batch_size=BATCH_SIZE, low_resolution=0.0)
        plain, compiled, seconds = _side_by_side(config)
        rows.append((model, f"{plain:,.0f}", f"{compiled:,.0f}", f"{compiled / plain:.2f}", f"{seconds:.0f}"))
        print(aligned(rows[-1:]), flush=True)
    print(f"\n{dataset}, batch of {BATCH_SIZE}, median of {ROUNDS} turns of {SECONDS:.0f} s each\n{aligned(rows)}")


def _side_by_side(config: TrainConfig) -> tuple[float, float, float]:
    """Images a second of a training step as it is and compiled, medians, and the seconds of the first compiled step."""
    from core.training.learner import Learner

    data = datasets.load(config.dataset)
    learners = Learner(config, data), Learner(config, data)
    learners[1].network.compile()
    plain, compiled = (steps_of(learner) for learner in learners)
    begin = time.perf_counter()
    compiled()
    seconds = time.perf_counter() - begin
    turns = [[rate(step, SECONDS, config.batch_size) for step in (plain, compiled)] for _ in range(ROUNDS)]
    return *(statistics.median(side) for side in zip(*turns, strict=True)), seconds
