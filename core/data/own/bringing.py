"""bring: a folder, an archive or an .npz in, a data set on the shelf out.

Owns: the order of things, the parts that pictures are split into, and the sentence on what came of it. Nothing is
written before everything is read and checked; then the file appears in one step.

Without an official test set, one in five pictures of each class is put aside for it, by a fixed seed; one in eight of
the others is held out for validation as it is of every data set (see `core.data.splits`).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from core.data import cache
from core.data.catalogue import KNOWN
from core.data.content import digest
from core.data.folder import cache_folder
from core.data.headers import is_film
from core.data.info import DatasetInfo
from core.data.own import archives, arrays, folders, shelf, tree
from core.data.own.limits import LONGEST_TITLE, TEST_SHARE, VAL_SHARE
from core.data.own.squares import Squares
from core.data.uploads import read_picture
from core.errors import DataError, shown
from core.names import clean_name

if TYPE_CHECKING:
    from core.data.own.tree import File

SEED = 1859  # of the choice of test pictures
SECONDS_FOR_LOCK = 20.0
Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Brought:
    """What came of it. is_new: False for pictures that were here already, as `info`.

    why: their size, in words. cropped: how many were no squares. repeated: how many are the very pixels of another.
    left_out: files beside the folders of classes.
    """

    info: DatasetInfo
    is_new: bool
    why: str
    cropped: int
    repeated: int
    left_out: int

    def in_words(self) -> str:
        """What came of it, as sentences."""
        info = self.info
        if not self.is_new:
            return f"These very pictures are here already: {info.title} ({info.name}). Nothing was added."
        return " ".join(
            [
                f"{info.title} is here as {info.name}: {shelf.in_words(info)}; {info.train_size:,} to learn from, "
                f"{info.val_size:,} for validation, {info.test_size:,} for the test.",
                *self._remarks(),
            ]
        )

    def _remarks(self) -> Iterable[str]:
        if self.why:
            yield self.why
        if self.cropped:
            yield f"{_number(self.cropped, 'was', 'were')} no square: the middle was kept."
        if self.repeated:
            yield (
                f"{_number(self.repeated, 'is', 'are')} there more than once, so the test may show pictures that the "
                "network has learned from."
            )
        if self.left_out:
            yield f"{self.left_out:,} {'file' if self.left_out == 1 else 'files'} in no folder of a class stayed out."


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} picture {one}" if count == 1 else f"{count:,} pictures {many}"


def bring(source: Path | bytes, title: str = "", side: int | None = None, progress: Progress | None = None) -> Brought:
    """Make a data set of a person's pictures, or find the one that they are already.

    source: a folder with a folder a class in it, a ZIP archive of one, or an .npz; the bytes of either, if it was sent.
    title: what it is called, else the name of the folder or file. side: of the images in pixels, else as the pictures
    are. progress: called after each picture with how many are read and how many there are.

    Raises: DataError, in words, for whatever can't be taken, naming the file; ConfigError for a side that can't be.
    """
    squares, tell = Squares(side), progress or (lambda done, total: None)
    title = _title(title, source)
    if isinstance(source, bytes):
        found = _from_archive(io.BytesIO(source), squares, tell)
    elif source.is_dir():
        found = _from_files(tree.sort(*folders.contents(source)), squares, tell)
    else:
        found = _from_path(source, squares, tell)
    return _put_on_shelf(title, found, squares)


@dataclass(frozen=True)
class _Found:
    """What was read into the squares: first those to learn from, then the official test set, where there is one."""

    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    tested: int
    left_out: int = 0


def _title(title: str, source: Path | bytes) -> str:
    """The title as it is kept. Raises: DataError when it is the name of a set that CNN Lab knows, or there is none."""
    path = source.resolve() if isinstance(source, Path) else Path()
    given = title or (path.name if path.is_dir() else path.stem)
    kept = clean_name(given, LONGEST_TITLE)
    if not kept:
        raise DataError("The data set has no name. Give it one.")
    if kept.casefold() in {word.casefold() for info in KNOWN.values() for word in (info.name, info.title)}:
        raise DataError(f"{shown(kept)} is the name of a data set that CNN Lab knows. Give yours another one.")
    return kept


def _from_path(path: Path, squares: Squares, tell: Progress) -> _Found:
    if not path.is_file():  # a pipe would be waited for
        raise DataError(
            f"There is no folder and no file {shown(str(path))}. "
            "Give the path of a folder with a folder of pictures a class, of a ZIP of one, or of an .npz."
        )
    try:
        with path.open("rb") as file:
            return _from_archive(file, squares, tell)
    except OSError as error:
        raise DataError(
            f"{shown(str(path))} can't be read ({error.strerror or error}). Let CNN Lab read it, or give a copy of it."
        ) from None


def _from_archive(file: IO[bytes], squares: Squares, tell: Progress) -> _Found:
    """Raises: DataError when it is neither a ZIP of pictures nor an .npz."""
    file.seek(0)
    if file.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
        raise DataError("This file is neither a ZIP archive nor an .npz, whatever its name says. Send one of them.")
    with archives.opened(file) as archive:
        if arrays.is_arrays(archive):
            return _from_arrays(arrays.read(archive), squares, tell)
        return _from_files(tree.sort(*archives.contents(archive, archives.size_of(file))), squares, tell)


def _from_arrays(given: arrays.Arrays, squares: Squares, tell: Progress) -> _Found:
    total = len(given.images) + len(given.test_images)
    for done, picture in enumerate(chain(given.images, given.test_images), 1):
        squares.add(picture)
        squares.check_room()
        tell(done, total)
    return _Found(given.classes, np.concatenate((given.labels, given.test_labels)), len(given.test_labels))


def _from_files(given: tree.Sorted, squares: Squares, tell: Progress) -> _Found:
    """Raises: DataError naming the first file that is no picture to learn from, and how many others are none."""
    files = [*given.train, *given.test]
    wrong: list[tuple[File, str]] = []
    for done, (file, _) in enumerate(files, 1):
        try:
            squares.add(_read(file))
        except DataError as error:
            wrong.append((file, str(error)))
        squares.check_room()
        tell(done, len(files))
    if wrong:
        file, why = wrong[0]
        others = f" {len(wrong) - 1:,} more can't be taken either." if len(wrong) > 1 else ""
        raise DataError(f"{shown('/'.join(file.path))}: {why}{others} Nothing was imported.")
    labels = np.array([label for _, label in files], np.int64)
    return _Found(given.classes, labels, len(given.test), given.left_out)


def _read(file: File) -> NDArray[np.uint8]:
    """The pixels of a file: uint8 [H, W, 3]. Raises: DataError."""
    try:
        data = file.read()
    except OSError as error:
        raise DataError(f"It can't be read ({error.strerror}).") from None
    picture = read_picture(data)
    if is_film(data):
        raise DataError("This PNG is a film of several pictures. Save one of them.")
    return picture


def _put_on_shelf(title: str, found: _Found, squares: Squares) -> Brought:
    """Split, name and store what was read, unless it is there. Raises: DataError."""
    parts = _split(squares.alike(), found)
    info = _info(title, found.classes, parts)
    why = squares.chosen_in_words(info.image_shape[1])
    kept = Brought(info, True, why, squares.cropped, _repeated(parts), found.left_out)
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".import.lock", timeout=SECONDS_FOR_LOCK):
            for other in shelf.listed():
                if other.content == info.content:
                    return Brought(other, False, "", 0, 0, 0)
                if other.title.casefold() == title.casefold():
                    raise DataError(
                        f"There is already a data set named {shown(other.title)} ({other.name}), of other pictures. "
                        "Give this one another name, or remove that one first."
                    )
            _write(folder, info, parts)
    except Timeout:
        raise DataError("Another data set is being written just now. Try again in a moment.") from None
    except OSError as error:
        raise DataError(
            f"The data set can't be written to {folder} ({error.strerror or error}). "
            "Make room there, or let CNNLAB_DATA name another folder."
        ) from None
    return kept


def _write(folder: Path, info: DatasetInfo, parts: dict[str, NDArray[np.uint8]]) -> None:
    """Raises: OSError when the disk refuses."""
    import torch
    from safetensors import SafetensorError

    try:
        cache.write(folder / f"{info.name}{shelf.ENDING}", info, {k: torch.from_numpy(v) for k, v in parts.items()})
    except SafetensorError as error:
        raise OSError(str(error)) from error


def _split(images: NDArray[np.uint8], found: _Found) -> dict[str, NDArray[np.uint8]]:
    """The tensors of a cache file: uint8 images [N, H, W, C] and labels [N] of both parts."""
    labels = found.labels.astype(np.uint8)
    test = np.arange(len(labels)) >= len(labels) - found.tested
    if not found.tested:
        test[_chosen_for_test(found.labels)] = True
    return {
        "train_images": images[~test],
        "train_labels": labels[~test],
        "test_images": images[test],
        "test_labels": labels[test],
    }


def _chosen_for_test(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of one in five images of each class, the same on every machine."""
    random = np.random.RandomState(SEED)  # its stream is frozen for ever, which that of the newer generators is not
    chosen = []
    for label in range(int(labels.max()) + 1):
        places = np.flatnonzero(labels == label)
        chosen.append(random.permutation(places)[: round(len(places) / TEST_SHARE)])
    return np.concatenate(chosen)


def _info(title: str, classes: Sequence[str], parts: dict[str, NDArray[np.uint8]]) -> DatasetInfo:
    total, height, width, channels = parts["train_images"].shape
    val_size, content = total // VAL_SHARE, digest(classes, parts)
    return DatasetInfo(
        name=shelf.new_name(title, content),
        title=title,
        image_shape=(channels, height, width),
        classes=tuple(classes),
        train_size=total - val_size,
        val_size=val_size,
        test_size=len(parts["test_images"]),
        download_bytes=0,
        source=shelf.SOURCE,
        terms=shelf.TERMS,
        content=content,
    )


def _repeated(parts: dict[str, NDArray[np.uint8]]) -> int:
    """How many images are the very pixels of an earlier one."""
    images = [image for name in ("train_images", "test_images") for image in parts[name]]
    return len(images) - len({hashlib.sha256(image).digest() for image in images})
