"""Figures of several rows of a comparison: each the mean over its seeds, and a band from the least to the greatest.

Owns: what a folded curve looks like. No streamlit here. Leaves colours, axes and single runs to `charts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.metrics import Metrics
from pages.ui import charts
from pages.ui.charts import DASHES, MINUTES_FROM, MOST_POINTS, PALETTE, SYMBOLS, Figure, Kept, View
from pages.ui.series import Numbers, column, smooth, thin

_figures = Kept(32)


@dataclass(frozen=True)
class Band:
    """One row in a chart: what to call it, and the metrics of its runs, of which one at least has an epoch."""

    label: str
    curves: tuple[charts.Curve, ...]


def figure(kind: str, bands: list[Band], view: View) -> Figure:
    """The figure "loss" or "accuracy" of these rows; made once for all who watch the same."""
    key = (kind, view, tuple((band.label, tuple(curve.content for curve in band.curves)) for band in bands))
    return _figures.get(key, lambda: _build(kind, bands, view))


def in_words(kind: str, bands: list[Band]) -> str:
    """What the figure shows, for those who can't see it."""
    parts = []
    for band in bands:
        values = over_seeds(band, f"val_{kind}")
        last = f"{values[:, -1].mean():.1%}" if kind == "accuracy" else f"{values[:, -1].mean():.3f}"
        parts.append(f"{band.label}: {last} after {values.shape[1]} epochs")
    return f"Validation {kind} by epoch, mean over seeds. " + "; ".join(parts) + "."


def over_seeds(band: Band, name: str) -> Numbers:
    """A column of the epochs of all runs of a row: float64 [runs, epochs], as many epochs as all of them have."""
    columns = [column(curve.metrics.epochs.get(name, [])) for curve in band.curves if has_epochs(curve.metrics)]
    shortest = min(len(values) for values in columns)
    return np.stack([values[:shortest] for values in columns])


def has_epochs(metrics: Metrics) -> bool:
    """Whether there is anything to draw."""
    return bool(metrics.epochs.get("epoch"))


def _build(kind: str, bands: list[Band], view: View) -> Figure:
    x_column = charts.X_COLUMNS[view.x]
    longest = max(float(over_seeds(band, "seconds").max()) for band in bands)
    unit = 60.0 if view.x == "time" and longest > MINUTES_FROM else 1.0
    traces: list[dict[str, Any]] = []
    for number, band in enumerate(bands):
        x = over_seeds(band, x_column).mean(axis=0) / unit
        traces += _traces(kind, band, number, x, view)
    return {"data": traces, "layout": charts.layout(kind, len(bands), view, unit)}


def _traces(kind: str, band: Band, number: int, x: Numbers, view: View) -> list[dict[str, Any]]:
    """Validation solid with the row's marker, training dashed, the band behind them."""
    colour, label = PALETTE[number % len(PALETTE)], charts.plain(band.label)
    val, train = over_seeds(band, f"val_{kind}"), over_seeds(band, f"train_{kind}").mean(axis=0)
    common = {"type": "scatter", "legendgroup": str(number), "hovertemplate": f"%{{y:{charts.NUMBERS[kind]}}}"}
    dashed = {"color": colour, "width": 1.5, "dash": DASHES[number % len(DASHES)]}
    marker = {"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 6, "color": colour}
    lines = [
        common | _line(x, smooth(train, view.smoothing)) | {"name": f"{label}, training", "mode": "lines",
                  "line": dashed, "showlegend": False},
        common | _line(x, val.mean(axis=0)) | {"name": label, "mode": "lines+markers", "marker": marker,
                                               "line": {"color": colour, "width": 2.5}},
    ]  # fmt: skip
    return [_band(number, x, val, colour), *lines] if len(val) > 1 else lines


def _line(x: Numbers, y: Numbers) -> dict[str, Numbers]:
    """A line with no more points than are worth sending."""
    places = thin(y, MOST_POINTS)
    return {"x": x[places], "y": y[places]}


def _band(number: int, x: Numbers, values: Numbers, colour: str) -> dict[str, Any]:
    top, bottom = values.max(axis=0), values.min(axis=0)
    places = thin(top, MOST_POINTS // 2, (int(np.nanargmin(bottom)),) if np.isfinite(bottom).any() else ())
    x, edge = x[places], np.concatenate((top[places], bottom[places][::-1]))
    return {
        **{"type": "scatter", "x": np.concatenate((x, x[::-1])), "y": edge, "mode": "lines", "fill": "toself"},
        **{"line": {"width": 0, "color": colour}, "opacity": 0.2, "hoverinfo": "skip", "showlegend": False},
        "legendgroup": str(number),
    }
