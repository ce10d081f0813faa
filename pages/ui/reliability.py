"""The reliability diagram: how sure networks are against how often they are right.

Owns: that figure and its words. Leaves the numbers to `core.statistics`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.statistics import Calibration, calibration
from pages.ui import plot, words
from pages.ui.charts import HEIGHT, PALETTE, SYMBOLS, Figure, plain
from pages.ui.differ import Subject


def show(subjects: Sequence[Subject]) -> None:
    """The section, for subjects that answered the same images; at least one."""
    found = {s.row.label: calibration(s.answers.confidence, s.answers.right) for s in subjects}
    st.header("Do they know what they know?", anchor=False)
    st.caption(
        "Of the answers that a network is 80 % sure of, 80 % should be right: that is the dotted line. Below it, a "
        "network is surer than it should be; label smoothing makes it less sure than it could be."
    )
    plot.show(figure(found), key="reliability", alt=in_words(found))
    st.markdown("Expected calibration error: " + " · ".join(
        f"{words.md(label)} **{one.expected_error * 100:.1f}** points" for label, one in found.items()
    ))  # fmt: skip


def in_words(found: dict[str, Calibration]) -> str:
    """What the diagram shows, for those who can't see it."""
    errors = "; ".join(f"{label}: {one.expected_error:.1%} off on average" for label, one in found.items())
    return f"Reliability diagram, accuracy by confidence. {errors}."


def figure(found: dict[str, Calibration]) -> Figure:
    """A line for each network, and the diagonal where confidence and accuracy agree."""
    diagonal = {
        **{"type": "scatter", "x": [0, 1], "y": [0, 1], "mode": "lines", "name": "as sure as right"},
        **{"line": {"color": "#7F7F7F", "width": 1, "dash": "dot"}, "hoverinfo": "skip"},
    }
    lines = [_line(number, label, one) for number, (label, one) in enumerate(found.items())]
    axis = {"range": [0, 1], "tickformat": ".0%", "automargin": True}
    return {
        "data": [diagonal, *lines],
        "layout": {
            **{"height": HEIGHT, "margin": {"l": 8, "r": 24, "t": 16, "b": 8}, "uirevision": "reliability"},
            "xaxis": {**axis, "title": {"text": "confidence of the answer"}},
            "yaxis": {**axis, "title": {"text": "share that is right"}},
            "legend": {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
            **{"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)"},
        },
    }


def _line(number: int, label: str, one: Calibration) -> dict[str, object]:
    filled = one.images > 0
    colour = PALETTE[number % len(PALETTE)]
    return {
        **{"type": "scatter", "mode": "lines+markers", "name": plain(label)},
        **{
            "x": one.confidence[filled],
            "y": one.accuracy[filled],
            "customdata": np.ascontiguousarray(one.images[filled]),
        },
        **{"line": {"color": colour, "width": 2}, "marker": {"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 7}},
        "hovertemplate": "%{y:.1%} of %{customdata:,} answers with a confidence of %{x:.1%}",
    }
