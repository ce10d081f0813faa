"""The way of somebody with a phone: from the first page to a network that learned, and into the table of all runs."""

from __future__ import annotations

import re

from core.runs import RunStore
from tests.browser.app import PHONE, points, scrolls_sideways, server
from tests.waiting import wait_for


def tap(page, role, name):
    page.get_by_role(role, name=name, exact=True).tap()


def test_a_first_network_is_trained_stopped_and_found_in_the_table_by_touch_alone(browser, tmp_path):
    page = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True).new_page()
    with server(tmp_path / "runs") as address:
        page.goto(address)
        tap(page, "button", "Train a first network")
        wait_for(lambda: points(page) > 3, 60)
        assert not scrolls_sideways(page)
        run = next(run for run in RunStore(tmp_path / "runs").list() if not run.is_shipped)
        tap(page, "button", "Stop")
        wait_for(lambda: run.status().state in ("stopped", "finished"), 60)
        page.get_by_text("Test accuracy").first.wait_for(timeout=20_000)
        page.get_by_test_id("stExpandSidebarButton").tap()
        page.get_by_role("link", name="Compare").tap()
        page.get_by_role("heading", name="Compare").wait_for(timeout=20_000)
        page.locator("[data-testid=data-grid-canvas]").first.wait_for(state="attached", timeout=20_000)
        page.wait_for_url(re.compile("/compare"))
        assert not scrolls_sideways(page)
        page.goto(f"{address}/compare?runs={run.id}")
        page.get_by_text("The sealed test set").wait_for(timeout=30_000)
        assert not scrolls_sideways(page)
        assert page.get_by_test_id("stException").count() == 0
    page.context.close()
