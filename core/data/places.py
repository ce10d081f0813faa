"""Where the file of each data set lies on this machine.

Owns: the names of files. Looks at names only; reading is for `cache.py` and `shipped.py`.
"""

from __future__ import annotations

from pathlib import Path

from core.data.catalogue import describe
from core.data.folder import cache_folder

SHIPPED_FOLDER = Path(__file__).parent / "shipped"


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
