"""A store of many runs, and how long its table takes: a command, not a test.

    python -m tests.load.store

Prints, for 50, 500 and 5,000 runs of 200 epochs, the seconds of a first look at all of them, of a second look, and of
a look after one run has changed.
"""

from __future__ import annotations

import json
import math
import random
import tempfile
import time

from core.config import TrainConfig
from core.runs import RunStore
from core.summaries import Summaries

SIZES, EPOCHS, STEPS_PER_EPOCH = (50, 500, 5_000), 200, 4


def main() -> None:
    """Measure and print."""
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            store = RunStore(folder)
            make_store(store, size)
            summaries = Summaries(RunStore(folder))
            first, second = seconds_of(summaries), seconds_of(summaries)
            store.list()[0].rename("changed")
            changed = seconds_of(summaries)
        print(f"{size:5} runs: first {first:.3f} s, second {second:.3f} s, after a change {changed:.3f} s", flush=True)


def seconds_of(summaries: Summaries) -> float:
    """Seconds of one look at all runs."""
    begin = time.perf_counter()
    summaries.all()
    return time.perf_counter() - begin


def make_store(store: RunStore, runs: int, epochs: int = EPOCHS) -> None:
    """Fill a store with finished runs of every model that learn in a plausible way, each with a test result."""
    for number in range(runs):
        model = ("mlp", "cnn", "convnet", "resnet")[number % 4]
        config = TrainConfig(model=model, dataset="cifar10-mini", seed=number // 4, epochs=epochs)
        run = store.create(config, f"run {number}")
        run.set_status(state="finished", started=1.0, ended=500.0, epoch=epochs, seconds=2.0 * epochs)
        lines = events(epochs, random.Random(number))
        (run.path / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        accuracy = lines[-1]["val_accuracy"]
        test = {"accuracy": accuracy, "loss": 1.0, "images": 1000, "confusion": [], "opened": [500.0]}
        (run.path / "test.json").write_text(json.dumps(test))


def events(epochs: int, chance: random.Random) -> list[dict]:
    """The metrics of one run: its loss falls, and turns up again a little at the end."""
    lines, speed = [], chance.uniform(0.02, 0.08)
    for epoch in range(1, epochs + 1):
        loss = 2.3 * math.exp(-speed * epoch) + 0.5 + 0.002 * epoch + chance.uniform(-0.03, 0.03)
        accuracy = 1 - loss / 3
        for step in range(1, STEPS_PER_EPOCH + 1):
            at = epoch - 1 + step / STEPS_PER_EPOCH
            lines.append({"event": "step", "step": int(at * 16), "epoch": at, "seconds": 2 * at, "loss": loss,
                          "accuracy": accuracy, "lr": 0.01, "images_per_second": 1000.0})  # fmt: skip
        lines.append({"event": "epoch", "step": epoch * 16, "epoch": epoch, "seconds": 2.0 * epoch, "train_loss": loss,
                      "train_accuracy": accuracy, "val_loss": loss, "val_accuracy": accuracy, "best": False,
                      "patience_left": None})  # fmt: skip
    return lines


if __name__ == "__main__":
    main()
