"""What a running process takes of the machine, as Linux counts it."""

from __future__ import annotations

import os
from pathlib import Path


def memory_mb(pid: int) -> float:
    """Memory that a process holds now, in MB of a million bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds(pid: int) -> float:
    """Seconds of a core that a process has taken so far, of its own and of the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
