"""Intervals, tests and calibration against statsmodels and hand arithmetic."""

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from core.statistics import accuracy_interval, calibration, difference, mcnemar, mean_interval


def answers(right, images, shuffled_by=None):
    values = np.arange(images) < right
    return np.random.default_rng(shuffled_by).permutation(values) if shuffled_by is not None else values


@pytest.mark.parametrize(("right", "images"), [(0, 10), (10, 10), (8221, 10_000), (1, 3)])
def test_the_interval_of_an_accuracy_is_wilsons(right, images):
    found = accuracy_interval(right, images)
    assert (found.low, found.high) == pytest.approx(proportion_confint(right, images, method="wilson"))


def test_impossible_counts_have_no_interval():
    for right, images in ((11, 10), (-1, 10), (0, 0)):
        with pytest.raises(ValueError, match=r"k|n"):
            accuracy_interval(right, images)


@pytest.mark.parametrize(("only_first", "only_second"), [(5, 15), (0, 8), (30, 31), (200, 120)])
def test_mcnemar_is_the_exact_test_of_the_images_that_only_one_got_right(only_first, only_second):
    first = np.array([True] * only_first + [False] * only_second + [True] * 50 + [False] * 20)
    second = np.array([False] * only_first + [True] * only_second + [True] * 50 + [False] * 20)
    table = [[50, only_first], [only_second, 20]]
    assert mcnemar(first, second) == pytest.approx(their_mcnemar(table, exact=True).pvalue)


def test_networks_that_agree_on_every_image_are_not_distinguishable():
    same = answers(80, 100)
    found = difference([same], [same.copy()])
    assert (found.value, found.disagreement_p, found.is_distinguishable) == (0.0, 1.0, False)


def test_over_seeds_the_interval_is_welchs():
    first = [answers(9300 + extra, 10_000, extra) for extra in (0, 20, 45)]
    second = [answers(9150 + extra, 10_000, extra) for extra in (0, 30, 10)]
    found = difference(first, second)
    means = CompareMeans(DescrStatsW([a.mean() for a in first]), DescrStatsW([b.mean() for b in second]))
    assert (found.interval.low, found.interval.high) == pytest.approx(means.tconfint_diff(usevar="unequal"))
    assert (found.over, found.is_distinguishable) == ("seeds", True)
    assert found.value == pytest.approx((65 - 40) / 3e4 + 0.015)


def test_seeds_that_scatter_more_than_they_differ_are_not_distinguishable():
    first = [answers(n, 1000) for n in (900, 930, 915)]
    second = [answers(n, 1000) for n in (905, 925, 890)]
    assert not difference(first, second).is_distinguishable


def test_with_one_seed_the_interval_is_over_images_and_near_the_normal_one():
    first, second = answers(920, 1000, 1), answers(880, 1000, 2)
    paired = first.astype(float) - second
    half = 1.96 * paired.std() / len(paired) ** 0.5
    found = difference([first], [second, second])
    assert found.over == "images"
    assert found.value == pytest.approx(0.04)
    assert found.interval.low == pytest.approx(0.04 - half, abs=0.003)
    assert found.interval.high == pytest.approx(0.04 + half, abs=0.003)
    assert found.interval == difference([first], [second]).interval  # the same at every look


def test_answers_to_different_images_can_not_be_compared():
    with pytest.raises(ValueError, match="same images"):
        difference([answers(5, 10)], [answers(5, 20)])
    with pytest.raises(ValueError, match="same images"):
        difference([], [answers(5, 10)])


def test_calibration_by_hand():
    confidence = np.array([0.95, 0.85, 0.85, 0.35, 1.0])
    right = np.array([True, True, False, False, True])
    found = calibration(confidence, right, bins=10)
    # Bins: 0.3 to 0.4 holds one wrong answer; 0.8 to 0.9 one right of two; 0.9 to 1 two right.
    assert found.images.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 2, 2]
    assert found.accuracy[[3, 8, 9]].tolist() == [0.0, 0.5, 1.0]
    assert found.confidence[[3, 8, 9]] == pytest.approx([0.35, 0.85, 0.975])
    assert found.expected_error == pytest.approx((0.35 * 1 + 0.35 * 2 + 0.025 * 2) / 5)
    assert np.isnan(found.accuracy[0])


def test_a_network_that_is_as_right_as_it_is_sure_has_no_calibration_error():
    confidence = np.full(1000, 0.7)
    assert calibration(confidence, np.arange(1000) < 700).expected_error == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("values", [[0.93, 0.94, 0.925], [0.5, 0.5], [0.1, 0.9]])
def test_the_interval_of_a_mean_over_seeds_is_students(values):
    found = mean_interval(values)
    assert (found.low, found.high) == pytest.approx(DescrStatsW(values).tconfint_mean())
