"""Where runs are: what an id looks like, and the folders that have one."""

from __future__ import annotations

import os
import re
from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[2] / "trained_models"
RUN_ID = re.compile(r"(\d{8}-\d{6}-[a-z2-7]{4}|ref-[a-z0-9][a-z0-9-]{0,60})\Z")
ID_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def run_folders(root: Path) -> list[Path]:
    """The folders below `root` that are runs by their names; none where it can't be read."""
    try:
        return [Path(entry.path) for entry in os.scandir(root) if RUN_ID.match(entry.name) and entry.is_dir()]
    except OSError:
        return []
