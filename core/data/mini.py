"""How the small data sets that ship are cut from the full ones.

    python -m core.data.mini

makes them again from the full sets, which it fetches if need be; equal arrays come out on every machine.
Owns: which images. Leaves the file to `shipped.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from core.data import cache, shipped
from core.data.catalogue import describe
from core.data.fetching import fetch
from core.data.info import DatasetInfo
from core.data.places import location

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

SEED = 1998  # of the choice of images; the validation split has its own
MINIS = {"mnist-mini": "mnist", "cifar10-mini": "cifar10"}

# CIFAR-10 test images of which the copy that the set was first cut from had only JPEG versions: out of every cut, so
# that it is the same from any copy.
# fmt: off
LEFT_OUT: dict[str, tuple[int, ...]] = {
    "mnist": (),
    "cifar10": (
        1259, 1369, 1422, 2245, 2737, 2935, 3695, 3718, 4085, 4496,
        5791, 5896, 6286, 7580, 7707, 7724, 7832, 8117, 8551, 9254,
    ),
}
# fmt: on


def cut(name: str) -> dict[str, Array]:
    """The arrays of a small data set, cut from the full set on this machine.

    Returns images uint8 [N, H, W, C], labels uint8 [N] and indices int64 [N] for "train" and "test", in official order.

    Raises: DataError when the full set is damaged or not there.
    """
    info, full = describe(name), describe(MINIS[name])
    whole = {key: tensor.numpy() for key, tensor in cache.read(location(full.name), full).items()}
    random = np.random.RandomState(SEED)  # its stream is frozen for ever, which that of the newer generators is not
    train = choose(whole["train_labels"], info.train_size + info.val_size, (), random)
    test = choose(whole["test_labels"], info.test_size, LEFT_OUT[full.name], random)
    return {
        "train_images": whole["train_images"][train],
        "train_labels": whole["train_labels"][train],
        "train_indices": train,
        "test_images": whole["test_images"][test],
        "test_labels": whole["test_labels"][test],
        "test_indices": test,
    }


def choose(labels: Array, count: int, left_out: Collection[int], random: np.random.RandomState) -> Array:
    """Random places of `count` images, equally many of each class or one more: int64 [count], ascending.

    labels: uint8 [N]. left_out: places never chosen.
    """
    classes = np.unique(labels)
    share, rest = divmod(count, len(classes))
    chosen = []
    for position, label in enumerate(classes):
        places = np.flatnonzero(labels == label)
        places = places[~np.isin(places, list(left_out))]
        chosen.append(random.permutation(places)[: share + (position < rest)])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def make(info: DatasetInfo) -> None:
    """Write the shipped file of a small data set, fetching the full one if need be."""
    fetch(MINIS[info.name])
    path = location(info.name)
    shipped.write(path, cut(info.name))
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    for mini in MINIS:
        make(describe(mini))
