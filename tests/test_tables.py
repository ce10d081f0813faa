"""Exported tables show every cell as the text that it is."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tables import as_csv, as_latex, as_markdown

TABLE = [("run", "test accuracy"), ("a & b", "93.1% ± 0.2"), ("=SUM(A1:A9)", "-0.5")]


def test_csv_keeps_numbers_and_disarms_formulas():
    read = list(csv.reader(io.StringIO(as_csv(TABLE))))
    assert read == [["run", "test accuracy"], ["a & b", "93.1% ± 0.2"], ["'=SUM(A1:A9)", "-0.5"]]


@pytest.mark.parametrize("cell", ["=1+1", "+cmd", "-cmd|' /C calc'!A0", "@SUM(1)", "=\t1"])
def test_no_cell_of_a_csv_is_a_formula(cell):
    (read,) = csv.reader(io.StringIO(as_csv([[cell]])))
    assert read[0].startswith("'")


def test_markdown_escapes_bars_and_html():
    text = as_markdown([("name", "x"), ("<b>a|b</b>", "1")])
    assert text == "| name | x |\n| --- | --- |\n| \\<b\\>a\\|b\\</b\\> | 1 |\n"


def test_latex_escapes_commands():
    text = as_latex([("name", "x"), (r"50% of \input{secret} _a_ ±", "1")])
    assert r"50\% of \textbackslash{}input\{secret\} \_a\_ $\pm$ & 1 \\" in text
    assert text.startswith(r"\begin{tabular}{lr}")


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), min_size=1, max_size=4))
def test_any_text_keeps_the_shape_of_the_table(cells):
    read = list(csv.reader(io.StringIO(as_csv(cells))))
    assert [len(row) for row in read] == [2] * len(cells)
    assert len(as_markdown(cells).splitlines()) == len(cells) + 1
    assert as_latex(cells).count(r" \\") == len(cells)
