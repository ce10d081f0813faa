"""A table of text as CSV, Markdown or LaTeX, whatever stands in its cells.

Owns: escaping, so that a name shows as the text that it is: no formula, no markup, no command. Leaves which columns
there are, and how figures are rounded, to who makes the table.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

Table = Sequence[Sequence[str]]  # rows of cells, the first one the head, all of the same length

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of a formula
NUMBER = re.compile(r"[+-]?[\d.,]+%?\Z")
MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$"},
}


def as_csv(table: Table) -> str:
    """The table as CSV after RFC 4180; a cell that a spreadsheet would compute gets an apostrophe in front."""
    text = io.StringIO()
    csv.writer(text).writerows([_no_formula(_one_line(cell)) for cell in row] for row in table)
    return text.getvalue()


def as_markdown(table: Table) -> str:
    """The table as GitHub-flavoured Markdown."""
    head, *rows = [[MARKDOWN.sub(r"\\\1", _one_line(cell)) for cell in row] for row in table]
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def as_latex(table: Table) -> str:
    """The table as a LaTeX tabular, the first column flush left and all others flush right."""
    head, *rows = [[_latex(_one_line(cell)) for cell in row] for row in table]
    lines = [" & ".join(row) + r" \\" for row in (head, *rows)]
    columns = "l" + "r" * (len(head) - 1)
    return "\n".join([rf"\begin{{tabular}}{{{columns}}}", r"\hline", lines[0], r"\hline", *lines[1:], r"\hline",
                      r"\end{tabular}", ""])  # fmt: skip


def _one_line(cell: str) -> str:
    return " ".join(cell.split())


def _no_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) and not NUMBER.match(cell) else cell


def _latex(cell: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in cell)
