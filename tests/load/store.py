"""A store of many runs, and how long its table takes: a command, not a test.

    python -m tests.load.store

Prints, for 50, 500 and 5,000 runs of 200 epochs, the seconds of a first look at all of them, of a second look, and of
a look after one run has changed; then those of the Compare page's whole script: the first, and the median and the 95th
percentile of those after it, each with one run that changed and two rows picked.
"""

from __future__ import annotations

import json
import math
import random
import tempfile
import time

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.config import TrainConfig
from core.files import write_json
from core.jobs import PROJECT, JobManager
from core.runs import Run, RunStore
from core.summaries import Summaries
from tests.load.table import percentile

SIZES, EPOCHS, STEPS_PER_EPOCH, PAGES = (50, 500, 5_000), 200, 4, 20


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
            print(
                f"{size:5} runs: first {first:.3f} s, second {second:.3f} s, after a change {changed:.3f} s", flush=True
            )
            opened, *later = page_seconds(store)
        middle, slow = (1e3 * percentile(later, share) for share in (0.5, 0.95))
        print(f"      page: first {opened:.2f} s, then median {middle:.0f} ms, 95 % {slow:.0f} ms", flush=True)


def page_seconds(store: RunStore) -> list[float]:
    """Seconds of each run of the Compare page's script."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNLAB_RUNS", str(store.root))
        patch.setattr(JobManager, "_loop", lambda manager: None)  # starts nothing
        st.cache_resource.clear()
        app = AppTest.from_file(str(PROJECT / "pages" / "frame.py"), default_timeout=300)
        app.query_params["fold"] = "false"
        app.query_params["runs"] = [run.id for run in store.list()[:2]]
        app.run()
        begin = time.perf_counter()
        app.switch_page("compare.py").run()
        return [time.perf_counter() - begin, *(_one_more(app, store.list()[n]) for n in range(PAGES))]


def _one_more(app: AppTest, run: Run) -> float:
    run.rename(f"changed {time.monotonic_ns()}")
    begin = time.perf_counter()
    app.run()
    assert not app.exception
    return time.perf_counter() - begin


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
        write_json(run.path / "test.json", test)


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
