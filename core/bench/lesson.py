"""What skip connections are worth without any trick: ResNet against ConvNet by the report's recipe, over three seeds.

Owns: that question, asked of both as they are, begun as the identity, and without normalisation. The networks are of
half their usual width, since there are eighteen to train.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from core.bench.outcome import Outcome, learned
from core.bench.photos import photos
from core.config import TrainConfig
from core.statistics import difference_over_seeds
from core.training.learner import Learner

WIDTH = 16
SEEDS = (0, 1, 2)
MODELS = ("resnet", "convnet")


class Bias(nn.Module):
    """What is left of a batch norm that does not normalise: a number for each channel, added.

    forward: float [N, channels, H, W] -> the same shape and dtype.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """The map with the bias of each channel added."""
        return x + self.bias.to(x.dtype)[:, None, None]


class Unnormalized(Learner):
    """A learner whose network has biases where its batch norms were; the other weights start as they would."""

    def _build(self) -> nn.Module:
        model = super()._build()
        for module in list(model.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.BatchNorm2d):
                    setattr(module, name, Bias(child.num_features))
        return model


CASES: dict[str, tuple[type[Learner], dict[str, Any]]] = {
    "as they are": (Learner, {}),
    "begun as the identity": (Learner, {"identity": True}),
    "without normalisation": (Unnormalized, {}),
}


def main() -> None:
    """Print a line for each run as soon as it is known, and what follows from those of each case."""
    print(f"{' and '.join(MODELS)} on {photos()}, recipe report, width {WIDTH}; validation accuracy at the best epoch")
    for title, (kind, knobs) in CASES.items():
        print(f"\n{title}:")
        found: dict[str, list[float]] = {model: [] for model in MODELS}
        for seed in SEEDS:
            for model in MODELS:
                config = TrainConfig(model=model, dataset=photos(), recipe="report", width=WIDTH, seed=seed, **knobs)
                one = learned(config, kind)
                found[model].append(one.accuracy)
                print(_line(model, seed, one), flush=True)
        print(in_words(found["resnet"], found["convnet"]))


def _line(model: str, seed: int, one: Outcome) -> str:
    diverged = ", diverged" if one.state == "diverged" else ""
    return f"{model:8} seed {seed}  {one.accuracy:.2%}  {one.epochs} epochs{diverged}  {one.seconds:.0f} s"


def in_words(resnet: list[float], convnet: list[float]) -> str:
    """What may be said of the accuracies of both, one a seed."""
    found = difference_over_seeds(resnet, convnet)
    low, high = found.interval.low * 100, found.interval.high * 100
    interval = f"{found.value * 100:+.1f} points (95 %: {low:.1f} to {high:.1f})"
    if not found.is_distinguishable:
        return f"ResNet and ConvNet are not distinguishable with {len(resnet)} seeds: {interval}."
    return f"ResNet against ConvNet over {len(resnet)} seeds: {interval}."
