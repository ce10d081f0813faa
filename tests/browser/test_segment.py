"""Drawing on the real page, with the network that ships: by mouse and by finger, and what stands around it."""

from __future__ import annotations

import re

import pytest

from tests.browser.app import LAPTOP, MAIN, PHONE, scrolls_sideways, server
from tests.browser.canvas import Canvas

SEVEN = ((5, 7), (24, 8), (13, 30))
TWO = ((38, 42), (42, 37), (50, 36), (55, 41), (53, 47), (38, 59), (58, 59))
BOTH = re.compile(r"Digits read: 7 \(\d+ %\), 2 \(\d+ %\)")
SCROLLED = f"{MAIN}.scrollTop"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with server(tmp_path_factory.mktemp("segment") / "runs") as address:
        yield address


def test_a_seven_and_a_two_drawn_with_the_mouse_are_read_and_the_others_are_asked(open_page, address):
    page = open_page(f"{address}/segment", LAPTOP)
    board = Canvas(page)
    page.get_by_text("The field is empty").wait_for(timeout=20_000)
    board.stroke(*SEVEN)
    board.stroke(*TWO)
    page.get_by_text(BOTH).wait_for(timeout=20_000)
    page.get_by_role("button", name="Ask the MLP and the CNN").click()
    page.get_by_text("centred to 28x28").wait_for(timeout=20_000)
    page.get_by_role("button", name="Look").click()
    page.mouse.click(*board.place(14, 7))
    page.get_by_text("Pixel 14, 7").last.wait_for(timeout=20_000)
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("The field is empty").wait_for(timeout=20_000)


def test_a_finger_draws_the_same_without_scrolling(browser, address):
    page = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True).new_page()
    page.goto(f"{address}/segment")
    board = Canvas(page)
    before = page.evaluate(SCROLLED)
    board.touch(*SEVEN)
    board.touch(*TWO)
    page.get_by_text(BOTH).wait_for(timeout=20_000)
    assert page.evaluate(SCROLLED) == before
    assert not scrolls_sideways(page)
    page.context.close()


def test_a_random_scene_has_its_truth_and_a_link_brings_it_back(open_page, address):
    page = open_page(f"{address}/segment", LAPTOP)
    Canvas(page)
    page.get_by_role("button", name="Random scene").click()
    said = page.get_by_text("Intersection over union with the truth")
    said.wait_for(timeout=20_000)
    words, link = said.inner_text(), page.evaluate("location.href")
    assert "scene=" in link
    again = open_page(link, LAPTOP)
    again.get_by_text(words).wait_for(timeout=20_000)
