"""The network that learns, its optimiser, and how far they are.

Owns: one step of learning, validation, and the snapshot from which a training goes on to the bit. Everything random
derives from (seed, epoch, step), so no random state needs to be kept. Leaves the order of events to `loop.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import models
from core.config import SMALL_SIDE
from core.data.augment import Augmentation, mixup, shrink, step_generator
from core.data.ink.dataset import step_scenes
from core.errors import CheckpointError, shown
from core.evaluation import Evaluation, evaluate
from core.tensors import misfit
from core.training import start
from core.training.device import arithmetic, choose_device, choose_precision
from core.training.events import State, Weights
from core.training.optim import (
    build_optimizer,
    learning_rate,
    optimizer_tensors,
    restore_optimizer,
    set_learning_rate,
)

if TYPE_CHECKING:
    from core.config import TrainConfig
    from core.data import Dataset, Split

MODEL, OPTIMIZER = "model.", "optimizer."  # prefixes of the tensors in a State
ORDER, SUBSET, DROPOUT, MIRROR, MIX = 1, 2, 3, 4, 5  # streams of random numbers beside the augmentation's


@dataclass
class Progress:
    """How far a training is: counts, sums over the epoch under way, and what early stopping remembers."""

    step: int = 0
    epoch: int = 0  # epochs done
    position: int = 0  # steps done in the epoch under way
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    loss_sum: float = 0.0
    accuracy_sum: float = 0.0
    best_val_loss: float = math.inf
    epochs_without_better: int = 0


class Learner:
    """A network in training on one device."""

    def __init__(self, config: TrainConfig, data: Dataset) -> None:
        self.config = config
        self.data = data
        self.device = self._device()
        self.precision = choose_precision(config.precision, self.device)
        images = len(data.train) if data.maker is None else config.train_size  # scenes are made when they are learned
        everything = torch.randperm(images, generator=step_generator(config.seed, 0, 0, stream=SUBSET))
        self.subset = everything[: config.train_size]
        self.model = self._build().to(self.device)
        self.model = self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: nn.Module = self.model  # what a batch is sent through
        self.optimizer = build_optimizer(self.model, config)
        self.augment = Augmentation(config.flip, config.shift, config.cutout, config.rotate, config.scale)
        self.has_masks = data.train.labels.dim() > 1
        self.images = data.train.images.to(self.device)
        self.labels = data.train.labels.to(self.device)
        coins = torch.rand(images, generator=step_generator(config.seed, 0, 0, stream=MIRROR))
        self.mirrored_first = (coins < 0.5).to(self.device)  # in even epochs; in odd ones the others
        self.steps_per_epoch = config.train_size // config.batch_size
        self.total_steps = self.steps_per_epoch * config.epochs
        self.progress = Progress()

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return learning_rate(self.config, self.progress.step, self.total_steps)

    def epoch_order(self) -> Tensor:
        """Indices of the training images in the order of the epoch under way: int64 [steps_per_epoch, batch_size].

        The few images that don't fill a batch sit out this epoch: a small last batch would upset batch statistics.
        """
        generator = step_generator(self.config.seed, self.progress.epoch, 0, stream=ORDER)
        order = self.subset[torch.randperm(len(self.subset), generator=generator)]
        whole = self.steps_per_epoch * self.config.batch_size
        return order[:whole].reshape(self.steps_per_epoch, self.config.batch_size)

    def learn(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """One step on the training images `index` [B]; returns mean loss and accuracy of the batch, scalars."""
        images, labels = self._batch(index)
        set_learning_rate(self.optimizer, self.lr)
        with arithmetic(self.precision, self.device):
            logits = self.network(images)
        loss = self._loss(logits.float(), labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.progress.step += 1
        self.progress.position += 1
        wanted = labels.argmax(1) if labels.is_floating_point() else labels
        return loss.detach(), (logits.detach().argmax(1) == wanted).float().mean()

    def validate(self) -> Evaluation:
        """The network on the whole validation split; its loss is the one that is trained, label smoothing included.

        The plain loss would take a network that gets surer of itself, as smoothing forbids it to be, for a better one.
        """
        return self._evaluate_on(self.data.val)

    def weights(self) -> Weights:
        """A copy of the network's weights as they are now."""
        return Weights(self.progress.step, _copies(self.model.state_dict()))

    def snapshot(self) -> State:
        """A copy of everything that `restore` needs to go on to the bit."""
        tensors = {MODEL + name: value for name, value in self.model.state_dict().items()}
        tensors |= {OPTIMIZER + name: value for name, value in optimizer_tensors(self.optimizer).items()}
        return State(_copies(tensors), asdict(self.progress))

    def restore(self, state: State) -> None:
        """Go back to a snapshot of a training with the same config.

        Raises: CheckpointError when the state does not fit this network.
        """
        try:
            weights = _with_prefix(state.tensors, MODEL)
            if wrong := misfit(self.model.state_dict(), weights):
                raise ValueError(wrong)
            self.model.load_state_dict(weights)
            restore_optimizer(self.optimizer, _with_prefix(state.tensors, OPTIMIZER))
            self.progress = _progress(state.counters)
        except (RuntimeError, KeyError, ValueError, IndexError) as error:
            raise CheckpointError(
                f"The stored state does not fit a {self.config.model} of width {self.config.width}: {error}. "
                "Start the run again from its config."
            ) from error

    def _device(self) -> torch.device:
        return choose_device(self.config.device)

    def _build(self) -> nn.Module:
        return build_model(self.config, self.data, self.subset)

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)

    def _evaluate_on(self, split: Split) -> Evaluation:
        with arithmetic(self.precision, self.device):
            return evaluate(self.model, split, label_smoothing=self.config.label_smoothing)

    def _batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Float32 [B, C, H, W] in 0..1, channels_last, augmented or made anew, and int64 labels [B] or [B, H, W].

        Blended images have float32 labels [B, classes], the share of each class.
        """
        place = (self.config.seed, self.progress.epoch, self.progress.position)
        torch.manual_seed(step_generator(*place, stream=DROPOUT).initial_seed())  # for dropout and its like
        if self.data.maker is not None:
            images, labels = step_scenes(self.data.maker, len(index), *place)
            batch = images.to(self.device).float().div_(255)
            return batch.contiguous(memory_format=torch.channels_last), labels.to(self.device)
        index = index.to(self.device)
        rows = self.images.permute(0, 2, 3, 1).index_select(0, index)  # as stored: ten times faster than [index]
        mirrored = self.mirrored_first[index] ^ bool(self.progress.epoch % 2)
        images = self.augment(rows.permute(0, 3, 1, 2), step_generator(*place, device=self.device.type), mirrored)
        pixels = images.float().div_(255)
        if self.progress.step < self.config.low_resolution * self.total_steps:
            pixels = shrink(pixels, SMALL_SIDE)
        labels = self.labels[index]
        if self.config.mixup:
            generator = step_generator(*place, device=self.device.type, stream=MIX)
            pixels, labels = mixup(pixels, F.one_hot(labels, len(self.data.classes)).float(), generator)
        return pixels.contiguous(memory_format=torch.channels_last), labels


def build_model(config: TrainConfig, data: Dataset, subset: Tensor) -> nn.Module:
    """The config's network with its initial weights, which depend on the seed and, whitened, on the training images.

    subset: int64 [M], the training images in use.
    """
    _, channels, height, width = data.train.images.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        shape, options = (channels, height, width), {"width": config.width, "silu": config.silu}
        model = models.build(config.model, shape, len(data.classes), **options)
    if config.identity:
        start.start_as_identity(model)
    if config.whiten:
        sample = subset[: start.IMAGES_TO_WHITEN] if data.maker is None else slice(None)
        start.whiten_first_layer(model, data.train.images[sample])
    if config.fixed_scales:
        start.fix_scales(model)
    return model


def _copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies on the CPU: safetensors takes no other layout, and training goes on changing the originals."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}


def _progress(counters: Mapping[str, Any]) -> Progress:
    """How far a state is. Raises: KeyError for a count that is missing, ValueError for one of another type."""
    plain = Progress()
    for spec in fields(Progress):
        if type(counters[spec.name]) is not type(getattr(plain, spec.name)):
            raise ValueError(f"{spec.name} is {shown(counters[spec.name])}")
    return Progress(**{spec.name: counters[spec.name] for spec in fields(Progress)})


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
