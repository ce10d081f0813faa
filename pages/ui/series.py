"""Long columns of numbers made ready to be drawn: fewer points, less noise. Neither streamlit nor plotly here.

Owns: which points of a curve may be left out, and how a noisy one is smoothed. Leaves what it looks like to `charts`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def column(values: list[float | None]) -> Numbers:
    """A column of a run's metrics as float64 [N]; nan where a line had no such field."""
    return np.array(values, dtype=np.float64)


def smooth(values: Numbers, strength: float) -> Numbers:
    """Exponential moving average of float64 [N], unbiased from the first value on; nan leaves it as it was.

    strength: share of the average that each new value leaves in place, 0 (changes nothing) to below 1.

    Source: the correction of Adam, Kingma and Ba, arXiv 1412.6980, section 3.
    """
    if strength == 0:
        return values
    average, weight, smoothed = 0.0, 0.0, np.empty_like(values)
    for place, value in enumerate(values.tolist()):
        if value == value:  # no nan
            average = strength * average + (1 - strength) * value
            weight = strength * weight + (1 - strength)
        smoothed[place] = average / weight if weight else np.nan
    return smoothed


def thin(values: Numbers, most: int, keep: Iterable[int] = ()) -> NDArray[np.int64]:
    """Places, ascending, of at most `most` points that look like all of float64 [N].

    Kept are the first, the last, those in `keep`, and of each stretch its least and its greatest. A stretch is a power
    of two long, so that a growing curve keeps the points that it has: it does not shimmer.
    """
    count = len(values)
    if count <= most:
        return np.arange(count)
    always = {0, count - 1, *keep}
    length = 2
    while 2 * -(-count // length) + len(always) > most:
        length *= 2
    starts = np.arange(0, count, length)
    rows = np.pad(values, (0, len(starts) * length - count), constant_values=np.nan).reshape(-1, length)
    least = np.where(np.isnan(rows), np.inf, rows).argmin(axis=1)
    greatest = np.where(np.isnan(rows), -np.inf, rows).argmax(axis=1)
    return np.unique(np.concatenate((starts + least, starts + greatest, sorted(always)))).astype(np.int64)
