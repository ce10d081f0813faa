"""What gradients of filters over maps side by side are worth to a training step: with and without, in turns.

Owns: the comparison, for each family with 3x3 convolutions. Where the processor has no AMX both are the same step.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from core import data as datasets
from core import machine, models
from core.bench.photos import photos
from core.bench.steps import rate, steps_of
from core.bench.table import aligned
from core.config import TrainConfig

if TYPE_CHECKING:
    from torch import nn

MODELS = ("cnn", "resnet", "speednet")
ROUNDS, SECONDS = 3, 6.0  # turns of each, and how long a turn is


def main() -> None:
    """Print a line for each model and size of image."""
    from core.training.device import use_threads

    use_threads(0)
    dataset = photos()
    rows = [("model", "images", "plain images/s", "side by side images/s", "ratio")]
    for model in MODELS:
        for small in (False, True) if models.describe(model).any_size else (False,):
            share = 1.0 if small else 0.0  # of the steps that show small images
            config = TrainConfig(model=model, dataset=dataset, recipe="fast", low_resolution=share, device="cpu")
            plain, ours = _in_turns(config)
            size = "small" if small else "whole"
            rows.append((model, size, f"{plain:,.0f}", f"{ours:,.0f}", f"{ours / plain:.2f}"))
            print(aligned(rows[-1:]), flush=True)
    amx = "has AMX" if machine.describe().amx else "has no AMX: nothing is done side by side"
    print(f"\n{dataset}, recipe fast, median of {ROUNDS} turns of {SECONDS:.0f} s each; this processor {amx}")
    print(aligned(rows))


def _in_turns(config: TrainConfig) -> tuple[float, float]:
    """Images a second of a step with plain convolutions and of ours, medians."""
    from core.training.learner import Learner

    data = datasets.load(config.dataset)
    learners = Learner(config, data), Learner(config, data)
    _make_plain(learners[0].model)
    steps = [steps_of(learner) for learner in learners]
    turns = [[rate(step, SECONDS, config.batch_size) for step in steps] for _ in range(ROUNDS)]
    plain, ours = (statistics.median(side) for side in zip(*turns, strict=True))
    return plain, ours


def _make_plain(model: nn.Module) -> None:
    """Let the 3x3 convolutions of a network be nn.Conv2d."""
    from torch import nn

    from core.models.conv import Conv3x3

    for module in model.modules():
        if isinstance(module, Conv3x3):
            module.__class__ = nn.Conv2d  # type: ignore[assignment]  # the same layer without its own way back
