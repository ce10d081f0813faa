"""The small data sets that ship with CNN Lab: `shipped/<name>.npz`.

Owns: their format, writing and reading it. Leaves which images are in them to `mini.py`.

Arrays: as in a cache file (see `cache.py`), and train_indices, test_indices int64 [N]: the place of each image in the
official training and test set.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.data.content import expected_shapes, problem
from core.data.info import DatasetInfo
from core.errors import DataError
from core.files import write_atomic

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Arrays = Mapping[str, np.ndarray[Any, np.dtype[Any]]]

INDICES = ("train_indices", "test_indices")


def write(path: Path, arrays: Arrays) -> None:
    """Put the arrays at `path`, compressed, in one step. Equal arrays give equal bytes."""
    import numpy as np

    def save(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    write_atomic(path, save)


def read(path: Path, info: DatasetInfo) -> dict[str, Tensor]:
    """The checked tensors of a data set that ships.

    Raises: DataError naming the file and what is wrong with it.
    """
    import numpy as np
    import torch

    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            tensors = {name: torch.from_numpy(file[name]) for name in (*expected_shapes(info), *INDICES)}
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, f"it can't be read ({error})") from error
    if wrong := problem(info, tensors):
        raise _damaged(path, wrong)
    return tensors


def _damaged(path: Path, wrong: str) -> DataError:
    return DataError(
        f"The file {path} is damaged: {wrong}. It ships with CNN Lab: get it from the project's repository again."
    )
