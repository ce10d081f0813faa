"""Which runs answer an experiment's question, and what their figures say."""

from __future__ import annotations

import numpy as np
import pytest

from core.answers import masks_of
from core.errors import RunError
from core.experiments import (
    DIGITS,
    PHOTOS,
    contest,
    pixels,
    rivals,
    segmenter,
    standings,
    where_it_gains,
)
from core.runs import RunStore
from core.statistics import Difference, Interval
from tests.made import answered, segmented


@pytest.fixture
def own(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def shipped(tmp_path):
    return tmp_path / "shipped"


def ids(pair):
    return [[run.id for run in runs] for runs in pair]


def test_reference_runs_come_before_ones_own_and_the_full_set_before_the_small_one(own, shipped, store):
    mini = [[answered(own, model, "cifar10-mini", 700).id] for model in ("mlp", "cnn")]
    assert ids(rivals(store.list(), "mlp", "cnn", PHOTOS)) == mini
    mine = [[answered(own, model, "cifar10", 700).id] for model in ("mlp", "cnn")]
    assert ids(rivals(store.list(), "mlp", "cnn", PHOTOS)) == mine
    references = [[answered(shipped, model, "cifar10", 700).id] for model in ("mlp", "cnn")]
    assert ids(rivals(store.list(), "mlp", "cnn", PHOTOS)) == references
    assert rivals(store.list(), "mlp", "cnn", DIGITS) is None


def test_two_networks_meet_only_by_the_same_recipe_and_when_both_were_tested(own, store):
    answered(own, "mlp", "mnist", 900, recipe="quick")
    answered(own, "cnn", "mnist", 950)
    assert rivals(store.list(), "mlp", "cnn", DIGITS) is None
    sealed = answered(own, "mlp", "mnist", 900)
    (sealed.path / "test.json").unlink()
    assert rivals(store.list(), "mlp", "cnn", DIGITS) is None
    answered(own, "cnn", "mnist", 950, recipe="quick")
    assert rivals(store.list(), "mlp", "cnn", DIGITS) is not None


def test_a_run_with_a_changed_knob_does_not_count(own, store):
    answered(own, "mlp", "mnist", 900)
    answered(own, "cnn", "mnist", 950, epochs=1)
    assert rivals(store.list(), "mlp", "cnn", DIGITS) is None


def test_a_damaged_run_does_no_harm(own, store):
    pair = [answered(own, model, "mnist", 900) for model in ("mlp", "cnn")]
    (answered(own, "cnn", "mnist", 900, seed=1).path / "config.json").write_text("[")
    found = rivals(RunStore(own).list(), "mlp", "cnn", DIGITS)
    assert ids(found) == [[run.id] for run in pair]


def test_the_more_accurate_network_is_better_and_its_gain_is_hand_arithmetic(shipped, store):
    for seed, (mlp, cnn) in enumerate([(900, 950), (902, 951), (898, 949)]):
        answered(shipped, "mlp", "mnist", mlp, seed=seed)
        answered(shipped, "cnn", "mnist", cnn, seed=seed)
    found = contest(rivals(store.list(), "mlp", "cnn", DIGITS))
    assert found.better == "cnn"
    assert found.difference.over == "seeds"
    assert found.difference.value == pytest.approx(0.05)
    assert found.mistakes_avoided == pytest.approx(0.5)  # 5 of 100 instead of 10
    assert (found.first.seeds, found.second.seeds) == ((0, 1, 2), (0, 1, 2))


def test_one_training_of_each_is_held_against_the_images(shipped, store):
    answered(shipped, "convnet", "cifar10", 900)
    answered(shipped, "resnet", "cifar10", 903)
    found = contest(rivals(store.list(), "convnet", "resnet", PHOTOS))
    assert found.difference.over == "images"
    assert found.better == ""
    assert (found.first.report, found.second.report) == (0.7537, 0.8221)


def test_a_network_with_more_seeds_is_held_against_the_only_one_of_the_other_by_that_seed(shipped, store):
    for seed, right in enumerate((900, 940)):
        answered(shipped, "resnet", "cifar10", right, seed=seed)
    answered(shipped, "convnet", "cifar10", 880, seed=1)
    found = contest(rivals(store.list(), "convnet", "resnet", PHOTOS))
    assert (found.first.seeds, found.second.seeds) == ((1,), (1,))
    assert found.second.test_accuracy == 0.94
    assert found.difference.value == pytest.approx(0.06)


def test_answers_to_other_images_are_not_compared(shipped, store):
    answered(shipped, "mlp", "mnist", 900)
    answered(shipped, "cnn", "mnist", 900, digest="another")
    with pytest.raises(RunError, match="different images"):
        contest(rivals(store.list(), "mlp", "cnn", DIGITS))


def gain(low, high):
    return Difference((low + high) / 2, Interval(low, high), "seeds", None)


@pytest.mark.parametrize(("digits", "photos", "where"), [
    (gain(0.003, 0.007), gain(0.18, 0.2), "photos"),
    (gain(0.1, 0.2), gain(0.01, 0.02), "digits"),
    (gain(0.01, 0.05), gain(0.02, 0.06), "alike"),
    (gain(-0.01, 0.01), gain(-0.02, 0.01), "nowhere"),
    (gain(-0.2, -0.1), gain(-0.02, -0.01), "nowhere"),
    (gain(-0.01, 0.01), gain(0.1, 0.2), "photos"),
])  # fmt: skip
def test_where_a_network_gains(digits, photos, where):
    assert where_it_gains(digits, photos) == where


def scenes():
    """Two fields: a 3 of 100 pixels of which 10 are called 5 and 20 background; background of which 8 are called 7."""
    label = np.full((2, 64, 64), 10, np.uint8)
    label[0, :10, :10] = 3
    prediction = label.copy()
    prediction[0, 0, :10], prediction[0, 1:3, :10], prediction[1, 0, :8] = 5, 10, 7
    return prediction, label


def test_the_pixels_of_a_segmenter_are_counted_by_hand(shipped, store):
    run = segmented(shipped, *scenes())
    assert segmenter(store.list()).id == run.id
    found = pixels(run)
    every = 2 * 64 * 64
    assert found.of_digits == pytest.approx(70 / 100)
    assert found.background == pytest.approx((every - 100) / every)
    assert found.accuracy == pytest.approx((every - 30 - 8) / every)
    assert found.mistake == (3, 5, pytest.approx(10 / 100))
    assert (found.scenes, found.iou) == (2, 0.25)


def test_no_mistake_is_none(shipped):
    _, label = scenes()
    assert pixels(segmented(shipped, label, label)).mistake is None


@pytest.mark.parametrize("content", ['{"iou": 1}', '{"confusion": [[1]], "iou": 0.5, "images": 2}', "[]"])
def test_figures_that_no_run_wrote_are_refused(shipped, content):
    run = segmented(shipped, *scenes())
    (run.path / "test.json").write_text(content)
    with pytest.raises(RunError, match="can't be read"):
        pixels(run)


def test_masks_come_back_as_they_were(shipped):
    prediction, label = scenes()
    answers, truth = masks_of(segmented(shipped, prediction, label))
    assert (answers == prediction).all()
    assert (truth == label).all()


def test_masks_of_another_task_or_shape_are_refused(own):
    with pytest.raises(RunError, match="classes, not masks"):
        masks_of(answered(own, "cnn", "mnist", 900))
    run = segmented(own, *scenes())
    np.savez(run.path / "predictions.npz", prediction=np.zeros((2, 8), np.uint8), label=np.zeros((2, 8), np.uint8))
    with pytest.raises(RunError, match="can't be read"):
        masks_of(run)


def test_the_standing_of_the_reference_runs_is_their_mean_and_ones_own_are_left_out(own, shipped, store):
    for seed, right in enumerate((900, 920)):
        answered(shipped, "mlp", "mnist", right, seed=seed)
    answered(own, "mlp", "mnist", 10)
    segmented(shipped, *scenes())
    answered(shipped, "mlp", "mnist", 990, recipe="best")
    fast = {("mlp", "mnist"): pytest.approx(0.91), ("fcn", "mnist-scenes"): 0.25}
    assert standings(store.list(), "fast") == fast, "another recipe is another thing"
    assert standings(store.list(), "best") == {("mlp", "mnist"): pytest.approx(0.99)}
