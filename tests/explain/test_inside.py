"""Filters and feature maps as the network has them."""

from __future__ import annotations

import numpy as np
import torch

from core import explain, models
from tests.explain.nets import IMAGE, Averaged


def test_the_first_filters_are_the_first_convolutions_weights():
    model = models.build("cnn", (3, 32, 32), 10, width=4)
    assert torch.equal(explain.first_filters(model), model.conv1.weight)
    assert len(explain.first_filters(models.build("mlp", (3, 32, 32), 10, width=8))) == 0


def test_feature_maps_are_what_the_layer_gives():
    expected = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]], [[3.0, 1.0], [0.0, 0.0]]]])
    assert torch.equal(explain.feature_maps(Averaged(), IMAGE), expected)
    assert torch.equal(explain.feature_maps(Averaged(), IMAGE, "conv")[0, 1], 3 - 2 * IMAGE[0, 0])


def test_pictures_become_images_in_0_to_1_with_channels_first():
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[1, 2] = (255, 0, 51)
    found = explain.as_images([picture, picture])
    assert found.shape == (2, 3, 2, 3)
    assert torch.allclose(found[0, :, 1, 2], torch.tensor([1.0, 0.0, 0.2]))
