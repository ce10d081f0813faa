"""Writing and reading small files so that a crash never leaves half of one.

Owns: atomic replacement and tolerant reading. Leaves to `core.runs` which files there are and what stands in them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHUNK_BYTES = 1 << 20


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut, where the system can open a folder."""
    if os.name == "nt":  # Windows opens no folders and commits renames by itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a sibling temporary file, then put it at `path` in one step.

    Raises: OSError when the disk is full or refuses; `path` then is as it was and the temporary file is gone.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace `path` by `value` as indented JSON, atomically."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    write_atomic(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises: OSError when it can't be read, ValueError when it is not a JSON object.
    """
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} holds {type(value).__name__}, expected an object")
    return value


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
