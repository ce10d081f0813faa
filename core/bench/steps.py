"""Images a second of a training step that is repeated for a while, and what the machine's arithmetic could do.

Owns: measuring. Leaves what is compared with what to the benchmarks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.training.learner import Learner

SIDE = 2048  # of the matrices; larger ones are no faster


def steps_of(learner: Learner) -> Callable[[], float]:
    """One step of learning a call, over and over one epoch's batches; returns its loss."""
    batches = cycle(learner.epoch_order())
    return lambda: float(learner.learn(next(batches))[0])


def products(precision: str, seconds: float) -> float:
    """Multiply-adds a second of bare products of square matrices: no training step here is faster than that.

    precision: "bf16" or "float32".
    """
    import torch

    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b, out = (torch.rand(SIDE, SIDE).to(kind) for _ in range(3))

    def step() -> float:
        """One product."""
        torch.mm(a, b, out=out)
        return 0.0

    return rate(step, seconds, SIDE**3)


def rate(step: Callable[[], float], seconds: float, count: int) -> float:
    """How much a second is done by steps that do `count` each, such as images, after one step that does not count."""
    step()
    done, begin = 0, time.perf_counter()
    while (taken := time.perf_counter() - begin) < seconds:
        step()
        done += count
    return done / taken
