"""What skip connections are worth without any trick: ResNet against ConvNet by the report's recipe, over three seeds.

Owns: that one question. Judged on the validation images at the best epoch; on two cores it takes an hour or two.
"""

from __future__ import annotations

from core.bench.ablation import train
from core.bench.photos import photos
from core.config import TrainConfig
from core.statistics import difference_over_seeds

SEEDS = (0, 1, 2)


def main() -> None:
    """Print a line for each run as soon as it is known, and what follows from all."""
    accuracies: dict[str, list[float]] = {"resnet": [], "convnet": []}
    for seed in SEEDS:
        for model, found in accuracies.items():
            one = train(TrainConfig(model=model, dataset=photos(), recipe="report", seed=seed))
            found.append(one.accuracy)
            print(f"{model:8} seed {seed}  {one.accuracy:.2%}  {one.epochs} epochs  {one.seconds:.0f} s", flush=True)
    print(in_words(accuracies["resnet"], accuracies["convnet"]))


def in_words(resnet: list[float], convnet: list[float]) -> str:
    """What may be said of the accuracies of both, one a seed."""
    found = difference_over_seeds(resnet, convnet)
    low, high = found.interval.low * 100, found.interval.high * 100
    interval = f"{found.value * 100:+.1f} points (95 %: {low:.1f} to {high:.1f})"
    if not found.is_distinguishable:
        return f"ResNet and ConvNet are not distinguishable with {len(resnet)} seeds: {interval}."
    return f"ResNet against ConvNet over {len(resnet)} seeds: {interval}."
