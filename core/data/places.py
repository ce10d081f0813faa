"""Where the file of each data set lies on this machine.

Owns: the cache folder and the names of files in it. Looks at names only; reading is for `cache.py` and `shipped.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

from core.data.catalogue import describe

SHIPPED_FOLDER = Path(__file__).parent / "shipped"
DEFAULT_FOLDER = Path("~/.cache/cnnlab")


def cache_folder() -> Path:
    """The folder of the fetched data sets: `$CNNLAB_DATA`, else `~/.cache/cnnlab`. It need not exist."""
    return Path(os.environ.get("CNNLAB_DATA") or DEFAULT_FOLDER).expanduser().absolute()


def location(name: str) -> Path:
    """The file of a data set, there or not yet; for scenes the file of what they are made of.

    Raises: UnknownNameError listing the known names.
    """
    info = describe(name)
    name = info.made_of or name
    return SHIPPED_FOLDER / f"{name}.npz" if info.shipped else cache_folder() / f"{name}.safetensors"


def available(name: str) -> bool:
    """Whether a data set can be loaded without a network. Says nothing about damage: `load` finds that.

    Raises: UnknownNameError listing the known names.
    """
    return location(name).is_file()
