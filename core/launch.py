"""One run on several devices: torchrun's engine starts a process for each, and says when one of them has died.

Owns: those processes and their common end. Leaves what they do to `core.rank`.

Source: PyTorch's elastic launch, what `torchrun` itself calls (pytorch.org/docs/stable/elastic/run.html).
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from filelock import Timeout

from core import causes
from core.runs import Run

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

SECONDS_FOR_LOCK = 5.0


def launch(run: Run, *, server: int = -1, tell: bool = False) -> None:
    """Let `run.config.devices` processes learn a run together; returns when all of them have gone.

    server: file descriptor of a pipe whose end means that the server has gone. tell: show on this terminal how far it
    is. Ctrl-C and SIGTERM let the run store its state and leave. When a process dies the others end too, and the run is
    `failed` with that cause.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=run.config.devices, run_id=run.id, max_restarts=0,
        rdzv_backend="c10d", rdzv_endpoint="127.0.0.1:0", local_addr="127.0.0.1",
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),
    )  # fmt: skip
    words = ["-m", "core.rank", str(run.path), *(["--tell"] if tell else [])]
    with _input_that_ends(server), contextlib.suppress(SignalException):
        try:
            elastic_launch(config, sys.executable)(*words)
        except ChildFailedError as error:
            _settle(run, error)


@contextlib.contextmanager
def _input_that_ends(server: int) -> Iterator[None]:
    """Meanwhile the standard input, which the processes inherit, is a pipe that ends with us or with the server."""
    reading, writing = os.pipe()
    ours = os.dup(0)
    os.dup2(reading, 0)
    os.close(reading)
    if server >= 0:
        source = ours if server == 0 else server
        threading.Thread(target=_close_after, args=(source, writing), daemon=True).start()
    try:
        yield
    finally:
        os.dup2(ours, 0)


def _close_after(source: int, writing: int) -> None:
    """Wait for the end of one pipe, then end another."""
    while os.read(source, 1):
        continue
    os.close(writing)


def _settle(run: Run, error: ChildFailedError) -> None:
    """Write down that a process has died, unless the leader could say better why."""
    _, failure = error.get_first_failure()
    try:
        with run.held(SECONDS_FOR_LOCK):
            state = run.status_when_held().state
            if state == "interrupted" or (state == "failed" and failure.exitcode < 0):
                reason = causes.lost_member(failure.local_rank + 1, run.config.devices, failure.exitcode)
                run.set_status(state="failed", reason=reason)
    except Timeout:
        return  # somebody goes on with it already
