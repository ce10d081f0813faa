"""Whether the object or the centre draws a map, with networks of which it is known."""

from __future__ import annotations

import math

import pytest
import torch

from core import explain
from core.explain.centre import Following, shifted
from tests.explain.nets import Watcher


def blobs(count=6, side=20):
    """Pictures with a bright spot each, in different places near the middle."""
    images = torch.full((count, 1, side, side), 0.05)
    for place in range(count):
        images[place, 0, 7 + place % 3 : 11 + place % 3, 6 + place % 4 : 10 + place % 4] = 1.0
    return images


def test_the_centre_of_mass_is_measured_from_the_middle_of_the_picture():
    maps = torch.zeros(3, 5, 5)
    maps[0, 2, 2] = 1.0
    maps[1, 4, 0], maps[1, 4, 2] = 1.0, 1.0
    found = explain.centre_of_mass(maps).tolist()
    assert found[0] == [0.0, 0.0]
    assert found[1] == [2.0, -1.0]  # down, right
    assert math.isnan(found[2][0])


def test_pictures_are_shifted_with_their_edges_repeated():
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert shifted(image, 1, 0)[0, 0].tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]
    assert shifted(image, 0, -1)[0, 0].tolist() == [[1, 2, 2], [4, 5, 5], [7, 8, 8]]
    assert torch.equal(shifted(image, 0, 0), image)


def test_the_map_of_a_network_that_finds_the_object_goes_along_with_it():
    found = explain.following(Watcher(), blobs(), 1)
    assert found.verdict == "object"
    assert found.with_object == pytest.approx(1.0, abs=0.02)


def test_the_map_of_a_network_that_watches_one_place_stays():
    class Stubborn(Watcher):
        """Weighs the middle, whatever is there."""

        def forward(self, images):
            spot = torch.exp(
                -((torch.linspace(-2, 2, images.shape[2])[:, None] ** 2) + torch.linspace(-2, 2, images.shape[3]) ** 2)
            )
            score = (self.relu(self.conv(images))[:, 0] * spot).mean(dim=(1, 2))
            return torch.stack((-score, score), dim=1)

    found = explain.following(
        Stubborn(), torch.full((6, 1, 20, 20), 0.5) + 0.01 * torch.rand(6, 1, 20, 20), 1, method="hirescam"
    )
    assert found.verdict == "centre"
    assert found.with_centre > 0.9


def test_where_neither_is_clearly_more_alike_it_is_said_so():
    assert Following(0.5, 0.4, 0.06, 20).verdict == "unclear"
    assert Following(0.5, 0.4, 0.04, 20).verdict == "object"
    assert Following(0.4, 0.5, 0.04, 20).verdict == "centre"
    assert Following(math.nan, math.nan, math.inf, 0).verdict == "unclear"


def test_pictures_without_a_map_are_left_out():
    found = explain.following(Watcher(), torch.zeros(3, 1, 20, 20), 1)
    assert (found.images, found.verdict) == (0, "unclear")


def test_a_mean_map_says_how_far_it_keeps_to_the_middle():
    images = torch.zeros(2, 1, 16, 16)
    images[:, :, 4:12, 4:12] = 1.0
    found = explain.mean_map(Watcher(), images, 1)
    assert found.middle == pytest.approx(1.0)
    assert found.offset == pytest.approx((0.0, 0.0), abs=1e-5)
    even = explain.mean_map(Watcher(), torch.ones(2, 1, 16, 16), 1)
    assert even.middle == pytest.approx(0.25)
