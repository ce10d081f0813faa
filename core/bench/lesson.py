"""What skip connections are worth without any trick: ResNet against ConvNet by the report's recipe, over three seeds.

Owns: that question, asked of both as they are, begun as the identity, and without normalisation. Narrow networks,
judged on the validation images at the best epoch; on two cores it takes about two hours.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from core import data as datasets
from core.bench.ablation import Outcome, outcome
from core.bench.photos import photos
from core.config import TrainConfig
from core.statistics import difference_over_seeds
from core.training.device import use_threads
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
    for title, (kind, knobs) in CASES.items():
        print(f"{title}:")
        found: dict[str, list[float]] = {model: [] for model in MODELS}
        for seed in SEEDS:
            for model in MODELS:
                config = TrainConfig(model=model, dataset=photos(), recipe="report", width=WIDTH, seed=seed, **knobs)
                one = train(kind, config)
                found[model].append(one.accuracy)
                print(
                    f"{model:8} seed {seed}  {one.accuracy:.2%}  {one.epochs} epochs  {one.seconds:.0f} s", flush=True
                )
        print(in_words(found["resnet"], found["convnet"]))


def train(kind: type[Learner], config: TrainConfig) -> Outcome:
    """Train a run of the config with this kind of learner, without any file."""
    use_threads(config.threads)
    return outcome(kind(config, datasets.load(config.dataset)))


def in_words(resnet: list[float], convnet: list[float]) -> str:
    """What may be said of the accuracies of both, one a seed."""
    found = difference_over_seeds(resnet, convnet)
    low, high = found.interval.low * 100, found.interval.high * 100
    interval = f"{found.value * 100:+.1f} points (95 %: {low:.1f} to {high:.1f})"
    if not found.is_distinguishable:
        return f"ResNet and ConvNet are not distinguishable with {len(resnet)} seeds: {interval}."
    return f"ResNet against ConvNet over {len(resnet)} seeds: {interval}."
