"""One of the processes that learn a run together, started by torchrun: the first leads, the others follow.

Owns: who does what. The leader works on the run as `core.worker` does for a run of one process; nobody else touches its
files.

    python -m core.rank RUN [--tell]    RUN: path of the run's folder. --tell: the leader shows how far it is.
                                        The end of its standard input means that whoever started it has gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from functools import partial
from pathlib import Path

from filelock import Timeout

from core import training
from core.runs import Run
from core.training.device import use_threads
from core.training.team import Word
from core.worker import Control, work


def main() -> int:
    """Meet the others, then lead or follow; returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the leader stores the run's state, and lets the others leave
        signal.signal(number, signal.SIG_IGN)
    run = Run(Path(sys.argv[1]))
    team = training.Team.join()
    try:
        if team.leads:
            return _lead(run, team, tell="--tell" in sys.argv[2:])
        use_threads(run.config.threads, team.size)
        training.follow(run.config, team)
        return 0
    finally:
        team.part()


def _lead(run: Run, team: training.Team, *, tell: bool) -> int:
    """Work on the run, and let the others leave when it is over."""
    from core.cli.progress import RunLine

    control = Control(run, sys.stdin.fileno())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: control.server_has_gone.set())
    line = RunLine(run) if tell else None
    try:
        work(run, control=control, told=line.tell if line else None, fit=partial(training.fit, team=team))
    except Timeout:
        print(f"Another process works on run {run.id}.", file=sys.stderr)
        return 1
    finally:
        if line:
            line.close()
        with contextlib.suppress(RuntimeError):  # somebody has gone already
            team.tell(Word.LEAVE)
    return 0


if __name__ == "__main__":
    code = main()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)  # what keeps the gradients in step holds threads, which now and then abort a process that winds down
