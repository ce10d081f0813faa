"""The first look: how soon there is something to see and to press. A command, not a test.

    python -m tests.load.first [--starts 10] [--rounds 60]

Starts `streamlit run app.py` again and again and opens a new Chromium, as it is after an installation, at the first
page: prints the seconds from the start to an address that answers, and to a first page that is drawn, with its button
ready. Then, with one server and twenty runs, prints how long the script of each page takes
once it has been shown: the answer to one session, whole, without a browser.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from core.runs import RunStore
from tests.browser.app import FLAGS, LAPTOP, chromium, mortal_server
from tests.load.store import make_store
from tests.load.table import as_text, percentile
from tests.load.visitor import Visitor

STARTS, ROUNDS, RUNS = 10, 60, 20
PAGES = {  # with content
    "": "",
    "train": "run=ref-cifar10-resnet-fast-0&with=ref-cifar10-mlp-fast-0",
    "compare": "runs=ref-cifar10-cnn-fast-0&runs=ref-cifar10-resnet-fast-0",
    "segment": "scene=3",
    "gradcam": "",
}
MOST_SECONDS_TO_START, MOST_SECONDS_OF_A_SCRIPT = 3.0, 0.3
DONE = "[data-test-script-state=notRunning]"


def main() -> None:
    """Measure and print."""
    options = _options()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        starts = [first_look(browser) for _ in range(options.starts)]
    print(as_text([_row(name, [start[name] for start in starts]) for name in starts[0]]), flush=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        make_store(RunStore(Path(folder)), RUNS)
        with mortal_server(Path(folder)) as (address, _):
            scripts = asyncio.run(script_seconds(address, options.rounds))
    print(as_text([_row(page or "home", seconds) for page, seconds in scripts.items()]))
    usable = percentile([start["usable"] for start in starts], 0.5)
    slowest = max(percentile(seconds, 0.95) for seconds in scripts.values())
    print(f"usable after {usable:.2f} s; at most {MOST_SECONDS_TO_START} s: {usable <= MOST_SECONDS_TO_START}")
    print(f"slowest script {slowest:.3f} s; at most {MOST_SECONDS_OF_A_SCRIPT}: {slowest <= MOST_SECONDS_OF_A_SCRIPT}")


def first_look(browser: Browser) -> dict[str, float]:
    """Seconds from the start of a server to its answer, and to a first page that can be used."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, browser.new_context(viewport=LAPTOP) as tab:
        page, begin = tab.new_page(), time.perf_counter()
        with mortal_server(Path(folder)) as (address, _):
            answered = time.perf_counter() - begin
            page.goto(address)
            page.get_by_role("button", name="Train a first network").wait_for(timeout=60_000)
            page.locator(DONE).wait_for(timeout=60_000)
            return {"answers": answered, "usable": time.perf_counter() - begin}


async def script_seconds(address: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of each page's script, page after page in each round; the first three rounds are not counted."""
    seconds: dict[str, list[float]] = {page: [] for page in PAGES}
    async with Visitor(address) as visitor:
        for _ in range(rounds + 3):
            for page, query in PAGES.items():
                answer = await visitor.go(page, query)
                assert not answer.exceptions, page
                seconds[page].append(answer.seconds)
    return {page: found[3:] for page, found in seconds.items()}


def _row(name: str, seconds: list[float]) -> dict[str, str]:
    return {
        "what": name,
        "times": str(len(seconds)),
        "median": f"{percentile(seconds, 0.5):.3f} s",
        "95 %": f"{percentile(seconds, 0.95):.3f} s",
        "most": f"{max(seconds):.3f} s",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=STARTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
