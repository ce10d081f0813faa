"""Figures from a run's metrics, for every page. No streamlit here.

Owns: what a learning curve looks like: colours, dashes, markers, the star at the best epoch. Figures are plain
dictionaries in Plotly's own schema: building validated Plotly objects costs several times as much, at every tick.
Leaves thinning and smoothing to `series`, drawing to `plot`, reading metrics to `core.metrics`.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from core.metrics import Columns, Metrics
from pages.ui.series import Numbers, column, smooth, thin

# The first four are Okabe and Ito's, whose others are too faint on white. Each has a contrast of 3 or more on the page
# in both themes; any two are at least 11.9 (CIEDE2000) apart, with full sight and without any one kind of cone.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8686EA", "#BD0F89", "#736A45", "#8C5465")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down", "hexagon")
DASHES = ("dot", "dash", "dashdot", "longdash", "longdashdot", "2px,6px", "12px,3px", "9px,3px,3px,3px")
MOST_POINTS = 1500  # a trace
X_AXES = {"epoch": "epoch", "step": "step", "time": "time of training"}
X_COLUMNS = {"epoch": "epoch", "step": "step", "time": "seconds"}
Y_TITLES = {
    "loss": "loss (lower is better)",
    "accuracy": "accuracy (higher is better)",
    "iou": "digit IoU (higher is better)",
    "lr": "learning rate",
    "speed": "images a second",
}
VALIDATED, SHARES = ("loss", "accuracy", "iou"), ("accuracy", "iou")  # have a validation; are shares of 1
STEP_COLUMNS = {"loss": "loss", "accuracy": "accuracy", "lr": "lr", "speed": "images_per_second"}
NUMBERS = {"loss": ".4f", "accuracy": ".2%", "iou": ".2%", "lr": ".3g", "speed": ",.0f"}  # how d3 writes a value
HEIGHT = 320  # pixels, always: a page must not jump while a curve grows
LEGEND_HEIGHT = 22  # pixels more for each further run: its line in the legend
MINUTES_FROM = 600.0  # seconds; a longer training is drawn in minutes

Figure = dict[str, Any]
Points = tuple[Numbers, Numbers]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Curve:
    """One run in a chart: its id, what to call it, and its metrics."""

    run_id: str
    label: str
    metrics: Metrics

    @property
    def content(self) -> tuple[Any, ...]:
        """Equal for equal metrics. A version alone would not do: it begins anew when somebody clears the caches."""
        steps, epochs = self.metrics.steps.get("seconds", []), self.metrics.epochs.get("seconds", [])
        return self.run_id, self.metrics.version, len(steps), len(epochs), *steps[-1:], *epochs[-1:]


@dataclass(frozen=True)
class View:
    """How a person wants to see the curves. x: a key of X_AXES. smoothing: 0 none to 0.99 a lot."""

    x: str = "epoch"
    log: bool = False
    smoothing: float = 0.6


class Kept:
    """The newest `most` results of something slow, for all threads; what was not asked for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._made: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any, make: Callable[[], Made]) -> Made:  # noqa: ANN401 - anything hashable
        """What was made for this key; two threads may make it at once, which does no harm."""
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]  # type: ignore[no-any-return]
        made = make()
        with self._lock:
            self._made[key] = made
            while len(self._made) > self._most:
                self._made.popitem(last=False)
        return made


_figures = Kept(64)
_points = Kept(512)


def figure(kind: str, curves: list[Curve], view: View) -> Figure:
    """The figure "loss", "accuracy", "iou", "lr" or "speed" of these runs; made once for all who watch the same."""
    key = (kind, view, tuple((curve.content, curve.label) for curve in curves))
    return _figures.get(key, lambda: _build(kind, curves, view))


def best_epoch(epochs: Columns) -> int | None:
    """Place in the columns of the epoch with the lowest validation loss; None before the first."""
    losses = column(epochs.get("val_loss", []))
    return None if not len(losses) or np.isnan(losses).all() else int(np.nanargmin(losses))


def _name(kind: str) -> str:
    return "IoU" if kind == "iou" else kind.capitalize()


def in_words(kind: str, curves: list[Curve]) -> str:
    """What a chart shows, for those who can't see it: the first run in numbers, how many others lie over it."""
    curve, more = curves[0], len(curves) - 1
    others = f" With {more} other run{'s' if more > 1 else ''} for comparison." if more else ""
    if kind not in VALIDATED:
        values = curve.metrics.steps.get(STEP_COLUMNS[kind], [])
        now = f"{values[-1]:,.4g} at the last look" if values else "nothing yet"
        return f"{Y_TITLES[kind].capitalize()} of {curve.label}: {now}.{others}"
    epochs, place = curve.metrics.epochs, best_epoch(curve.metrics.epochs)
    if place is None:
        return f"{_name(kind)} of {curve.label}: its first epoch is not done yet.{others}"
    form = "{:.1%}" if kind in SHARES else "{:.3f}"
    values = epochs[f"val_{kind}"]
    first, last, best = (form.format(value) for value in (values[0], values[-1], values[place]))
    return (
        f"{_name(kind)} of {curve.label} on the validation images over {len(values)} epochs: {first} after the "
        f"first, {last} after the last, {best} at the best epoch ({epochs['epoch'][place]}).{others}"
    )


def plain(text: str) -> str:
    """Text that Plotly shows as it is: it would read a little HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _build(kind: str, curves: list[Curve], view: View) -> Figure:
    seconds = [value for curve in curves for value in curve.metrics.steps.get("seconds", [])[-1:]]
    unit = 60.0 if view.x == "time" and max(seconds, default=0.0) > MINUTES_FROM else 1.0
    traces: list[dict[str, Any]] = []
    for number, curve in enumerate(curves):
        if kind in VALIDATED:
            alone = len(curves) == 1
            training, validation = ("training", "validation") if alone else (f"{curve.label}, training", curve.label)
            if kind in STEP_COLUMNS:
                traces += _training(kind, curve, number, view, plain(training), alone)
            traces += _validation(kind, curve, number, view, plain(validation))
        else:
            traces.append(_of_steps(kind, curve, number, view, plain(curve.label)))
    for trace in traces:
        trace["x"] = trace["x"] / unit
    notes = _best_in_words(kind, curves[0], view, unit, kind == "loss" and view.log) if kind in VALIDATED else []
    return {"data": traces, "layout": layout(kind, len(curves), view, unit) | {"annotations": notes}}


def _training(kind: str, curve: Curve, number: int, view: View, name: str, alone: bool) -> list[dict[str, Any]]:
    """Dashed; the unsmoothed line faint behind it. Beside other runs it goes without a line in the legend."""
    colour = PALETTE[number % len(PALETTE)]
    group = {"legendgroup": f"{curve.run_id}-training" if alone else curve.run_id, "showlegend": alone}
    line = _line(_of(curve, "steps", kind, view, view.smoothing), name, kind) | group
    line["line"] = {"color": colour, "width": 2, "dash": DASHES[number % len(DASHES)]}
    if not view.smoothing:
        return [line]
    raw = _line(_of(curve, "steps", kind, view, 0.0), name, kind) | group
    raw |= {"line": {"color": colour, "width": 1}, "opacity": 0.25, "showlegend": False, "hoverinfo": "skip"}
    del raw["hovertemplate"]
    return [raw, line]


def _validation(kind: str, curve: Curve, number: int, view: View, name: str) -> list[dict[str, Any]]:
    """Solid, with the run's own marker, and a star at the best epoch."""
    colour, group = PALETTE[number % len(PALETTE)], {"legendgroup": curve.run_id}
    line = _line(_of(curve, "epochs", f"val_{kind}", view, 0.0), name, kind) | group
    line |= {
        "mode": "lines+markers",
        "line": {"color": colour, "width": 2.5},
        "marker": {"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 6, "color": colour},
    }
    place = best_epoch(curve.metrics.epochs)
    if place is None or f"val_{kind}" not in curve.metrics.epochs:
        return [line]
    x, y = (column(curve.metrics.epochs[name][place : place + 1]) for name in (X_COLUMNS[view.x], f"val_{kind}"))
    star = _line((x, y), "best epoch", kind) | group | {"mode": "markers", "showlegend": False, "hoverinfo": "skip"}
    del star["hovertemplate"]
    star["marker"] = {"symbol": "star", "size": 15, "color": colour, "line": {"width": 1, "color": "white"}}
    return [line, star]


def _of_steps(kind: str, curve: Curve, number: int, view: View, name: str) -> dict[str, Any]:
    """A line without a validation: the first solid, each further one with a dash of its own."""
    line = _line(_of(curve, "steps", STEP_COLUMNS[kind], view, 0.0), name, kind)
    dash = "solid" if number == 0 else DASHES[number % len(DASHES)]
    return line | {"line": {"color": PALETTE[number % len(PALETTE)], "width": 2, "dash": dash}}


def _line(points: Points, name: str, kind: str) -> dict[str, Any]:
    x, y = points
    template = f"%{{y:{NUMBERS[kind]}}}"
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "name": name, "hovertemplate": template}


def _of(curve: Curve, source: str, name: str, view: View, smoothing: float) -> Points:
    """The points of one line; made once for each state of a run, whatever it is drawn together with."""
    columns: Columns = getattr(curve.metrics, source)
    return _points.get(
        (curve.content, source, name, view.x, smoothing), lambda: _thinned(columns, name, view.x, smoothing)
    )


def _thinned(columns: Columns, name: str, axis: str, smoothing: float) -> Points:
    x, raw = column(columns.get(X_COLUMNS[axis], []) if name in columns else []), column(columns.get(name, []))
    y = smooth(raw, smoothing)
    place = best_epoch(columns)
    places = thin(y, MOST_POINTS, () if place is None else (place,))
    return x[places], y[places].astype(np.float32)


def layout(kind: str, lines: int, view: View, unit: float) -> dict[str, Any]:
    """Axes, legend and size of a chart of so many runs; `unit` is what its x axis was divided by."""
    y_axis: dict[str, Any] = {"title": {"text": Y_TITLES[kind]}, "automargin": True}
    if kind in SHARES:
        y_axis["tickformat"] = ".0%"
    if kind in ("lr", "speed"):
        y_axis["rangemode"] = "tozero"
    if kind == "loss" and view.log:
        y_axis["type"] = "log"
    x_title = X_AXES[view.x] + ("" if view.x != "time" else " (minutes)" if unit > 1 else " (seconds)")
    return {
        "height": HEIGHT + LEGEND_HEIGHT * (lines - 1),
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hovermode": "x unified",
        "uirevision": f"{view.x}-{unit}-{view.log}",  # a zoom stays until the axis itself changes
        "xaxis": {"title": {"text": x_title}, "rangemode": "tozero", "automargin": True},
        "yaxis": y_axis,
        "showlegend": kind in VALIDATED or lines > 1,
        "legend": {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom", "tracegroupgap": 0},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }


def _best_in_words(kind: str, curve: Curve, view: View, unit: float, is_log: bool) -> list[dict[str, Any]]:
    """What the star of the first run says, on the side of it where there is room."""
    epochs, place = curve.metrics.epochs, best_epoch(curve.metrics.epochs)
    if place is None or f"val_{kind}" not in epochs:
        return []
    xs, value = epochs[X_COLUMNS[view.x]], epochs[f"val_{kind}"][place]
    shown = f"{value:.2%}" if kind in SHARES else f"{value:.3f}"
    right = xs[place] > xs[-1] / 2
    return [
        {
            "x": xs[place] / unit,
            "y": math.log10(value) if is_log and value > 0 else value,
            "text": f"best: {shown}, epoch {epochs['epoch'][place]}",
            "xanchor": "right" if right else "left",
            "ax": -14 if right else 14,
            "ay": -36 if kind == "loss" else 36,  # a loss falls, so there is room above it
            "arrowwidth": 1,
            "arrowhead": 0,
            "standoff": 8,
        }
    ]
