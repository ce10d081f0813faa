"""What this machine is: cores, memory, arithmetic, library versions. Torch-free, so that a page may ask at once.

Owns: facts about processor and memory. Leaves the choice of a device for a run to `core.training.device`.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "torchvision", "numpy", "safetensors", "opencv-python-headless")
BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86 with AVX512-bf16 or AMX; 64-bit Arm

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGEST_INT = 2**31 - 1  # 2 GB of free heap before any goes back to the system
MOST_FROM_THE_HEAP = 2**30  # bytes of one tensor; a larger one is the system's again once it is freed


@dataclass(frozen=True)
class Machine:
    """Facts that decide how fast a run is: `cores` it may use, `memory_mb` in all, `bf16` if the processor has it.

    amx: whether it has the tiles of AMX for bf16, with which its products outrun everything else about a step.
    """

    processor: str
    cores: int
    memory_mb: int
    bf16: bool
    amx: bool

    @property
    def key(self) -> str:
        """One line that is equal for machines of equal speed; forecasts are kept by it."""
        return f"{self.processor}/{self.cores}/{'bf16' if self.bf16 else 'float32'}"


@cache
def describe() -> Machine:
    """This machine, read once."""
    facts = _processor_facts()
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    return Machine(
        processor=facts.get("model name") or platform.processor() or platform.machine(),
        cores=_cores(),
        memory_mb=_memory_mb(),
        bf16=bool(BF16_FLAGS & flags),
        amx="amx_bf16" in flags,
    )


def gpus() -> int:
    """How many NVIDIA GPUs the driver shows; 0 where there is none, or no driver."""
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


def peak_memory_mb() -> int:
    """The most memory that this process has held so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3))  # bytes on macOS, kilobytes elsewhere


def keep_freed_memory() -> None:
    """Let this process keep what it frees for its next need of it, where its memory comes from GNU's C library.

    A training step frees as much as it takes. Handed back to the system and taken anew, each page of it costs a fault.
    Without them a step of the CNN took 0.78 times as long, one of the ResNet 0.95 times.
    """
    c_library = ctypes.CDLL(None)
    if hasattr(c_library, "mallopt"):
        c_library.mallopt(M_MMAP_THRESHOLD, MOST_FROM_THE_HEAP)
        c_library.mallopt(M_TRIM_THRESHOLD, LARGEST_INT)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a run's numbers depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor_facts() -> dict[str, str]:
    """The first processor's lines of /proc/cpuinfo; empty where there is no such file."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_mb() -> int:
    """Memory of the machine, or of the container's limit where that is smaller."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        total = min(total, int(text))
    return round(total / 1e6)
