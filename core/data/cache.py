"""The file of a data set that was fetched or imported: `<name>.safetensors`.

Owns: its format, writing it so that half of one is never seen, and reading it with every check. Leaves where it lies to
`places.py` and how it gets there to `fetching.py`.

Tensors: train_images, test_images uint8 [N, H, W, C] in 0..255; train_labels, test_labels uint8 [N].
Metadata, all strings: name, classes (a JSON list), layout ("NHWC"), source; of an imported set more: `own/shelf.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.data.content import digest, expected_shapes, problem
from core.data.info import DatasetInfo
from core.errors import DataError, shown
from core.files import write_atomic

if TYPE_CHECKING:
    from torch import Tensor

LAYOUT = "NHWC"


def write(path: Path, info: DatasetInfo, tensors: Mapping[str, Tensor]) -> None:
    """Put a data set's file at `path` in one step; a crash on the way leaves `path` as it was.

    tensors: as in the module's docstring.

    Raises: DataError when the tensors aren't this data set's; OSError or SafetensorError when the disk refuses.
    """
    from safetensors.torch import save_file

    if wrong := problem(info, tensors):
        raise DataError(f"These are not the images of {info.title}: {wrong}. Nothing was written.")
    metadata = {"name": info.name, "classes": json.dumps(info.classes), "layout": LAYOUT, "source": info.source}
    if info.is_own:
        metadata |= {"title": info.title, "val_size": str(info.val_size), "content": info.content}
    whole = {name: tensors[name].contiguous() for name in expected_shapes(info)}
    write_atomic(path, lambda temporary: save_file(whole, temporary, metadata))


def read(path: Path, info: DatasetInfo) -> dict[str, Tensor]:
    """The checked tensors of a cache file, mapped from the file: copy what should outlive it.

    Raises: DataError naming the file, what is wrong with it and what to do. The file itself is left alone.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - a file is no dict
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise _damaged(path, info, f"it can't be read ({error})") from error
    if wrong := _wrong_metadata(info, metadata) or problem(info, tensors) or _changed(info, tensors):
        raise _damaged(path, info, wrong)
    return tensors


def _wrong_metadata(info: DatasetInfo, metadata: Mapping[str, str]) -> str:
    """What is wrong with a file's metadata; empty when nothing is. `name` and `source` are words for people."""
    try:
        classes = json.loads(metadata.get("classes", "null"))
    except (ValueError, RecursionError):
        classes = metadata["classes"]
    if classes != list(info.classes):
        return f"its metadata gives the classes {shown(classes)}, expected {list(info.classes)}"
    if (layout := metadata.get("layout", LAYOUT)) != LAYOUT:
        return f"its metadata gives the layout {shown(layout)}, expected {LAYOUT!r}"
    return ""


def _changed(info: DatasetInfo, tensors: Mapping[str, Tensor]) -> str:
    """Whether the images of an imported set are not those that were imported, in words; empty when they are."""
    if info.is_own and digest(info.classes, {name: tensor.numpy() for name, tensor in tensors.items()}) != info.content:
        return "its images or labels are not as they were imported"
    return ""


def _damaged(path: Path, info: DatasetInfo, wrong: str) -> DataError:
    return DataError(
        f"The file {path} is no whole copy of {info.title}: {wrong}. "
        f"Delete it or move it away, then {info.way_to_get_it} again; mnist-mini and cifar10-mini work without it."
    )
