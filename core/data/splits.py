"""What a loaded data set is: three splits of images and labels, and how validation is held out.

Owns: Split, Dataset and the split itself. Leaves reading and checking of files to the modules that own the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.data.info import DatasetInfo

if TYPE_CHECKING:
    from torch import Tensor

    from core.data.ink.scenes import SceneMaker

VALIDATION_SEED = 2015  # any constant would do; changing it changes every validation figure


@dataclass(frozen=True)
class Split:
    """Images of one purpose, in memory.

    images: uint8 [N, C, H, W] in 0..255, a permuted view of [N, H, W, C], so channels_last without a copy.
    labels: int64 [N], the class of each image, or int64 [N, H, W], the class of each pixel.
    indices: int64 [N], the place of each image in the official training or test set, ascending.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A whole data set in memory. No place of the official sets is in two of `train`, `val` and `test`.

    Of an imported set that holds a picture more than once, its copies may be in different ones.

    classes: names in the order of the labels. maker: of a set of scenes, what makes the scenes to learn from; then
    `train` is only a sample of them.
    fingerprint: SHA-256 of the test images and labels; equal for equal test sets on every machine.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    fingerprint: str
    maker: SceneMaker | None = None


def assemble(info: DatasetInfo, tensors: Mapping[str, Tensor]) -> Dataset:
    """The data set made of checked tensors; all of its memory is its own, none of it belongs to a mapped file.

    tensors: train_images, test_images uint8 [N, H, W, C]; train_labels, test_labels uint8 [N]; optionally
    train_indices, test_indices int64 [N] into the official sets, which otherwise are these sets.
    """
    import torch

    train, val = hold_out(len(tensors["train_labels"]), info.val_size)
    test = torch.arange(len(tensors["test_labels"]))
    return Dataset(
        name=info.name,
        classes=info.classes,
        train=_take(tensors, "train", train),
        val=_take(tensors, "train", val),
        test=_take(tensors, "test", test),
        fingerprint=fingerprint(tensors["test_images"], tensors["test_labels"]),
    )


def hold_out(count: int, val_size: int) -> tuple[Tensor, Tensor]:
    """Places of the training and of the validation images among `count`: int64 [count - val_size] and int64 [val_size].

    Both ascend. Validation is the first `val_size` of a `torch.randperm` drawn from a CPU generator with a fixed seed:
    a Mersenne Twister, which gives the same numbers on every processor and for any number of threads.
    """
    import torch

    order = torch.randperm(count, generator=torch.Generator().manual_seed(VALIDATION_SEED))
    return order[val_size:].sort().values, order[:val_size].sort().values


def _take(tensors: Mapping[str, Tensor], part: str, places: Tensor) -> Split:
    """The images at `places` int64 [M] of the official part "train" or "test", copied once."""
    official = tensors.get(f"{part}_indices")
    return Split(
        images=tensors[f"{part}_images"].index_select(0, places).permute(0, 3, 1, 2),  # [M, H, W, C] -> [M, C, H, W]
        labels=tensors[f"{part}_labels"].index_select(0, places).long(),
        indices=places if official is None else official.index_select(0, places),
    )


def fingerprint(images: Tensor, labels: Tensor) -> str:
    """SHA-256 over the shape of the images in words, their bytes and those of the labels: uint8 [N, ...] each."""
    digest = hashlib.sha256(str(list(images.shape)).encode())
    digest.update(images.contiguous().numpy().data)
    digest.update(labels.contiguous().numpy().data)
    return digest.hexdigest()
