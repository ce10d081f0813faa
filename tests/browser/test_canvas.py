"""The canvas in a real browser: mouse, touch and keys, with a network that sees a 7 wherever there is ink."""

from __future__ import annotations

import base64
import re

import pytest

from pages.ui.canvas import CLASS_COLOURS
from tests.browser.app import LAPTOP, MAIN, PHONE, scrolls_sideways, server
from tests.browser.canvas import WATCH, Canvas
from tests.browser.conftest import ARTEFACTS
from tests.browser.contrast import contrast
from tests.load.table import percentile
from tests.waiting import wait_for

SCRIPT = """
import numpy as np
import streamlit as st

from core.errors import LabError
from pages.ui import canvas

st.set_page_config(layout="wide")
st.title("Canvas")
state = st.session_state
state.setdefault("version", 0)
state.setdefault("ink", None)
if st.button("Scene"):
    state.version += 1
    state.ink = np.zeros((64, 64), np.uint8)
    state.ink[10:20, 10:20] = 200


def seven(ink, number):
    labels = np.where(ink > 127, 7, 10).astype(np.uint8)
    probabilities = np.zeros((11, 64, 64), np.uint8)
    probabilities[7], probabilities[10] = ink, 255 - ink
    ys, xs = np.nonzero(ink > 127)
    regions = []
    if len(xs):
        box = (int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max()))
        regions = [{"digit": 7, "confidence": 0.98, "box": box}]
    return canvas.Answer(number, labels, probabilities, regions)


@st.fragment
def draw():
    overlay = st.slider("Overlay", 0.0, 1.0, 0.5)
    show = st.selectbox("Show", canvas.SHOWS)
    drawn = canvas.read("drawing", state.version)
    ink = drawn.ink if drawn else state.ink
    number = drawn.number if drawn else 0
    network = st.query_params.get("network")
    answer = None if ink is None or network == "none" else seven(ink, 0 if network == "deaf" else number)
    canvas.canvas("drawing", answer=answer, ink=state.ink, version=state.version, overlay=overlay, show=show)
    total = 0 if ink is None else int(ink.sum())
    st.text(f"sum {total}; number {number}; pixel {drawn.pixel if drawn else None}.")


draw()
for line in range(40):
    st.text(f"line {line}")
"""

PIXELS = "canvas => [...canvas.getContext('2d').getImageData(0, 0, 64, 64).data]"
SCROLLED = f"{MAIN}.scrollTop"
SETTLING = 300  # milliseconds in the page: after an answer the canvas waits for 60, and then sends what is new
SEVEN = [int(CLASS_COLOURS[7][at : at + 2], 16) for at in (1, 3, 5)]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    script = tmp_path_factory.mktemp("canvas") / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    with server(script.parent, "--client.toolbarMode=developer", script=str(script)) as address:
        yield address


class Board(Canvas):
    """The canvas on a page of the test's own; `sent` has the number of each of its messages, and when it left."""

    def __init__(self, page, sent):
        super().__init__(page)
        self.sent = sent

    def pixel(self, x, y):
        """Its colour, [red, green, blue]."""
        at = 4 * (64 * y + x)
        return self.ink.evaluate(PIXELS)[at : at + 3]

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def said(self):
        """(sum of the ink, number, pixel) as Python writes them."""
        text = self.page.get_by_text(re.compile(r"^sum \d+;")).inner_text()
        return re.fullmatch(r"sum (\d+); number (\d+); pixel (.+)\.", text).groups()

    def ink_in_python(self):
        return int(self.said()[0])

    def settled(self):
        """Sum of the ink, once Python has heard all of it: the last message is answered, and no other one follows."""
        last = None
        while last != self.sent[-1:]:
            last = self.sent[-1:]
            wait_for(lambda: [self.said()[1]] == [str(number) for number, _ in self.sent[-1:]], 20, "the last message")
            self.page.evaluate(f"new Promise(later => setTimeout(later, {SETTLING}))")
        return self.ink_in_python()

    def is_pressed(self, name):
        return self.page.get_by_role("button", name=name, exact=True).get_attribute("aria-pressed") == "true"

    def hears(self, condition, what, seconds=20):
        wait_for(lambda: condition(self.ink_in_python()), seconds, what)


def messages(page):
    """A list to which each message of the canvas on this page is added as it leaves: its number and the second."""
    sent, session = [], page.context.new_cdp_session(page)

    def note(event):
        if found := re.search(rb'"number":(\d+)', base64.b64decode(event["response"]["payloadData"])):
            sent.append((int(found[1]), event["timestamp"]))

    session.on("Network.webSocketFrameSent", note)
    session.send("Network.enable")
    return sent


@pytest.fixture
def open_board(browser, address, request):
    """Opens boards in contexts of their own; afterwards keeps a picture of each, and fails if one showed an error."""
    boards = []

    def open_one(query="", viewport=LAPTOP, **context):
        page = browser.new_context(viewport=viewport, **context).new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(error))
        sent = messages(page)
        page.goto(f"{address}/{query}")
        boards.append((Board(page, sent), errors))
        return boards[-1][0]

    yield open_one
    ARTEFACTS.mkdir(exist_ok=True)
    boxes = 0
    for number, (board, errors) in enumerate(boards):
        board.page.screenshot(path=ARTEFACTS / f"{request.node.name}-{number}.png")
        boxes += board.page.locator('[data-testid="stException"]').count() + len(errors)
        board.page.context.close()
    assert not boxes


def mixed(ink, colour=SEVEN):
    return [round(ink + (part - ink) / 2) for part in colour]


def near(one, other):
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 1


def test_a_stroke_reaches_python_while_it_is_drawn_and_the_answer_lies_over_it(open_board):
    board = open_board()
    assert board.pixel(20, 32) == [0, 0, 0]
    board.page.mouse.move(*board.place(10, 31.5))
    board.page.mouse.down()
    board.page.mouse.move(*board.place(30, 31.5), steps=10)
    board.hears(lambda total: total > 20 * 3 * 250, "ink, with the button still held")
    early = board.ink_in_python()
    wait_for(lambda: near(board.pixel(20, 32), mixed(255)), 20, "the overlay, with the button still held")
    board.page.mouse.move(*board.place(50, 31.5), steps=10)
    board.page.mouse.up()
    board.hears(lambda total: total > 1.8 * early, "the rest of the stroke")
    board.page.get_by_text("Digits read: 7 (98 %)").wait_for(timeout=20_000)
    assert board.pixel(20, 31) == board.pixel(20, 32)
    assert near(board.pixel(20, 30), mixed(128)), "the edge, half covered, is grey"
    assert board.pixel(20, 29) == [0, 0, 0]


def test_undo_clear_and_eraser(open_board):
    board = open_board()
    undo = board.page.get_by_role("button", name="Undo", exact=True)
    assert undo.get_attribute("aria-disabled") == "true"
    board.stroke((10, 20), (50, 20))
    first = board.settled()
    board.stroke((10, 40), (50, 40))
    assert board.settled() == 2 * first
    board.press("Undo")
    board.hears(lambda total: total == first, "the first stroke alone")
    board.press("Clear")
    board.hears(lambda total: total == 0, "nothing")
    assert board.pixel(20, 20) == [0, 0, 0]
    board.press("Undo")
    board.hears(lambda total: total == first, "Clear can be undone")
    board.press("Eraser")
    wait_for(lambda: board.is_pressed("Eraser"), 20, "the eraser")
    board.stroke((30, 10), (30, 30))
    board.hears(lambda total: 0.8 * first < total < first, "a gap")
    wait_for(lambda: board.pixel(30, 20) == [0, 0, 0], 20, "a black gap")
    for _ in range(2):
        board.press("Undo")
    board.hears(lambda total: total == 0, "back at the beginning")
    assert undo.get_attribute("aria-disabled") == "true"


def test_twenty_strokes_can_be_undone_one_by_one(open_board):
    board = open_board()
    for row in range(21):
        board.stroke((5, 3 * row), (15, 3 * row), steps=1)
    for _ in range(21):
        board.page.keyboard.press("Control+z")
    board.hears(lambda total: total == 0, "nothing left")


def test_the_size_of_the_brush(open_board):
    board = open_board()
    board.page.get_by_role("slider", name=re.compile("^Size")).fill("6")
    board.page.get_by_text("6 px").wait_for()
    board.stroke((32, 32), (32, 32))
    board.hears(lambda total: abs(total / 255 - 9 * 3.1416) < 1.5, "a disc of radius 3")


def test_drawing_with_the_keyboard(open_board):
    board = open_board()
    board.page.get_by_text("Drawing with the keyboard").focus()
    board.page.keyboard.press("Shift+Tab")
    keys = board.page.keyboard
    where = board.page.locator(".where")
    wait_for(lambda: where.inner_text() == "Pixel 32, 32", 20, "the cursor where it is")
    keys.press("Shift+ArrowLeft")
    keys.press("ArrowUp")
    keys.press("Space")
    for _ in range(5):
        keys.press("Shift+ArrowRight")
    wait_for(lambda: "Pixel 48, 31: 7 (" in where.inner_text(), 20, "what is read at the cursor")
    assert where.inner_text().endswith(", pen down")
    board.page.screenshot(path=ARTEFACTS / "canvas-keyboard.png")
    keys.press("Space")
    keys.press("ArrowDown")
    board.hears(lambda total: abs(total / 255 - (20 * 3 + 9 / 4 * 3.1416)) < 2, "a line of 20 by 3 pixels, round ends")
    line = board.settled()
    keys.press("Delete")
    wait_for(lambda: board.is_pressed("Eraser"), 20, "the eraser")
    keys.press("Space")
    keys.press("Space")
    board.hears(lambda total: 0 < total < line, "a piece less")
    keys.press("Control+z")
    board.hears(lambda total: total == line, "the line again")
    keys.press("c")
    board.hears(lambda total: total == 0, "nothing")
    assert board.page.get_by_role("dialog").count() == 0, "C is Streamlit's key for its caches"


def test_a_finger_draws_and_does_not_scroll_but_scrolls_elsewhere(open_board):
    board = open_board(viewport=PHONE, has_touch=True, is_mobile=True)
    finger = board.page.context.new_cdp_session(board.page)

    def swipe(start, end):
        points = [
            {"x": start[0] + (end[0] - start[0]) * part / 8, "y": start[1] + (end[1] - start[1]) * part / 8}
            for part in range(9)
        ]
        finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [points[0]]})
        for point in points[1:]:
            finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    before = board.page.evaluate(SCROLLED)
    swipe(board.place(32, 55), board.place(32, 15))
    board.hears(lambda total: abs(total / 255 - (40 * 3 + 9 / 4 * 3.1416)) < 2, "a line of 40 by 3 pixels")
    assert board.page.evaluate(SCROLLED) == before
    board.page.wait_for_timeout(300)
    board.page.screenshot(path=ARTEFACTS / "canvas-phone.png")
    assert not scrolls_sideways(board.page)
    bars = board.page.locator(".bars")
    bars.scroll_into_view_if_needed()
    before, below = board.page.evaluate(SCROLLED), bars.bounding_box()
    swipe((200, below["y"] + 40), (200, below["y"] - 260))
    wait_for(lambda: board.page.evaluate(SCROLLED) > before + 50, 20, "the page scrolls beside the canvas")


def test_a_pixel_says_its_classes_at_once_and_is_picked_with_look(open_board):
    board = open_board()
    board.stroke((10, 32), (50, 32))
    assert board.settled() > 0
    number = board.said()[1]
    height = board.page.locator(".side").bounding_box()["height"]
    board.page.mouse.move(*board.place(20, 32))
    bars = board.page.locator(".bars li")
    wait_for(lambda: bars.nth(7).inner_text().split() == ["7", "100", "%"], 20, "the bars of ink")
    board.page.mouse.move(*board.place(20, 5))
    wait_for(lambda: bars.nth(10).inner_text().split() == ["background", "100", "%"], 20, "the bars of no ink")
    assert board.said()[1] == number, "no round trip"
    board.press("Look")
    board.page.mouse.click(*board.place(21, 33))
    wait_for(lambda: board.said()[2] == "(21, 33)", 20, "the picked pixel")
    board.page.mouse.move(5, 5)
    wait_for(lambda: "Pixel 21, 33: 7" in board.page.locator(".where").inner_text(), 20, "the picked pixel stays")
    assert board.page.locator(".side").bounding_box()["height"] == height, "nothing jumps"
    assert board.ink_in_python() > 0


def test_python_sets_the_ink_and_undo_gives_the_drawing_back(open_board):
    board = open_board()
    board.stroke((40, 40), (50, 50))
    stroke = board.settled()
    board.press("Scene")
    board.hears(lambda total: total == 100 * 200, "the scene")
    wait_for(lambda: near(board.pixel(15, 15), mixed(200)), 20, "the scene and what is read in it")
    assert board.pixel(45, 45) == [0, 0, 0]
    board.press("Undo")
    board.hears(lambda total: total == stroke, "the drawing")
    board.press("Scene")
    board.hears(lambda total: total == 100 * 200, "the scene, once more")
    board.stroke((40, 40), (50, 50))
    board.hears(lambda total: total > 100 * 200, "ink on the scene")


def test_what_lies_over_the_ink_can_be_chosen(open_board):
    board = open_board()
    board.stroke((10, 31.5), (50, 31.5))  # between two rows: grey edges
    wait_for(lambda: near(board.pixel(20, 32), mixed(255)), 20, "classes")

    def choose(name):
        board.page.get_by_role("combobox").click()
        board.page.get_by_role("option", name=name, exact=True).click()

    choose("7")
    wait_for(lambda: near(board.pixel(20, 32), [254, 255, 210]), 20, "a sure 7: the lightest of the colours, on white")
    assert near(board.pixel(20, 5), [0, 0, 2]), "no 7: black"
    board.page.get_by_text("100 % 7").wait_for()
    choose("entropy")
    wait_for(lambda: near(board.pixel(20, 32), [128, 128, 130]), 20, "a sure pixel of ink: black over white")
    assert near(board.pixel(20, 30), mixed(128, [103, 22, 106])), "half ink: one bit of log2(11)"
    choose("background")
    wait_for(lambda: near(board.pixel(20, 5), [126, 127, 82]), 20, "sure background")


def test_without_a_network_the_ink_goes_on_to_python_and_nothing_is_sent_twice(open_board):
    board = open_board("?network=none")
    board.stroke((10, 32), (50, 32))
    assert board.settled() > 0
    number = board.said()[1]
    board.page.wait_for_timeout(3500)
    assert board.said()[1] == number
    assert board.pixel(20, 32) == [255, 255, 255]


def test_a_message_without_an_answer_is_sent_again_after_three_seconds(open_board):
    board = open_board("?network=deaf")
    board.stroke((10, 32), (11, 32), steps=1)
    board.hears(lambda total: total > 0, "a stroke")
    first = int(board.said()[1])
    wait_for(lambda: int(board.said()[1]) == first + 1, 20, "the same once more, with the newest ink")
    when = dict(reversed(board.sent))  # each number's first time
    assert when[first + 1] - when[first] > 2.9


def test_how_long_from_a_move_to_its_overlay(open_board):
    board = open_board()
    board.stroke((4, 4), (8, 4))
    board.hears(lambda total: total > 0, "a stroke")
    board.ink.evaluate(WATCH)
    for row in range(10, 60, 8):
        board.page.mouse.move(*board.place(4, row))
        board.page.mouse.down()
        for column in range(8, 60, 4):
            board.page.mouse.move(*board.place(column, row))
            board.page.wait_for_timeout(25)
        board.page.mouse.up()
    wait_for(lambda: board.page.evaluate("window.delays.length") >= 80, 20, "the overlay of most moves")
    assert int(board.said()[1]) > 10, "one message after the other, each as soon as the former was answered"
    delays = board.page.evaluate("window.delays")
    middle, slow = percentile(delays, 0.5), percentile(delays, 0.95)
    print(f"\nfrom a move to its overlay: median {middle:.0f} ms, 95 of 100 within {slow:.0f} ms, n = {len(delays)}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_words_and_buttons_can_be_read(open_board, scheme, viewport):
    board = open_board(viewport=viewport, color_scheme=scheme)
    board.stroke((20, 12), (44, 12), (28, 50))
    board.page.get_by_text("Digits read: 7 (98 %)").wait_for(timeout=20_000)
    board.page.mouse.move(*board.place(30, 12))
    small = board.page.evaluate("""() => {
      const root = [...document.querySelectorAll('*')].map(e => e.shadowRoot).find(r => r && r.querySelector('.board'))
      const small = [...root.querySelectorAll('.board *')].filter(e => parseFloat(getComputedStyle(e).fontSize) < 14)
      return small.map(e => e.outerHTML)
    }""")
    assert small == []
    pressed = board.page.get_by_role("button", name="Brush", exact=True)
    for button in (pressed, board.page.get_by_role("button", name="Clear", exact=True)):
        assert contrast(button.evaluate("b => [getComputedStyle(b).color, getComputedStyle(b).backgroundColor]")) > 4.5
        assert button.bounding_box()["height"] >= 40
