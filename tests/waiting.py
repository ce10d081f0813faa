"""Waiting for what other processes do. The seconds here end a test that hangs; nothing is measured by them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from core.jobs import JobManager
from core.runs import Run

Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found], seconds: float = 60.0, what: str = "what the test waits for") -> Found:
    """What the condition answers as soon as that is true, not empty and not None. what: it is, for a person."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return found


def state_of(manager: JobManager, run_id: str) -> str:
    return manager.store.get(run_id).status().state


def learning(manager: JobManager, run_id: str) -> Run:
    """Waits until it has begun to learn."""
    run = manager.store.get(run_id)
    wait_for(lambda: run.metrics().steps)
    return run
