"""A Chromium for all browser tests, and pages in it whose pictures are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser.app import FLAGS, chromium

ARTEFACTS = Path("artefacts")


def pytest_itemcollected(item):
    """All tests of this folder need a Chromium; CI fails without one."""
    item.add_marker(pytest.mark.browser)
    item.add_marker(pytest.mark.skipif(not chromium() and not os.environ.get("CI"), reason="needs a Chromium"))


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    assert chromium(), "CI needs a Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, request):
    """Opens pages of a size; afterwards keeps a picture of each, and fails if one showed an exception."""
    opened = []

    def open_one(address, viewport):
        page = browser.new_context(viewport=viewport).new_page()
        page.goto(address)
        opened.append(page)
        return page

    yield open_one
    ARTEFACTS.mkdir(exist_ok=True)
    boxes = 0
    for number, page in enumerate(opened):
        page.screenshot(path=ARTEFACTS / f"{request.node.name}-{number}.png")
        boxes += page.locator('[data-testid="stException"]').count()
        page.context.close()
    assert not boxes
