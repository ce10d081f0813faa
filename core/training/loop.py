"""fit: the training loop, as a generator of events; train: the same for a learner of one's own.

Owns: the order of things: steps, epochs, validation, early stopping, when a checkpoint is due, how it ends.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core import data as datasets
from core.evaluation import digit_iou
from core.models.fcn import take_weights
from core.training.events import End, Epoch, Event, Step
from core.training.learner import Learner, Progress
from core.training.together import Leader

if TYPE_CHECKING:
    from core.config import TrainConfig
    from core.data import Dataset
    from core.training.events import State
    from core.training.team import Team

SECONDS_BETWEEN_STEP_EVENTS = 0.1
LEAVING = {
    "pause": End("paused", "Paused by hand."),
    "leave": End("interrupted", "The program that started it has gone."),
}


def keep_going() -> str:
    """The control of a training that nobody steers."""
    return "run"


def fit(
    config: TrainConfig,
    *,
    data: Dataset | None = None,
    state: State | None = None,
    weights: Mapping[str, Tensor] | None = None,
    control: Callable[[], str] = keep_going,
    checkpoint_seconds: float = 30.0,
    catch_up: int = 0,
    team: Team | None = None,
) -> Iterator[Event]:
    """Train, and tell about it: yields Step, Epoch, Weights (a new best), State (a checkpoint), at last one End.

    data: loaded already, else `core.data.load(config.dataset)`. state: a State that an earlier `fit` of the same
    config yielded; it goes on from there, to the same weights, bit for bit, as if it had never left. weights: those of
    the run that `config.init_from` names, to begin with.
    control: asked before every step; answers "run", "pause", "stop" or "leave". checkpoint_seconds: longest time
    between two States; one more comes when it pauses or leaves. catch_up: the step whose weights an earlier `fit` was
    the last to yield, though it was cut off before it yielded a State of then: "stop" waits until that step is done
    again, or those weights would be of an epoch that nobody was told of. team: this process leads others, which
    meanwhile call `core.training.follow` with the same config; each learns from its share of every batch.

    Uses and reseeds torch's global random generator. Leaves the number of threads alone.

    Raises: ConfigError (a device that is not there), DataError, CheckpointError (a state that does not fit).
    """
    data = data or datasets.load(config.dataset)
    learner = Leader(config, data, team) if team else Learner(config, data)
    if weights is not None and state is None:
        take_weights(learner.model, weights)
    if state is not None:
        learner.restore(state)
    if isinstance(learner, Leader):
        learner.begin()
    yield from train(learner, control=control, checkpoint_seconds=checkpoint_seconds, catch_up=catch_up)


def train(
    learner: Learner,
    *,
    control: Callable[[], str] = keep_going,
    checkpoint_seconds: float = 30.0,
    catch_up: int = 0,
) -> Iterator[Event]:
    """Let a learner learn to the end of its config from where it is: yields what `fit` does, whose arguments these are.

    Of a team, its Leader must have begun.
    """
    clock = _Clock(learner, checkpoint_seconds)
    while (end := _verdict(learner)) is None:
        word = yield from _learn_epoch(learner, _patient(control, learner.progress, catch_up), clock)
        if word in LEAVING:
            clock.stamp()
            yield learner.snapshot()
            end = LEAVING[word]
        elif word == "stop" and (learner.progress.step == 0 or math.isfinite(learner.progress.best_val_loss)):
            end = End("stopped", "Stopped by hand.")
        else:
            end = yield from _close_epoch(learner, clock)
            if word == "stop" and end is None:  # stopped in its first epoch: that validation gave it a best
                end = End("stopped", "Stopped by hand.")
        if end is not None:
            break
    yield end


def _patient(control: Callable[[], str], progress: Progress, catch_up: int) -> Callable[[], str]:
    """The same control, whose "stop" is heard only once so many steps are done."""

    def word() -> str:
        said = control()
        return "run" if said == "stop" and progress.step < catch_up else said

    return word


def _learn_epoch(learner: Learner, control: Callable[[], str], clock: _Clock) -> Generator[Event, None, str]:
    """Learn from here to the end of the epoch; returns the word that ended it, "run" for the end itself."""
    order = learner.epoch_order()
    while learner.progress.position < learner.steps_per_epoch:
        if (word := control()) != "run":
            return word
        lr = learner.lr
        clock.count(*learner.learn(order[learner.progress.position]))
        if clock.step_event_is_due():
            event = clock.step_event(lr)
            if not math.isfinite(event.loss):
                break
            yield event
        if clock.checkpoint_is_due():
            clock.stamp()
            yield learner.snapshot()
    return "run"


def _close_epoch(learner: Learner, clock: _Clock) -> Generator[Event, None, End | None]:
    """Validate, tell, and remember what early stopping needs; returns End if the loss is no number any more."""
    clock.settle()
    progress = learner.progress
    with clock.standing():
        result = learner.validate()
    steps = max(1, progress.position)
    train_loss, train_accuracy = progress.loss_sum / steps, progress.accuracy_sum / steps
    if not math.isfinite(train_loss) or not math.isfinite(result.loss):
        return _diverged(learner)
    best = result.loss < progress.best_val_loss
    progress.best_val_loss = min(progress.best_val_loss, result.loss)
    progress.epochs_without_better = 0 if best else progress.epochs_without_better + 1
    progress.epoch, progress.position = progress.epoch + 1, 0
    progress.loss_sum = progress.accuracy_sum = 0.0
    patience = learner.config.patience
    clock.stamp()
    yield Epoch(
        step=progress.step,
        epoch=progress.epoch,
        seconds=progress.seconds,
        train_loss=train_loss,
        train_accuracy=train_accuracy,
        val_loss=result.loss,
        val_accuracy=result.accuracy,
        best=best,
        patience_left=max(0, patience - progress.epochs_without_better) if patience else None,
        val_iou=digit_iou(result.confusion) if learner.has_masks else None,
        cpu_seconds=progress.cpu_seconds,
    )
    if best:
        yield learner.weights()
    return None


def _diverged(learner: Learner) -> End:
    """The end of a training whose loss is no number any more."""
    has_best = math.isfinite(learner.progress.best_val_loss)
    kept = "the best weights so far are kept" if has_best else "no epoch was done, so there are no weights to keep"
    where = f"step {learner.progress.step} (learning rate {learner.lr:.3g})"
    return End("diverged", f"The loss is no number any more at {where}. Try a smaller learning rate; {kept}.")


def _verdict(learner: Learner) -> End | None:
    """Whether the training is over."""
    progress, config = learner.progress, learner.config
    if config.patience and progress.epochs_without_better >= config.patience:
        return End("finished", f"Stopped early: no better validation loss for {config.patience} epochs.")
    if progress.epoch >= config.epochs:
        return End("finished", f"All {config.epochs} epochs done." if config.epochs > 1 else "Its one epoch is done.")
    return None


class _Clock:
    """Time and figures between two events. Figures stay on the device until somebody is told."""

    def __init__(self, learner: Learner, checkpoint_seconds: float) -> None:
        self.learner = learner
        self.checkpoint_seconds = checkpoint_seconds
        self.before, self.cpu_before = learner.progress.seconds, learner.progress.cpu_seconds
        self.cpu_start = time.process_time()
        self.start = self.last_told = self.last_checkpoint = time.perf_counter()
        self.told_once = False
        self.stood = 0.0  # seconds since the last step event in which nothing was learned
        self.counted: list[Tensor] = []  # [2] a step: loss and accuracy, on the device
        self.untold: list[list[float]] = []  # the same of every step since the last step event, as numbers

    def count(self, loss: Tensor, accuracy: Tensor) -> None:
        """Add one step's figures."""
        self.counted.append(torch.stack((loss, accuracy)))

    def stamp(self) -> None:
        """Write the time trained so far into the progress, and add up what was counted."""
        self.settle()
        self.learner.progress.cpu_seconds = self.cpu_before + time.process_time() - self.cpu_start
        self.learner.progress.seconds = self.before + time.perf_counter() - self.start

    def settle(self) -> None:
        """Add what was counted to the epoch's sums, step by step so that the sums don't depend on when."""
        figures: list[list[float]] = torch.stack(self.counted).tolist() if self.counted else []
        self.counted = []
        self.untold += figures
        for loss, accuracy in figures:
            self.learner.progress.loss_sum += loss
            self.learner.progress.accuracy_sum += accuracy

    @contextmanager
    def standing(self) -> Iterator[None]:
        """What happens in here is no learning: it does not count as slow steps."""
        begin = time.perf_counter()
        yield
        self.stood += time.perf_counter() - begin

    def step_event_is_due(self) -> bool:
        """Whether nothing was told for a tenth of a second, or never."""
        return not self.told_once or time.perf_counter() - self.last_told >= SECONDS_BETWEEN_STEP_EVENTS

    def step_event(self, lr: float) -> Step:
        """The means since the last one."""
        self.told_once = True
        now = time.perf_counter()
        seconds = now - self.last_told - self.stood
        self.settle()
        figures, steps = self.untold, len(self.untold)
        self.last_told, self.stood, self.untold = now, 0.0, []
        self.learner.progress.seconds = self.before + now - self.start
        progress, config = self.learner.progress, self.learner.config
        return Step(
            step=progress.step,
            epoch=progress.epoch + progress.position / self.learner.steps_per_epoch,
            seconds=progress.seconds,
            loss=sum(loss for loss, _ in figures) / steps,
            accuracy=sum(accuracy for _, accuracy in figures) / steps,
            lr=lr,
            images_per_second=steps * config.batch_size / seconds,
        )

    def checkpoint_is_due(self) -> bool:
        """Whether the last checkpoint is old enough; if so, the next one counts from now."""
        if time.perf_counter() - self.last_checkpoint < self.checkpoint_seconds:
            return False
        self.last_checkpoint = time.perf_counter()
        return True
