"""Comparing in a real browser: rows picked by the keyboard, curves, a verdict, and a link that brings it all back."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from core.runs import RunStore
from tests.browser.app import LAPTOP, PHONE, points, scrolls_sideways, server
from tests.load.store import make_store
from tests.waiting import wait_for


def add_answers(store):
    """Gives every run of a test's own answers that agree with its test accuracy."""
    for run in store.list():
        assert not run.is_shipped
        right = round(run.test()["accuracy"] * 1000)
        label = np.zeros(1000, np.uint8)
        prediction = (np.arange(1000) >= right).astype(np.uint8)
        np.savez(run.path / "predictions.npz", prediction=prediction, label=label,
                 probability=np.full((1000, 10), 0.1, np.float16))  # fmt: skip


def test_rows_are_picked_their_curves_drawn_and_a_link_brings_them_back(open_page, tmp_path):
    store = RunStore(tmp_path / "runs")
    make_store(store, 4, epochs=20)
    add_answers(store)
    with server(tmp_path / "runs") as address:
        page = open_page(f"{address}/compare?fold=false", LAPTOP)
        page.get_by_text("Pick one row or more").wait_for(timeout=30_000)
        page.locator("[data-testid=data-grid-canvas]").first.focus()
        for said in ("Pick two rows", "points (95 %"):
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Shift+Space")
            page.get_by_text(said).wait_for(timeout=20_000)
        wait_for(lambda: points(page) == 20, 20, "the curves of the picked rows")
        page.locator("[data-test-script-state=notRunning]").wait_for(timeout=20_000)
        for label, beginning in (("Export CSV", "run,test accuracy"), ("Export report", "<!doctype html>")):
            with page.expect_download() as download:
                page.get_by_role("button", name=label).click()
            assert Path(download.value.path()).read_text(encoding="utf-8").startswith(beginning)
        written = open_page(f"file://{shutil.copy(download.value.path(), tmp_path / 'report.html')}", LAPTOP)
        written.get_by_text("points (95 %").wait_for(timeout=20_000)
        wait_for(lambda: points(written, 1) == 20, 20, "the curves of the report")
        link = page.evaluate("location.href")
        assert link.count("runs=") == 2
        tall = open_page(link, {"width": LAPTOP["width"], "height": 3500})  # a table out of sight draws no cells
        tall.get_by_text("Where they differ").wait_for(timeout=20_000)
        tall.locator("[data-test-script-state=notRunning]").wait_for(timeout=60_000)
        tall.locator("[data-testid=stDataFrame]").nth(2).locator("[data-testid=data-grid-canvas]").focus()
        for key in ("ArrowDown", "ArrowUp", "ArrowRight"):  # into the grid, to its first row, past the row's name
            tall.keyboard.press(key)
        tall.get_by_text("airplane, answered airplane").wait_for(timeout=20_000)
        tall.keyboard.press("ArrowRight")
        tall.get_by_text("airplane, answered automobile").wait_for(timeout=20_000)
        assert tall.locator("[data-testid=stImage] img").count() > 3  # the images behind the cell
        tall.goto(tall.evaluate("location.href"))
        tall.get_by_text("airplane, answered automobile").wait_for(timeout=20_000)  # the link brings it back
        again = open_page(link, PHONE)
        again.get_by_text("points (95 %").wait_for(timeout=20_000)
        assert not scrolls_sideways(again)


def test_the_table_follows_a_run_that_learns(open_page, tmp_path):
    store = RunStore(tmp_path / "runs")
    make_store(store, 1, epochs=3)
    run = store.list()[0]
    with run.held(), server(tmp_path / "runs") as address:
        run.set_status(state="running")
        page = open_page(f"{address}/compare?fold=false&dataset=cifar10-mini", LAPTOP)
        cell = page.locator("[data-testid=data-grid-canvas] td")
        cell.get_by_text("running", exact=True).wait_for(state="attached", timeout=30_000)
        run.set_status(state="finished")
        cell.get_by_text("finished", exact=True).wait_for(state="attached", timeout=20_000)
