"""How good a network is on a split: accuracy, loss, confusion, and its answer to every image.

Owns: the figures of one network on one split. Leaves to the caller which split may be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import ConfigError

if TYPE_CHECKING:
    from core.data import Split

VIEWS = {1: ((False, 0),), 2: ((False, 0), (True, 0))}
VIEWS[6] = tuple((mirror, offset) for mirror in (False, True) for offset in (0, 1, -1))
BATCH_SIZE = 500


@dataclass(frozen=True)
class Evaluation:
    """Figures of one network on one split of N images and C classes.

    accuracy: share of right answers, 0..1. loss: mean cross-entropy in nats.
    confusion: int64 [C, C], rows are the truth, columns the answers.
    predictions: int64 [N]. probabilities: float32 [N, C], rows sum to 1. labels: int64 [N], the truth.
    (For masks, N counts images and every figure counts pixels: predictions int64 [N, H, W].)
    """

    accuracy: float
    loss: float
    confusion: Tensor
    predictions: Tensor
    probabilities: Tensor
    labels: Tensor


def evaluate(
    model: nn.Module, split: Split, views: int = 1, *, batch_size: int = BATCH_SIZE, label_smoothing: float = 0.0
) -> Evaluation:
    """Run `model` over a split, in evaluation mode and without gradients; its mode is put back afterwards.

    views: 1 the image as it is; 2 and its mirror image; 6 both, also moved by one pixel to either corner, the
    probabilities averaged (test-time augmentation as in arXiv 2404.00498, section 3.3).

    label_smoothing: share of the target spread over all classes in the loss, so that it compares with a training's.

    Raises: ConfigError for another number of views.
    """
    if views not in VIEWS:
        raise ConfigError(f"views is {views!r}, allowed are {', '.join(map(str, VIEWS))}.")
    answers = list(_probabilities(model, split, views, batch_size))
    log_probabilities = torch.cat(answers)
    predictions = log_probabilities.argmax(1)
    labels, classes = split.labels, log_probabilities.shape[1]
    pairs = (labels.flatten() * classes + predictions.flatten()).bincount(minlength=classes * classes)
    return Evaluation(
        accuracy=float((predictions == labels).double().mean()),
        loss=float(F.cross_entropy(log_probabilities, labels, label_smoothing=label_smoothing)),
        confusion=pairs.reshape(classes, classes),
        predictions=predictions,
        probabilities=log_probabilities.exp(),
        labels=labels,
    )


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
