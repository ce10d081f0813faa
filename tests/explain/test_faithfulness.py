"""Verdicts on maps of networks that are known to look at one part of the picture."""

from __future__ import annotations

import math

import pytest
import torch

from core import explain
from core.errors import ConfigError
from core.explain.faithfulness import STEPS, Curves, curves, how_faithful, judged, orders_of, random_orders
from tests.explain.nets import Watcher

SIDE = 16
QUARTER = (slice(0, 8), slice(0, 8))


@pytest.fixture
def picture():
    image = torch.zeros(1, SIDE, SIDE)
    image[0, :8, :8] = 1.0
    return image


def map_of(rows, columns):
    raw = torch.zeros(4, 4)
    raw[rows, columns] = 1.0
    return raw


def test_the_true_map_explains_and_its_opposite_does_not(picture):
    model = Watcher(QUARTER)
    true = how_faithful(model, picture, map_of(slice(0, 2), slice(0, 2)), 1)
    assert true.explains_the_decision
    assert true.deletion < true.random_deletion < true.insertion
    false = how_faithful(model, picture, map_of(slice(2, 4), slice(2, 4)), 1)
    assert not false.explains_the_decision
    assert false.insertion < false.random_insertion


def test_few_random_maps_pass_as_an_explanation(picture):
    model, size = Watcher(QUARTER), (SIDE, SIDE)
    by_chance = curves(model, picture, random_orders((4, 4), size), 1)
    torch.manual_seed(5)
    others = curves(model, picture, orders_of(torch.rand(40, 4, 4), size), 1)
    passed = [
        judged(Curves(others.deletion[n : n + 1], others.insertion[n : n + 1]), by_chance).explains_the_decision
        for n in range(40)
    ]
    assert sum(passed) <= 14  # one of six is expected


def test_a_curve_begins_and_ends_with_the_whole_and_the_blurred_picture(picture):
    model = Watcher(QUARTER)
    found = curves(model, picture, random_orders((4, 4), (SIDE, SIDE))[:2], 1)
    assert found.deletion.shape == found.insertion.shape == (2, STEPS + 1)
    whole = float(model(picture.unsqueeze(0)).softmax(1)[0, 1].detach())
    assert found.deletion[:, 0].tolist() == pytest.approx([whole, whole])
    assert found.insertion[:, -1].tolist() == pytest.approx([whole, whole])
    assert found.deletion[:, -1].tolist() == pytest.approx(found.insertion[:, 0].tolist())
    assert float(found.deletion[0, -1]) < whole


def test_areas_are_mean_heights_by_the_trapezoidal_rule():
    line = torch.linspace(1, 0, STEPS + 1).unsqueeze(0)
    found = Curves(line, torch.ones_like(line))
    assert float(found.deletion_areas) == pytest.approx(0.5)
    assert float(found.insertion_areas) == pytest.approx(1.0)


def test_orders_are_permutations_with_the_greatest_first_and_below_zero_last():
    raw = torch.tensor([[[0.0, 5.0], [-3.0, 1.0]]])
    order = orders_of(raw, (8, 8))[0]
    assert sorted(order.tolist()) == list(range(64))
    corners = [order.tolist().index(place) for place in (7, 63, 0, 56)]  # upper right, lower right, upper left, ...
    assert corners == sorted(corners)
    assert not torch.equal(
        orders_of(torch.zeros(1, 4, 4), (8, 8))[0], torch.arange(64)
    )  # equal places are not read row by row


def test_the_answer_that_is_held_against_another_is_measured_against_it(picture):
    found = curves(Watcher(QUARTER), picture, random_orders((4, 4), (SIDE, SIDE))[:1], explain.Versus(1, 0))
    plain = curves(Watcher(QUARTER), picture, random_orders((4, 4), (SIDE, SIDE))[:1], 1)
    assert torch.allclose(found.deletion, plain.deletion)  # with two classes both are the same
    with pytest.raises(ConfigError):
        curves(Watcher(QUARTER), picture, random_orders((4, 4), (SIDE, SIDE))[:1], 2)


def test_progress_is_told_before_every_pass_and_may_end_it(picture):
    told = []
    curves(Watcher(), picture, random_orders((4, 4), (SIDE, SIDE)), 1, lambda *seen: told.append(seen))
    assert told == [(done, len(told)) for done in range(len(told))]
    assert len(told) > 5

    def stop(done, every):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        curves(Watcher(), picture, random_orders((4, 4), (SIDE, SIDE)), 1, stop)


def test_energy_inside_is_the_share_of_the_map_in_the_mask():
    maps = torch.zeros(3, 4, 4)
    maps[0, 0, 0], maps[0, 3, 3] = 3.0, 1.0
    maps[1] = 1.0
    masks = torch.zeros(3, 4, 4, dtype=torch.bool)
    masks[:, :2, :2] = True
    first, second, empty = explain.energy_inside(maps, masks).tolist()
    assert (first, second) == (0.75, 0.25)
    assert math.isnan(empty)
