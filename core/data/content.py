"""What must hold of the tensors of a data set, whichever file they came from.

Owns: the checks. Leaves the words around a finding (which file, what to do) to the reader of that file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.data.info import DatasetInfo

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

PARTS = ("train_images", "train_labels", "test_images", "test_labels")


def expected_shapes(info: DatasetInfo) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor that a file of this data set holds: images [N, H, W, C], labels [N]."""
    channels, height, width = info.image_shape
    train, test = info.train_size + info.val_size, info.test_size
    return {
        "train_images": (train, height, width, channels),
        "train_labels": (train,),
        "test_images": (test, height, width, channels),
        "test_labels": (test,),
    }


def problem(info: DatasetInfo, tensors: Mapping[str, Tensor]) -> str:
    """What is wrong with the tensors of a data set, as the end of a sentence; empty when nothing is."""
    import torch

    for name, shape in expected_shapes(info).items():
        if name not in tensors:
            return f"it has no {name!r}"
        got = tensors[name]
        if got.dtype != torch.uint8:
            return f"{name} is {str(got.dtype).removeprefix('torch.')}, expected uint8"
        if tuple(got.shape) != shape:
            return f"{name} has the shape {list(got.shape)}, expected {list(shape)}"
    for name in ("train_labels", "test_labels"):
        if (largest := int(tensors[name].max())) >= len(info.classes):
            return f"{name} holds the label {largest}, but there are {len(info.classes)} classes, counted from 0"
    return ""


def digest(classes: Sequence[str], arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]) -> str:
    """SHA-256 of everything that a data set consists of: its classes and, in order, its uint8 images and labels."""
    found = hashlib.sha256(json.dumps(list(classes)).encode())
    for name in PARTS:
        found.update(f"{name} {list(arrays[name].shape)}".encode())
        found.update(arrays[name].data)
    return found.hexdigest()
