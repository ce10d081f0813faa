"""The experiments of the guided tour with pictures: a class for every pixel, and what a decision was made of.

Owns: how their results are shown. Leaves figures to `core.experiments`, maps to `cam`, which loads torch only when a
result is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core import data, experiments
from core.answers import masks_of
from core.data.pictures import Picture, labels, pictures
from core.errors import LabError
from core.experiments import BACKGROUND, PHOTOS, SCENES, Pixels
from core.runs import Run
from pages.ui import words
from pages.ui.charts import Kept
from pages.ui.tour_numbers import to_train

SHOWN_SCENES, SCALE = 3, 4  # test scenes that are shown; pixels of the screen for one of theirs
SIDE = 64 * SCALE
LEAST_NAMED = 12  # pixels of a piece of a mask that gets its name
BINS = {"half": 0.5, "most": 0.75, "nearly": 0.9}  # up to which share each option goes; "all" beyond
PICTURES = "cifar10"
PICTURE_SIDE = 192
GONE = "The network of this experiment is gone. Train one on the Train page."


@st.cache_resource(show_spinner=False)
def _masks() -> Kept:
    """The first test scenes of a run: its answers and the truth."""
    return Kept(4)


def third_missing(runs: Sequence[Run]) -> bool:
    """Whether there is no network for every pixel; then it says what to train."""
    if experiments.segmenter(runs) is not None:
        return False
    st.info(
        "This experiment needs an FCN that has learned and was tested. Train one, and come back when it has ended: on "
        f"{data.describe(SCENES[-1]).title} it takes a few minutes.",
        icon=":material/model_training:",
    )
    to_train("fcn", SCENES[-1])
    return True


def _first_scenes(run: Run) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Answers and truth of the first test scenes: uint8 [3, 64, 64] each. Raises: RunError."""
    key = run.id, str((run.test() or {}).get("opened"))

    def read() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        prediction, label = masks_of(run)
        return prediction[:SHOWN_SCENES].copy(), label[:SHOWN_SCENES].copy()

    return _masks().get(key, read)


def third_begin(runs: Sequence[Run]) -> None:
    """The first test scenes."""
    run = experiments.segmenter(runs)
    if run is None:
        return
    try:
        _, truth = _first_scenes(run)
    except LabError as error:
        st.info(words.md(str(error)), icon=":material/info:")
        return
    ink = [np.repeat(np.where(mask == BACKGROUND, 0, 235).astype(np.uint8)[..., None], 3, 2) for mask in truth]
    _strip(ink, f"The first {len(truth)} of its test scenes, white where a digit is.")


def third_result(runs: Sequence[Run]) -> str:
    """What the network calls every pixel, beside the truth. Raises: LabError."""
    if (run := experiments.segmenter(runs)) is None:
        raise LabError(GONE)
    figures, (answers, truth) = experiments.pixels(run), _first_scenes(run)
    _strip([coloured(mask) for mask in answers], f"What the network says of every pixel. In truth: {_digits(truth)}.")
    for sentence in in_words(figures):
        st.markdown(sentence)
    st.caption(f"One network, trained once, on {figures.scenes:,} scenes that it had not seen: {words.md(run.name)}.")
    return next((option for option, most in BINS.items() if figures.of_digits < most), "all")


def in_words(figures: Pixels) -> list[str]:
    """What the figures of a segmenter say, in sentences."""
    sentences = [
        f"**{figures.of_digits:.1%}** of the pixels of digits are called by their very digit.",
        f"Of all pixels {figures.accuracy:.1%} are right, but {figures.background:.1%} are background: a network that "
        f"says background everywhere would be right as often as that. So the overlap counts: a digit's pixels that "
        f"are also called so, out of all that are either, **{figures.iou:.1%}** on average (intersection over union).",
    ]
    if figures.mistake:
        truth, answer, share = figures.mistake
        sentences.append(f"Most often mistaken: {share:.1%} of the pixels of a {truth} are called {answer}.")
    return sentences


def third_go_on(runs: Sequence[Run]) -> None:
    """The way to drawing oneself."""
    run = experiments.segmenter(runs)
    linked = {"run": run.id} if run and run.has_weights else {}
    st.page_link("segment.py", label="Try it yourself: draw digits", icon=":material/gesture:",
                 query_params={**linked, "scene": "1"})  # fmt: skip


def _digits(masks: NDArray[np.uint8]) -> str:
    """The digits of some scenes in words: "0; 9; 5 and 6"."""
    return "; ".join(" and ".join(str(digit) for digit in np.unique(mask[mask != BACKGROUND])) for mask in masks)


def coloured(mask: NDArray[np.uint8]) -> Picture:
    """A mask uint8 [H, W] as a picture uint8 [4H, 4W, 3]: each digit in its colour, its name beside it."""
    import cv2

    from pages.ui.canvas import CLASS_COLOURS

    shades = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in (*CLASS_COLOURS, "#000000")])
    large = np.kron(shades[mask].astype(np.uint8), np.ones((SCALE, SCALE, 1), np.uint8))
    for digit in np.unique(mask[mask != BACKGROUND]):
        count, _, boxes, _ = cv2.connectedComponentsWithStats((mask == digit).astype(np.uint8))
        for left, top, width, _, size in boxes[1:count]:
            if size >= LEAST_NAMED:
                right = left + width + 5 < len(mask)  # of the digit there is room for its name
                place = ((left + width + 1 if right else left - 5) * SCALE, (top + 6) * SCALE)
                cv2.putText(large, str(digit), place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255,) * 3, 2, cv2.LINE_AA)
    return large


def _strip(panels: list[Picture], caption: str) -> None:
    """Pictures side by side; a phone shows them smaller."""
    from pages.ui import overlay

    enlarged = [overlay.enlarged(panel, SIDE) for panel in panels]
    st.image(overlay.png(overlay.strip(enlarged)), caption, alt=caption)


def explained(runs: Sequence[Run]) -> Run | None:
    """The network whose decision is looked into: a ResNet where there is one, a reference run before a person's own."""
    known = [run for run in runs if _can_be_explained(run)]
    return min(known, key=lambda run: (run.config.model != "resnet", not run.is_shipped), default=None)


def _can_be_explained(run: Run) -> bool:
    try:
        return run.config.dataset in PHOTOS and run.config.model != "mlp" and run.has_weights
    except LabError:
        return False


def _picture() -> tuple[int, int]:
    """The first test image that is on this machine: its place in the test set and its class. Raises: LabError."""
    return next(iter(labels(PICTURES).items()))


def fourth_missing(runs: Sequence[Run]) -> bool:
    """Whether there is no network for photographs with its weights; then it says what to train."""
    if explained(runs) is not None:
        return False
    st.info(
        "This experiment needs a network with convolutions that has learned photographs. Train one, and come back "
        f"while it learns: on {data.describe(PHOTOS[-1]).title} the first answers take a minute.",
        icon=":material/model_training:",
    )
    to_train("resnet", PHOTOS[-1])
    return True


def fourth_begin(runs: Sequence[Run]) -> None:
    """The picture that is asked about: the first test image, nothing chosen."""
    from pages.ui import overlay

    try:
        place, truth = _picture()
        picture = pictures(PICTURES, [place])[place]
    except LabError as error:
        st.info(words.md(str(error)), icon=":material/info:")
        return
    name = data.describe(PICTURES).classes[truth]
    caption = f"Test image {place}, {name}: the first one here, not a chosen one."
    st.image(overlay.png(overlay.enlarged(picture, PICTURE_SIDE)), caption, alt=caption)


def fourth_result(runs: Sequence[Run]) -> str:
    """The map over the picture, and how the answer falls while it is blurred away. Raises: LabError."""
    run, (place, truth) = explained(runs), _picture()
    if run is None:
        raise LabError(GONE)
    bar = st.empty()
    with bar.container(), st.spinner("Loading libraries and the network…"):
        from pages.ui import cam, overlay, said
        from pages.ui.cam import Question
        from pages.ui.gallery import Shown

        network = next(network for network in cam.offered() if network.run.id == run.id)
        shown = Shown(pictures(PICTURES, [place])[place], place, truth)
        seen = cam.look(network, shown.pixels, Question(None, None, 1.0, "grad-cam"))
    picture, values = overlay.enlarged(shown.pixels, smooth=True), seen.shown(overlay.SIDE, smooth=True)
    panels = [picture, overlay.coloured(values), overlay.blended(picture, values, 0.5)]
    st.markdown(f"{said.answer_in_words(seen, shown)}. Picture, map and both; dark blue is nothing, yellow is most.")
    st.image(overlay.png(overlay.strip(panels)), alt=said.in_words(seen, shown))
    if seen.is_empty:
        raise LabError("The map is empty: nothing argues for this answer, so there is nothing to blur first.")
    found = cam.faithful(seen, shown.pixels, _progress(bar))
    bar.empty()
    gain, spread = found.random_deletion - found.deletion, found.random_deletion_spread
    st.markdown(
        f"While the picture goes, the probability of its answer is **{found.deletion:.0%}** on average when the map "
        f"says what goes first, and **{found.random_deletion:.0%}** (give or take {spread:.0%}) for twenty maps made "
        "by chance."
    )
    st.caption(
        f"One picture and one network, {words.md(run.name)}. By luck alone about one chance map in six would pass as "
        "faster. The Grad-CAM page puts every map to this test, and to another one."
    )
    return "faster" if gain > spread else "slower" if gain < -spread else "same"


def _progress(bar: Any) -> Callable[[int, int], object]:  # noqa: ANN401 - Streamlit's empty container
    return lambda done, every: bar.progress(done / every, text="Blurring the picture, bit by bit…")


def fourth_go_on(runs: Sequence[Run]) -> None:
    """The way to the same picture on the Grad-CAM page, with a network without skip connections beside."""
    first = explained(runs)
    beside = [run for run in runs if _can_be_explained(run) and run is not first and run.config.model == "convnet"]
    ids = [run.id for run in (first, *beside[:1]) if run]
    st.page_link(
        "gradcam.py",
        label="Try it yourself: look into other decisions",
        icon=":material/center_focus_strong:",
        query_params={"models": ids, "image": str(_picture()[0])},
    )
