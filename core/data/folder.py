"""The folder in which this machine keeps data sets that do not ship with CNN Lab."""

from __future__ import annotations

import os
from pathlib import Path

DEFAULT_FOLDER = Path("~/.cache/cnnlab")


def cache_folder() -> Path:
    """The folder of fetched and imported data sets: `$CNNLAB_DATA`, else `~/.cache/cnnlab`. It need not exist."""
    return Path(os.environ.get("CNNLAB_DATA") or DEFAULT_FOLDER).expanduser().absolute()
