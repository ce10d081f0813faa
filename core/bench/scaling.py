"""How time and memory of a training grow with batch size, width and number of images.

Owns: which runs are measured. Each is measured as the forecast does: a few steps in a process of its own.
"""

from __future__ import annotations

from typing import Any

from core import data as datasets
from core.bench.photos import photos
from core.bench.table import aligned
from core.config import TrainConfig
from core.forecast import measure_in_child

MODEL = "resnet"
GROWING: dict[str, tuple[int, ...]] = {
    "batch_size": (32, 128, 512, 2048),
    "width": (16, 32, 64, 128),
    "train_size": (2_000, 8_000, 32_000),
}
USUAL = {"batch_size": 256, "width": 32}


def main() -> None:
    """Print a line for each run."""
    dataset = photos()
    run = {"model": MODEL, "dataset": dataset, "recipe": "fast"}
    rows: list[tuple[str, ...]] = [("knob", "value", "s/epoch", "images/s", "start s", "MB")]
    for knob, values in GROWING.items():
        for value in values:
            if value <= datasets.describe(dataset).train_size:
                config = TrainConfig.from_dict({**run, **USUAL, knob: value})
                rows.append(_row(knob, value, config, measure_in_child(config)))
    print(
        f"{MODEL} on {dataset}, {', '.join(f'{name} {value}' for name, value in USUAL.items())} unless said otherwise"
    )
    print(aligned(rows))


def _row(knob: str, value: int, config: TrainConfig, figures: dict[str, Any]) -> tuple[str, ...]:
    seconds = figures["epoch_seconds"]
    return (
        *(knob, f"{value:,}", f"{seconds:.1f}", f"{config.train_size / seconds:,.0f}"),
        *(f"{figures['start_seconds']:.1f}", f"{figures['memory_mb']:,}"),
    )
