"""Tensors in a file that anybody may have written, and whether they are those of a network.

Owns: reading safetensors files without trusting them, and the checks of what was in them. Leaves to `core.checkpoints`
which file to read, and whether it is the one that was written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import CheckpointError, shown

if TYPE_CHECKING:
    from torch import Tensor

MOST_HEADER_BYTES = 1_000_000  # of the list of tensors that a file begins with; a large network's takes 60,000


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file, on the CPU, and its metadata.

    Raises: CheckpointError when it is anything else than such a file, or begins with a list of tensors that is longer
    than a megabyte, names one twice, or does not fit what follows it.
    """
    from safetensors import SafetensorError, safe_open

    try:
        _check_header(path)
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:  # RecursionError is a RuntimeError
        raise CheckpointError(
            f"The file {path.name} holds no tensors that can be read: {shown(str(error))}. Nothing in it was run. "
            "Take the file that the run wrote, or fork the run to train it again."
        ) from None


def _check_header(path: Path) -> None:
    """Raises: ValueError for a header that is too long, no JSON, or names a tensor twice: parsers differ there."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > MOST_HEADER_BYTES:
            raise ValueError(f"its header has {length:,} bytes, at most {MOST_HEADER_BYTES:,} are read")
        json.loads(file.read(length), object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("its header names something twice")
    return found


def misfit(expected: Mapping[str, Tensor], got: Mapping[str, Tensor]) -> str:
    """Why `got` can't be the tensors of a network with these names, shapes and dtypes, as the end of a sentence.

    Empty when they can. Floats may have fewer bits than expected: some runs ship their weights as float16.
    """
    import torch

    for name in got:
        if name not in expected:
            return f"there is {shown(name)}, which the network has not"
    for name, like in expected.items():
        if name not in got:
            return f"there is no {name!r}"
        shape, dtype = got[name].shape, got[name].dtype
        if shape != like.shape:
            return f"{name!r} has the shape {shown(list(shape))}, expected {list(like.shape)}"
        if dtype != like.dtype and not (like.is_floating_point() and dtype in (torch.float16, torch.bfloat16)):
            return f"{name!r} is {dtype}, expected {like.dtype}".replace("torch.", "")
    return ""


def without_number(tensors: Mapping[str, Tensor]) -> str:
    """The name of the first tensor that holds NaN or infinity; empty when none does."""
    import torch

    return next(
        (name for name, value in tensors.items() if value.is_floating_point() and not torch.isfinite(value).all()), ""
    )
