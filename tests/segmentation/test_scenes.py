"""Scenes: what is drawn is what the mask says, whatever chance did; pens, thinned lines and habits by themselves."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.random import RandomState

from core import data
from core.data.ink import pens, skeletons, templates
from core.data.ink.dataset import single, step_scenes
from core.data.ink.scenes import AS_IT_IS, BACKGROUND, EVERYWHERE, INK, USUAL, SceneMaker


@pytest.fixture(scope="module")
def digits():
    return data.load("mnist-mini")


def maker(digits, spec, label=None):
    split = digits.train
    chosen = slice(None) if label is None else split.labels == label
    images, labels = split.images[chosen][:200, 0].contiguous(), split.labels[chosen][:200]
    return SceneMaker(images.numpy(), labels.numpy().astype(np.uint8), spec, skeletons=50)


def test_a_digit_as_it_is_stands_where_it_was_put_and_its_ink_is_its_mask(digits):
    images, masks = single(digits.test, 1.0, (31.5, 31.5), 20, 0)
    expected = torch.nn.functional.pad(digits.test.images[:20], (18, 18, 18, 18))
    assert (images.int() - expected.int()).abs().max() <= 1
    for image, mask, label in zip(images[:, 0], masks, digits.test.labels, strict=False):
        assert torch.equal(mask, torch.where(image >= INK, label, BACKGROUND))


def test_no_digit_is_thinned_where_no_pen_draws_one_again(digits, monkeypatch):
    monkeypatch.setattr(skeletons, "thinned", lambda images: pytest.fail("it takes a second"))
    maker(digits, AS_IT_IS).scenes(2, RandomState(0))


def test_a_digit_may_be_cut_by_the_border(digits):
    images, _ = single(digits.test, 1.0, (0.5, 31.5), 20, 0)
    expected = torch.nn.functional.pad(digits.test.images[:20, :, :, 13:], (0, 49, 18, 18))
    assert (images.int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize("label", [0, 7])
def test_masks_hold_the_digits_of_the_scene_and_the_background_only(digits, label):
    spec = replace(USUAL, images=0.5, skeletons=0.5)
    images, masks = maker(digits, spec, label).scenes(40, RandomState(1))
    assert images.dtype == torch.uint8
    assert images.shape == (40, 1, 64, 64)
    assert masks.dtype == torch.int64
    assert masks.shape == (40, 64, 64)
    assert set(masks.unique().tolist()) == {label, BACKGROUND}


def test_ink_and_mask_agree_and_scenes_have_one_to_five_digits(digits):
    spec = replace(USUAL, noise=0.0, brightness=(1.0, 1.0))
    images, masks = maker(digits, spec).scenes(300, RandomState(0))
    assert torch.equal(masks != BACKGROUND, images[:, 0] >= INK)
    most = max(len(mask.unique()) - 1 for mask in masks)
    assert 3 <= most <= 5
    assert set(masks.unique().tolist()) == set(range(11))


@pytest.mark.parametrize(("largest", "height"), [((2.0,), 40), ((3.0, 1.0), 20)], ids=["alone", "of two"])
def test_a_digit_is_as_large_as_may_be_among_so_many(largest, height):
    square = np.zeros((1, 28, 28), np.uint8)
    square[:, 4:24, 4:24] = 255  # as high as MNIST's ink, which is size 1
    many = (0.0,) * (len(largest) - 1) + (1.0,)
    spec = replace(AS_IT_IS, many=many, size=(0.1, 5.0), largest=largest)
    places = np.full((300, len(many), 2), 31.5, np.float32)
    images, _ = SceneMaker(square, np.array([0], np.uint8), spec, skeletons=1).scenes(
        300, RandomState(0), places=places
    )
    highest = int((images[:, 0] >= INK).any(2).sum(1).max())
    assert height - 2 <= highest <= height


def test_where_two_digits_meet_the_stronger_ink_decides(digits):
    both = SceneMaker(
        np.stack([np.full((28, 28), 130, np.uint8), np.full((28, 28), 200, np.uint8)]),
        np.array([3, 8], np.uint8), replace(AS_IT_IS, many=(0.0, 1.0)), skeletons=2,
    )  # fmt: skip
    places = np.array([[[20, 32], [40, 32]]] * 30, np.float32)
    images, masks = both.scenes(30, RandomState(0), places=places)
    for image, mask in zip(images[:, 0], masks, strict=True):
        for value, label in ((130, 3), (200, 8)):
            assert mask[image == value].eq(label).all()
    assert any(len(mask.unique()) == 3 for mask in masks)


def test_brightness_and_noise_change_the_ink_but_not_the_mask(digits):
    plain = maker(digits, replace(USUAL, noise=0.0, brightness=(1.0, 1.0)))
    changed = maker(digits, replace(USUAL, noise=0.2, brightness=(0.5, 0.5)))
    (clean, masks), (noisy, same) = (each.scenes(60, RandomState(3)) for each in (plain, changed))
    assert torch.equal(masks, same)
    without_noise = (noisy[:, 0].int() - clean[:, 0].int() // 2).abs().amax((1, 2)) <= 1
    assert 20 < int(without_noise.sum()) < 60  # a third of the scenes is noisy


def test_the_reports_task_has_the_digits_label_at_every_pixel(digits):
    images, masks = maker(digits, EVERYWHERE).scenes(20, RandomState(0))
    assert (masks == masks[:, :1, :1]).all()
    assert masks.max() < BACKGROUND
    ink = (images >= INK)[:, 0].flatten(1).sum(1)
    assert ink.min() > 20  # the digit is wholly in the field


def test_the_same_step_makes_the_same_scenes_and_any_other_makes_others(digits):
    make = maker(digits, USUAL)
    first, masks = step_scenes(make, 5, seed=1, epoch=2, step=3)
    again, same = step_scenes(make, 5, seed=1, epoch=2, step=3)
    assert torch.equal(first, again)
    assert torch.equal(masks, same)
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert not torch.equal(first, step_scenes(make, 5, *other)[0])


def test_the_splits_of_a_data_set_of_scenes_come_from_the_same_splits_of_its_digits():
    scenes = data.load("mnist-mini-scenes")
    again = data.load("mnist-mini-scenes")
    assert scenes.fingerprint == again.fingerprint
    assert torch.equal(scenes.val.images, again.val.images)
    assert scenes.classes == (*"0123456789", "background")
    assert (len(scenes.val), len(scenes.test)) == (200, 500)
    assert scenes.maker is not None
    assert not torch.equal(scenes.train.images[:200], scenes.val.images)


def test_scenes_to_learn_from_are_more_crowded_than_those_that_judge():
    scenes = data.load("mnist-mini-scenes")
    train, val, test = (
        np.mean([len(mask.unique()) - 1 for mask in split.labels]) for split in (scenes.train, scenes.val, scenes.test)
    )
    assert train > val + 0.2
    assert abs(val - test) < 0.2


# What draws them


def test_a_pen_of_a_width_covers_that_many_pixels():
    for width in (1, 2, 3.5, 6):
        ink = pens.draw([np.array([[8, 31.5], [56, 31.5]], np.float32)], width, 64)
        assert ink[:, 32].sum() / 255 == pytest.approx(width, abs=0.75)
        assert ink[31, :4].sum() == 0


def test_a_stroke_out_of_the_field_is_cut_off():
    assert pens.draw([np.array([[-50, 20], [200, 20]], np.float32)], 2, 64)[20].min() == 255
    assert not pens.draw([np.array([[-50, -20], [200, -20]], np.float32)], 2, 64).any()


def test_a_bar_is_thinned_to_a_line_in_its_middle():
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[0, 10:15, 4:24] = 255
    thin = skeletons.thinned(bar)[0]
    assert set(np.nonzero(thin)[0]) == {12}
    assert 14 <= thin.sum() <= 20


def test_thinned_digits_stay_in_touch_and_lines_cover_them(digits):
    images = digits.train.images[:60, 0].contiguous().numpy()
    for image, thin in zip(images, skeletons.thinned(images), strict=True):
        assert (image[thin] >= skeletons.INK).all()
        pieces = cv2.connectedComponents((image >= skeletons.INK).astype(np.uint8), connectivity=8)[0]
        assert cv2.connectedComponents(thin.astype(np.uint8), connectivity=8)[0] == pieces
        ends = np.unique(skeletons.lines(thin).reshape(-1, 2) + 13.5, axis=0)
        assert {tuple(end) for end in ends.astype(int)} == {(x, y) for y, x in np.argwhere(thin)}


def test_every_habit_is_written_within_its_box_and_no_two_writings_are_equal():
    for digit in range(10):
        assert len(templates.HABITS[digit]) >= 8
        for seed in range(20):
            strokes = templates.written(digit, RandomState(seed))
            points = np.concatenate(strokes)
            assert np.abs(points).max() < 0.75
            assert np.ptp(points[:, 1]) > 0.7
        first, second = templates.written(digit, RandomState(1)), templates.written(digit, RandomState(2))
        assert not np.array_equal(np.concatenate(first)[:5], np.concatenate(second)[:5])


def test_a_curve_passes_through_its_points_and_is_straight_between_corners():
    points, spread = templates._stroke("0,0 50,0! 100,0 100,100")
    curve = spread @ points
    for point in points:
        assert np.abs(curve - point).sum(1).min() < 1e-6
    assert np.abs(curve[: templates.POINTS_A_SPAN, 1] + 0.5).max() < 1e-6
