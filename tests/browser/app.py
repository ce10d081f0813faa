"""The real server and a real Chromium, for tests and measurements."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync"]  # fmt: skip
LAPTOP, PHONE = {"width": 1366, "height": 900}, {"width": 390, "height": 844}
SECONDS_TO_START = 60
MAIN = "document.querySelector('[data-testid=stMain]')"  # what scrolls


def chromium() -> str | None:
    """Path of a Chromium, or None."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def server(runs: Path, *flags: str, script: str = "app.py", **environment: str) -> Iterator[str]:
    """The app, or another script, on a free port with its runs in `runs`; gives its address, ends it as Ctrl-C does."""
    process, address = start(runs, *flags, script=script, **environment)
    try:
        _wait_until_healthy(process, address)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


@contextmanager
def mortal_server(runs: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The app on a free port, for a test that kills it; gives its address and its process."""
    process, address = start(runs)
    try:
        _wait_until_healthy(process, address)
        yield address, process
    finally:
        process.kill()
        process.wait(30)


def start(runs: Path, *flags: str, script: str = "app.py", **environment: str) -> tuple[subprocess.Popen[bytes], str]:
    """A server that begins to start, and what its address will be."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", script, "--server.headless=true", f"--server.port={port}", *flags],
        cwd=PROJECT,
        env={**os.environ, "CNNLAB_RUNS": str(runs), **environment},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    return process, f"http://127.0.0.1:{port}"


def _wait_until_healthy(process: subprocess.Popen[bytes], address: str) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end:
        assert process.poll() is None, "the server ended at its start"
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"no answer from {address} within {SECONDS_TO_START} s")


POINTS = """number => {
  const plots = document.querySelectorAll('.js-plotly-plot')
  const traces = plots.length > number && plots[number].data ? plots[number].data : []
  return Math.max(0, ...traces.map(trace => trace.x ? trace.x.length : 0))
}"""


def points(page, chart: int = 0) -> int:
    """How many points the longest trace of a chart on the page has: 0 loss, 1 accuracy."""
    return int(page.evaluate(POINTS, chart))


def scrolls_sideways(page) -> bool:
    """Whether a page is wider than its window, by more than what rounding makes of it."""
    return bool(page.evaluate(f"{MAIN}.scrollWidth > {MAIN}.clientWidth + 2"))
