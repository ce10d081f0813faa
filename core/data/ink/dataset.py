"""Data sets of scenes: the digits of an MNIST data set, put on 64x64 fields.

Owns: which digits and which spec each split has, and the random numbers of a training step. Training scenes are made
anew for every step; validation and test scenes are the same on every machine.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.random import RandomState
from torch import Tensor

from core.data.augment import step_generator
from core.data.info import DatasetInfo
from core.data.ink.scenes import AS_IT_IS, CROWDED, EVERYWHERE, TESTING, USUAL, SceneMaker, SceneSpec
from core.data.splits import Dataset, Split, fingerprint

SAMPLE = 500  # scenes in the `train` split, for whoever wants to look at some
SEEDS = {"train": 64, "val": 65, "test": 66}
MOST_SKELETONS = 5_000  # digits of a split that a pen can draw again: thinning them takes a second
STREAM = 5  # of random numbers, beside those of `core.training`


def assemble(info: DatasetInfo, digits: Dataset) -> Dataset:
    """The data set of scenes made of another data set's digits: those of each split for the same split.

    digits: an MNIST data set, images uint8 [N, 1, 28, 28].

    Returns images uint8 [N, 1, 64, 64], labels int64 [N, 64, 64]. `train` is a sample; `maker` makes what is learned.
    """
    learning, checking, testing = (EVERYWHERE,) * 3 if info.labels == "everywhere" else (CROWDED, USUAL, TESTING)
    train = _maker(digits.train, learning)
    splits = {
        "train": _split(train, SAMPLE, SEEDS["train"]),
        "val": _split(_maker(digits.val, checking), info.val_size, SEEDS["val"]),
        "test": _split(_maker(digits.test, testing), info.test_size, SEEDS["test"]),
    }
    tested = fingerprint(splits["test"].images, splits["test"].labels.to(torch.uint8))
    return Dataset(info.name, info.classes, **splits, fingerprint=tested, maker=train)


def maker_of_test_digits(digits: Dataset) -> SceneMaker:
    """What makes scenes of a data set's test digits, as the test scenes are made."""
    return _maker(digits.test, TESTING)


def step_scenes(maker: SceneMaker, count: int, seed: int, epoch: int, step: int) -> tuple[Tensor, Tensor]:
    """The scenes of one training step: images uint8 [count, 1, 64, 64] and labels int64 [count, 64, 64]."""
    mixed = step_generator(seed, epoch, step, stream=STREAM).initial_seed()
    return maker.scenes(count, RandomState(mixed % 2**32))


def single(split: Split, size: float, place: tuple[float, float], count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Scenes of one digit each, all with their middle at `place` (x, y in pixels), without any other change.

    split: MNIST digits, of which the first `count` are taken. size: 1 is MNIST's own.

    Returns images uint8 [count, 1, 64, 64] and labels int64 [count, 64, 64].
    """
    spec = replace(AS_IT_IS, size=(size, size))
    return _maker(split, spec).scenes(count, RandomState(seed), places=np.full((count, 1, 2), place), in_order=True)


def _maker(split: Split, spec: SceneSpec) -> SceneMaker:
    images, labels = split.images[:, 0].contiguous().numpy(), split.labels.numpy().astype(np.uint8)
    return SceneMaker(images, labels, spec, skeletons=min(MOST_SKELETONS, len(labels) // 5))


def _split(maker: SceneMaker, count: int, seed: int) -> Split:
    images, labels = maker.scenes(count, RandomState(seed))
    return Split(images, labels, torch.arange(count))
