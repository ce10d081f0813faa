"""Our training step against the plain way that people write first, side by side in one run, for each model.

Owns: the comparison. The plain way: the same network in float32 with AdamW, torchvision's transforms image by image
(crop of the padded image, mirror, to float) in a DataLoader, whatever the number of its processes that is fastest here.
Both see images of full size. Beside them the share of the processor's arithmetic that our step makes use of: its
multiply-adds, three times those of a look at the images, against those of bare matrix products.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from core import data as datasets
from core import models
from core.bench.photos import photos
from core.bench.steps import products, rate, steps_of
from core.bench.table import aligned
from core.config import TrainConfig
from core.models.cost import cost_of

if TYPE_CHECKING:
    from torch import Tensor

BATCH_SIZE = 256
ROUNDS, SECONDS = 3, 6.0  # turns of each way, and how long a turn is
WORKERS = (0, 1, 2)


def main() -> None:
    """Print a line for each model."""
    from core.training.device import choose_device, choose_precision, use_threads

    threads, dataset = use_threads(0), photos()
    precision = choose_precision("auto", choose_device("cpu"))
    most = products(precision, SECONDS / 3)
    rows = [("model", "ours images/s", "plain images/s", "ratio", "ours s/epoch", "plain s/epoch", "of the processor")]
    for model in models.names("classes"):
        config = TrainConfig(
            model=model, dataset=dataset, recipe="fast", batch_size=BATCH_SIZE, low_resolution=0.0, device="cpu"
        )
        ours, plain = _side_by_side(config)
        images = config.train_size
        rows.append(
            (
                *(model, f"{ours:,.0f}", f"{plain:,.0f}", f"{ours / plain:.1f}"),
                *(f"{images / ours:.1f}", f"{images / plain:.1f}"),
                f"{3 * ours * _multiply_adds(config) / most:.0%}",
            )
        )
        print(aligned(rows[-1:]), flush=True)
    print(f"\n{dataset}, batch of {BATCH_SIZE}, median of {ROUNDS} turns of {SECONDS:.0f} s each; {threads} threads do")
    print(f"{2 * most / 1e12:.2f} TFLOP/s in bare {precision} products\n{aligned(rows)}")


def _multiply_adds(config: TrainConfig) -> int:
    """Of one look at one image."""
    info = datasets.describe(config.dataset)
    return cost_of(config.model, info.image_shape, len(info.classes), config.width).multiply_adds


def _side_by_side(config: TrainConfig) -> tuple[float, float]:
    """Images a second of our way and of the plain way, each the median of turns that alternate."""
    from core.training.learner import Learner

    learner = Learner(config, datasets.load(config.dataset))
    ours = steps_of(learner)
    plain = max(
        (_plain_steps(config, workers) for workers in WORKERS), key=lambda steps: rate(steps, SECONDS / 3, BATCH_SIZE)
    )
    turns = [(rate(ours, SECONDS, BATCH_SIZE), rate(plain, SECONDS, BATCH_SIZE)) for _ in range(ROUNDS)]
    return statistics.median(turn[0] for turn in turns), statistics.median(turn[1] for turn in turns)


def _plain_steps(config: TrainConfig, workers: int) -> Callable[[], float]:
    """The training loop of a first tutorial, one step a call."""
    import torch
    import torch.nn.functional as F

    info = datasets.describe(config.dataset)
    model = models.build(config.model, info.image_shape, len(info.classes), width=config.width, silu=config.silu)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batches = _plain_batches(config, workers)

    def step() -> float:
        """Learn from the next batch; returns its loss."""
        images, labels = next(batches)
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.item()

    return step


def _plain_batches(config: TrainConfig, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    import torch

    from core.data.vision import import_torchvision

    transforms: Any = import_torchvision().transforms
    change = transforms.Compose(
        [
            *(transforms.ToPILImage(), transforms.RandomCrop(32, padding=2, padding_mode="reflect")),
            *(transforms.RandomHorizontalFlip(), transforms.ToTensor()),
        ]
    )
    split = datasets.load(config.dataset).train
    images: Any = _Changed(split.images.permute(0, 2, 3, 1).numpy(), split.labels, change)
    loader: Any = torch.utils.data.DataLoader(
        images, batch_size=BATCH_SIZE, shuffle=True, num_workers=workers, drop_last=True
    )
    while True:
        yield from loader


class _Changed:
    """A torch Dataset: images uint8 [N, H, W, C], each changed when it is asked for."""

    def __init__(self, images: Any, labels: Tensor, change: Callable[[Any], Tensor]) -> None:  # noqa: ANN401
        self.images, self.labels, self.change = images, labels, change

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        return self.change(self.images[place]), self.labels[place]
