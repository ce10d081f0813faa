"""What a map is asked about: a class, one class rather than another, or some pixels of a segmentation.

Owns: turning that into numbers. Every target is a weighted sum of logits, so it is the weights that are handed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from core.errors import ConfigError, shown


@dataclass(frozen=True)
class Versus:
    """Why this class rather than that: the difference of two logits. Both from 0 to C - 1."""

    label: int
    rather_than: int


@dataclass(frozen=True)
class Region:
    """Why these pixels of a segmentation are of a class: the mean of its logit over them.

    mask: bool [H, W] for all images, or [N, H, W]; [H, W] with one pixel set asks about that pixel.
    label: the class, or None for the one with the greatest mean over the region, image by image.
    """

    mask: Tensor
    label: int | None = None


Targets: TypeAlias = int | Sequence[int] | Tensor | Versus | Region | None


def weights(targets: Targets, logits: Tensor) -> Tensor:
    """What the logits are multiplied by: float of the logits' shape, [N, C] or [N, C, H, W].

    targets: None for the class that was predicted, a class for all images or one for each, a Versus, or a Region.

    Raises: ConfigError for a class that is not there, or a target that does not fit the network.
    """
    is_segmentation = logits.dim() == 4
    if is_segmentation != isinstance(targets, Region):
        fitting = "a Region: which pixels, and which class" if is_segmentation else "a class, a list of classes or None"
        raise ConfigError(f"The target is {shown(targets)}, but this network's answers need {fitting}.")
    if isinstance(targets, Region):
        return _of_region(targets, logits.detach())
    if isinstance(targets, Versus):
        return _one_hot(torch.tensor([targets.label]), logits) - _one_hot(torch.tensor([targets.rather_than]), logits)
    if targets is None:
        return _one_hot(logits.detach().argmax(1), logits)
    return _one_hot(torch.as_tensor(targets).reshape(-1).long(), logits)


def in_batches(targets: Targets, images: int, size: int) -> Iterator[Targets]:
    """The targets of every `size` of so many images, one after the other.

    Raises: ConfigError unless there is one for each image, or one for all.
    """
    each = _one_for_each(targets)
    if each is not None and len(each) != images:
        raise ConfigError(f"There are {len(each)} targets for {images} images. Give one for each, or one for all.")
    for first in range(0, images, size):
        part = None if each is None else each[first : first + size]
        if part is None:
            yield targets
        else:
            yield Region(part, targets.label) if isinstance(targets, Region) else part


def probability(targets: Targets, logits: Tensor, weighting: Tensor) -> Tensor:
    """How likely the target is, 0..1: float [N]. weighting: of one picture or of each, as `weights` gives it.

    Of a class its softmax; of "A rather than B" the softmax among these two; of a region the mean over its pixels.
    """
    if isinstance(targets, Versus):
        return (logits * weighting).sum(1).sigmoid()
    return (logits.softmax(1) * weighting).flatten(1).sum(1)


def _one_for_each(targets: Targets) -> Tensor | None:
    """What there is one of for each image: classes int64 [N], or masks [N, H, W]; None where all share one."""
    if isinstance(targets, Region):
        return targets.mask if targets.mask.dim() == 3 else None
    if targets is None or isinstance(targets, Versus):
        return None
    labels = torch.as_tensor(targets)
    if labels.dim() > 1 or labels.is_floating_point():
        raise ConfigError(f"targets is {shown(targets)}, expected one class, or a list with one for each image.")
    return labels if labels.dim() else None


def _one_hot(labels: Tensor, logits: Tensor) -> Tensor:
    """labels: int64 [N], or [1] for all."""
    images, classes = logits.shape[:2]
    if wrong := [label for label in labels.tolist() if not 0 <= label < classes]:
        raise ConfigError(f"The class {wrong[0]} is not there, allowed are 0 to {classes - 1}.")
    return torch.zeros_like(logits).scatter_(1, labels.to(logits.device).expand(images).unsqueeze(1), 1.0)


def _of_region(region: Region, logits: Tensor) -> Tensor:
    shape = (len(logits), *logits.shape[2:])
    if region.mask.dim() not in (2, 3) or region.mask.shape[-2:] != shape[1:]:
        raise ConfigError(f"A region's mask has the shape {list(region.mask.shape)}, expected {list(shape[1:])}.")
    inside = region.mask.to(logits).expand(shape)  # [N, H, W]
    pixels = inside.sum(dim=(1, 2), keepdim=True)
    if not bool((pixels > 0).all()):
        raise ConfigError("The mask of a region is empty. Set at least one of its pixels.")
    mean = inside / pixels
    label = torch.tensor([region.label]) if region.label is not None else _likeliest(logits, mean)
    return _one_hot(label, logits[:, :, 0, 0]).unsqueeze(-1).unsqueeze(-1) * mean.unsqueeze(1)


def _likeliest(logits: Tensor, mean: Tensor) -> Tensor:
    """The class with the greatest mean logit over the region: int64 [N]."""
    return torch.einsum("nchw,nhw->nc", logits, mean).argmax(1)
