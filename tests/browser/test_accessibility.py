"""Every page for everyone: axe-core, alternatives to pictures, zoom, less motion, and the keyboard alone."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from core.runs import RunStore
from pages.ui import bands, charts, report
from tests.browser.app import MAIN, PHONE, points, scrolls_sideways, server
from tests.browser.canvas import Canvas
from tests.browser.contrast import contrast
from tests.load.store import make_store
from tests.waiting import wait_for

LAPTOP, ZOOMED = {"width": 1366, "height": 768}, {"width": 683, "height": 384}  # at 100 and at 200 %
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
NOT_OURS = [  # rules that Streamlit's own parts break: rule, element
    # The place to type beside the chosen tags may be narrow; a click anywhere in the box leads there.
    ["target-size", "[data-testid=stMultiSelectTagsContainer] input"],
]
EMPTY = {  # page: what stands there when there is nothing to show, or nothing of that kind
    "": "No runs yet",
    "train?run=../x": "is not the id of a run",
    "compare": "Pick one row or more",
    "segment": "The field is empty",
}
FULL = {
    "": "run 0",
    "train?run=ref-cifar10-resnet-fast-0&with=ref-cifar10-mlp-fast-0": "All 18 epochs done",
    "compare?runs=ref-cifar10-cnn-fast-0&runs=ref-cifar10-resnet-fast-0": "The sealed test set",
    "segment?scene=3": "Intersection over union with the truth",
    "gradcam?models=ref-cifar10-cnn-fast-0&further=All+methods": re.compile("Deletion 0|Nothing argues"),
}

# Drawn lines and their numbers take axe seconds, and it can't judge them: `CHARTS` looks at them instead.
FIND = """async ([standards, notOurs]) => {
  const options = { runOnly: standards, resultTypes: ['violations'], elementRef: true }
  const found = await axe.run({ exclude: ['.main-svg'] }, options)
  const isOurs = (rule, { element }) => !notOurs.some(([id, what]) => id === rule.id && element?.matches(what))
  return found.violations.flatMap(rule => rule.nodes.filter(node => isOurs(rule, node)).map(
    node => `${rule.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`))
}"""
# Words that their boxes cut off.
CUT = """() => [...document.querySelectorAll('[data-testid=stMain] [data-testid=stMarkdownContainer]')].filter(box =>
  getComputedStyle(box).overflowX !== 'visible' && box.scrollWidth > box.clientWidth + 1).map(box => box.textContent)"""
PICTURES = "() => [...document.querySelectorAll('img')].map(image => image.alt)"
CHARTS = """() => [...document.querySelectorAll('.js-plotly-plot')].map(chart => {
  const page = getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor
  const words = [...chart.querySelectorAll('text')].map(text => getComputedStyle(text).fill)
  return { role: chart.getAttribute('role'), says: chart.getAttribute('aria-label'), page, words: [...new Set(words)] }
})"""
MOVES = """() => [...document.querySelectorAll('*')].map(element => getComputedStyle(element)).filter(style =>
  Math.max(...(style.transitionDuration + ', ' + style.animationDuration).split(', ').map(parseFloat)) > 0.01).length"""
# What has the keyboard: its name, and how thick the line around it is, or around the box that it stands for.
FOCUS = """() => {
  let element = document.activeElement
  while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
  const name = element.getAttribute('aria-label') || element.innerText || element.tagName
  const boxes = [element]
  while (boxes.length < 4 && boxes.at(-1).parentElement) boxes.push(boxes.at(-1).parentElement)
  const lines = boxes.map(box => getComputedStyle(box)).filter(style => style.outlineStyle !== 'none')
  return [name.replaceAll(/\\s+/g, ' '), Math.max(0, ...lines.map(style => parseFloat(style.outlineWidth)))]
}"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """An empty store."""
    return tmp_path_factory.mktemp("accessibility") / "runs"


@pytest.fixture(scope="module")
def address(runs):
    with server(runs) as address:
        yield address


@pytest.fixture(scope="module")
def page(browser, address):
    """One page for all tests, in the browser of a person who wants little motion: nothing is caught on its way."""
    page = browser.new_context(viewport=LAPTOP, reduced_motion="reduce").new_page()
    yield page
    page.context.close()


def open_at(page, address):
    """Open a page and wait until what all pages share is there."""
    page.set_viewport_size(LAPTOP)
    page.goto(address)
    page.wait_for_function("window.cnnlabKeys", timeout=40_000)
    page.locator("[data-test-script-state=notRunning]").wait_for(timeout=60_000)


def see(page, size, scheme):
    """The whole page at a width and in a theme, at once: axe does not look at what is scrolled out of sight."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(size)
    page.wait_for_timeout(100)
    height = page.evaluate(f"{MAIN}.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": max(size["height"], height)})
    page.locator("[data-test-script-state=notRunning]").wait_for(timeout=60_000)
    wait_for(lambda: not page.locator("[data-stale=true]").count(), 20, "nothing is faded")
    page.wait_for_timeout(200)


def findings(page):
    """What axe finds, a line each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return page.evaluate(FIND, [STANDARDS, NOT_OURS])


def assert_all_is_seen_and_said(page):
    found = findings(page)
    if found:  # a busy machine may be on its way from one theme to the other
        page.wait_for_timeout(1000)
        found = findings(page)
    assert found == []
    assert [alt for alt in page.evaluate(PICTURES) if len(alt.split()) < 2] == []
    wait_for(lambda: all(map(is_readable, page.evaluate(CHARTS))), 20, "charts in the colours of the theme")
    for chart in page.evaluate(CHARTS):
        assert chart["role"] == "figure"
        assert len(chart["says"].split()) > 5
        assert min(contrast((colour, chart["page"])) for colour in charts.PALETTE) >= 3


def is_readable(chart):
    return chart["words"] and all(contrast((colour, chart["page"])) >= 4.5 for colour in chart["words"])


@pytest.mark.parametrize("path", EMPTY, ids=["home", "train", "compare", "segment"])
def test_axe_finds_nothing_on_a_page_without_content(page, address, path):
    open_at(page, f"{address}/{path}")
    page.get_by_text(EMPTY[path]).first.wait_for(timeout=40_000)
    see(page, LAPTOP, "dark")
    assert_all_is_seen_and_said(page)


@pytest.mark.parametrize("path", FULL, ids=["home", "train", "compare", "segment", "gradcam"])
def test_axe_finds_nothing_on_a_page_with_content_and_zoom_cuts_nothing_off(page, address, runs, path):
    if not RunStore(runs).list():
        make_store(RunStore(runs), 1, epochs=5)
    open_at(page, f"{address}/{path}")
    page.get_by_text(FULL[path]).first.wait_for(timeout=60_000)
    for size, scheme in ((LAPTOP, "light"), (PHONE, "dark")):
        see(page, size, scheme)
        assert_all_is_seen_and_said(page)
    see(page, ZOOMED, "light")
    assert not scrolls_sideways(page)
    assert page.evaluate(CUT) == []
    assert page.evaluate(MOVES) == 0
    assert page.title().endswith("CNN Lab")
    assert page.title() != "CNN Lab"


def test_axe_finds_nothing_on_the_page_of_maps_when_no_network_is_picked(page, address):
    open_at(page, f"{address}/gradcam")
    page.get_by_role("button", name="Clear all").click(timeout=40_000)
    page.get_by_text("Pick a network").first.wait_for(timeout=20_000)
    see(page, LAPTOP, "dark")
    assert_all_is_seen_and_said(page)


def test_axe_finds_nothing_in_an_exported_report(page, store):
    make_store(store, 1, epochs=5)
    run = store.list()[0]
    drawn = [bands.Band(run.name, (charts.Curve(run.id, run.name, run.metrics()),))]
    figures = {"Loss": (bands.figure("loss", drawn, charts.View()), bands.in_words("loss", drawn))}
    facts = {run.name: {"config": run.config.as_dict()}}
    page.set_content(report.html([["run", "loss"], [run.name, "0.5"]], ["They differ."], figures, facts))
    page.locator(".js-plotly-plot").wait_for(timeout=20_000)
    assert findings(page) == []
    assert "after 5 epochs" in page.get_by_role("figure").get_attribute("aria-label")


def walk(page, name, key="Tab"):
    """Press a key until what is called so has the keyboard; on the way it is always seen where that is."""
    for _ in range(80):
        page.keyboard.press(key)
        has_it, line = page.evaluate(FOCUS)
        assert line >= 2 or has_it.startswith("Skip to main content home"), f"no line around {has_it}"
        if re.search(rf"(^|\W){name}", has_it) and len(has_it) < 200:
            return
    raise AssertionError(f"80 times {key} do not lead to {name}")


def test_a_run_is_started_and_discarded_by_keys_alone(page, address):
    open_at(page, f"{address}/train")
    page.get_by_role("button", name="Start training").wait_for(timeout=40_000)
    walk(page, "Start training")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="cnn on mnist-mini, quick, seed 0").wait_for(timeout=30_000)
    wait_for(lambda: points(page) > 0, 30, "the first point")
    walk(page, "Discard", "Shift+Tab")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Undo").wait_for(timeout=20_000)


def test_the_buttons_of_a_chart_are_one_stop_and_none_sends_it_away(page, address):
    open_at(page, f"{address}/train?run=ref-mnist-mlp-fast-0")
    wait_for(lambda: points(page) > 0, 40, "the chart")
    assert page.get_by_role("button", name=re.compile("Share")).count() == 0
    has_it = "document.querySelector('.js-plotly-plot').contains(document.activeElement)"
    walk(page, "Download plot as a PNG")
    page.keyboard.press("Tab")
    assert not page.evaluate(has_it)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(FOCUS)[0] == "Zoom"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(FOCUS)[0] == "Reset axes"
    page.keyboard.press("Tab")
    assert not page.evaluate(has_it)
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(FOCUS)[0] == "Reset axes"


def test_a_digit_is_drawn_and_taken_away_by_keys_alone(page, address):
    open_at(page, f"{address}/segment")
    Canvas(page)
    legend = page.locator(".bars .name").evaluate_all(
        "names => names.map(name => [name.textContent, getComputedStyle(name, '::before').backgroundColor])"
    )
    assert [name for name, _ in legend] == [*"0123456789", "background"]
    assert len({colour for _, colour in legend} - {"rgba(0, 0, 0, 0)"}) == 11
    walk(page, "Drawing canvas")
    for key in ("Space", *("Shift+ArrowDown",) * 5, "Space"):
        page.keyboard.press(key)
    page.get_by_text(re.compile(r"Digits read: \d")).wait_for(timeout=20_000)
    page.keyboard.press("c")
    page.get_by_text("The field is empty").wait_for(timeout=20_000)
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS)[0] == "Drawing with the keyboard"


def test_tab_goes_into_a_popover_and_round_and_escape_comes_back(page, address):
    open_at(page, f"{address}/segment")
    page.get_by_role("button", name="Your own picture").wait_for(timeout=40_000)
    walk(page, "Your own picture")
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="Your own picture").wait_for(timeout=20_000)
    for _ in range(2):
        walk(page, "Upload")
        assert page.evaluate("Boolean(document.activeElement.closest('[role=dialog]'))")
        page.keyboard.press("Tab")
        assert "Your own picture" in page.evaluate(FOCUS)[0]
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    page.get_by_role("dialog", name="Your own picture").wait_for(state="detached", timeout=20_000)
    wait_for(lambda: "Your own picture" in page.evaluate(FOCUS)[0], 20, "the button has the keyboard again")
