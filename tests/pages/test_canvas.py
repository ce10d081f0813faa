"""What the canvas accepts from a browser, what it sends, and whether its colours can be told apart."""

from __future__ import annotations

import base64
import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DataError
from pages.ui import canvas
from pages.ui.canvas import CLASS_COLOURS, Answer, parse

BLANK = base64.b64encode(bytes(4096)).decode()
GOOD = {"ink": BLANK, "number": 3, "version": 1, "pixel": None}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
SIGHTS = {  # linear RGB as it is seen without one kind of cone. Source: Machado and others, 2009, severity 1
    "full": np.eye(3),
    "no red": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                        [-0.003882, -0.048116, 1.051998]]),
    "no green": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                          [-0.011820, 0.042940, 0.968881]]),
    "no blue": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                         [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip


def changed(**parts):
    return {**GOOD, **parts}


def test_a_drawing_comes_through_as_it_was_drawn():
    ink = np.arange(4096, dtype=np.uint32).astype(np.uint8).reshape(64, 64)
    drawn = parse(changed(ink=base64.b64encode(ink.tobytes()).decode(), pixel=[63, 0]))
    assert (drawn.ink == ink).all()
    assert (drawn.number, drawn.version, drawn.pixel) == (3, 1, (63, 0))
    drawn.ink[0, 0] = 1  # a tensor made from it can be written to


def nested(depth):
    return [] if depth == 0 else [nested(depth - 1)]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (None, "something else than a drawing"),
        ([GOOD], "something else than a drawing"),
        ({}, "something else than a drawing"),
        (changed(more="x"), "something else than a drawing"),
        (changed(ink=[0] * 4096), "of the type list"),
        (changed(ink={"ink": BLANK}), "of the type dict"),
        (changed(ink=nested(900)), "of the type list"),
        (changed(ink=""), "ink of 0 bytes"),
        (changed(ink=base64.b64encode(bytes(4095)).decode()), "ink of 4,095 bytes"),
        (changed(ink=base64.b64encode(bytes(4097)).decode()), "ink of 4,097 bytes"),
        (changed(ink="A" * 20_001), "ink of 20,001 characters"),
        (changed(ink="not base64!"), "ink that is not base64"),
        (changed(ink="é" * 5464), "ink that is not base64"),
        (changed(ink="\ud800" * 5464), "ink that is not base64"),
        (changed(number=float("nan")), "a number that does not count"),
        (changed(number=1.0), "a number that does not count"),
        (changed(number=True), "a number that does not count"),
        (changed(number=-1), "a number that does not count"),
        (changed(number=10**300), "a number that does not count"),
        (changed(number="3"), "a number that does not count"),
        (changed(version=float("inf")), "a version that does not count"),
        (changed(pixel=[float("nan"), 1]), "a picked pixel that does not count"),
        (changed(pixel=[1]), "a picked pixel that is no pair"),
        (changed(pixel={"x": 1, "y": 2}), "a picked pixel that is no pair"),
        (changed(pixel=[[1], [2]]), "a picked pixel that does not count"),
        (changed(pixel=[64, 0]), "a picked pixel outside the canvas"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_canvas_sends_is_refused_in_words(payload, words):
    with pytest.raises(DataError, match=words):
        parse(payload)


def test_25_megabytes_are_refused_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr(canvas.base64, "b64decode", lambda *_, **__: pytest.fail("it was decoded"))
    with pytest.raises(DataError, match="25,000,000 characters") as error:
        parse(changed(ink="A" * 25_000_000))
    assert len(str(error.value)) < 200


@given(JSON | st.builds(changed, ink=JSON | st.just(BLANK), number=JSON, version=JSON, pixel=JSON))
def test_nothing_but_a_data_error_is_ever_raised(payload):
    try:
        drawn = parse(payload)
    except DataError:
        return
    assert drawn.ink.shape == (64, 64)


@pytest.fixture
def browser(monkeypatch):
    """The browser's side: what it was sent, and the session in which its word stands."""

    class Browser:
        said: dict = {}  # noqa: RUF012
        sent: dict

        def says(self, payload):
            self.said["drawing"] = {"drawn": payload}

    fake = Browser()
    fake.said = {}
    monkeypatch.setattr(canvas.st, "session_state", fake.said)
    monkeypatch.setattr(canvas, "_board", lambda *, key, data: setattr(fake, "sent", json.loads(json.dumps(data))))
    return fake


def show(answer=None, ink=None, version=1):
    return canvas.canvas("drawing", answer=answer, ink=ink, version=version, overlay=0.5, show="classes")


def test_an_empty_canvas_says_nothing(browser):
    assert show() is None
    assert browser.sent["ink"] is None
    assert browser.sent["heard"] == 0
    assert browser.sent["answer"] is None


def test_an_answer_goes_along_with_every_probability(browser):
    browser.says(GOOD)
    probabilities = np.random.default_rng(0).integers(0, 256, (11, 64, 64), np.uint8)
    labels = probabilities.argmax(0).astype(np.uint8)
    region = {"digit": np.uint8(7), "confidence": np.float32(0.5), "box": tuple(np.arange(1, 5))}
    assert show(Answer(3, labels, probabilities, [region])).number == 3
    answer = browser.sent["answer"]
    assert base64.b64decode(answer["probabilities"]) == probabilities.tobytes()
    assert base64.b64decode(answer["labels"]) == labels.tobytes()
    assert answer["regions"] == [{"digit": 7, "confidence": 0.5, "box": [1, 2, 3, 4]}]
    assert browser.sent["heard"] == 3


def test_without_a_network_the_canvas_hears_that_it_was_heard(browser):
    browser.says(GOOD)
    show()
    assert browser.sent["heard"] == 3


def test_what_was_drawn_before_python_set_new_ink_counts_no_more(browser):
    browser.says(GOOD)
    scene = np.full((64, 64), 9, np.uint8)
    assert show(ink=scene, version=2) is None
    assert base64.b64decode(browser.sent["ink"]) == scene.tobytes()


def test_a_canvas_that_is_built_anew_gets_what_was_drawn_last(browser):
    drawn = base64.b64encode(bytes([5]) * 4096).decode()
    browser.says(changed(ink=drawn))
    show(ink=np.zeros((64, 64), np.uint8))
    assert browser.sent["ink"] == drawn


def test_after_nonsense_the_canvas_is_there_all_the_same(browser):
    browser.says("nonsense")
    with pytest.raises(DataError):
        canvas.read("drawing", 1)
    assert show() is None
    assert browser.sent["version"] == 1


def linear(colour):
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def oklab(light):
    """Source: https://bottosson.github.io/posts/oklab."""
    cones = np.cbrt(np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                              [0.0883024619, 0.2817188376, 0.6299787005]]) @ np.clip(light, 0, 1))  # fmt: skip
    return np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                     [0.0259040371, 0.7827717662, -0.8086757660]]) @ cones  # fmt: skip


def nearest(colours, sight):
    seen = [oklab(SIGHTS[sight] @ linear(colour)) for colour in colours]
    return min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2))


@pytest.mark.parametrize("sight", SIGHTS)
def test_no_two_class_colours_look_alike(sight):
    assert len(CLASS_COLOURS) == 10
    assert nearest(CLASS_COLOURS, sight) > 0.06


def test_the_colours_that_most_charts_use_would_look_alike():
    common = [
        "#1f77b4",
        "#ff7f0e",
        "#2ca02c",
        "#d62728",
        "#9467bd",
        "#8c564b",
        "#e377c2",
        "#7f7f7f",
        "#bcbd22",
        "#17becf",
    ]
    assert min(nearest(common, sight) for sight in SIGHTS) < 0.01


@pytest.mark.parametrize("colour", CLASS_COLOURS)
def test_every_class_colour_stands_out_from_the_black_canvas(colour):
    luminance = linear(colour) @ np.array([0.2126, 0.7152, 0.0722])
    assert (luminance + 0.05) / 0.05 >= 3
