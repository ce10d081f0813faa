"""How sure a figure is: intervals of accuracies, tests of differences, and calibration. Torch-free.

Owns: the choice of method, and what may be said of the result. The methods are SciPy's, imported when they are needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Answers = NDArray[np.bool_]  # [N], whether each test image got the right answer
Rows = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 5_000
BOOTSTRAP_SEED = 1979  # equal data give equal intervals
BINS = 15


@dataclass(frozen=True)
class Interval:
    """Where a value probably lies, at the level 0.95: `low` to `high`."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Difference:
    """How much more accurate the first of two networks is, -1..1.

    over: "seeds" when the interval tells how the difference would vary if both were trained again with other seeds,
    "images" when it tells how it would vary on other test images like these. disagreement_p: McNemar's exact p value
    of their answers to the same images, None over seeds.
    """

    value: float
    interval: Interval
    over: str
    disagreement_p: float | None

    @property
    def is_distinguishable(self) -> bool:
        """Whether no difference at all lies outside the interval."""
        return 0.0 not in self.interval


def accuracy_interval(right: int, images: int) -> Interval:
    """Wilson's score interval of an accuracy: `right` of `images` answers were right.

    Source: Wilson 1927, Probable inference, the law of succession, and statistical inference.
    Raises: ValueError unless 0 <= right <= images and images > 0.
    """
    from scipy.stats import binomtest

    found = binomtest(right, images).proportion_ci(LEVEL, method="wilson")
    return Interval(float(found.low), float(found.high))


def mean_interval(values: Sequence[float]) -> Interval:
    """Student's interval of a mean over seeds. values: one a seed, two at least."""
    from scipy.stats import t

    mean, half = float(np.mean(values)), 0.0
    if spread := float(np.std(values, ddof=1)):
        half = float(t.ppf((1 + LEVEL) / 2, len(values) - 1)) * spread / len(values) ** 0.5
    return Interval(mean - half, mean + half)


def mcnemar(first: Answers, second: Answers) -> float:
    """The exact p value that two networks with equal accuracy disagree as one-sidedly as these do, 0..1.

    first, second: bool [N], for the same images. Source: McNemar 1947; exact by the binomial distribution of the
    images that only one of them got right.
    """
    from scipy.stats import binomtest

    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def difference(first: Sequence[Answers], second: Sequence[Answers]) -> Difference:
    """How much more accurate the first network is than the second.

    first, second: for each seed bool [N], whether each of the same N test images got the right answer. With two seeds
    or more of both, the interval is Welch's, over seeds; else it is a paired bootstrap over images of the first seeds.

    Raises: ValueError when one of them has no seed, or they answered different numbers of images.
    """
    sizes = {len(answers) for answers in (*first, *second)}
    if not first or not second or len(sizes) != 1:
        raise ValueError(f"expected answers to the same images from both, got {len(first)} and {len(second)}: {sizes}")
    if min(len(first), len(second)) > 1:
        return difference_over_seeds([float(a.mean()) for a in first], [float(b.mean()) for b in second])
    return _over_images(first[0], second[0])


def difference_over_seeds(first: Sequence[float], second: Sequence[float]) -> Difference:
    """How much more accurate the first network is, with Welch's interval over seeds.

    first, second: the accuracy of each seed, 0..1, two at least of both.
    """
    from scipy.stats import ttest_ind

    value = float(np.mean(first) - np.mean(second))
    if np.std(first) == np.std(second) == 0:  # Welch's interval is not defined without any spread
        return Difference(value, Interval(value, value), "seeds", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # seeds of equal accuracy are rare, and no loss of precision
        found = ttest_ind(first, second, equal_var=False).confidence_interval(LEVEL)
    return Difference(value, Interval(float(found.low), float(found.high)), "seeds", None)


def _over_images(first: Answers, second: Answers) -> Difference:
    from scipy.stats import bootstrap

    paired = first.astype(np.float64) - second
    value = float(paired.mean())
    if not paired.any():  # they agree on every image
        return Difference(0.0, Interval(0.0, 0.0), "images", 1.0)
    found = bootstrap(
        (paired,), np.mean, n_resamples=RESAMPLES, batch=500, confidence_level=LEVEL, method="percentile",
        rng=np.random.default_rng(BOOTSTRAP_SEED),
    ).confidence_interval  # fmt: skip
    return Difference(value, Interval(float(found.low), float(found.high)), "images", mcnemar(first, second))


@dataclass(frozen=True)
class Calibration:
    """How sure a network is against how often it is right, in bins of its confidence.

    confidence, accuracy: float [B], means over the answers in each bin, nan in an empty one. images: int [B].
    expected_error: mean distance of the two over all answers, 0..1.
    """

    confidence: Rows
    accuracy: Rows
    images: NDArray[np.int64]
    expected_error: float


def calibration(confidence: Rows, right: Answers, bins: int = BINS) -> Calibration:
    """The reliability diagram and the expected calibration error, in bins of equal width.

    confidence: float [N] in 0..1, the probability of each answer. right: bool [N].
    Source: Guo et al. 2017, On Calibration of Modern Neural Networks (arXiv:1706.04599), equation 3.
    """
    place = np.minimum((np.asarray(confidence, dtype=np.float64) * bins).astype(np.int64), bins - 1)
    images = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(place, confidence, bins) / images
        accuracy = np.bincount(place, right, bins) / images
    filled = images > 0
    gaps = np.abs(accuracy - mean_confidence)[filled]
    error = float((gaps * images[filled]).sum() / max(1, images.sum()))
    return Calibration(mean_confidence, accuracy, images.astype(np.int64), error)
