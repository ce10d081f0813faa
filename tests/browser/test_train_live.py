"""The main journey in a real browser against the real server: start, watch, pause, resume, finish."""

from __future__ import annotations

import re

from core.config import TrainConfig
from core.runs import RunStore
from tests.browser.app import LAPTOP, PHONE, points, scrolls_sideways, server
from tests.waiting import wait_for

# The group in the legend of what the first chart has drawn: it names the run.
DRAWN = "document.querySelector('.js-plotly-plot')?.data?.[0]?.legendgroup"


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def start(page, store):
    """Press Start, and wait until the page draws that run, not one that ships, with a first point; returns the run."""
    press(page, "Start training")
    page.get_by_role("heading", name="cnn on mnist-mini, quick, seed 0").wait_for(timeout=60_000)
    run = next(run for run in store.list() if not run.is_shipped)
    wait_for(lambda: page.evaluate(DRAWN) == f"{run.id}-training" and points(page) > 0, 60, "the first point")
    return run


def test_a_network_learns_live_is_paused_resumed_and_finishes_above_90_percent(open_page, tmp_path):
    with server(tmp_path / "runs") as address:
        page, store = open_page(f"{address}/train", LAPTOP), RunStore(tmp_path / "runs")
        run = start(page, store)
        first = points(page)
        wait_for(lambda: points(page) > first + 5, 60, "the curve grows by itself")
        press(page, "Pause")
        wait_for(lambda: run.status().state == "paused", 30, "paused")
        page.get_by_role("button", name="Resume", exact=True).and_(page.locator(":enabled")).wait_for(timeout=20_000)
        paused_at = run.metrics().steps["step"][-1]
        before = points(page)
        press(page, "Resume")
        wait_for(lambda: points(page) > before + 2, 60, "the page that was not left sees it go on")
        page.get_by_label("Run", exact=True).and_(page.locator("[value*='running']")).wait_for(timeout=20_000)
        page.goto(address)  # leave the page: the run goes on
        second = open_page(f"{address}/train?run={run.id}", PHONE)
        wait_for(lambda: points(second, 1) > first + 5, 60, "another tab, a phone, finds the curve")
        wait_for(lambda: run.metrics().steps["step"][-1] > paused_at, 120, "it goes on")
        wait_for(lambda: run.status().state == "finished", 600, "finished")
        second.get_by_text(re.compile("Test accuracy")).first.wait_for(timeout=20_000)
        assert max(run.metrics().epochs["val_accuracy"]) > 0.9
        assert run.metrics().steps["step"] == sorted(set(run.metrics().steps["step"]))
        assert not scrolls_sideways(second)
        assert len([r for r in store.list() if not r.is_shipped]) == 1


def test_a_link_to_no_run_says_so_and_the_page_works_on(open_page, tmp_path):
    with server(tmp_path / "runs") as address:
        page = open_page(f"{address}/train?run=../x", PHONE)
        page.get_by_text("is not the id of a run").wait_for(timeout=20_000)
        assert page.get_by_role("button", name="Start training", exact=True).is_enabled()


def test_killing_the_server_stores_the_run_and_the_next_start_offers_resume(open_page, tmp_path):
    runs = tmp_path / "runs"
    with server(runs) as address:
        run = start(open_page(f"{address}/train", LAPTOP), RunStore(runs))
    wait_for(lambda: run.status().state == "interrupted", 30, "the child stores its state and leaves")
    assert list(run.path.glob("state-*.safetensors"))
    with server(runs) as address:
        page = open_page(address, LAPTOP)
        press(page, "Resume")
        before = run.metrics().steps["step"][-1]
        wait_for(lambda: run.metrics().steps["step"][-1] > before, 60, "it goes on")


def test_a_deep_link_is_the_first_thing_that_a_fresh_server_is_asked_for(open_page, tmp_path):
    with server(tmp_path / "runs") as address:
        page = open_page(f"{address}/train", LAPTOP)
        page.get_by_role("button", name="Start training", exact=True).wait_for(timeout=20_000)
        wait_for(lambda: page.title() == "Train · CNN Lab", 20, "the title that is around the page")
        for title in ("Home", "Train", "Compare", "Segment", "Grad-CAM"):
            page.get_by_test_id("stTopNavLink").filter(has_text=title).wait_for(timeout=20_000)
        assert page.get_by_test_id("stTopNavLink").count() == 5


def test_a_zoom_stays_while_the_curve_grows(open_page, tmp_path):
    run = RunStore(tmp_path / "runs").create(TrainConfig(dataset="mnist-mini", epochs=400))  # outlasts the test
    with server(tmp_path / "runs") as address:
        page = open_page(f"{address}/train?run={run.id}", LAPTOP)
        wait_for(lambda: points(page) > 2, 60, "the first points")
        page.evaluate("Plotly.relayout(document.querySelector('.js-plotly-plot'), {'xaxis.range': [0, 0.5]})")
        seen = points(page)
        wait_for(lambda: points(page) > seen + 2, 60, "the curve grows on")
        assert page.evaluate("document.querySelector('.js-plotly-plot').layout.xaxis.range") == [0, 0.5]
        press(page, "Stop")
