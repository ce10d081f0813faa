"""What comes of a training without files, as the benchmarks that compare trainings ask.

Owns: that training and its figures, judged on the validation images.
"""

from __future__ import annotations

from dataclasses import dataclass

from core import data as datasets
from core import training
from core.config import TrainConfig
from core.training.device import use_threads
from core.training.learner import Learner


@dataclass(frozen=True)
class Outcome:
    """Validation accuracy at the best epoch, 0..1, the epochs, and seconds. state: as an `End` has it.

    Where the loss was no number in the first epoch already, there are none, and the accuracy is that of guessing.
    """

    accuracy: float
    epochs: int
    seconds: float
    state: str = "finished"


def learned(config: TrainConfig, kind: type[Learner] = Learner) -> Outcome:
    """Train the config's network with such a learner to its end."""
    use_threads(config.threads)
    data = datasets.load(config.dataset)
    events = list(training.train(kind(config, data), checkpoint_seconds=float("inf")))
    epochs = [event for event in events if isinstance(event, training.Epoch)]
    (state,) = (event.state for event in events if isinstance(event, training.End))
    if not epochs:
        return Outcome(1 / len(data.classes), 0, 0.0, state)
    best = min(epochs, key=lambda epoch: epoch.val_loss)
    return Outcome(best.val_accuracy, len(epochs), epochs[-1].seconds, state)
