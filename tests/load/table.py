"""Figures of many measurements, and tables of them as text."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The least of the values that at least this share of them does not exceed; nan where there are none.

    share: above 0, at most 1.
    """
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else math.nan


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean of some values and its standard error; the error is nan for fewer than two of them."""
    if not values:
        return math.nan, math.nan
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))


def as_text(rows: Sequence[dict[str, str]]) -> str:
    """Rows with the same columns as lines of text; the first line has the columns' names."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
