"""What a real browser makes of names that would like to be more than names."""

from __future__ import annotations

from pages.ui import words
from tests.browser.app import LAPTOP, server
from tests.hostile.wall import NAMES
from tests.waiting import wait_for

SHOWN = """() => [...document.querySelectorAll('[data-testid="stMarkdownContainer"]')].map(
  box => [box.textContent, [...box.querySelectorAll('*')].map(element => element.tagName)])"""


def test_every_name_is_shown_as_the_text_that_it_is(open_page, tmp_path):
    with server(tmp_path, script="tests/hostile/wall.py") as address:
        page = open_page(address, LAPTOP)
        wait_for(lambda: len(page.evaluate(SHOWN)) == len(NAMES), 60, "all names")
        shown = page.evaluate(SHOWN)
        asked = page.evaluate("() => performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [text.replace(words.JOINER, "") for text, _ in shown] == list(NAMES)
    assert {element for _, elements in shown for element in elements} <= {"P", "DIV"}
    assert not [link for link in asked if not link.startswith((address, "data:", "blob:"))]
