"""What a browser may send as a drawing beyond what the canvas's own tests send: through the door that pages use."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
import streamlit as st

from core.errors import DataError
from pages.ui import canvas
from tests.browser.app import server
from tests.hostile.visitor import elements, page_named, run, visit

KEY = "drawing"
INK = base64.b64encode(bytes(4096)).decode()
GOOD = {"ink": INK, "number": 3, "version": 1, "pixel": None}


def nested(depth):
    value: object = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.fixture
def say(monkeypatch):
    """Puts something into the session where the canvas's word stands, and reads it as a page does."""

    def read(said, version=1):
        monkeypatch.setattr(st, "session_state", {KEY: said})
        return canvas.read(KEY, version)

    return read


@pytest.mark.parametrize("said", [None, [], "text", 7, {}, {"drawn": None}, {"other": GOOD}, b"", nested(10)])
def test_a_session_without_a_drawing_says_nothing(say, said):
    assert say(said) is None


def test_a_drawing_is_read(say):
    assert say({"drawn": GOOD}).number == 3
    assert say({"drawn": GOOD}, version=2) is None


@pytest.mark.parametrize(
    "payload",
    [
        nested(50_000),
        [GOOD] * 100_000,
        {str(number): 0 for number in range(100_000)},
        {**GOOD, "ink": nested(50_000)},
        {**GOOD, "ink": [256] * 4096},
        {**GOOD, "ink": [-1] * 4096},
        {**GOOD, "ink": [float("nan")] * 4096},
        {**GOOD, "ink": np.zeros((64, 64))},
        {**GOOD, "ink": base64.b64decode(INK)},
        {**GOOD, "ink": bytearray(4096)},
        {**GOOD, "ink": "A" * 25_000_000},
        {**GOOD, "ink": "=" * 5464},
        {**GOOD, "ink": INK[:-1]},
        {**GOOD, "ink": INK + "\n"},
        {**GOOD, "ink": " " + INK},
        {**GOOD, "ink": INK.replace("A", "-")},
        {**GOOD, "ink": "data:image/png;base64," + INK},
        {**GOOD, "ink": INK + INK},
        {**GOOD, "ink": "\x00" * 5464},
        {**GOOD, "number": 2**53 + 1},
        {**GOOD, "number": np.int64(3)},
        {**GOOD, "number": complex(3)},
        {**GOOD, "number": [3]},
        {**GOOD, "version": None},
        {**GOOD, "version": "1" * 1_000_000},
        {**GOOD, "pixel": [-1, 0]},
        {**GOOD, "pixel": [0.5, 1.5]},
        {**GOOD, "pixel": ["1", "2"]},
        {**GOOD, "pixel": [True, False]},
        {**GOOD, "pixel": [1, 2, 3]},
        {**GOOD, "pixel": (1, 2)},
        {**GOOD, "pixel": nested(50_000)},
        {**GOOD, "pixel": [10**400, 0]},
        {**GOOD, "__class__": "x"},
        {"ink": INK},
    ],
    ids=range(35),
)
def test_a_drawing_that_is_none_is_refused_in_words(say, payload):
    with pytest.raises(DataError, match="The canvas sent") as caught:
        say({"drawn": payload})
    assert len(str(caught.value)) < 250
    assert str(caught.value).endswith("draw again.")


@pytest.mark.parametrize("value", range(0, 256, 17))
def test_every_byte_is_a_shade_of_ink(say, value):
    ink = base64.b64encode(bytes([value]) * 4096).decode()
    assert np.array_equal(say({"drawn": {**GOOD, "ink": ink}}).ink, np.full((64, 64), value))


# The same over the line that a browser uses, to the Segment page of a server that really runs


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with server(tmp_path_factory.mktemp("runs")) as own:
        yield own


def boards(heard):
    """The canvas, among what pages have of components."""
    return [one for one in elements(heard, "bidi_component") if one.component_name.endswith("cnnlab_canvas")]


@pytest.fixture
def draw(address):
    """Sends JSON as the state of the canvas, from a tab of its own, and gives what the page then shows."""

    def send(state):
        with visit(address) as (tab, heard):
            page = page_named(heard, "segment")
            (board,) = boards(run(tab, page))
            return run(tab, page, **{board.id: state})

    return send


def test_a_page_that_gets_a_drawing_shows_no_error(draw):
    shown = draw(json.dumps({"drawn": GOOD}))
    assert boards(shown)
    assert not elements(shown, "exception")
    assert not any("The canvas sent" in alert.body for alert in elements(shown, "alert"))


DRAWN = {
    "nothing": {},
    "text": "a",
    "a list": [GOOD],
    "too much": {**GOOD, "ink": "A" * 24_000_000},
    "half a letter": {**GOOD, "ink": "\ud800" * 5464},
    "NaN": {**GOOD, "number": float("nan")},
    "infinity": {**GOOD, "pixel": [float("inf"), 0]},
    "another field": {**GOOD, "__class__": 1},
    "a list in a list": {**GOOD, "ink": nested(200)},
}


@pytest.mark.parametrize("kind", DRAWN)
def test_a_page_that_gets_no_drawing_says_so_and_shows_its_canvas(draw, kind):
    shown = draw(json.dumps({"drawn": DRAWN[kind]}))
    assert not elements(shown, "exception")
    assert boards(shown)
    assert any("The canvas sent" in alert.body.replace("\\", "") for alert in elements(shown, "alert"))


@pytest.mark.parametrize("state", ["[1]", '"x"', "null", "7", "{}", '{"drawn": null}', '{"other": 1}'])
def test_a_page_that_gets_something_else_shows_its_canvas(draw, state):
    shown = draw(state)
    assert not elements(shown, "exception")
    assert boards(shown)


@pytest.mark.parametrize(
    "state", ["{{{", '{"drawn":' + "[" * 100_000 + "]" * 100_000 + "}", '{"drawn": %s}' % ("9" * 9000)]
)
def test_what_is_no_json_spoils_the_tab_that_sent_it_and_no_other(draw, state):
    """No browser sends that, and Streamlit reads it before any page does."""
    (error,) = elements(draw(state), "exception")
    assert not error.stack_trace
    assert not elements(draw("{}"), "exception")
