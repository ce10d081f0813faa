"""One step and one validation of two processes, compared with one process alone: a script that torchrun starts.

    torchrun --nproc-per-node 2 -m tests.training.one_step FILE

The leader writes the largest differences into FILE as JSON, by model.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from core import data, training
from core.config import TrainConfig
from core.training.learner import Learner
from core.training.team import Word
from core.training.together import Leader, TeamLearner

CONFIGS = [
    TrainConfig(
        model=model, dataset=dataset, width=width, batch_size=25, train_size=100, shift=2, cutout=6, flip=True,
        mixup=model == "mlp", threads=1, precision="float32", optimizer="sgd", learning_rate=1e-3, epochs=2,
    )
    for model, dataset, width in (("mlp", "mnist-mini", 32), ("cnn", "cifar10-mini", 8), ("resnet", "cifar10-mini", 8))
]  # fmt: skip


def main() -> None:
    """Learn together, and let the leader learn alone as well."""
    team = training.Team.join()
    torch.set_num_threads(1)
    found = {}
    for config in CONFIGS:
        sets = data.load(config.dataset)
        sets = replace(sets, val=replace(sets.val, images=sets.val.images[:101], labels=sets.val.labels[:101]))
        if not team.leads:
            assert team.hear()[0] == Word.BEGIN
            follower = TeamLearner(config, sets, team)
            follower.assemble()
            freeze_statistics(follower)
            for _ in range(2):
                team.hear()
                follower.learn(follower.epoch_order()[follower.progress.position])
            team.hear()
            follower.validate()
            continue
        together, alone = Leader(config, sets, team), Learner(config, sets)
        together.begin()
        for learner in (together, alone):
            freeze_statistics(learner)
        found[config.model] = differences(together, alone)
    if team.leads:
        Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")
    team.part()


def freeze_statistics(learner: Learner) -> None:
    """Let batch normalisation use its running statistics, which do not depend on who else is in the batch."""
    for module in learner.model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.eval()


def differences(together: Leader, alone: Learner) -> dict[str, float]:
    """How far gradients are apart, over the largest; and losses, accuracies and counts of answers, over themselves."""
    figures, gradients = [], []
    for learner in (together, alone):
        steps = [learner.learn(learner.epoch_order()[place]) for place in range(2)]
        gradients.append([p.grad for p in learner.model.parameters() if p.grad is not None])
        seen = learner.validate()
        figures.append([*(float(value) for step in steps for value in step), seen.loss, seen.accuracy])
        figures[-1] += seen.confusion.flatten().tolist()
    apart = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(*gradients, strict=True))
    return {
        "gradients": apart,
        "figures": max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(*figures, strict=True)),
        "parameters": len(gradients[0]),
    }


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # what keeps the gradients in step holds threads, which now and then abort a process that winds down
