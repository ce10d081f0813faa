"""Single test images, and all test labels, straight from their file, without loading a whole set and without torch.

Owns: finding them, in the full set or, where only that is on this machine, in the small one that ships. Scenes have no
images of their own in a file: they are loaded.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.catalogue import describe
from core.data.info import DatasetInfo
from core.data.mini import MINIS
from core.data.places import available, location
from core.errors import DataError

Picture = NDArray[np.uint8]
MOST_KEPT = 8  # full and imported sets whose test labels are kept


def pictures(name: str, places: Iterable[int]) -> dict[int, Picture]:
    """Test images by their place in the data set's test split: uint8 [H, W, C] in 0..255.

    Of a full set that is not on this machine, those that are in the small set cut from it; others are left out.

    Raises: UnknownNameError; DataError when the file is damaged, and for scenes.
    """
    info = _described(name)
    wanted = sorted({place for place in places if 0 <= place < info.test_size})
    if info.shipped:
        images, _ = _small(str(location(name)))
        return {place: images[place] for place in wanted if place < len(images)}
    if available(name):
        return _from_cache(location(name), info, wanted)
    small = next((mini for mini, full in MINIS.items() if full == name), None)
    if small is None:
        return {}
    images, official = _small(str(location(small)))
    positions = {int(place): position for position, place in enumerate(official)}
    return {place: images[positions[place]] for place in wanted if place in positions}


def labels(name: str) -> dict[int, int]:
    """The class of every test image that `pictures` finds on this machine, by its place in the test split, ascending.

    Raises: UnknownNameError; DataError when the file is damaged, and for scenes.
    """
    info, path = _described(name), location(name)
    if info.shipped:
        return dict(enumerate(_small_labels(str(path))[0].tolist()))
    if available(name):
        return dict(enumerate(_labels_in_cache(path, info, path.stat().st_mtime_ns)))
    small = next((mini for mini, full in MINIS.items() if full == name), None)
    if small is None:
        return {}
    found, official = _small_labels(str(location(small)))
    return dict(zip(official.tolist(), found.tolist(), strict=True))


def official_places(name: str) -> list[int]:
    """The place in the official test set of each test image of a data set, in the order of its test split.

    Raises: UnknownNameError; DataError when the file is damaged, and for scenes.
    """
    info = _described(name)
    if name in MINIS:
        return [int(place) for place in _small_labels(str(location(name)))[1]]
    return list(range(info.test_size))


def _described(name: str) -> DatasetInfo:
    """What is known of a data set that has images in a file. Raises: UnknownNameError; DataError for scenes."""
    info = describe(name)
    if info.made_of:
        raise DataError(
            f"{name} is made anew of the images of {info.made_of}: it has none of its own in a file. "
            f"Load it, or ask for the images of {info.made_of}."
        )
    return info


@lru_cache(maxsize=MOST_KEPT)
def _labels_in_cache(path: Path, info: DatasetInfo, changed: int) -> list[int]:
    """The test labels of a full or imported set. changed: when its file was, so that another file is read anew."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return [int(label) for label in file.get_tensor("test_labels")]
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise _damaged(path, info, error) from None


def _from_cache(path: Path, info: DatasetInfo, wanted: list[int]) -> dict[int, Picture]:
    from safetensors import SafetensorError, safe_open

    channels, height, width = info.image_shape
    try:
        with safe_open(path, framework="np") as file:
            images = file.get_slice("test_images")
            if images.get_shape() != [info.test_size, height, width, channels]:
                raise ValueError(f"test_images has the shape {images.get_shape()}")
            return {place: np.asarray(images[place : place + 1][0]) for place in wanted}
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise _damaged(path, info, error) from None


def _damaged(path: Path, info: DatasetInfo, error: Exception) -> DataError:
    return DataError(f"The file {path} can't be read ({error}). Delete it, then {info.way_to_get_it} again.")


@lru_cache(maxsize=len(MINIS))
def _small(path: str) -> tuple[Picture, NDArray[np.int64]]:
    """Test images uint8 [N, H, W, C] of a set that ships, and their places int64 [N] in the official test set."""
    return _read(path, "test_images"), _read(path, "test_indices")


@lru_cache(maxsize=len(MINIS))
def _small_labels(path: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Test labels uint8 [N] of a set that ships, and their places int64 [N] in the official test set."""
    return _read(path, "test_labels"), _read(path, "test_indices")


def _read(path: str, what: str) -> Any:  # noqa: ANN401 - an array of whatever is asked for
    try:
        with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return file[what]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"The file {path} can't be read ({error}). Get it from the repository again.") from None
