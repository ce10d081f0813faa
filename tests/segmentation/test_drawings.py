"""A drawing as other networks want it, against hand arithmetic and MNIST's own images."""

import numpy as np
import pytest
import torch
from torch import nn

from core import data, drawings, models
from core.data.ink.dataset import single
from core.segmentation import receptive_field


def test_a_digit_put_on_a_field_comes_back_as_the_mnist_image_it_was():
    digits = data.load("mnist-mini").test
    fields, _ = single(digits, 1.0, (20.5, 41.5), 50, 0)
    back = np.stack([drawings.centred(field[0].numpy()) for field in fields]).astype(float)
    originals = digits.images[:50, 0].numpy().astype(float)
    assert np.median(np.abs(back - originals).mean((1, 2))) < 1  # of 255


def test_centring_a_field_without_ink_gives_black():
    assert not drawings.centred(np.zeros((64, 64), np.uint8)).any()


def test_squeezing_keeps_the_mean():
    ink = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    small = drawings.squeezed(ink)
    assert small.shape == (28, 28)
    assert small.mean() == pytest.approx(ink.mean(), abs=1)


def test_ink_is_moved_by_whole_pixels_and_what_leaves_is_gone():
    ink = np.zeros((64, 64), np.uint8)
    ink[10:20, 5:8] = 200
    moved = drawings.moved(ink, -6, 3)
    expected = np.zeros((64, 64), np.uint8)
    expected[13:23, 0:2] = 200
    assert np.array_equal(moved, expected)


def test_over_the_field_the_middle_of_the_ink_is_at_every_place():
    ink = np.zeros((64, 64), np.uint8)
    ink[10:21, 5:8] = 200
    fields = drawings.over_the_field(ink, (20, 40))
    for field, (y, x) in zip(fields, [(20, 20), (20, 40), (40, 20), (40, 40)], strict=True):
        rows, columns = np.nonzero(field)
        assert ((rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2) == (y, x)


@pytest.mark.parametrize("paper", [255, 0])
def test_a_picture_becomes_white_ink_on_black_whichever_way_it_was(paper):
    picture = np.full((200, 100, 3), paper, np.uint8)
    picture[50:150, 40:60] = 255 - paper
    field = drawings.from_picture(picture)
    assert field.shape == (64, 64)
    assert field[32, 32] == 255
    rows, columns = np.nonzero(field > 127)
    assert (rows.min(), rows.max()) == (16, 47)
    assert columns.max() - columns.min() < 8
    assert field[:, 0].max() == 0


def test_an_even_picture_has_no_ink():
    assert not drawings.from_picture(np.full((50, 50, 3), 130, np.uint8)).any()


def test_the_receptive_field_of_one_convolution_is_its_window():
    model = nn.Conv2d(1, 11, 5, padding=2)
    nn.init.ones_(model.weight)
    found = receptive_field(model, np.zeros((64, 64), np.uint8), (20, 30))
    expected = np.zeros((64, 64), np.float32)
    expected[28:33, 18:23] = 1
    assert np.array_equal(found, expected)


def test_an_fcn_looks_at_far_more_than_one_digit_around_a_pixel():
    torch.manual_seed(0)
    model = models.build("fcn", (1, 64, 64), 11, width=8).eval()
    found = receptive_field(model, np.full((64, 64), 255, np.uint8), (32, 32))
    rows, columns = np.nonzero(found)
    assert min(np.ptp(rows), np.ptp(columns)) > 40
