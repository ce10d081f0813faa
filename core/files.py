"""Writing and reading files so that a crash never leaves half of one, and damage never passes for content.

Owns: atomic replacement, and JSON files that begin with their own SHA-256. Leaves to `core.runs` which files there are
and what stands in them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHUNK_BYTES = 1 << 20
MOST_JSON_BYTES = 20_000_000
SUM = re.compile(rb'\{"sha256": "([0-9a-f]{64})"')  # how a JSON file begins; the sum is of what follows
WITHOUT_SUM = (b"{\n", b"{}")  # how those began that were written before they had a sum, as some that ship


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut. Raises: OSError when the disk refuses."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a sibling temporary file, then put it at `path` in one step.

    Raises: OSError when the disk is full or refuses; `path` then is as it was and the temporary file is gone.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, atomically. Raises: OSError when the disk refuses; `path` then is as it was."""
    write_atomic(path, lambda temporary: temporary.write_bytes(content))


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace `path` by `value` as indented JSON that begins with the SHA-256 of the rest, atomically."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    rest = f"{',' if value else ''}{text[1:]}\n".encode()
    write_bytes(path, f'{{"sha256": "{hashlib.sha256(rest).hexdigest()}"'.encode() + rest)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file that `write_json` wrote.

    Raises: OSError when it can't be read; ValueError when it is no JSON object, or is not as it was written.
    """
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > MOST_JSON_BYTES:  # a pipe would be waited for
        raise ValueError(f"{path.name} is no file of at most {MOST_JSON_BYTES:,} bytes")
    content = path.read_bytes()
    _check_sum(path.name, content)
    try:
        value = json.loads(content)
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} holds {type(value).__name__}, expected an object")
    value.pop("sha256", None)
    return value


def _check_sum(name: str, content: bytes) -> None:
    """Raises: ValueError when it does not agree, or is missing."""
    found = SUM.match(content)
    if found and hashlib.sha256(content[found.end() :]).hexdigest() == found[1].decode():
        return
    if found or not content.startswith(WITHOUT_SUM):
        raise ValueError(f"{name} is not as it was written: its SHA-256 does not agree")


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
