"""How well an FCN reads ink that it never learned from: a command, not a test.

    python -m tests.segmentation.judge RUN

Prints: the share of Hershey digits and of hand-made drawings that it reads right (one digit, and the right one), with
the kinds that it reads worst; digits of the test scenes read right, in the middle and at the border; digits of scenes
that hold one, as those of the test, of MNIST's own ink, and of that unchanged but for its size; and 1,000 MNIST test
digits at each place of a 9x9 grid. RUN: an id, or a folder.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from numpy.random import RandomState

from core import data, load_model
from core.data.ink.dataset import maker_of_test_digits, single
from core.data.ink.scenes import TESTING
from core.data.splits import Split
from core.evaluation import evaluate
from core.segmentation import digit_accuracy, read, segment
from tests.segmentation.ink import drawings, hershey

PLACES = np.linspace(14, 49, 9)  # pixels: the whole digit is in the field
DIGITS_A_PLACE = 1_000
DIGITS_ALONE = 4_000
ONE = replace(TESTING, many=(1.0,))
OWN_INK = replace(ONE, images=1.0, skeletons=0.0)
ALONE = {
    "scenes of one digit": ONE,
    "those of MNIST's own ink": OWN_INK,
    "those that are neither turned nor bent": replace(
        OWN_INK, degrees=0.0, slant=0.0, stretch=(1.0, 1.0), bend=0.0, noise=0.0
    ),
}


def main(run: str) -> None:
    """Measure and print."""
    model = load_model(run)
    for name, source in (("Hershey fonts", hershey()), ("drawings", drawings())):
        share, worst, count = read_right(model, source)
        print(f"{name}: {share:.2%} of {count:,} read right; worst: {worst}", flush=True)
    test = data.load("mnist-scenes").test
    print_scenes("test scenes", evaluate(model, test).predictions, test.labels)
    maker = maker_of_test_digits(data.load("mnist"))
    for what, spec in ALONE.items():
        images, masks = replace(maker, spec=spec).scenes(DIGITS_ALONE, RandomState(0))
        print_scenes(what, evaluate(model, Split(images, masks, torch.arange(DIGITS_ALONE))).predictions, masks)
    grid = places(model)
    print(f"a digit at {len(PLACES)}x{len(PLACES)} places: {grid.min():.2%} to {grid.max():.2%}")
    print(np.array2string(grid * 100, precision=1, floatmode="fixed"))


def read_right(model: torch.nn.Module, source: Iterable[tuple[int, str, np.ndarray]]) -> tuple[float, str, int]:
    """The share read right, the kinds read wrong most often in words, and how many there were."""
    wrong: Counter[str] = Counter()
    right = count = 0
    for digit, what, ink in source:
        ok = [reading.digit for reading in read(ink, segment(model, ink))] == [digit]
        right, count = right + ok, count + 1
        if not ok:
            wrong[f"{digit} {what.partition(',')[0]}"] += 1
    return right / count, ", ".join(f"{kind} ({times})" for kind, times in wrong.most_common(5)), count


def print_scenes(what: str, answers: torch.Tensor, truth: torch.Tensor) -> None:
    """Digits read right, in the middle and at the border."""
    found = digit_accuracy(answers, truth)
    middle, border = found.middle_right / max(1, found.middle), found.border_right / max(1, found.border)
    print(f"digits of {what}: {found.accuracy:.2%}; in the middle {middle:.2%} of {found.middle:,}, at the border "
          f"{border:.2%} of {found.border:,}", flush=True)  # fmt: skip


def places(model: torch.nn.Module) -> np.ndarray:
    """The share of digits read right with their middle at each place, [9, 9], row by row from the top."""
    digits = data.load("mnist").test
    grid = np.zeros((len(PLACES), len(PLACES)))
    with torch.inference_mode():
        for row, y in enumerate(PLACES):
            for column, x in enumerate(PLACES):
                images, masks = single(digits, 1.0, (float(x), float(y)), DIGITS_A_PLACE, 0)
                answers = torch.cat([model(part.float() / 255).argmax(1) for part in images.split(100)])
                grid[row, column] = digit_accuracy(answers, masks).accuracy
    return grid


if __name__ == "__main__":
    main(sys.argv[1])
