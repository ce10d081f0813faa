"""Model files as somebody would write them who wants them to be more than numbers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from core.checkpoints import MANIFEST, WEIGHTS
from core.files import write_json


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def torch_file(evil: Evil, *, as_zip: bool) -> bytes:
    file = io.BytesIO()
    torch.save({"fc.weight": torch.ones(2), "x": evil}, file, _use_new_zipfile_serialization=as_zip)
    return file.getvalue()


def zip_of(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../model.safetensors", content)
    return file.getvalue()


def array_of(evil: Evil) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([evil], dtype=object), allow_pickle=True)
    return file.getvalue()


def behind_header(evil: Evil) -> bytes:
    """A safetensors file whose one tensor is a pickle."""
    content = pickle.dumps(evil)
    return raw(tensor("U8", [len(content)], 0, len(content)), content)


def tensor(dtype, shape, begin, end, name="a"):
    return {name: {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}}


def raw(header, body=b"", length=None) -> bytes:
    """A safetensors file with any header, and any length of it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def padded(good: bytes, length: int) -> bytes:
    """The same file with so many blanks behind its header: all of them are part of the format."""
    (before,) = struct.unpack("<Q", good[:8])
    return struct.pack("<Q", before + length) + good[8 : 8 + before] + b" " * length + good[8 + before :]


def changed(weights, **changes) -> bytes:
    """These weights with some replaced, or left out where None stands."""
    named = {name.replace("__", "."): value for name, value in changes.items()}
    kept = {name: value.contiguous() for name, value in {**weights, **named}.items() if value is not None}
    return save(kept)


def entry_of(content: bytes, name: str = WEIGHTS) -> dict:
    return {"file": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def plant(folder: Path, content: bytes, name: str = WEIGHTS, key: str = "best") -> None:
    """Put a file into a run, with a manifest that vouches for it."""
    (folder / name).write_bytes(content)
    write_json(folder / MANIFEST, {key: entry_of(content, name)})


def signed(text: str) -> bytes:
    """A JSON object, `{"more": ...}`, with the sum that the store looks for in front."""
    rest = ("," + text[1:]).encode()
    return b'{"sha256": "' + hashlib.sha256(rest).hexdigest().encode() + b'"' + rest
