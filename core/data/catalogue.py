"""The data sets by name, with everything that can be said about one without opening it.

Owns: the table of those that CNN Lab knows by itself: names, sizes, classes, where the images come from and on what
terms. Imports no torch and no numpy, so that a web page can list the data sets at once. Leaves those that a person has
imported to `own/shelf.py`, the files to `cache.py` and `shipped.py`.
"""

from __future__ import annotations

from core.data.info import DatasetInfo
from core.data.own import shelf
from core.errors import unknown_name

DIGITS = tuple("0123456789")
SCENE_CLASSES = (*DIGITS, "background")
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

MNIST_SOURCE = "MNIST, Y. LeCun, C. Cortes and C. Burges, http://yann.lecun.com/exdb/mnist/"
MNIST_BYTES = 11_594_722
MNIST_TERMS = "Commonly given as CC BY-SA 3.0."
CIFAR10_SOURCE = (
    "CIFAR-10, A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009, "
    "https://www.cs.toronto.edu/~kriz/cifar.html"
)
CIFAR10_TERMS = "No licence is stated; cite the report."


def _scenes(name: str, title: str, made_of: str, sizes: tuple[int, int, int], labels: str = "masks") -> DatasetInfo:
    train, val, test = sizes
    return DatasetInfo(
        name=name,
        title=title,
        image_shape=(1, 64, 64),
        classes=SCENE_CLASSES,
        train_size=train,
        val_size=val,
        test_size=test,
        download_bytes=0 if made_of.endswith("-mini") else MNIST_BYTES,
        source=MNIST_SOURCE,
        terms=MNIST_TERMS,
        labels=labels,
        made_of=made_of,
    )


KNOWN: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            name="mnist",
            title="MNIST",
            image_shape=(1, 28, 28),
            classes=DIGITS,
            train_size=55_000,
            val_size=5_000,
            test_size=10_000,
            download_bytes=MNIST_BYTES,
            source=MNIST_SOURCE,
            terms=MNIST_TERMS,
        ),
        DatasetInfo(
            name="cifar10",
            title="CIFAR-10",
            image_shape=(3, 32, 32),
            classes=CIFAR10_CLASSES,
            train_size=45_000,
            val_size=5_000,
            test_size=10_000,
            download_bytes=170_498_071,
            source=CIFAR10_SOURCE,
            terms=CIFAR10_TERMS,
        ),
        DatasetInfo(
            name="mnist-mini",
            title="MNIST mini",
            image_shape=(1, 28, 28),
            classes=DIGITS,
            train_size=5_000,
            val_size=1_000,
            test_size=2_000,
            download_bytes=0,
            source=MNIST_SOURCE,
            terms=MNIST_TERMS,
        ),
        DatasetInfo(
            name="cifar10-mini",
            title="CIFAR-10 mini",
            image_shape=(3, 32, 32),
            classes=CIFAR10_CLASSES,
            train_size=2_000,
            val_size=500,
            test_size=1_000,
            download_bytes=0,
            source=CIFAR10_SOURCE,
            terms=CIFAR10_TERMS,
        ),
        _scenes("mnist-scenes", "MNIST scenes", "mnist", (20_000, 1_000, 2_000)),
        _scenes("mnist-mini-scenes", "MNIST mini scenes", "mnist-mini", (4_000, 200, 500)),
        _scenes("mnist-everywhere", "MNIST, one label everywhere", "mnist", (20_000, 1_000, 2_000), "everywhere"),
    )
}


def names() -> list[str]:
    """Names of the data sets: the full ones, the small ones that ship, scenes made of them, and those imported here."""
    return [*KNOWN, *(info.name for info in shelf.listed())]


def describe(name: str) -> DatasetInfo:
    """What is known about a data set without opening it.

    An imported set whose file is gone is still known by the runs that learned from it.

    Raises: UnknownNameError listing the known names.
    """
    found = (KNOWN.get(name) or shelf.find(name)) if isinstance(name, str) else None
    if found is None:
        raise unknown_name("data set", name, names())
    return found
