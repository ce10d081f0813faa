"""How much of a map lies on the digit that it explains, on scenes, where the truth is known.

Owns: the energy-based pointing game for the FCN that ships, over methods and layers. Judged on the first test scenes;
nothing is chosen by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.bench.table import aligned
from core.errors import LabError
from core.runs import RunStore

if TYPE_CHECKING:
    from torch import Tensor, nn

DATASET, SCENES, BACKGROUND = "mnist-scenes", 100, 10
LAYERS = ("relu4", "rise1.relu", "rise2.relu")  # an eighth, a quarter and half of the field's resolution
METHODS = ("grad-cam", "grad-cam++", "hirescam", "layercam", "gradient")


def main() -> None:
    """Print a line for each method and layer. Raises: LabError where no FCN ships, DataError without its data."""
    from core import data
    from core.loading import load_model

    runs = [run for run in RunStore().list() if run.is_shipped and run.config.dataset == DATASET and run.has_weights]
    if not runs:
        raise LabError("No FCN ships yet. Make it with: python -m core reference.")
    test = data.load(DATASET).test
    images = test.images[:SCENES].float() / 255
    labels, masks = largest_digits(test.labels[:SCENES])
    print(f"Energy inside the digit with most pixels, {runs[0].id}, the first {SCENES} test scenes; the digit covers")
    print(f"{masks.float().mean():.1%} of the field and {_share_of_ink(masks, test.labels[:SCENES]):.0%} of the ink\n")
    print(aligned(rows(load_model(runs[0]), images, labels, masks)))


def largest_digits(fields: Tensor) -> tuple[Tensor, Tensor]:
    """The digit with most pixels of each field: labels int64 [N] and masks bool [N, H, W].

    fields: int64 [N, H, W], each with at least one digit.
    """
    import torch

    counts = torch.stack([(fields == digit).sum(dim=(1, 2)) for digit in range(BACKGROUND)], dim=1)  # [N, 10]
    labels = counts.argmax(1)
    return labels, fields == labels[:, None, None]


def rows(model: nn.Module, images: Tensor, labels: Tensor, masks: Tensor) -> list[tuple[str, ...]]:
    """A line for each method and layer: the mean energy inside, and how many maps were 0 everywhere."""
    found: list[tuple[str, ...]] = [("method", "layer", "energy inside", "maps of 0")]
    for method in METHODS:
        for layer in LAYERS if method != "gradient" else ("",):
            inside = energies(model, images, labels, masks, method, layer or None)
            found.append((method, layer, f"{inside.nanmean():.1%}", str(int(inside.isnan().sum()))))
    return found


def energies(model: nn.Module, images: Tensor, labels: Tensor, masks: Tensor, method: str, layer: str | None) -> Tensor:
    """The share of each map inside its mask, asked why those pixels are of that label: float [N], nan for maps of 0."""
    import torch

    from core.explain import Region, energy_inside, grad_cam

    maps = [
        grad_cam(model, images[place : place + 1], Region(masks[place], int(labels[place])), layer, method)
        for place in range(len(images))
    ]
    return energy_inside(torch.cat(maps), masks)


def _share_of_ink(masks: Tensor, fields: Tensor) -> float:
    """How much of the fields' ink the masks cover, on average over the fields."""
    ink = (fields != BACKGROUND).sum(dim=(1, 2))
    return float((masks.sum(dim=(1, 2)) / ink).mean())
