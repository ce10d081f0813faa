"""How good the forecast is: what it says before the start, against what the run then takes.

Owns: the cases and the comparison. Each run trains in a child process of the real queue, one at a time.
"""

from __future__ import annotations

import tempfile
import time

from core.bench.table import aligned
from core.config import TrainConfig
from core.forecast import Forecast, Forecaster
from core.jobs import JobManager
from core.runs import LIVE, Run, RunStore

SECONDS_BETWEEN_LOOKS = 0.2


def cases() -> list[TrainConfig]:
    """Runs of half a minute or less that differ in what they spend their time on."""
    return [
        TrainConfig(model="mlp", dataset="mnist-mini", epochs=20),
        TrainConfig(model="cnn", dataset="mnist-mini"),
        TrainConfig(model="cnn", dataset="cifar10-mini", epochs=10, cutout=8),
        TrainConfig(model="convnet", dataset="cifar10-mini", recipe="report", epochs=5),
        TrainConfig(model="resnet", dataset="cifar10-mini", epochs=5),
        TrainConfig(model="resnet", dataset="mnist-mini", epochs=3, rotate=10.0),
    ]


def main() -> None:
    """Print a line for each case."""
    rows = [("run", "forecast s", "took s", "off by", "forecast MB", "took MB", "off by")]
    with tempfile.TemporaryDirectory() as folder, JobManager(RunStore(folder)) as manager:
        for config in cases():
            told = _ask(Forecaster(manager.store), config)
            run = _train(manager, config)
            status = run.status()
            seconds = status.ended - status.queued  # as the person who pressed Start waits
            rows.append(
                (
                    run.name,
                    *(f"{told.seconds:.1f}", f"{seconds:.1f}", f"{told.seconds / seconds - 1:+.0%}"),
                    *(f"{told.memory_mb}", f"{status.memory_mb}", f"{told.memory_mb / status.memory_mb - 1:+.0%}"),
                )
            )
    print(aligned(rows))


def _ask(forecaster: Forecaster, config: TrainConfig) -> Forecast:
    while (told := forecaster.ask(config)) is None:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return told


def _train(manager: JobManager, config: TrainConfig) -> Run:
    run = manager.store.get(manager.submit(config))
    while run.status().state in LIVE:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return run
