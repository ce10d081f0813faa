"""A comparison as one HTML file that needs nothing else: table, verdicts, live figures, configs and environment.

Owns: that file. Every text of a person is escaped. Plotly's script comes from the installed package.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import orjson

from pages.ui.charts import Figure
from pages.ui.plot import LIBRARY

STYLE = """
body { font: 16px system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse }
td, th { padding: .3rem .7rem; border-bottom: 1px solid #ccc; text-align: right; white-space: nowrap }
td:first-child, th:first-child { text-align: left }
pre { background: #f5f5f5; padding: 1rem }
.wide { overflow-x: auto }
"""
DRAW = """
for (const [id, figure] of Object.entries(JSON.parse(document.getElementById("figures").textContent)))
  Plotly.newPlot(id, figure.data, figure.layout, {
    displaylogo: false, responsive: true, plotlyServerURL: "", modeBarButtonsToRemove: ["sendChartToCloud"],
  })
"""


def bold(text: str) -> str:
    """Somebody's text inside HTML, in bold."""
    return f"<b>{escape(text)}</b>"


def html(
    table: Sequence[Sequence[str]],
    verdicts: Sequence[str],
    figures: Mapping[str, tuple[Figure, str]],
    runs: Mapping[str, Any],
) -> str:
    """The report as one page.

    table: rows of text, the head first. verdicts: sentences in HTML. figures: by title, each with what it shows in
    words. runs: what is written of each run, by its name, as JSON.
    """
    judged = "".join(f"<li>{sentence}</li>" for sentence in verdicts)
    plots = "".join(
        f"<h3>{escape(title)}</h3><div id='figure{number}' role='figure' aria-label='{escape(words)}'></div>"
        for number, (title, (_, words)) in enumerate(figures.items())
    )
    by_id = {f"figure{number}": figure for number, (figure, _) in enumerate(figures.values())}
    drawn = orjson.dumps(by_id, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    configs = "".join(
        f"<h3>{escape(name)}</h3><pre {_wide(name)}>{escape(json.dumps(facts, indent=1, ensure_ascii=False))}</pre>"
        for name, facts in runs.items()
    )
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>CNN Lab: a comparison</title>"
        f"<meta name='viewport' content='width=device-width'><style>{STYLE}</style>"
        f"<h1>A comparison of networks</h1><p>Made with CNN Lab on {time.strftime('%d %B %Y, %H:%M')}.</p>"
        f"{_table(table)}{f'<h2>Is it real?</h2><ul>{judged}</ul>' if judged else ''}"
        f"{f'<h2>Curves</h2>{plots}' if figures else ''}<h2>Configs and environment</h2>{configs}"
        f"<script type='application/json' id='figures'>{_in_script(drawn)}</script>"
        f"<script>{LIBRARY.read_text(encoding='utf-8')}</script><script>{DRAW}</script></html>"
    )


def _table(table: Sequence[Sequence[str]]) -> str:
    head, *rows = table
    lines = ["".join(f"<th scope='col'>{escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return f"<div {_wide('Runs')}><table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table></div>"


def _wide(title: str) -> str:
    """Attributes of what is wider than a small window: it scrolls by itself, by keys too."""
    return f"class='wide' role='region' tabindex='0' aria-label='{escape(title)}'"


def _in_script(text: str) -> str:
    """JSON that can't end the script element it stands in."""
    return text.replace("<", "\\u003c")
