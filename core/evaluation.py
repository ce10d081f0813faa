"""How good a network is on a split: accuracy, loss, confusion, and its answer to every image or pixel.

Owns: the figures of one network on one split. Leaves to the caller which split may be looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import ConfigError

if TYPE_CHECKING:
    from core.data import Split

VIEWS = {1: ((False, 0),), 2: ((False, 0), (True, 0))}
VIEWS[6] = tuple((mirror, offset) for mirror in (False, True) for offset in (0, 1, -1))
BATCH_SIZE, MASKS_AT_ONCE = 500, 50


@dataclass(frozen=True)
class Evaluation:
    """Figures of one network on one split of N images and C classes.

    accuracy: share of right answers, 0..1. loss: mean cross-entropy in nats.
    confusion: int64 [C, C], rows are the truth, columns the answers.
    predictions: int64 [N]. probabilities: float32 [N, C], rows sum to 1. labels: int64 [N], the truth.
    For masks every figure counts pixels: predictions and labels are uint8 [N, H, W], probabilities None: too many.
    """

    accuracy: float
    loss: float
    confusion: Tensor
    predictions: Tensor
    probabilities: Tensor | None
    labels: Tensor


def evaluate(
    model: nn.Module, split: Split, views: int = 1, *, batch_size: int | None = None, label_smoothing: float = 0.0
) -> Evaluation:
    """Run `model` over a split, in evaluation mode and without gradients; its mode is put back afterwards.

    views: 1 the image as it is; 2 and its mirror image; 6 both, also moved by one pixel to either corner, the
    probabilities averaged (test-time augmentation as in arXiv 2404.00498, section 3.3). Masks are seen in one view.

    label_smoothing: share of the target spread over all classes in the loss, so that it compares with a training's.

    Raises: ConfigError for another number of views.
    """
    masks = split.labels.dim() > 1
    if views not in VIEWS or (masks and views > 1):
        allowed = "1, of masks" if masks else ", ".join(map(str, VIEWS))
        raise ConfigError(f"views is {views!r}, allowed are {allowed}.")
    size = batch_size or (MASKS_AT_ONCE if masks else BATCH_SIZE)
    confusion, loss, predictions, kept = torch.zeros(0), 0.0, [], []
    labels = torch.split(split.labels, size)
    for log_probabilities, truth in zip(_probabilities(model, split, views, size), labels, strict=True):
        answer, classes = log_probabilities.argmax(1), log_probabilities.shape[1]
        pairs = (truth.flatten() * classes + answer.flatten()).bincount(minlength=classes * classes)
        confusion = pairs + (confusion if len(confusion) else 0)
        smoothed = F.cross_entropy(log_probabilities, truth, label_smoothing=label_smoothing)
        loss += float(smoothed) * len(truth) / len(split)
        predictions.append(answer.to(torch.uint8) if masks else answer)
        if not masks:
            kept.append(log_probabilities.exp())
    classes = math.isqrt(len(confusion))
    confusion = confusion.reshape(classes, classes)
    return Evaluation(
        accuracy=float(confusion.diagonal().sum()) / float(confusion.sum()),
        loss=loss,
        confusion=confusion,
        predictions=torch.cat(predictions),
        probabilities=torch.cat(kept) if kept else None,
        labels=split.labels.to(torch.uint8) if masks else split.labels,
    )


def probabilities(model: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a network says of images uint8 [N, C, H, W]: the probability of each class, float32 [N, classes].

    model: in evaluation mode and on the CPU, as `load_model` gives it; its mode is not changed here.
    """
    with torch.inference_mode():
        logits = model(torch.from_numpy(np.ascontiguousarray(images)).float().div_(255))
        return np.asarray(logits.float().softmax(1).numpy(), dtype=np.float32)


def intersection_over_union(confusion: Tensor) -> Tensor:
    """The Jaccard index of each class: pixels that are it and were called it, out of those that are or were.

    confusion: int64 [C, C] of pixels, rows are the truth. Returns float64 [C] in 0..1; nan for a class of no pixel.
    """
    both = confusion.diagonal().double()
    return both / (confusion.sum(0) + confusion.sum(1) - both)


def digit_iou(confusion: Tensor) -> float:
    """The mean intersection over union of the ten digits, which are the first ten classes; the background apart.

    Classes of no pixel are left out; nan when all are.
    """
    return float(intersection_over_union(confusion)[:10].nanmean())


def _probabilities(model: nn.Module, split: Split, views: int, batch_size: int) -> Iterator[Tensor]:
    """Log-probabilities float32 [B, C, ...] on the CPU, batch by batch."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for images in torch.split(split.images, batch_size):
                batch = images.to(device).float() / 255
                seen = [model(_view(batch, *view)).float().log_softmax(1) for view in VIEWS[views]]
                yield (torch.stack(seen).logsumexp(0) - torch.tensor(len(seen), device=device).log()).cpu()
    finally:
        model.train(was_training)


def _view(images: Tensor, mirror: bool, offset: int) -> Tensor:
    """[N, C, H, W] mirrored and moved diagonally by `offset` pixels, edges reflected."""
    images = images.flip(3) if mirror else images
    if not offset:
        return images
    pad = F.pad(images, (1, 1, 1, 1), mode="reflect")
    start = 1 + offset
    return pad[:, :, start : start + images.shape[2], start : start + images.shape[3]]
