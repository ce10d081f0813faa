"""What several processes gain: one run learned by one process, and by one for each GPU or core, in turns.

Owns: the comparison. Where there is no GPU the processes share the processor, a core each, so no more than the same
speed can be expected; what talking and waiting cost is what is seen.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

from core import data as datasets
from core import machine
from core.bench.photos import photos
from core.bench.table import aligned
from core.config import TrainConfig
from core.jobs import hand_over, start_worker
from core.runs import RunStore

MODELS = ("cnn", "resnet")
EPOCHS, MOST_IMAGES, BATCH_SIZE = 3, 10_000, 256
ROUNDS = 3


def main() -> None:
    """Print a line for each model."""
    import torch

    dataset, gpus = photos(), torch.cuda.device_count()
    devices = gpus if gpus > 1 else machine.describe().cores
    images = min(MOST_IMAGES, datasets.describe(dataset).train_size)
    rows: list[tuple[str, ...]] = [
        ("model", "1 process, images/s", f"{devices} processes, images/s", "ratio", "accuracy", "accuracy together")
    ]
    for model in MODELS:
        config: dict[str, Any] = {
            "model": model,
            "dataset": dataset,
            "train_size": images,
            "epochs": EPOCHS,
            "batch_size": BATCH_SIZE,
        }
        turns = [
            [_learn(TrainConfig(**config, devices=count, seed=turn)) for count in (1, devices)]
            for turn in range(ROUNDS)
        ]
        alone, together = ([turn[side] for turn in turns] for side in (0, 1))
        speeds = [statistics.median(speed for speed, _ in side) for side in (alone, together)]
        rows.append(
            (
                *(model, f"{speeds[0]:,.0f}", f"{speeds[1]:,.0f}", f"{speeds[1] / speeds[0]:.2f}"),
                *(_mean_and_spread([accuracy for _, accuracy in side]) for side in (alone, together)),
            )
        )
        print(aligned(rows[-1:]), flush=True)
    where = f"{gpus} GPUs" if gpus > 1 else f"{devices} processes of one core each"
    print(
        f"\n{where}; {dataset}, {images:,} images, batch of {BATCH_SIZE}, median of {ROUNDS} turns; validation "
        f"accuracy after {EPOCHS} epochs, mean ± standard deviation over {ROUNDS} seeds\n{aligned(rows)}"
    )


def _learn(config: TrainConfig) -> tuple[float, float]:
    """Images a second after the first epoch, and the validation accuracy at the end."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunStore(Path(folder)).create(config, state="paused")
        worker = start_worker(Path(folder) / "worker.log")
        hand_over(run, worker)
        worker.wait()
        if worker.stdin:
            worker.stdin.close()
        metrics = run.metrics()
        speeds = [
            speed
            for epoch, speed in zip(metrics.steps["epoch"], metrics.steps["images_per_second"], strict=True)
            if epoch > 1
        ]
        return statistics.median(speeds), metrics.epochs["val_accuracy"][-1]


def _mean_and_spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.2%} ± {statistics.stdev(values):.2%}"
