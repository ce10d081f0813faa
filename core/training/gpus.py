"""Whether torch can compute on the GPUs that this machine has, and if not, why.

Owns: that sentence. Leaves the choice of a device to `device.py`.
"""

from __future__ import annotations

import os
import re

import torch

from core import machine

HIDDEN = ("", "-1", "NoDevFiles")  # values of CUDA_VISIBLE_DEVICES, the last one by Slurm
HELP = "Which build fits which driver: https://pytorch.org/get-started"
BUILT_FOR = re.compile(r"(sm|compute)_(\d+)(\d)")  # machine code or portable code, major, minor


def unusable() -> str:
    """Why torch can't use this machine's NVIDIA GPUs, and what to do; "" where it can, or there are none to be used.

    GPUs that CUDA_VISIBLE_DEVICES hides are not to be used.
    """
    there = machine.gpus()
    if not there or os.environ.get("CUDA_VISIBLE_DEVICES", "0") in HIDDEN:
        return ""
    found, them = ("1 NVIDIA GPU", "it") if there == 1 else (f"{there} NVIDIA GPUs", "them")
    reason = _of_build() or _of_driver() or _of_processor()
    return f"This machine has {found}, but torch {torch.__version__} can't use {them}: {reason}" if reason else ""


def _of_build() -> str:
    return "" if torch.version.cuda else f"it is a build without CUDA. Install one with it. {HELP}"


def _of_driver() -> str:
    if torch.cuda.is_available():
        return ""
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        said = str(error).strip().split("\n")[0].partition(". ")[0].rstrip(".")
    else:
        said = "No CUDA GPUs are available"
    told = f"it needs a driver for CUDA {torch.version.cuda} and was told «{said}»"
    if "too old" in said:
        return f"{told}. Update the driver, or install torch for an older CUDA. {HELP}"
    return (
        f"{told}. See whether the driver works (nvidia-smi), whether CUDA_VISIBLE_DEVICES names a GPU that is there, "
        "and, in a container, whether it was started with its GPUs."
    )


def _of_processor() -> str:
    """Whether the build has code for the first GPU: for it or an earlier minor version, or portable for any earlier."""
    mine, built = torch.cuda.get_device_capability(0), torch.cuda.get_arch_list()
    for kind, major, minor in (match.groups() for name in built if (match := BUILT_FOR.fullmatch(name))):
        code = (int(major), int(minor))
        if code <= mine and (kind == "compute" or code[0] == mine[0]):
            return ""
    return (
        f"it was built for {', '.join(built)}, but {torch.cuda.get_device_name(0)} is sm_{mine[0]}{mine[1]}. "
        f"Install a build that knows it. {HELP}"
    )
