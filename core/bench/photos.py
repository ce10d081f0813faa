"""Which data set a benchmark of photographs uses.

Owns: that one choice, the same for all.
"""

from __future__ import annotations

from core import data


def photos() -> str:
    """`cifar10` where it is on this machine, else `cifar10-mini`, which ships."""
    return "cifar10" if data.available("cifar10") else "cifar10-mini"
