"""What the pages ask for in a real browser: all of it comes from the server itself."""

from __future__ import annotations

import pytest

from tests.browser.app import LAPTOP, server

PAGES = {"": "CNN Lab", "train": "Train", "compare": "Compare", "segment": "Segment", "gradcam": "Grad-CAM"}  # titles


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with server(tmp_path_factory.mktemp("requests") / "runs") as address:
        yield address


@pytest.mark.parametrize("path", PAGES, ids=["home", "train", "compare", "segment", "gradcam"])
def test_a_page_and_its_icon_ask_no_other_host_for_anything(browser, address, path):
    page, asked = browser.new_context(viewport=LAPTOP).new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/{path}")
    page.get_by_role("heading", name=PAGES[path], exact=True).wait_for(timeout=60_000)
    page.locator("[data-test-script-state=notRunning]").wait_for(timeout=60_000)
    page.wait_for_load_state("networkidle")
    page.context.close()
    assert len(asked) > 20
    assert [url for url in asked if not url.startswith((f"{address}/", "data:", "blob:"))] == []
