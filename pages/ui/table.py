"""The table of a comparison: its columns, as numbers for the eye and as text to take along.

Owns: which columns there are, their titles and how a figure is rounded. Leaves the rows to `core.comparison`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from core.comparison import Row
from pages.ui import words

LONGEST_NAME = 140  # pixels that "mnist-everywhere" takes; by itself the table measures the first rows alone
Value = Callable[[Row], Any]


@dataclass(frozen=True)
class Column:
    """One column: its title, what stands in it, how that is written, and how the browser draws it."""

    title: str
    value: Value
    text: Callable[[Any], str]
    draw: Callable[[str, str], Any]
    help: str = ""


def _text(title: str, help: str) -> Any:  # noqa: ANN401 - Streamlit's column configs have no common type
    return st.column_config.TextColumn(title, help=help or None)


def _name(title: str, help: str) -> Any:  # noqa: ANN401
    return st.column_config.TextColumn(title, help=help or None, width=LONGEST_NAME)


def _number(pattern: str) -> Callable[[str, str], Any]:
    return lambda title, help: st.column_config.NumberColumn(title, help=help or None, format=pattern)  # type: ignore[arg-type]


_percent = _number("%.2f%%")  # the built-in "percent" drops zeros at the end


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"


def _as_shown(value: float | None) -> float | None:
    """In percent, rounded as text is: the browser rounds a tie otherwise."""
    return None if value is None else float(_share(value).rstrip("%"))


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}"


def _interval(row: Row) -> str:
    found = row.test_interval
    return f"{found.low * 100:.2f} to {found.high * 100:.2f}" if found else ""


def _seeds(row: Row) -> str:
    return ", ".join(map(str, row.seeds))


def _changed(row: Row) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row.changed.items())


COLUMNS = (
    Column("run", lambda row: row.label, str, _text),
    Column("test accuracy", lambda row: row.test_accuracy, _share, _percent,
           "At the best weights; mean over seeds. Of scenes: digit IoU."),
    Column("95 % interval", _interval, str, _text,
           "Where the accuracy probably lies, in percent: Wilson's for one run, Student's over seeds for more."),
    Column("± seeds", lambda row: row.test_spread, _share, _percent, "Standard deviation of test accuracy over seeds."),
    Column("the report", lambda row: row.report, _share, _percent, "What the lab report had for this network."),
    Column("validation", lambda row: row.val_accuracy, _share, _percent, "Accuracy at the lowest validation loss."),
    Column("loss", lambda row: row.val_loss, _rounded, _number("%.4f"), "The lowest validation loss."),
    Column("curve", lambda row: list(row.curve), lambda values: "",
           lambda title, help: st.column_config.LineChartColumn(title, help=help, y_min=0.0, y_max=1.0),
           "Validation accuracy by epoch."),
    Column("state", lambda row: row.state, str, _text),
    Column("data set", lambda row: row.dataset, str, _name),
    Column("model", lambda row: row.model, str, _text),
    Column("recipe", lambda row: row.recipe, str, _text),
    Column("tags", lambda row: ", ".join(row.tags), str, _text),
    Column("changed", _changed, str, _text, "Knobs that are not as the recipe says."),
    Column("seeds", _seeds, str, _text),
    Column("parameters", lambda row: row.parameters, _rounded, _number("localized")),
    Column("multiply-adds", lambda row: row.multiply_adds, _rounded, _number("compact"), "For one image."),
    Column("s an epoch", lambda row: row.seconds_per_epoch, _rounded, _number("%.2f"), "With its validation."),
    Column("s to best", lambda row: row.seconds_to_best, _rounded, _number("%.0f"), "Until the end of the best epoch."),
    Column("MB", lambda row: row.bytes / 1e6, _rounded, _number("%.1f"), "Of all files of the runs."),
)  # fmt: skip


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The rows as numbers, a column for each of COLUMNS; shares in percent."""
    return pd.DataFrame({column.title: [_cell(column, row) for row in rows] for column in COLUMNS})


def _cell(column: Column, row: Row) -> Any:  # noqa: ANN401 - whatever the column holds
    value = column.value(row)
    return _as_shown(value) if column.text is _share else value


def drawing() -> dict[str, Any]:
    """How the browser draws each column."""
    return {column.title: column.draw(column.title, column.help) for column in COLUMNS}


def as_text(rows: Sequence[Row]) -> list[list[str]]:
    """The rows as text, the titles first, for export; the curve stays behind."""
    taken = [column for column in COLUMNS if column.title != "curve"]
    return [[column.title for column in taken], *([column.text(column.value(row)) for column in taken] for row in rows)]


def in_words(rows: Sequence[Row]) -> str:
    """What the table holds, for those who can't see it."""
    tested = [row for row in rows if row.test_accuracy is not None]
    best = max(tested, key=lambda row: row.test_accuracy or 0.0, default=None)
    most = f" The most accurate on its test set is {best.label}, {best.test_accuracy:.1%}." if best else ""
    return f"A table of {words.plural(len(rows), 'row')}.{most}"
