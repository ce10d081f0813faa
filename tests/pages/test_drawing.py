"""A network drawn: what the picture shows, what its words say, and that it fits a phone."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from core import models
from core.models.blueprint import blueprint_of
from pages.ui import drawing

NAMES = models.names()
LETTER = 0.62  # of the font size: a wide letter of a wide font
SVG = "{http://www.w3.org/2000/svg}"


def plan(name):
    shape, classes = ((1, 64, 64), 11) if models.describe(name).task == "masks" else ((3, 32, 32), 10)
    return blueprint_of(name, shape, classes, 64)


def drawn(name, theme="light"):
    return ElementTree.fromstring(drawing.svg(plan(name), theme))


def texts(picture):
    return [(element.text, float(element.get("x")), float(element.get("y"))) for element in picture.iter(f"{SVG}text")]


def arcs(picture, kind):
    return [path for path in picture.iter(f"{SVG}path") if path.get("class") == kind]


def test_skip_connections_are_arcs_in_the_resnet_and_absent_in_the_convnet():
    resnet, convnet = drawn("resnet"), drawn("convnet")
    assert (len(arcs(resnet, "skip")), len(arcs(convnet, "skip"))) == (7, 0)
    words = [text for text, _, _ in texts(resnet)]
    assert sum(text.startswith("skip connection") for text in words) == 7
    assert not [text for text, _, _ in texts(convnet) if "skip" in text]


def test_all_else_of_the_two_stands_at_the_same_place():
    resnet, convnet = drawn("resnet"), drawn("convnet")
    assert resnet.get("viewBox") == convnet.get("viewBox")
    words = [{(text.removesuffix(", mean of each map"), x, y) for text, x, y in texts(picture) if "skip" not in text}
             for picture in (resnet, convnet)]  # fmt: skip
    assert words[0] == words[1]
    bars = [{tuple(sorted(bar.attrib.items())) for bar in picture.iter(f"{SVG}rect")} for picture in (resnet, convnet)]
    assert bars[0] == bars[1]


@pytest.mark.parametrize("name", NAMES)
def test_layers_stand_in_their_order_and_everything_lies_inside_of_the_picture(name):
    picture, found = drawn(name), plan(name)
    width, height = map(float, picture.get("viewBox").split()[2:])
    names = [drawing.what(step) for step in found.steps if step.name]
    rows = [(text, y) for text, x, y in texts(picture) if x == drawing.LABEL and text in {*names}]
    assert [text for text, _ in rows] == names
    assert [y for _, y in rows] == sorted({y for _, y in rows})
    for element in picture.iter(f"{SVG}text"):
        length = len(element.text) * LETTER * float(element.get("font-size"))
        x = float(element.get("x"))
        assert 0 < float(element.get("y")) < height
        assert x - length >= 0 if element.get("text-anchor") == "end" else x + length <= width, element.text
    for path in picture.iter(f"{SVG}path"):
        numbers = [float(n) for n in re.findall(r"(?<=[MHQ])-?[\d.]+", path.get("d"))]
        assert all(0 <= number <= width for number in numbers), path.get("d")


@pytest.mark.parametrize("name", NAMES)
def test_arcs_that_run_side_by_side_have_lanes_of_their_own(name):
    picture = drawn(name)
    spans = {}
    for path in [*arcs(picture, "skip"), *arcs(picture, "arc")]:
        begin, lane, end = re.match(r"M[\d.]+ ([\d.]+)H[\d.]+Q([\d.]+) .*V([\d.]+)Q", path.get("d")).groups()
        spans.setdefault(lane, []).append((float(begin), float(end)))
    for lane in spans.values():
        lane.sort()
        assert all(before[1] <= after[0] for before, after in pairwise(lane))


@pytest.mark.parametrize("name", NAMES)
def test_no_label_runs_into_the_numbers_beside_it(name):
    rows = {}
    for text, x, y in texts(drawn(name)):
        rows.setdefault(y, []).append((text, x))
    for row in rows.values():
        label = next((text for text, x in row if x == drawing.LABEL), None)
        first = next((text for text, x in row if x == drawing.FIRST), None)
        if label and first:
            assert drawing.LABEL + len(label) * 13 * 0.52 < drawing.FIRST - len(first) * 13 * 0.52, label


@pytest.mark.parametrize("name", NAMES)
def test_picture_words_and_table_agree_on_the_totals(name):
    found = plan(name)
    said, rows = drawing.in_words("It", found), drawing.rows(found)
    for column, total in (("parameters", found.parameters), ("multiply-adds", found.multiply_adds)):
        assert f"{total:,} {column}" in said
        assert sum(row[column] for row in rows) == total
        assert drawing.short(total) in [text for text, _, _ in texts(drawn(name))]
    assert [row["layer"] for row in rows] == [step.name for step in found.steps if step.name]


def test_words_say_how_many_skip_connections_there_are():
    assert "7 skip connections, each around 2 layers" in drawing.in_words("ResNet", plan("resnet"))
    assert "no skip connection" in drawing.in_words("ConvNet", plan("convnet"))
    assert "4 skip connections, each around 1 layer." in drawing.in_words("FCN", plan("fcn"))


def test_the_dark_drawing_has_other_colours_and_the_same_content():
    light, dark = drawn("cnn"), drawn("cnn", "dark")
    assert texts(light) == texts(dark)
    assert {text.get("fill") for text in light.iter(f"{SVG}text")}.isdisjoint(
        text.get("fill") for text in dark.iter(f"{SVG}text")
    )


@pytest.mark.parametrize(("number", "said"), [
    (7, "7"), (312, "312"), (1512, "1.51 k"), (36_992, "37.0 k"), (885_106, "885 k"), (5_262_346, "5.26 M"),
    (157_260_064, "157 M"), (2_500_000_000, "2.50 G"), (999_600, "1.00 M"), (99_960, "100 k"), (9_996, "10.0 k"),
])  # fmt: skip
def test_counts_have_three_digits(number, said):
    assert drawing.short(number) == said
