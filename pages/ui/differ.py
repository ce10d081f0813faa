"""Where networks differ: confusion, accuracy by class, and the very images behind a cell.

Owns: that section of the Compare page. Leaves answers to `core.answers`, images to `core.data.pictures`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core import data
from core.answers import Answers
from core.comparison import Row
from core.data.pictures import Picture, pictures
from core.errors import LabError
from pages.ui import words

COUNTS, BY_TRUTH, BY_ANSWER, DIFFERENCE = "counts", "share of each class", "share of each answer", "difference"
MOST_IMAGES = 24
SIDE = 112  # pixels of a shown image
PERCENT = "%.1f%%"  # a class has about a thousand test images
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Subject:
    """One picked row and the answers of one of its runs: the first counted one."""

    row: Row
    answers: Answers


def fits(row: Row, answers: Answers, others: Sequence[Subject]) -> bool:
    """Whether a row answered the same images as the others, with the classes of its data set."""
    if answers.probability.shape[1] != len(classes_of(row.dataset)):
        return False
    return not others or answers.data_sha256 == others[0].answers.data_sha256


def classes_of(dataset: str) -> tuple[str, ...]:
    """The classes of a data set; none of one that nobody knows."""
    try:
        return data.describe(dataset).classes
    except LabError:
        return ()


def show(subjects: Sequence[Subject]) -> None:
    """The section, for subjects that answered the same images of one data set; at least one."""
    st.header("Where they differ", anchor=False)
    classes = data.describe(subjects[0].row.dataset).classes
    st.caption("Of one run of each row: its first seed.")
    st.markdown("**Accuracy by class**")
    st.dataframe(
        100 * by_class(subjects, classes), placeholder="–", alt="Accuracy of each picked network on each class.",
        column_config={s.row.label: st.column_config.NumberColumn(format=PERCENT) for s in subjects},
    )  # fmt: skip
    chosen, compared, kind = _choices(subjects)
    table = confusion(chosen, compared, kind)
    st.caption(
        "Rows are the truth, columns the answers. Pick a cell, by mouse or with the arrow keys, to see its images."
    )
    whole = kind in (COUNTS, DIFFERENCE)
    table = table if whole else 100 * table
    linked = linked_cell(str(st.query_params.get("cell", "")), classes)
    selection = st.dataframe(
        pd.DataFrame(table, index=list(classes), columns=list(classes)), key=f"cells-{kind}", on_select="rerun",
        selection_mode="single-cell", alt=f"Confusion matrix of {chosen.row.label}, {kind}.",
        selection_default={"selection": {"cells": [(linked[0], classes[linked[1]])] if linked else []}},
        column_config={c: st.column_config.NumberColumn(format="%d" if whole else PERCENT) for c in classes},
    )  # fmt: skip
    cells = selection["selection"]["cells"]
    if cells:
        truth, answer = int(cells[0][0]), classes.index(str(cells[0][1]))
        st.query_params["cell"] = f"{truth}-{answer}"
        title = f"{classes[truth]}, answered {classes[answer]}"
        _images(subjects, chosen, behind(chosen.answers, truth, answer), title)
        return
    st.query_params.pop("cell", None)
    if len(subjects) > 1:
        places = only_first_right(chosen.answers, compared.answers)
        _images(subjects, chosen, places, f"{chosen.row.label} is right and {compared.row.label} wrong")
    else:
        _images(subjects, chosen, surest_errors(chosen.answers), f"the surest errors of {chosen.row.label}")


def linked_cell(text: str, classes: Sequence[str]) -> tuple[int, int] | None:
    """Truth and answer that an address such as "3-5" names; None when it names none that there is."""
    match = re.fullmatch(r"(\d{1,3})-(\d{1,3})", text)
    cell = (int(match[1]), int(match[2])) if match else None
    return cell if cell and max(cell) < len(classes) else None


def _choices(subjects: Sequence[Subject]) -> tuple[Subject, Subject, str]:
    """Whose confusion, against whom, and in which numbers."""
    known = {subject.row.label: subject for subject in subjects}
    kinds = [COUNTS, BY_TRUTH, BY_ANSWER, *([DIFFERENCE] if len(known) > 1 else [])]
    with st.container(horizontal=True):
        first = st.selectbox("Confusion of", list(known), key="differ-first", width=320)
        others = [label for label in known if label != first] or [first]
        second = st.selectbox("against", others, key="differ-second", width=320, disabled=len(known) == 1)
        kind = st.segmented_control("Numbers", kinds, default=COUNTS, key="differ-kind", required=True, wrap=True)
    return known[first], known[second], kind or COUNTS


def by_class(subjects: Sequence[Subject], classes: Sequence[str]) -> pd.DataFrame:
    """Accuracy 0..1 of each subject on the images of each class; nan for a class without images."""
    columns = {}
    for subject in subjects:
        counts = subject.answers.confusion
        with np.errstate(invalid="ignore"):
            columns[subject.row.label] = counts.diagonal() / counts.sum(axis=1)
    return pd.DataFrame(columns, index=list(classes))


def confusion(first: Subject, second: Subject, kind: str) -> Matrix:
    """The confusion matrix [C, C] of the first, or how it differs from the second's, in the numbers asked for."""
    counts = first.answers.confusion.astype(np.float64)
    if kind == DIFFERENCE:
        return counts - second.answers.confusion
    if kind == COUNTS:
        return counts
    sums = counts.sum(axis=1 if kind == BY_TRUTH else 0, keepdims=True)
    return np.divide(counts, sums, out=np.zeros_like(counts), where=sums > 0)


def behind(answers: Answers, truth: int, answer: int) -> NDArray[np.int64]:
    """Places of the images of a cell, the surest answers first."""
    return _surest_first(answers, (answers.label == truth) & (answers.prediction == answer))


def only_first_right(first: Answers, second: Answers) -> NDArray[np.int64]:
    """Places of the images that the first got right and the second wrong, the second's surest errors first."""
    return _surest_first(second, first.right & ~second.right)


def surest_errors(answers: Answers) -> NDArray[np.int64]:
    """Places of the wrong answers, the surest first."""
    return _surest_first(answers, ~answers.right)


def _surest_first(answers: Answers, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    places = np.flatnonzero(chosen)
    return places[np.argsort(-answers.confidence[places], kind="stable")]


def _images(subjects: Sequence[Subject], chosen: Subject, places: NDArray[np.int64], title: str) -> None:
    """The images at these places with every picked network's answer, as many as there is room for."""
    dataset = chosen.row.dataset
    found = pictures(dataset, places.tolist())
    shown = [int(place) for place in places if int(place) in found][:MOST_IMAGES]
    st.markdown(f"**{words.md(title)}**: {words.plural(len(places), 'image')}")
    if len(shown) < min(len(places), MOST_IMAGES):
        info = data.describe(dataset)
        what = "its images are gone" if info.is_own else "shown are those that the small set has"
        st.caption(f"{words.md(info.title)} is not on this machine; {what}.")
    if not shown:
        st.caption("No image to show here.")
        return
    classes, labels = data.describe(dataset).classes, subjects[0].answers.label
    captions = [_caption(subjects, place, classes) for place in shown]
    alt = [f"Test image {place}, {classes[labels[place]]}" for place in shown]
    st.image([enlarged(found[place]) for place in shown], captions, width=SIDE, alt=alt)


def _caption(subjects: Sequence[Subject], place: int, classes: Sequence[str]) -> str:
    """The truth, then each network's answer with how sure it was."""
    lines = [f"{classes[subjects[0].answers.label[place]]}:"]
    for subject in subjects:
        answer, sure = classes[subject.answers.prediction[place]], subject.answers.confidence[place]
        lines.append(f"{subject.row.label} says {answer} ({sure:.0%})")
    return words.md(" · ".join(lines))


def enlarged(picture: Picture) -> Picture:
    """uint8 [H, W, C] with every pixel a square, about 112 pixels wide: [H', W', 3] or, grey, [H', W']."""
    times = max(1, SIDE // picture.shape[1])
    large = cv2.resize(picture, None, fx=times, fy=times, interpolation=cv2.INTER_NEAREST)
    return np.asarray(large, dtype=np.uint8)
