"""The relay process: takes runs from the queue, each in a thread of its own, until its server leaves.

Owns: connecting, those threads, and what is said to the queue. Leaves what such a thread does to `core.worker`.

    python -m core.cluster    reads the paths of runs' folders, one a line, on its standard input; the end of that input
                              means that the server has gone: let every run store its state, and leave. On its standard
                              output one JSON object a line: {"trouble": a sentence, "" when there is none},
                              {"room": how many of its runs may wait for a machine}, told once it is connected,
                              {"over": id of a run that it works on no more}
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TextIO

from filelock import Timeout

from core.cluster.connection import NO_ANSWER, SECONDS_BETWEEN_LOOKS, Connection, unreachable
from core.errors import LabError, RunError
from core.runs import Run

SECONDS_UNTIL_TROUBLE, SECONDS_TO_CONNECT = 5.0, 60.0  # Ray itself would wait for ever
SECONDS_TO_LEAVE = 30.0


class Relay:
    """The runs that this process hands to the cluster."""

    def __init__(self, address: str, answers: TextIO) -> None:
        self._address = address
        self._answers = answers
        self._lock = threading.Lock()
        self._answered = threading.Event()  # by the cluster
        self._connected = threading.Event()
        self._leaving = threading.Event()
        self._threads: list[threading.Thread] = []
        self._waiting: dict[str, str] = {}  # id of a run that no machine can take -> why, in a sentence

    def connect(self) -> None:
        """Connect to the cluster, say how that went, then how much room it has; ends the process when it can't."""
        threading.Thread(target=self._watch, daemon=True).start()
        try:
            self._cluster = Connection(self._address)
            self._answered.set()
            import core.cluster.remote  # noqa: F401 - torch, which takes seconds, before the first run needs it
        except LabError as error:
            self._say(trouble=str(error))
            os._exit(1)
        self._connected.set()
        self._say(trouble="")
        told = 0
        while not self._leaving.wait(SECONDS_BETWEEN_LOOKS if told else 0):
            if (room := self._cluster.room()) != told:
                self._say(room=(told := room))

    def take(self, path: Path) -> None:
        """Work on a run, in a thread."""
        thread = threading.Thread(target=self._relay, args=(Run(path),), daemon=True)
        self._threads = [*(each for each in self._threads if each.is_alive()), thread]
        thread.start()

    def leave(self) -> None:
        """Let every run store its state and leave; returns when they have, or no longer wants to wait."""
        self._leaving.set()
        deadline = time.monotonic() + SECONDS_TO_LEAVE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _relay(self, run: Run) -> None:
        try:
            if self._connected.is_set():
                self._work(run)
        except (Timeout, RunError, OSError):
            traceback.print_exc()
        finally:
            self._say(over=run.id)

    def _work(self, run: Run) -> None:
        from core.cluster.remote import OnCluster
        from core.worker import Control, work

        control = Control(run)
        control.server_has_gone = self._leaving
        place = OnCluster(self._cluster, run, control, lambda why: self._tell_waiting(run, why))
        try:
            if place.reserve():
                work(run, control=control, place=place, fit=place.fit)
        finally:
            place.close()

    def _tell_waiting(self, run: Run, why: str) -> None:
        if self._waiting.get(run.id, "") != why:
            self._waiting[run.id] = why
            self._say(trouble=next((sentence for sentence in self._waiting.values() if sentence), ""))

    def _watch(self) -> None:
        """Say it when connecting takes long, and give up when it takes too long."""
        sentence = unreachable(self._address, NO_ANSWER)
        if not self._answered.wait(SECONDS_UNTIL_TROUBLE):
            self._say(trouble=sentence)
        if not self._answered.wait(SECONDS_TO_CONNECT):
            os._exit(1)

    def _say(self, **words: str | int) -> None:
        with self._lock, contextlib.suppress(OSError):  # nobody listens any more
            print(json.dumps(words), file=self._answers, flush=True)


def main() -> int:
    """Relay what comes in, until nothing comes any more."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever else is printed goes to the log
    relay = Relay(os.environ["CNNLAB_RAY"], answers)
    threading.Thread(target=relay.connect, daemon=True).start()
    for line in sys.stdin:
        relay.take(Path(line.rstrip("\n")))
    relay.leave()
    os._exit(0)  # Ray ends what it runs for a process that has gone; its own way of leaving may wait


if __name__ == "__main__":
    sys.exit(main())
