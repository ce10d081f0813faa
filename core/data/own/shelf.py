"""Which data sets a person has imported, by the files in the folder of data sets. Imports no torch and no numpy.

Owns: what such a file says of itself, in the header of its safetensors format; a damaged or foreign file is none.
Leaves the images in it to `core.data.cache`, making one to `bringing.py`.

Metadata beside those of every cache file: title (somebody's own words), val_size, content (SHA-256, see DatasetInfo).
The name is `my-`, letters of the title, and the first six digits of `content`: so a name stands for the same images on
every machine, and for no others ever.
"""

from __future__ import annotations

import json
import re
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.data.folder import cache_folder
from core.data.info import DatasetInfo
from core.data.own.limits import CHANNELS, CLASSES, LONGEST_CLASS, LONGEST_TITLE, MOST_PICTURES, SIDE
from core.errors import DataError, shown, unknown_name
from core.names import clean_name
from core.tensors import MOST_HEADER_BYTES

NAME = re.compile(r"my-[a-z0-9]+(?:-[a-z0-9]+)*-[0-9a-f]{6}")
CONTENT = re.compile(r"[0-9a-f]{64}")
LONGEST_SLUG = 24  # characters of a name that come from the title
ENDING = ".safetensors"
SOURCE = "imported"
TERMS = "They are your own."

_read: dict[Path, tuple[tuple[int, int, int], DatasetInfo | None]] = {}  # what was read, and of which file
_remembered: dict[str, DatasetInfo] = {}  # sets that were here, or that runs learned from


def new_name(title: str, content: str) -> str:
    """The name of a data set with this title and this content: letters, digits and hyphens alone."""
    letters = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = "-".join(re.findall(r"[a-z0-9]+", letters))[:LONGEST_SLUG].strip("-")
    return f"my-{slug.removeprefix('my-') or 'set'}-{content[:6]}"


def listed() -> list[DatasetInfo]:
    """The imported sets that are on this machine, by title. What can't be read as one is left out."""
    found = [info for path in _files() if (info := _at(path))]
    return sorted(found, key=lambda info: (info.title.casefold(), info.name))


def unreadable() -> list[str]:
    """Names of the sets whose file is there but says nothing that can be understood."""
    return [path.name.removesuffix(ENDING) for path in _files() if _at(path) is None]


def find(name: str) -> DatasetInfo | None:
    """The imported set with this name: from its file, or as it was when it was here; None if nobody knows it."""
    if not NAME.fullmatch(name):
        return None
    return _at(cache_folder() / f"{name}{ENDING}") or _remembered.get(name)


def remember(values: object) -> None:
    """Keep in mind, as long as this process lives, what a run wrote down of the set that it learned from.

    values: as `written` gives them; anything else is forgotten.
    """
    try:
        info = parsed(values)
    except ValueError:
        return
    _remembered[info.name] = info


def remove(name: str) -> DatasetInfo | None:
    """Delete an imported set for good; returns what was known of it.

    Raises: UnknownNameError listing the imported sets; DataError when its file can't be deleted.
    """
    path = cache_folder() / f"{name}{ENDING}"
    if not NAME.fullmatch(name) or not path.is_file():
        raise unknown_name("imported data set", name, [info.name for info in listed()])
    info = _at(path)
    try:
        path.unlink()
    except OSError as error:
        raise DataError(f"The file {path} can't be deleted ({error.strerror}). Delete it by hand.") from None
    return info


def in_words(info: DatasetInfo) -> str:
    """How much a set holds: "4 classes, 200 pictures of 28x28 grey"."""
    channels, height, width = info.image_shape
    count = info.train_size + info.val_size + info.test_size
    colour = "grey" if channels == 1 else "colour"
    return f"{len(info.classes)} classes, {count:,} pictures of {width}x{height} {colour}"


def written(info: DatasetInfo) -> dict[str, Any]:
    """What is written down of an imported set, ready for JSON; `parsed` reads it."""
    return {
        "name": info.name,
        "title": info.title,
        "classes": list(info.classes),
        "image_shape": list(info.image_shape),
        "train_size": info.train_size,
        "val_size": info.val_size,
        "test_size": info.test_size,
        "source": info.source,
        "content": info.content,
    }


def parsed(values: object) -> DatasetInfo:
    """What is known of an imported set, from values that anybody may have written.

    Raises: ValueError when they are not what `written` gives.
    """
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ValueError("it is no object")
    name, content = _text(values, "name"), _text(values, "content")
    if not NAME.fullmatch(name) or not CONTENT.fullmatch(content) or not name.endswith(content[:6]):
        raise ValueError(f"its name is {shown(name)}")
    shape = values.get("image_shape")
    if not isinstance(shape, list) or len(shape) != 3 or shape[0] not in CHANNELS:
        raise ValueError(f"its images have the shape {shown(shape)}")
    channels, height, width = (_number(one, limits) for one, limits in zip(shape, (CHANNELS, SIDE, SIDE), strict=True))
    sizes = [_number(values.get(f"{part}_size"), (1, MOST_PICTURES)) for part in ("train", "val", "test")]
    title, source = clean_name(_text(values, "title"), LONGEST_TITLE), clean_name(_text(values, "source"))
    return DatasetInfo(
        name=name,
        title=title or name,
        image_shape=(channels, height, width),
        classes=_classes(values.get("classes")),
        train_size=sizes[0],
        val_size=sizes[1],
        test_size=sizes[2],
        download_bytes=0,
        source=source,
        terms=TERMS,
        content=content,
    )


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str):
        raise ValueError(f"its {key} is {shown(value)}")
    return value


def _number(value: object, limits: tuple[int, int]) -> int:
    low, high = limits
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"it gives the number {shown(value)}")
    return value


def _classes(value: object) -> tuple[str, ...]:
    low, high = CLASSES
    if not isinstance(value, list) or not low <= len(value) <= high:
        raise ValueError(f"its classes are {shown(value)}")
    if not all(isinstance(name, str) and name and clean_name(name, LONGEST_CLASS) == name for name in value):
        raise ValueError(f"its classes are {shown(value)}")
    if len(set(value)) < len(value):
        raise ValueError("two of its classes have the same name")
    return tuple(value)


def _files() -> list[Path]:
    """The files in the folder of data sets that are imported ones by their names."""
    try:
        found = sorted(cache_folder().iterdir())
    except OSError:
        return []
    return [path for path in found if path.name.endswith(ENDING) and NAME.fullmatch(path.name.removesuffix(ENDING))]


def _at(path: Path) -> DatasetInfo | None:
    """What a file says of itself, read again only when it was replaced; None where it says nothing of an own set."""
    try:
        facts = path.stat()
    except OSError:
        return None
    stamp, kept = (facts.st_ino, facts.st_mtime_ns, facts.st_size), _read.get(path)
    if kept is None or kept[0] != stamp:
        info = _header(path, facts.st_size) if stat.S_ISREG(facts.st_mode) else None  # a pipe would be waited for
        kept = _read[path] = stamp, info
        if info:
            _remembered[info.name] = info  # who has just seen it listed may still ask what it was
    return kept[1]


def _header(path: Path, size: int) -> DatasetInfo | None:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(size, MOST_HEADER_BYTES):
                return None
            header = json.loads(file.read(length))
        info = parsed(_values(header))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return info if info.name == path.name.removesuffix(ENDING) else None


def _values(header: dict[str, Any]) -> dict[str, Any]:
    """The header of a cache file as `written` has it."""
    said = header["__metadata__"]
    total, height, width, channels = header["train_images"]["shape"]
    val_size = int(said["val_size"])
    return {
        **{key: said[key] for key in ("name", "title", "source", "content")},
        "classes": json.loads(said["classes"]),
        "image_shape": [channels, height, width],
        "train_size": total - val_size,
        "val_size": val_size,
        "test_size": header["test_images"]["shape"][0],
    }
