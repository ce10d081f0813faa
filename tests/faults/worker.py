"""The real worker, made ready to be killed: its checkpoints come often, and its log tells what it holds at each epoch.

    python -m tests.faults.worker OPERATION

OPERATION: it dies, as by `kill -9`, right before its so-many-th operation on a file of its run; 0 lets it live.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import chain, repeat
from pathlib import Path

from torch import Tensor

from core import training, worker
from core.evaluation import Evaluation
from core.runs import Run
from core.training.learner import Learner

SECONDS_BETWEEN_CHECKPOINTS = 0.05
SECONDS_BETWEEN_STEPS = 0.03  # so that a quick machine does not end the run before it can be killed
OPERATIONS = ("open", "os.rename", "os.remove")  # what Python tells of before it does it


def checkpoint_often(seconds: float) -> None:
    """Let this process store a state after so many seconds, instead of half a minute."""
    training.fit = partial(training.fit, checkpoint_seconds=seconds)


def take_time(seconds: float) -> None:
    """Let this process wait so many seconds after each step."""
    learn = Learner.learn

    def slowly(learner: Learner, index: Tensor) -> tuple[Tensor, Tensor]:
        figures = learn(learner, index)
        time.sleep(seconds)
        return figures

    Learner.learn = slowly  # type: ignore[method-assign]


def die_at(folder: str, operation: int) -> None:
    """Let this process die right before its so-many-th operation on a file below a folder; never, if that is 0."""
    left = operation

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in OPERATIONS and str(arguments[0]).startswith(folder):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def work_until(path: str, operation: int, steps: int = 10**9) -> None:
    """Work on a run in this process, a state after every step; it dies at an operation, or leaves after `steps`."""
    checkpoint_often(0.0)
    die_at(path, operation)
    words = chain(repeat("run", 1 + steps), repeat("leave"))  # once it is asked before the first step
    worker.work(Run(Path(path)), control=words.__next__)  # type: ignore[arg-type]


def tell_what_it_holds() -> None:
    """Let this process print, before each validation, the epoch and a digest of its weights and optimiser's memory."""
    Learner.validate = _telling(Learner.validate)  # type: ignore[method-assign]


def _telling(validate: Callable[[Learner], Evaluation]) -> Callable[[Learner], Evaluation]:
    def tell(learner: Learner) -> Evaluation:
        digest = hashlib.sha256()
        for name, tensor in sorted(learner.snapshot().tensors.items()):
            digest.update(name.encode() + tensor.numpy().tobytes())
        print(f"holds {learner.progress.epoch} {digest.hexdigest()}", flush=True)
        return validate(learner)

    return tell


def digests(run: Run) -> dict[int, set[str]]:
    """Of each epoch the digests that the log tells of: one, unless an epoch that was done again came out otherwise."""
    found: dict[int, set[str]] = {}
    for line in run.log_tail(10**9).splitlines():
        if line.startswith("holds "):
            _, epoch, digest = line.split()
            found.setdefault(int(epoch), set()).add(digest)
    return found


if __name__ == "__main__":
    checkpoint_often(SECONDS_BETWEEN_CHECKPOINTS)
    take_time(SECONDS_BETWEEN_STEPS)
    tell_what_it_holds()
    die_at(os.environ["CNNLAB_RUNS"], int(sys.argv[1]))
    sys.exit(worker.main())
