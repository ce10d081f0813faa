"""An .npz file that anybody may have sent: arrays of numbers and of text, and nothing else. Nothing is unpickled.

    images       uint8 [N, H, W] or [N, H, W, C] with C of 1 or 3, in 0..255
    labels       integers [N]: the class of each image, counted from 0
    classes      optional, text [K]: the name of each class; otherwise its label is its name
    test_images, test_labels       optional, both or none: the official test set

Owns: reading it. NumPy's own reader is used for headers alone: before any array is made, its header is held against
what is expected and against the bytes that there are.
"""

from __future__ import annotations

import math
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from core.data.own.limits import CHANNELS, LONGEST_CLASS, MOST_PICTURES, MOST_UNPACKED, SIDE
from core.data.own.tree import check_counts, check_names
from core.errors import DataError, shown
from core.names import clean_name

ENDING = ".npy"
NEEDED = ("images", "labels")
KNOWN = (*NEEDED, "classes", "test_images", "test_labels")
EXPECTED = (
    "Expected are images (uint8 [N, H, W] or [N, H, W, C]) and labels (integers [N]), if you like classes (text), and "
    "test_images with test_labels."
)
HEADERS: dict[tuple[int, int], Callable[..., Any]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}
MOST_NAMES, MOST_LETTERS = 1000, 1000  # that are read before all that is wrong with them can be said
Array = NDArray[Any]


@dataclass(frozen=True)
class Arrays:
    """What a file holds. images uint8 [N, H, W] or [N, H, W, 3]; labels int64 [N], places in `classes`.

    test_images, test_labels: the same, with no image where there is no official test set.
    """

    classes: tuple[str, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]


def is_arrays(archive: zipfile.ZipFile) -> bool:
    """Whether an archive is an .npz, by the names in it."""
    names = archive.namelist()
    return bool(names) and all(name.endswith(ENDING) and "/" not in name for name in names)


def read(archive: zipfile.ZipFile) -> Arrays:
    """The checked arrays of an .npz.

    Raises: DataError naming what is missing, too much, of the wrong type or shape, or damaged.
    """
    _check_keys([name.removesuffix(ENDING) for name in archive.namelist()])
    members = {member.filename.removesuffix(ENDING): member for member in archive.infolist()}
    images, labels = _pair(archive, members, "")
    test_images, test_labels = (
        _pair(archive, members, "test_") if "test_images" in members else (images[:0], labels[:0])
    )
    if test_images.shape[1:] != images.shape[1:]:
        raise DataError(
            f"test_images have the shape {list(test_images.shape)}, images {list(images.shape)}. Make them alike."
        )
    classes, labels, test_labels = _named(archive, members, labels, test_labels)
    check_names(classes)
    check_counts(classes, labels.tolist(), test_labels.tolist(), "test_images" in members)
    return Arrays(tuple(classes), images, labels, test_images, test_labels)


def _check_keys(names: list[str]) -> None:
    if wrong := next((name for name in names if name not in KNOWN), None):
        raise DataError(f"The .npz holds {shown(wrong)}. {EXPECTED}")
    missing = [name for name in NEEDED if name not in names]
    if len({"test_images", "test_labels"} & set(names)) == 1:
        missing.append("test_labels" if "test_images" in names else "test_images")
    if missing:
        raise DataError(f"The .npz holds no {missing[0]}. {EXPECTED}")
    if len(set(names)) < len(names):
        raise DataError(f"The .npz holds two arrays of the same name. {EXPECTED}")


def _pair(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], part: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images and labels of a part, "" or "test_"."""
    images = _array(archive, members[f"{part}images"], _check_images)
    labels = _array(archive, members[f"{part}labels"], _check_labels)
    if len(images) != len(labels):
        raise DataError(
            f"There are {len(images):,} {part}images, but {len(labels):,} {part}labels. Give each its label."
        )
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if int(labels.min(initial=0)) < 0 or int(labels.max(initial=0)) >= 1 << 31:
        raise DataError(f"{part}labels holds {labels.min()} to {labels.max()}: count the classes from 0.")
    return images, labels.astype(np.int64)


def _named(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], labels: NDArray[np.int64], tested: NDArray[np.int64]
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Names of the classes, and all labels as places among them."""
    if "classes" not in members:
        values = np.unique(labels)
        if more := set(tested.tolist()) - set(values.tolist()):
            raise DataError(f"The class {min(more)} is in the test only: nothing could learn it. Take it away.")
        return [str(value) for value in values], np.searchsorted(values, labels), np.searchsorted(values, tested)
    given = _array(archive, members["classes"], _check_classes)
    letters = given.view(np.dtype(np.uint32).newbyteorder(given.dtype.byteorder))
    if int(letters.max(initial=0)) > sys.maxunicode:
        raise DataError("classes holds something that is no text. Save the .npz again.")
    names = [clean_name(str(name), LONGEST_CLASS) for name in given]
    if len(labels) and (largest := int(max(labels.max(), tested.max(initial=0)))) >= len(names):
        raise DataError(
            f"A label is {largest}, but there are {len(names)} classes, counted from 0. Name every class, or none."
        )
    return names, labels, tested


def _array(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, check: Callable[[str, np.dtype[Any], tuple[int, ...]], None]
) -> Array:
    """One array, made only after `check` has seen its name, dtype and shape. Raises: DataError."""
    name = member.filename.removesuffix(ENDING)
    try:
        with archive.open(member) as file:
            shape, is_fortran, dtype = HEADERS[npy.read_magic(file)](file)
            length = math.prod(shape) * dtype.itemsize
            if dtype.hasobject:
                raise DataError(f"{name} holds Python objects, which are never unpickled. {EXPECTED}")
            check(name, dtype, shape)
            content = file.read(length + 1)
    except DataError:
        raise
    except Exception:  # its header is Python's syntax, and a hostile one makes NumPy raise nearly anything
        raise DataError(f"{name} is damaged, or is no array as numpy.savez writes it. Save the .npz again.") from None
    if len(content) != length:
        raise DataError(f"{name} is damaged: it does not hold what it says. Save the .npz again.")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if is_fortran else "C")


def _check_images(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    if dtype != np.uint8:
        raise DataError(f"{name} is {dtype}, expected uint8, 0 to 255. Turn 0..1 into it: (255 * x).astype('uint8').")
    if len(shape) not in (3, 4) or min(shape) < 0 or (len(shape) == 4 and shape[3] not in CHANNELS):
        raise DataError(
            f"{name} has the shape {shown(list(shape))}, expected [N, H, W] or [N, H, W, C] with C of 1 or 3."
        )
    if min(shape[1:3]) < SIDE[0]:
        raise DataError(f"{name} are {shape[2]}x{shape[1]} pixels, at least {SIDE[0]} a side are needed.")
    if shape[0] > MOST_PICTURES or math.prod(shape) > MOST_UNPACKED:
        raise DataError(
            f"{name} has the shape {list(shape)}: at most {MOST_PICTURES:,} images are taken, of "
            f"{MOST_UNPACKED / 1e6:.0f} MB in all."
        )


def _check_labels(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    if dtype.kind not in "iu":
        raise DataError(f"{name} is {dtype}, expected whole numbers such as int64: the class of each image, from 0.")
    if len(shape) != 1 or not 0 <= shape[0] <= MOST_PICTURES:
        raise DataError(
            f"{name} has the shape {shown(list(shape))}, expected [N], one for each of at most {MOST_PICTURES:,}."
        )


def _check_classes(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    if dtype.kind != "U":
        raise DataError(f"{name} is {dtype}, expected text: numpy.array(['circle', 'square']).")
    if len(shape) != 1 or not 0 <= shape[0] <= MOST_NAMES:
        raise DataError(f"{name} has the shape {shown(list(shape))}, expected [K], a name for each class.")
    if not 0 < dtype.itemsize <= 4 * MOST_LETTERS:
        raise DataError(f"{name} are names of {dtype.itemsize // 4:,} letters, expected 1 to {MOST_LETTERS}.")
