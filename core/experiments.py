"""The experiments of the lab report, put to the runs that there are: which answer, and what came out. Torch-free.

Owns: which runs are held against each other, and what their figures say. Leaves reading them to `core.summaries` and
`core.answers`, methods to `core.statistics`, words to pages.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.answers import answers_of
from core.comparison import Row, rows
from core.config import TrainConfig
from core.data.catalogue import SCENE_CLASSES
from core.errors import RunError
from core.runs import Run
from core.statistics import Difference, difference
from core.summaries import summarise

DIGITS, PHOTOS = ("mnist", "mnist-mini"), ("cifar10", "cifar10-mini")  # the full set first: it is asked first
SCENES = ("mnist-scenes", "mnist-mini-scenes")
BACKGROUND = SCENE_CLASSES.index("background")

Rivals = tuple[tuple[Run, ...], tuple[Run, ...]]


@dataclass(frozen=True)
class Contest:
    """Two networks that learned from one data set by one recipe. difference: second minus first.

    Over all seeds of each; where one of them has a single seed, over that one of both.
    """

    first: Row
    second: Row
    difference: Difference

    @property
    def better(self) -> str:
        """The model that is more accurate; "" where a test can't tell them apart."""
        if not self.difference.is_distinguishable:
            return ""
        return self.second.model if self.difference.value > 0 else self.first.model

    @property
    def mistakes_avoided(self) -> float:
        """The share of the first network's mistakes on the test set that the second does not make, in all: up to 1."""
        first, second = (1 - (row.test_accuracy or 0.0) for row in (self.first, self.second))
        return 1 - second / first if first else 0.0


def rivals(runs: Iterable[Run], first: str, second: str, datasets: Sequence[str]) -> Rivals | None:
    """Tested runs of two models by the same recipe on the same data set; None where there are none.

    Of the data sets the first that has a pair; reference runs before a person's own, and many seeds before few. A
    person's run with a knob that is not as its recipe says does not count.
    """
    found: dict[tuple[int, bool, str], dict[str, list[Run]]] = defaultdict(lambda: {first: [], second: []})
    for run in runs:
        config = run.config_or_none
        if config is None or config.model not in (first, second) or config.dataset not in datasets:
            continue
        if run.test() is not None and (run.is_shipped or _is_as_its_recipe_says(config)):
            key = datasets.index(config.dataset), not run.is_shipped, config.recipe
            found[key][config.model].append(run)
    pairs = [(key, tuple(group[first]), tuple(group[second])) for key, group in found.items() if all(group.values())]
    if not pairs:
        return None
    _, one, other = min(pairs, key=lambda pair: (pair[0][:2], -min(len(pair[1]), len(pair[2]))))
    return one, other


def contest(pair: Rivals) -> Contest:
    """What came out. Raises: RunError when answers can't be read, or are to other images."""
    pair = _fair(pair)
    first, second = (_row(runs) for runs in pair)
    given, other = ([answers_of(run) for run in runs if run.id in row.counted]
                    for runs, row in zip(pair, (first, second), strict=True))  # fmt: skip
    if len({answers.data_sha256 for answers in (*given, *other)}) != 1:
        raise RunError(
            f"The {first.model} and the {second.model} were tested on different images, so their accuracies can't be "
            "compared. Evaluate them again on this machine."
        )
    return Contest(first, second, difference([a.right for a in other], [a.right for a in given]))


def _fair(pair: Rivals) -> Rivals:
    """The same, but one run of each, of the same seed if they have one in common, where either has a single seed.

    Else the accuracies would be means of some runs, and their difference that of others.
    """
    seeds = [{run.config.seed: run for run in reversed(runs)} for runs in pair]
    if min(map(len, seeds)) > 1:
        return pair
    common = sorted(seeds[0].keys() & seeds[1].keys())
    one, other = (found[common[0]] if common else found[min(found)] for found in seeds)
    return (one,), (other,)


def standings(runs: Iterable[Run], recipe: str) -> dict[tuple[str, str], float]:
    """The mean test accuracy, 0..1, of the reference runs by a recipe of each (model, data set).

    Of scenes it is the digits' mean IoU.
    """
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in runs:
        config = run.config_or_none if run.is_shipped else None
        figure = (run.test() or {}).get("iou" if config and config.dataset in SCENES else "accuracy")
        if config and config.recipe == recipe and isinstance(figure, float):
            found[config.model, config.dataset].append(figure)
    return {key: statistics.fmean(figures) for key, figures in found.items()}


def _row(runs: Sequence[Run]) -> Row:
    (row,) = rows([summarise(run, run.status()) for run in runs], fold=True)
    return row


def where_it_gains(digits: Difference, photos: Difference) -> str:
    """Where a network gains more accuracy over another: "digits", "photos", "alike" or "nowhere".

    Alike means that the 95 % intervals of both gains overlap; nowhere, that it is not better on either.
    """
    gains = [found for found in (digits, photos) if found.is_distinguishable and found.value > 0]
    if not gains:
        return "nowhere"
    if digits.interval.low <= photos.interval.high and photos.interval.low <= digits.interval.high:
        return "alike"
    return "digits" if digits.value > photos.value else "photos"


def segmenter(runs: Iterable[Run]) -> Run | None:
    """A tested run that says of every pixel of a scene what it is; a reference run before a person's own."""
    known = [
        run for run in runs if (config := run.config_or_none) and config.dataset in SCENES and run.test() is not None
    ]
    return min(known, key=lambda run: (not run.is_shipped, SCENES.index(run.config.dataset)), default=None)


@dataclass(frozen=True)
class Pixels:
    """How right a network is on the pixels of all test scenes; all shares are 0..1.

    accuracy: of all pixels. background: the share of the background, which is the accuracy of who always says that.
    of_digits: of the pixels of digits, how many get their very digit. iou: the digits' mean intersection over union.
    scenes: how many there are. mistake: (truth, answer) of the two digits that are confused most often, and the share
    of the truth's pixels that are called so; None where no digit is ever taken for another.
    """

    accuracy: float
    background: float
    of_digits: float
    iou: float
    scenes: int
    mistake: tuple[int, int, float] | None


def pixels(run: Run) -> Pixels:
    """How right a segmenter is on the pixels of its test scenes. Raises: RunError when its figures are damaged."""
    try:
        test: dict[str, Any] = run.test() or {}
        confusion = np.array(test["confusion"], dtype=np.int64)
        if confusion.shape != (len(SCENE_CLASSES),) * 2 or confusion.sum() < 1:
            raise ValueError(f"a confusion of shape {confusion.shape}")
        return _pixels(confusion, float(test["iou"]), int(test["images"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunError(f"The test figures of run {run.id} can't be read ({error}). Evaluate it again.") from None


def _pixels(confusion: NDArray[np.int64], iou: float, scenes: int) -> Pixels:
    digits = confusion[:BACKGROUND]
    wrong = digits[:, :BACKGROUND] - np.diag(digits.diagonal())
    truth, answer = (int(place) for place in np.unravel_index(wrong.argmax(), wrong.shape))
    confused = int(wrong[truth, answer])
    return Pixels(
        accuracy=float(confusion.trace() / confusion.sum()),
        background=float(confusion[BACKGROUND].sum() / confusion.sum()),
        of_digits=float(digits.diagonal().sum() / max(1, digits.sum())),
        iou=iou,
        scenes=scenes,
        mistake=(truth, answer, confused / int(digits[truth].sum())) if confused else None,
    )


def _is_as_its_recipe_says(config: TrainConfig) -> bool:
    """Whether nobody set one of its knobs otherwise."""
    return config == TrainConfig(model=config.model, dataset=config.dataset, recipe=config.recipe, seed=config.seed)
