"""How soon a picture is there after `Random image`, with four networks: a command, not a test.

    python -m tests.load.explain

Prints the median and the 95th percentile of the page's script without the verdicts, which follow after the pictures,
and, in a real Chromium with the verdicts on, of the time from the press until the new picture is drawn.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pytest
import streamlit as st
from playwright.sync_api import Page, sync_playwright
from streamlit.testing.v1 import AppTest

from core import models
from core.config import TrainConfig
from core.jobs import PROJECT, JobManager
from core.runs import RunStore
from tests.browser.app import FLAGS, LAPTOP, chromium, server
from tests.load.live import in_words

MODELS = {"convnet": 64, "resnet": 64, "cnn": 64, "mlp": 1024}  # the widths of the reference runs
PRESSES, REST = 40, 1.0  # seconds between two presses in the browser: in the midst of the verdicts
NEW_PICTURE = """old => {
  const strip = document.querySelector('[data-testid=stImage] img')
  return strip && strip.complete && strip.naturalWidth > 0 && strip.alt !== old
}"""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        make_networks(RunStore(runs))
        print("script:", in_words(script_seconds(runs)))
        with sync_playwright() as playwright, server(runs) as address:
            browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
            print("browser:", in_words(browser_seconds(browser.new_page(viewport=LAPTOP), address, runs)))
            browser.close()


def make_networks(
    store: RunStore, dataset: str = "cifar10-mini", widths: dict[str, int] = MODELS, **knobs: str
) -> None:
    """Finished runs whose networks have learned nothing: they take as long as those that have."""
    for model, width in widths.items():
        run = store.create(TrainConfig(model=model, dataset=dataset, width=width, **knobs))
        run.save_weights(models.build(model, (3, 32, 32), 10, width=width).state_dict(), step=1)
        run.set_status(state="finished", started=1.0)


def script_seconds(runs: Path) -> list[float]:
    """Seconds of each run of the page's script after a press."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNLAB_RUNS", str(runs))
        patch.setattr(JobManager, "_loop", lambda manager: None)  # starts nothing
        st.cache_resource.clear()
        app = AppTest.from_file(str(PROJECT / "pages" / "frame.py"), default_timeout=120)
        app.query_params["models"] = ids(runs)
        app.query_params["judge"] = "false"
        app.run()
        app.switch_page("gradcam.py").run()
        return [_one_press(app) for _ in range(PRESSES)]


def _one_press(app: AppTest) -> float:
    button = next(button for button in app.button if button.label == "Random image")
    begin = time.perf_counter()
    button.click().run()
    seconds = time.perf_counter() - begin
    assert not app.exception
    return seconds


def browser_seconds(page: Page, address: str, runs: Path) -> list[float]:
    """Seconds from each press until the first network's new picture is there."""
    page.goto(f"{address}/gradcam?" + "&".join(f"models={run_id}" for run_id in ids(runs)))
    page.wait_for_function(NEW_PICTURE, arg="", timeout=60_000)
    page.locator("[data-test-script-state=notRunning]").wait_for(timeout=120_000)
    found = []
    for _ in range(PRESSES):
        time.sleep(REST)
        old = page.locator("[data-testid=stImage] img").first.get_attribute("alt")
        begin = time.perf_counter()
        page.get_by_role("button", name="Random image", exact=True).click()
        page.wait_for_function(NEW_PICTURE, arg=old, polling=5)
        found.append(time.perf_counter() - begin)
    return found


def ids(runs: Path) -> list[str]:
    """Ids of the test's own runs."""
    return [run.id for run in RunStore(runs).list() if not run.is_shipped]


if __name__ == "__main__":
    main()
