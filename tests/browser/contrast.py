"""How well two colours can be told apart: the ratio of WCAG 2, 1 to 21."""

from __future__ import annotations

import re
from collections.abc import Sequence


def contrast(colours: Sequence[str]) -> float:
    """Of two colours as a browser writes them, "rgb(0, 90, 148)", or as "#005A94"."""
    dark, light = sorted(map(_luminance, colours))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(part, 16) for part in re.findall("[0-9A-Fa-f]{2}", colour)] if colour.startswith("#") else (
        [int(part) for part in re.findall(r"\d+", colour)[:3]]
    )  # fmt: skip
    red, green, blue = (_linear(part / 255) for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
