"""What the Segment page works out: networks, what they say of the ink, random scenes, and the others' answers.

Owns: every computation of that page, what is slow done once and kept. Leaves drawing to the page and the canvas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core import checkpoints, data, drawings, load_model, models
from core.data.uploads import read_picture
from core.errors import DataError, LabError
from core.runs import Run
from pages.ui import canvas, state
from pages.ui.charts import Kept

if TYPE_CHECKING:
    from torch import nn

    from core.data.ink.scenes import SceneMaker
    from core.segmentation import Reading, Segmentation

Pixels = NDArray[np.uint8]
DIGIT_SETS = ("mnist", "mnist-mini")  # what the networks for one digit have learned from
PLACES = tuple(range(8, 57, 6))  # pixels at which the shift test puts the middle of the drawing: 9 by 9
FAINT = drawings.FAINT


@st.cache_resource(show_spinner=False)
def _kept() -> Kept:
    """The networks that were asked last, by their run and the weights that it had."""
    return Kept(8)


@st.cache_resource(show_spinner=False)
def _maker() -> SceneMaker:
    """Makes scenes of test digits of the set that ships."""
    from core.data.ink.dataset import maker_of_test_digits

    return maker_of_test_digits(data.load("mnist-mini"))


def segmenters() -> list[Run]:
    """Runs with weights whose network says of every pixel what it is; on scenes first, then as in the lab report."""
    found = [run for run in state.own_and_shipped() if _has(run, "masks")]
    return sorted(found, key=lambda run: data.describe(run.config.dataset).labels == "everywhere")


def classifiers() -> list[Run]:
    """Of each network that reads one digit the run that was the most accurate on its validation images."""
    accuracy = {summary.id: summary.val_accuracy or 0.0 for summary in state.summaries().all()}
    best: dict[str, Run] = {}
    for run in sorted(state.own_and_shipped(), key=lambda run: -accuracy.get(run.id, 0.0)):
        if _has(run, "classes") and run.config.dataset in DIGIT_SETS:
            best.setdefault(run.config.model, run)
    return [best[name] for name in models.names() if name in best]


def _has(run: Run, task: str) -> bool:
    try:
        return run.has_weights and models.describe(run.config.model).task == task
    except LabError:
        return False


def network(run: Run) -> nn.Module:
    """A run's network, ready to use. Raises: LabError when its weights can't be read."""
    facts = (run.path / checkpoints.WEIGHTS).stat()
    return _kept().get((run.id, facts.st_mtime_ns, facts.st_size), lambda: load_model(run))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Seen:
    """What a network says of the ink on the canvas."""

    found: Segmentation
    readings: list[Reading]

    def answer(self, number: int) -> canvas.Answer:
        """As the canvas shows it."""
        regions = [canvas.Region(digit=r.digit, confidence=r.confidence, box=r.box) for r in self.readings]
        shades = (self.found.probabilities * 255).round().astype(np.uint8)
        return canvas.Answer(number, self.found.labels, shades, regions)


def see(run: Run, ink: Pixels) -> Seen | None:
    """What a run's network says of the ink; None where there is none."""
    from core.segmentation import read, segment

    if not (ink >= FAINT).any():
        return None
    found = segment(network(run), ink)
    return Seen(found, read(ink, found))


def sway(run: Run, ink: Pixels, pixel: tuple[int, int]) -> Pixels:
    """The receptive field of a pixel over the ink, enlarged: uint8 [256, 256, 3], the ink grey, the sway orange."""
    from core.segmentation import receptive_field

    strength = np.sqrt(receptive_field(network(run), ink, pixel))[..., None]  # the weak ends would not be seen
    grey = np.repeat(ink[..., None].astype(np.float32) * 0.6, 3, axis=2)
    mixed = grey * (1 - strength) + np.array([255, 169, 14], np.float32) * strength
    x, y = pixel
    mixed[y, x] = 255
    return np.asarray(cv2.resize(mixed.astype(np.uint8), (256, 256), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


def scene(seed: int) -> tuple[Pixels, Pixels]:
    """The random scene of a seed and its truth: uint8 [64, 64] each, 10 for the background in the truth."""
    images, masks = _maker().scenes(1, np.random.RandomState(seed))
    return images[0, 0].numpy(), masks[0].numpy().astype(np.uint8)


def scene_iou(labels: Pixels, truth: Pixels) -> float:
    """Mean intersection over union of the digits that are in the scene, 0..1."""
    there = [digit for digit in range(10) if (truth == digit).any()]
    shares = [((labels == d) & (truth == d)).sum() / ((labels == d) | (truth == d)).sum() for d in there]
    return float(np.mean(shares)) if shares else 0.0


def ink_of_upload(content: bytes) -> Pixels:
    """A person's picture as ink: uint8 [64, 64]. Raises: DataError in words for the person who sent it."""
    ink = drawings.from_picture(read_picture(content))
    if not (ink >= FAINT).any():
        raise DataError(
            "This picture is all of one shade: there is no ink in it. Take one with dark on light, or light on dark."
        )
    return ink


def as_png(pixels: Pixels) -> bytes:
    """A PNG file of uint8 [H, W]."""
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())


@dataclass(frozen=True)
class Opinion:
    """What a network for one digit says of the ink: of the squeezed field and of the centred ink.

    Each a digit and how sure it is, 0..1.
    """

    run: Run
    squeezed: tuple[int, float]
    centred: tuple[int, float]


def opinions(ink: Pixels) -> list[Opinion]:
    """What every network for one digit says of the ink. Raises: LabError when weights can't be read."""
    small = np.stack((drawings.squeezed(ink), drawings.centred(ink)))
    found = []
    for run in classifiers():
        probabilities = _classify(run, small)
        answers = [(int(row.argmax()), float(row.max())) for row in probabilities]
        found.append(Opinion(run, answers[0], answers[1]))
    return found


def _classify(run: Run, images: Pixels) -> Any:  # noqa: ANN401 - an array [N, 10]
    from core.evaluation import probabilities

    return probabilities(network(run), images[:, None])


def shift_test(run: Run, ink: Pixels, digit: int) -> list[tuple[Run, NDArray[np.bool_]]]:
    """Where each network still reads the digit when the drawing is moved over the field: its run with a bool [9, 9].

    The networks for one digit see the field squeezed.
    """
    fields = drawings.over_the_field(ink, PLACES)
    shape = (len(PLACES), len(PLACES))
    seen = [see(run, field) for field in fields]
    right = [(run, np.array([bool(s) and [r.digit for r in s.readings] == [digit] for s in seen]).reshape(shape))]
    small = np.stack([drawings.squeezed(field) for field in fields])
    for other in classifiers():
        right.append((other, (_classify(other, small).argmax(1) == digit).reshape(shape)))
    return right
