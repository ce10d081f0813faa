"""The process that hands runs to a cluster, as the queue sees it.

Owns: that process from its start to its end, what it says, and what becomes of a run whose machine was lost. A process
of its own, because Ray ends whatever process talks to it when the cluster goes away, and waits for ever for a cluster
that does not answer: neither may happen to a web server. What it does inside is in `core.cluster`.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.runs import Run

PROJECT = Path(__file__).resolve().parent.parent
MOST_LOSSES = 3  # in a row, without a new checkpoint
SECONDS_BETWEEN_STARTS = 10.0
MOST_LOG_BYTES = 1_000_000
BROKE_OFF = "The connection to the cluster broke off."
LOST = -100  # stands for the exit code of a run whose relay process has gone


class Relayed:
    """One run at the cluster: looks to the queue like a process that works on it."""

    stdin = None

    def __init__(self) -> None:
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """None while it is there; 0 when it is over and has written its state; else LOST."""
        return self.returncode


class Relay:
    """Starts the process when there is something to hand over, and anew when it has gone."""

    def __init__(self, log: Path) -> None:
        """log: the file that takes what the process prints."""
        self.trouble = ""  # what keeps runs from the cluster, for a person
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self._room = 0  # how many of its runs may wait for a machine; 0 until it is connected
        self._runs: dict[str, Relayed] = {}
        self._next_start = 0.0
        self._lock = threading.Lock()

    def wake(self) -> None:
        """Start the process, unless it is there or has only just gone."""
        if self._process or time.monotonic() < self._next_start:
            return
        self._next_start = time.monotonic() + SECONDS_BETWEEN_STARTS
        too_long = self._log.exists() and self._log.stat().st_size > MOST_LOG_BYTES
        with self._log.open("wb" if too_long else "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "core.cluster"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=PROJECT,
                start_new_session=True,
            )
        threading.Thread(target=self._listen, args=(self._process,), name="cnnlab-relay", daemon=True).start()

    def room(self, waiting: int) -> int:
        """How many more runs it takes now. waiting: how many it has for which there is no machine yet."""
        return max(0, self._room - waiting)

    def hand_over(self, run: Run) -> Relayed:
        """Let it work on a run. Raises: BrokenPipeError when it has gone."""
        process = self._process
        if process is None or process.stdin is None:
            raise BrokenPipeError
        with self._lock:
            relayed = self._runs[run.id] = Relayed()
        process.stdin.write(f"{run.path}\n")
        process.stdin.flush()
        return relayed

    def close(self, seconds: float) -> None:
        """Let every run store its state and leave, and wait that long for it."""
        if (process := self._process) and process.stdin:
            with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
                process.stdin.close()
                process.wait(seconds)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        """Hear what it says until it has gone."""
        with contextlib.suppress(BrokenPipeError), process:  # closes its pipes and waits for its end
            assert process.stdout
            for words in _objects(process.stdout):
                with self._lock:
                    self._hear(words)
        with self._lock:
            self._gone()

    def _hear(self, words: dict[str, Any]) -> None:
        self.trouble = words.get("trouble", self.trouble)
        self._room = words.get("room", self._room)
        if relayed := self._runs.pop(words.get("over", ""), None):
            relayed.returncode = 0

    def _gone(self) -> None:
        if self._room and not self.trouble:
            self.trouble = f"{BROKE_OFF} Runs go on from their last checkpoints when it is back."
        self._process, self._room = None, 0
        for relayed in self._runs.values():
            relayed.returncode = LOST
        self._runs.clear()


def after_loss(run: Run, cause: str) -> tuple[str, str]:
    """What becomes of a run whose machine was lost, for who holds its lock: its state, and a sentence that says why.

    It goes back to the head of the queue, to go on from its last checkpoint; unless that happened too often in a row.
    """
    lost = run.status_when_held().lost + 1
    if lost < MOST_LOSSES:
        run.set_status(lost=lost)
        return "queued", f"{cause} It goes on from its last checkpoint as soon as there is room."
    run.set_status(lost=0)
    return "failed", f"{cause} That makes {MOST_LOSSES} times in a row without a new checkpoint. Resume tries again."


def _objects(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The JSON objects in these lines; a last one may be cut off."""
    for line in lines:
        with contextlib.suppress(ValueError):
            yield json.loads(line)
