"""What a training tells while it runs. `fit` yields these; whoever iterates decides what to keep.

Step, Epoch and End are the lines of a run's metrics; Weights and State carry tensors.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Step:
    """How learning went since the last Step event, at most ten a second.

    step: steps of learning so far. epoch: the same in epochs. seconds: time trained so far, pauses not counted.
    loss: mean training loss in nats. accuracy: share of right answers on the training images or pixels, 0..1. Both are
    means since the last event. lr: the learning rate of its last step. images_per_second: training images learned
    from, by the time since the last event without validations.
    """

    step: int
    epoch: float
    seconds: float
    loss: float
    accuracy: float
    lr: float
    images_per_second: float


@dataclass(frozen=True)
class Epoch:
    """The end of an epoch: means over its training images, and the whole validation split afterwards.

    step, epoch: done so far. seconds: time trained so far, pauses not counted. Losses in nats, accuracies 0..1.
    best: whether this is the lowest validation loss so far. patience_left: epochs that may pass without a better
    one, None without early stopping. val_iou: mean intersection over union of the digits, 0..1, None where images have
    one class. cpu_seconds: what the process took of the processor's threads, added up; without other work beside it,
    about `seconds` times the threads.
    """

    step: int
    epoch: int
    seconds: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    best: bool
    patience_left: int | None
    val_iou: float | None = None
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class Weights:
    """The network at the best validation loss so far: its state_dict, contiguous, on the CPU, a copy."""

    step: int
    tensors: dict[str, Tensor] = field(repr=False)


@dataclass(frozen=True)
class State:
    """Everything that is needed to go on to the bit: copies on the CPU, and plain numbers.

    tensors: the network's under "model.…", the optimiser's under "optimizer.…", contiguous. counters: every field of
    `learner.Progress` by its name.
    """

    tensors: dict[str, Tensor] = field(repr=False)
    counters: dict[str, int | float]

    @property
    def step(self) -> int:
        """Steps of learning done."""
        return int(self.counters["step"])


@dataclass(frozen=True)
class End:
    """The last event. state: finished, stopped, diverged, paused or interrupted. reason: a sentence."""

    state: str
    reason: str


Event = Step | Epoch | Weights | State | End
Metric = Step | Epoch | End


def as_dict(event: Metric) -> dict[str, Any]:
    """The event as one JSON object of a run's metrics."""
    fields = {name: value for name, value in asdict(event).items() if (name, value) != ("val_iou", None)}
    return {"event": type(event).__name__.lower(), **fields}
