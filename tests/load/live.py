"""How live the page is, measured in a real Chromium: a command, not a test.

    python -m tests.load.live

Prints seconds from `Start training` to the first point on the curve, the training's slow-down with one tab watching
(alternating with none, in one run, at the pace that the page keeps after its first two minutes), and the server's time
for four runs of 200 epochs: to make their charts anew, and for the whole script of the Train page.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path

import orjson
import pytest
from playwright.sync_api import Page, sync_playwright
from streamlit.testing.v1 import AppTest

from core.config import TrainConfig
from core.forecast import Forecast, Forecaster
from core.jobs import JobManager
from core.metrics import Metrics
from core.runs import Run, RunStore
from core.training import Step
from pages.ui import charts
from tests.browser.app import FLAGS, LAPTOP, PROJECT, chromium, points, server
from tests.load.table import percentile
from tests.pages.conftest import events

STARTS, ROUNDS, SECONDS, TICKS = 3, 8, 15.0, 50
SETTLED = 125.0  # seconds of training after which the page looks at its slowest pace
LONG = TrainConfig(dataset="mnist-mini", epochs=4000)


def main() -> None:
    """Measure and print."""
    print("charts of a tick:", in_words([tick_seconds() for _ in range(TICKS)]))
    print("whole script of the Train page:", in_words(script_seconds()))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        runs = Path(folder)
        with server(runs) as address:
            page = browser.new_page(viewport=LAPTOP)
            print(
                "start to first point, s:", [round(first_point_seconds(page, address, runs), 2) for _ in range(STARTS)]
            )
            page.goto("about:blank")
            watched, alone = slow_down(page, address, runs)
        browser.close()
    shares = [1 - seen / unseen for seen, unseen in zip(watched, alone, strict=True)]
    print(f"images/s alone {rounded(alone)}, watched {rounded(watched)}")
    print(f"slower by {statistics.mean(shares):.1%}, standard error {statistics.stdev(shares) / ROUNDS**0.5:.1%}")


def in_words(seconds: list[float]) -> str:
    """Median and 95th percentile of some seconds."""
    return f"median {percentile(seconds, 0.5) * 1e3:.0f} ms, 95 % {percentile(seconds, 0.95) * 1e3:.0f} ms"


def rounded(rates: list[float]) -> list[int]:
    """Whole numbers, to be printed."""
    return [round(rate) for rate in rates]


def tick_seconds() -> float:
    """Seconds to make and encode all four charts of four runs that nobody has drawn yet."""
    curves = [charts.Curve(f"run-{number}-{time.monotonic_ns()}", f"run {number}", metrics()) for number in range(4)]
    begin = time.perf_counter()
    for kind in ("loss", "accuracy", "lr", "speed"):
        orjson.dumps(charts.figure(kind, curves, charts.View()), option=orjson.OPT_SERIALIZE_NUMPY)
    return time.perf_counter() - begin


def script_seconds() -> list[float]:
    """Seconds of each warm run of the Train page's script, form and forecast included, with three runs laid over one.

    A tick runs only the fragment, so this is more than a tick. Each time the shown run has a new point.
    """
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNLAB_RUNS", folder)
        patch.setattr(JobManager, "_loop", lambda manager: None)  # starts nothing
        patch.setattr(Forecaster, "ask", lambda forecaster, config: Forecast(61.0, 3.0, 480, 1, 1, "earlier runs"))
        runs = [RunStore(folder).create(LONG) for _ in range(4)]
        for run in runs:
            run.set_status(state="finished", started=1.0)
            (run.path / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in events(200, 30)))
        app = AppTest.from_file(str(PROJECT / "pages" / "frame.py"), default_timeout=60)
        app.query_params["run"] = runs[0].id
        app.run()
        app.query_params["with"] = [run.id for run in runs[1:]]
        app.switch_page("train.py").run()
        return [_one_more(app, runs[0]) for _ in range(TICKS)]


def _one_more(app: AppTest, run: Run) -> float:
    run.append(Step(1, 200.0, 1.0, 0.1, 0.9, 0.1, 100.0))
    begin = time.perf_counter()
    app.run()
    assert not app.exception
    return time.perf_counter() - begin


def metrics(epochs: int = 200, steps: int = 6000) -> Metrics:
    """A run of 200 epochs that told 6,000 steps."""
    column = [1 / (place + 1) for place in range(steps)]
    names = ("step", "epoch", "seconds", "loss", "accuracy", "lr", "images_per_second")
    ends = ("step", "epoch", "seconds", "train_loss", "val_loss", "val_accuracy", "best", "patience_left")
    return Metrics(1, {name: list(column) for name in names}, {name: list(column[:epochs]) for name in ends})


def first_point_seconds(page: Page, address: str, runs: Path) -> float:
    """From the press to a point in the chart; the run is discarded afterwards."""
    page.goto(f"{address}/train")
    button = page.get_by_role("button", name="Start training", exact=True)
    button.wait_for()
    page.get_by_text("from a few steps just now").or_(page.get_by_text("from earlier runs")).first.wait_for(
        timeout=60_000
    )
    time.sleep(6)  # a person looks at the form; the spare process loads its libraries
    known = {run.id for run in RunStore(runs).list()}
    begin = time.perf_counter()
    button.click()
    page.get_by_role(
        "heading", name="cnn on mnist-mini, quick, seed 0"
    ).wait_for()  # before, a run that ships may be shown
    while not (points(page) and known.symmetric_difference(run.id for run in RunStore(runs).list())):
        time.sleep(0.02)
    seconds = time.perf_counter() - begin
    page.get_by_role("button", name="Discard", exact=True).click()
    time.sleep(4)
    return seconds


def slow_down(page: Page, address: str, runs: Path) -> tuple[list[float], list[float]]:
    """Images a second of one long run, watched and alone by turns."""
    run = RunStore(runs).create(LONG)  # the server's queue takes it
    while (run.metrics().steps.get("seconds") or [0.0])[-1] < SETTLED:
        time.sleep(0.5)
    rates: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * ROUNDS):
        watching = turn % 2 == 1
        page.goto(f"{address}/train?run={run.id}" if watching else "about:blank")
        time.sleep(4)
        before, begin = run.metrics().steps["step"][-1], time.perf_counter()
        time.sleep(SECONDS)
        steps = run.metrics().steps["step"][-1] - before
        rates[watching].append(steps * LONG.batch_size / (time.perf_counter() - begin))
    run.say("discard")
    return rates[True], rates[False]


if __name__ == "__main__":
    main()
