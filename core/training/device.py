"""Where and in which arithmetic a run computes.

Owns: the choice of device and precision from a config and the machine. Leaves whether GPUs can be used to `gpus.py`.
Nothing here keeps state.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from core import machine
from core.errors import ConfigError
from core.training import gpus


def choose_device(wanted: str, rank: int = 0, processes: int = 1) -> torch.device:
    """The device for `auto`, `cpu`, `cuda` or `mps`: a GPU where there is one, else the processor.

    rank, processes: of the processes that learn one run together each takes a GPU of its own; processors they share.

    Raises: ConfigError when the wanted device is not there, or not often enough.
    """
    device = _device_alone(wanted)
    if processes == 1 or device.type == "cpu":
        return device
    if device.type == "mps" or processes > torch.cuda.device_count():
        there = torch.cuda.device_count() if device.type == "cuda" else 1
        raise ConfigError(f"devices is {processes}, but this machine has {there} of {device.type}. Take {there}.")
    return torch.device("cuda", rank)


def _device_alone(wanted: str) -> torch.device:
    if wanted == "cpu":  # without waking up a GPU
        return torch.device("cpu")
    there = {
        "cuda": torch.cuda.is_available() and not gpus.unusable(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return torch.device(next(name for name, is_there in there.items() if is_there))
    if not there.get(wanted, False):
        usable = ", ".join(name for name, is_there in there.items() if is_there)
        why = f" {reason}" if wanted == "cuda" and (reason := gpus.unusable()) else ""
        raise ConfigError(f"device is {wanted!r}, but this machine offers {usable}. Take one of these, or auto.{why}")
    return torch.device(wanted)


def missed_gpus(wanted: str, device: torch.device) -> str:
    """For a run that may take any device and got the processor: why not this machine's GPUs, or "" if it has none."""
    reason = gpus.unusable() if wanted == "auto" and device.type == "cpu" else ""
    return f"It trains on the processor. {reason}" if reason else ""


def choose_precision(wanted: str, device: torch.device) -> str:
    """`bf16` or `float32`. Auto takes bf16 where the hardware has it: emulated bf16 is slower than float32."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bf16" if device.type == "cpu" and machine.describe().bf16 else "float32"


def arithmetic(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """A context in which forward passes compute in `precision`; weights stay float32."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def use_threads(wanted: int, processes: int = 1) -> int:
    """Let torch compute with so many threads, 0 meaning this process's share of the cores; returns how many it is.

    What steps free stays with this process from then on; see `core.machine.keep_freed_memory`.
    """
    machine.keep_freed_memory()
    threads = wanted or max(1, machine.describe().cores // processes)
    torch.set_num_threads(threads)
    return threads
