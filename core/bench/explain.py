"""Our Grad-CAM against pytorch-grad-cam, side by side in one run: the same network, images and threads.

Owns: the comparison. The other library is not needed for anything else, so it is not installed with the rest.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core import data as datasets
from core import models
from core.bench.photos import photos
from core.bench.table import aligned
from core.errors import LabError

if TYPE_CHECKING:
    from torch import Tensor, nn

MODEL, WIDTH, IMAGES, CLASSES = "resnet", 64, 256, 10
ROUNDS = 3  # turns of each way, which alternate; the fastest counts, since a busy machine only ever adds
INNER = ("layer3.0.relu1", "layer2.0.relu2", "layer1.0.relu1", "relu1")
INSTALL = (
    "pip install ttach scikit-learn matplotlib tqdm && pip install --no-deps grad-cam==1.5.5"
    " (with its dependencies it would bring a second OpenCV that overwrites the first)"
)


def main() -> None:
    """Print a line for each comparison. Raises: LabError where pytorch-grad-cam is not installed."""
    from core.training.device import use_threads

    other, threads = _other_library(), use_threads(0)
    model, images = _network(), _images()
    rows = [("what", "ours s", "pytorch-grad-cam s", "ratio")]
    for what, ours, theirs in _comparisons(other, model, images):
        turns = [(_seconds(ours), _seconds(theirs)) for _ in range(ROUNDS)]
        mine, its = (min(turn[side] for turn in turns) for side in (0, 1))
        rows.append((what, f"{mine:.2f}", f"{its:.2f}", f"{its / mine:.1f}"))
        print(aligned(rows[-1:]), flush=True)
    print(f"\n{MODEL} of width {WIDTH}, {len(images)} images, {threads} threads, the fastest of {ROUNDS} turns each")
    print(aligned(rows))


def _comparisons(
    other: Any,  # noqa: ANN401 - a library without types
    model: nn.Module,
    images: Tensor,
) -> list[tuple[str, Callable[[], object], Callable[[], object]]]:
    """What is compared, our way, the other way."""
    from core import explain

    last = explain.convolutions(model)[-1].after
    found: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        (
            f"{CLASSES} classes, last layer",
            lambda: [explain.scaled(maps, (32, 32)) for maps in explain.explain_all(model, images).unbind(1)],
            lambda: [_theirs(other, model, images, last, label) for label in range(CLASSES)],
        )
    ]
    for layer in (last, *INNER):
        found.append(
            (
                f"one class, {layer}",
                lambda layer=layer: explain.grad_cam(model, images, 0, layer),  # type: ignore[misc]
                lambda layer=layer: _theirs(other, model, images, layer, 0),  # type: ignore[misc]
            )
        )
    return found


def _theirs(other: Any, model: nn.Module, images: Tensor, layer: str, label: int) -> object:  # noqa: ANN401
    target = other.utils.model_targets.ClassifierOutputTarget(label)
    with other.GradCAM(model, [model.get_submodule(layer)]) as cam:
        return cam(images, [target] * len(images))


def _network() -> nn.Module:
    import torch

    torch.manual_seed(0)
    return models.build(MODEL, (3, 32, 32), CLASSES, width=WIDTH).eval()


def _images() -> Tensor:
    return datasets.load(photos()).test.images[:IMAGES].float() / 255


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _other_library() -> Any:  # noqa: ANN401
    from core.data.vision import import_torchvision

    import_torchvision()  # the other library imports it too, and beside a CPU torch that needs a detour
    try:
        return importlib.import_module("pytorch_grad_cam")
    except ImportError as error:
        raise LabError(f"pytorch-grad-cam can't be imported ({error}). Get it with: {INSTALL}.") from None
