"""A Plotly chart that goes on living while its data grow.

Owns: drawing a figure's dictionary in the browser, in the colours of the theme. `st.plotly_chart` makes a new chart
for every new figure, so that a zoom or a tooltip is gone at each tick; this one hands the new data to the chart that is
there. Plotly's script comes from the installed plotly package, once a visit: no network. Leaves figures to `charts`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import plotly
import streamlit as st

from pages.ui.charts import Kept

LIBRARY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"

DRAW = """
const REST = 5000            // milliseconds between two drawings of a chart that is out of sight
const STEPS = { ArrowLeft: -1, ArrowRight: 1 }
// Without marking points, which does nothing here, and without "Share chart", which sends it to somebody's server.
const CONFIG = {
  displaylogo: false, responsive: false, plotlyServerURL: "",
  modeBarButtonsToRemove: ["sendChartToCloud", "select2d", "lasso2d", "autoScale2d"],
}
const charts = new WeakMap() // the box of a chart -> what is known about it

function colour(name, box) { return getComputedStyle(box).getPropertyValue(name).trim() }

function inTheme(layout, box) {
  const text = colour("--st-text-color", box), line = colour("--st-dataframe-border-color", box)
  const themed = { ...layout, font: { family: colour("--st-font", box), size: 13, color: text } }
  const under = colour("--st-secondary-background-color", box)
  themed.hoverlabel = { bgcolor: under, bordercolor: line, font: { color: text } }
  const page = colour("--st-background-color", box)
  themed.modebar = { bgcolor: page, color: text, activecolor: text }
  themed.annotations = (layout.annotations || []).map(note => (
    { bgcolor: page, arrowcolor: text, opacity: 0.85, ...note }))
  for (const axis of Object.keys(layout).filter(key => /^[xy]axis\\d*$/.test(key)))
    themed[axis] = { gridcolor: line, linecolor: line, zerolinecolor: line, ...layout[axis] }
  return themed
}

async function library() {
  for (let tries = 0; !window.Plotly; tries++) {
    if (tries > 600) throw new Error("The chart library did not arrive. Reload the page.")
    await new Promise(later => setTimeout(later, 50))
  }
  return window.Plotly
}

async function draw(box, chart) {
  const Plotly = await library()
  if (!box.isConnected) return
  const { data, layout } = JSON.parse(chart.text).figure
  chart.drawn = Date.now()
  await Plotly.react(box, data, inTheme(layout, box), CONFIG)
  const buttons = buttonsOf(box)
  if (!buttons.some(button => button.tabIndex < 0)) stopAt(buttons, 0) // else they are as they were
}

// The buttons of a chart are many: they are one stop of the Tab key, and arrow keys go along them.

const buttonsOf = box => [...box.querySelectorAll(".modebar-btn")]

function stopAt(buttons, at) {
  for (const [place, button] of buttons.entries()) button.tabIndex = place === at ? 0 : -1
}

function goAlong(box, event) {
  const buttons = buttonsOf(box), at = buttons.indexOf(event.target)
  if (at < 0 || !STEPS[event.key]) return
  event.preventDefault() // nothing scrolls
  const next = (at + STEPS[event.key] + buttons.length) % buttons.length
  stopAt(buttons, next)
  buttons[next].focus()
}

function drawSoon(box, chart) {
  const rest = chart.inSight ? 0 : Math.max(0, chart.drawn + REST - Date.now())
  clearTimeout(chart.timer)
  chart.timer = setTimeout(() => {
    chart.timer = 0
    draw(box, chart).catch(error => { box.textContent = error.message })
  }, rest)
}

function watch(box) {
  const chart = { text: "", theme: "", inSight: true, drawn: 0, timer: 0 }
  const size = new ResizeObserver(() => { if (box.data) window.Plotly.Plots.resize(box) })
  const sight = new IntersectionObserver(([entry]) => {
    chart.inSight = entry.isIntersecting
    if (chart.timer) drawSoon(box, chart)
  })
  box.onkeydown = event => goAlong(box, event)
  size.observe(box)
  sight.observe(box)
  chart.forget = () => { size.disconnect(); sight.disconnect(); clearTimeout(chart.timer) }
  charts.set(box, chart)
  return chart
}

export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".chart")
  const chart = charts.get(box) || watch(box)
  const text = new TextDecoder().decode(data), theme = colour("--st-text-color", box)
  if (text !== chart.text || theme !== chart.theme) {
    Object.assign(chart, { text, theme })
    const { figure, alt } = JSON.parse(text)
    box.style.height = `${figure.layout.height}px`
    box.setAttribute("role", "figure")
    box.setAttribute("aria-label", alt)
    drawSoon(box, chart)
  }
  return () => {
    chart.forget()
    charts.delete(box)
    if (box.data) window.Plotly.purge(box)
  }
}
"""

_library = st.components.v2.component(
    "cnnlab_plotly", js=LIBRARY.read_text(encoding="utf-8") + "\nexport default function () {}\n", isolate_styles=False
)
_chart = st.components.v2.component(
    "cnnlab_chart", html="<div class='chart' style='width: 100%'></div>\n", js=DRAW, isolate_styles=False
)

_sent = Kept(32)  # with its figure beside it, so that no other one gets the same id meanwhile


def prepare() -> None:
    """Hand Plotly's script to the page. Once a run of the script, outside every fragment, after everything else."""
    _library(key="plotly-library")


def show(figure: dict[str, Any], *, key: str, alt: str) -> None:
    """Draw a figure, or go on with the one of the same key. `alt` says in words what it shows now."""
    _, sent = _sent.get((id(figure), alt), lambda: (figure, _encoded(figure, alt)))
    _chart(key=key, data=sent, height=figure["layout"]["height"])


def _encoded(figure: dict[str, Any], alt: str) -> bytes:
    return orjson.dumps({"figure": figure, "alt": alt}, option=orjson.OPT_SERIALIZE_NUMPY)
