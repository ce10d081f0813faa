"""A network that several processes learn together, each on its share of every batch.

Owns: how a step and a validation are split and put together again, and what the processes do that follow. The leader
iterates `fit` as if it were alone, and so decides alone when to validate, pause, stop or give up; a word goes ahead of
everything that all of them do. The gradients are averaged by DistributedDataParallel.

The statistics of batch normalisation are those of each process's share on CPUs, as if the batch were smaller, and of
the whole batch on GPUs; the running ones, which a trained network uses, are the leader's.

Source: Li et al. 2020, PyTorch Distributed: Experiences on Accelerating Data Parallel Training (arXiv:2006.15704).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from core import data as datasets
from core.data import Split
from core.training.device import choose_device
from core.training.events import State
from core.training.learner import Learner
from core.training.team import Team, Word

if TYPE_CHECKING:
    from core.config import TrainConfig
    from core.data import Dataset
    from core.evaluation import Evaluation


class TeamLearner(Learner):
    """This process's copy of the network. All of them call `assemble`, `learn` and `validate` at the same time.

    Raises: ConfigError when there are fewer GPUs than processes.
    """

    def __init__(self, config: TrainConfig, data: Dataset, team: Team) -> None:
        self.team = team
        super().__init__(config, data)

    def assemble(self) -> None:
        """Give everybody the leader's weights, and let gradients be averaged from now on."""
        places = [self.device.index] if self.device.type == "cuda" else None
        self.network = DistributedDataParallel(self.model, device_ids=places, forward_sync_buffers=False)

    def learn(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """One step on this process's share of the training images `index` [B]; the figures are those of all B."""
        loss, accuracy = super().learn(index)
        weight = self._weight(self._rows(len(index)))  # the loss has it already
        figures = self.team.total(torch.stack((loss, accuracy * weight))) / self.team.size
        return figures[0], figures[1]

    def validate(self) -> Evaluation:
        """The figures of the whole validation split; `predictions` and the like are of this process's share."""
        self.team.copy_leaders(dict(self.model.named_buffers()))
        val = self.data.val
        part = self.team.share(len(val))
        own = self._evaluate_on(Split(val.images[part], val.labels[part], val.indices[part]))
        confusion = self.team.total(own.confusion)
        loss = float(self.team.total(torch.tensor(own.loss * self._rows(len(val)), dtype=torch.float64)))
        accuracy = float(confusion.diagonal().sum()) / float(confusion.sum())
        return replace(own, loss=loss / len(val), accuracy=accuracy, confusion=confusion)

    def _device(self) -> torch.device:
        return choose_device(self.config.device, self.team.rank, self.team.size)

    def _build(self) -> nn.Module:
        model = super()._build()
        if self.device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return model

    def _batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        images, labels = super()._batch(index)
        part = self.team.share(len(index))
        return images[part], labels[part]

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return super()._loss(logits, labels) * self._weight(len(labels))

    def _rows(self, count: int) -> int:
        return len(range(count)[self.team.share(count)])

    def _weight(self, rows: int) -> float:
        """What makes the mean over processes of means over their rows the mean over the batch."""
        return rows * self.team.size / self.config.batch_size


class Leader(TeamLearner):
    """The copy of the process that decides: it lets the others know what it does before it does it."""

    def begin(self) -> None:
        """Let the others build the same network, wherever it is in its training, and meet them."""
        resumes = self.progress.step > 0
        self.team.tell(Word.RESUME if resumes else Word.BEGIN)
        if resumes:
            state = self.snapshot()
            self.team.send(state.tensors, state.counters)
        self.assemble()

    def learn(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """One step of everybody."""
        self.team.tell(Word.LEARN, self.progress.epoch, self.progress.position, self.progress.step)
        return super().learn(index)

    def validate(self) -> Evaluation:
        """The figures of the whole validation split."""
        self.team.tell(Word.VALIDATE)
        return super().validate()


def follow(config: TrainConfig, team: Team) -> None:
    """Do as the leader says, until it says that all is over."""
    word, _ = team.hear()
    if word == Word.LEAVE:
        return
    learner = TeamLearner(config, datasets.load(config.dataset), team)
    if word == Word.RESUME:
        learner.restore(State(*team.receive()))
    learner.assemble()
    order, epoch_of_order = learner.epoch_order(), learner.progress.epoch
    while (said := team.hear())[0] != Word.LEAVE:
        word, (epoch, position, step) = said
        if word == Word.VALIDATE:
            learner.validate()
            continue
        learner.progress.epoch, learner.progress.position, learner.progress.step = epoch, position, step
        if epoch != epoch_of_order:
            order, epoch_of_order = learner.epoch_order(), epoch
        learner.learn(order[position])
