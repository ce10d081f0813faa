"""Images a second of a training step that is repeated for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.training.learner import Learner


def steps_of(learner: Learner) -> Callable[[], float]:
    """One step of learning a call, over and over one epoch's batches; returns its loss."""
    batches = cycle(learner.epoch_order())
    return lambda: float(learner.learn(next(batches))[0])


def rate(step: Callable[[], float], seconds: float, batch_size: int) -> float:
    """Images a second, after one step that does not count."""
    step()
    images, begin = 0, time.perf_counter()
    while (taken := time.perf_counter() - begin) < seconds:
        step()
        images += batch_size
    return images / taken
