"""Which picture the Grad-CAM page shows: a test image that passes the filters, or a person's own.

Owns: the gallery, `Random image`, the upload and its crop. Leaves reading files to `core.data`.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
import streamlit as st

from core.answers import answers_of
from core.data.pictures import Picture, labels, official_places, pictures
from core.data.uploads import read_picture
from core.errors import LabError
from pages.ui import overlay, state, words
from pages.ui.cam import PICTURES, Network, classes
from pages.ui.charts import Kept

EVERY, WRONG, SUREST, DISAGREE = "all", "only wrong", "most confident errors", "where two disagree"
ANY = "any class"
ROWS = 24  # of a page of the gallery
SIDE = 32  # pixels that a network sees
CROP_SIDE = 160  # of the preview
UNKNOWN = -1


@dataclass(frozen=True)
class Shown:
    """The picture: uint8 [32, 32, 3]. place, truth: in the official test set, None for a person's own."""

    pixels: Picture
    place: int | None
    truth: int | None

    @property
    def title(self) -> str:
        """What it is, in words."""
        if self.place is None or self.truth is None:
            return "your own picture"
        return f"test image {self.place}, {classes()[self.truth]}"


@dataclass(frozen=True)
class Said:
    """What a network answered to the test images, by place: int64 and float32 [all]; -1 where it was not asked."""

    network: Network
    answer: np.ndarray
    confidence: np.ndarray


@st.cache_resource(show_spinner=False)
def _said() -> Kept:
    return Kept(16)


def said(networks: Sequence[Network]) -> list[Said]:
    """The stored answers of those networks that have some."""
    found = []
    for network in networks:
        opened = tuple((network.run.test() or {}).get("opened", ()))
        try:
            found.append(_said().get((network.run.id, opened), lambda network=network: _read(network)))
        except LabError:  # its test set is sealed
            continue
    return found


def _read(network: Network) -> Said:
    answers = answers_of(network.run)
    places = official_places(network.run.config.dataset)[: len(answers.prediction)]
    answer = np.full(len(official_places(PICTURES)), UNKNOWN)
    confidence = np.zeros(len(answer), np.float32)
    answer[places], confidence[places] = answers.prediction, answers.confidence
    return Said(network, answer, confidence)


def filters(networks: Sequence[Network], known: Sequence[Said]) -> list[int]:
    """The filters, and the places of the test images that pass them, in order."""
    kinds = [EVERY, *([WRONG, SUREST] if known else []), *([DISAGREE] if len(known) > 1 else [])]
    kind = st.selectbox("Show", kinds, key="show", bind="query-params", width=200, help=_of_whom(known))
    label = st.selectbox("Of", [ANY, *classes()], key="of", bind="query-params", width=150)
    return passing(kind, None if label == ANY else classes().index(label), known)


def _of_whom(known: Sequence[Said]) -> str:
    if not known:
        return "Wrong answers can be shown of networks whose test set was opened."
    first = words.md(known[0].network.label)
    if len(known) == 1:
        return f"Wrong answers are those of {first}."
    return f"Wrong answers are those of {first}; disagreeing are it and {words.md(known[1].network.label)}."


def passing(kind: str, label: int | None, known: Sequence[Said]) -> list[int]:
    """Places of the test images on this machine of a kind and, unless None, a class.

    Wrong answers are the first network's; disagreeing are the first and the second. The most confident come first.
    """
    truth = labels(PICTURES)
    places = np.fromiter(truth, np.int64)
    labelled = np.fromiter(truth.values(), np.int64)
    passes = np.ones(len(places), bool) if label is None else labelled == label
    if kind in (WRONG, SUREST):
        answer = known[0].answer[places]
        passes &= (answer != labelled) & (answer != UNKNOWN)
    if kind == DISAGREE:
        one, other = (said.answer[places] for said in known[:2])
        passes &= (one != other) & (one != UNKNOWN) & (other != UNKNOWN)
    found = places[passes]
    if kind == SUREST:
        found = found[np.argsort(-known[0].confidence[found], kind="stable")]
    return [int(place) for place in found]


def choose(places: Sequence[int]) -> Shown | None:
    """The picture to show: a person's own, the one just picked or in the address, or the first that passes."""
    own = _own()
    if own is not None:
        return Shown(own, None, None)
    if not places:
        return None
    wanted = st.session_state.get(state.PICTURE) or _number(st.query_params.get("image", ""))
    place = wanted if wanted in places else places[0]
    st.session_state[state.PICTURE] = place
    st.query_params["image"] = str(place)
    return Shown(pictures(PICTURES, [place])[place], place, labels(PICTURES)[place])


def is_place(text: str) -> bool:
    """Whether a text is the place of a test image that can be shown."""
    return _number(text) in labels(PICTURES)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def random_button(places: Sequence[int]) -> None:
    """`Random image`: another one of those that pass, in place of a person's own too."""
    st.button(
        "Random image", type="primary", icon=":material/shuffle:", disabled=not places, on_click=_pick,
        args=(random.choice(places) if places else None,), help="Another picture that passes the filters beside.",
    )  # fmt: skip


def _pick(place: int) -> None:
    """Show this test image from now on; a person's own picture and a row of the gallery are let go."""
    st.session_state[state.PICTURE] = place
    st.session_state[state.PICKS] = st.session_state.get(state.PICKS, 0) + 1


def upload() -> None:
    """Where a person puts a picture, and how it is cropped."""
    with st.popover("Your own picture", icon=":material/upload:"):
        st.caption("A PNG or JPEG, at most 5 MB and 4 megapixels. It is only looked at, and kept nowhere.")
        st.file_uploader("Picture", key=_key("upload"), label_visibility="collapsed", max_upload_size=5)
        if _uploaded() is None:
            return
        try:
            whole = read_picture(_uploaded().getvalue())
        except LabError as error:
            st.error(words.md(str(error)), icon=":material/broken_image:")
            return
        st.slider("Closer", 1.0, 4.0, 1.0, 0.1, key=_key("crop-closer"))
        st.slider("Right", 0.0, 1.0, 0.5, 0.01, key=_key("crop-right"))
        st.slider("Down", 0.0, 1.0, 0.5, 0.01, key=_key("crop-down"))
        small = cropped(whole, *_crop())
        st.image(overlay.png(overlay.enlarged(small, CROP_SIDE)), alt="The part that the networks see.")
        st.caption(f"{whole.shape[1]} x {whole.shape[0]} pixels; the networks see this part, as {SIDE} x {SIDE}.")


def _own() -> Picture | None:
    """A person's own picture as it is cropped; None where there is none, or it can't be read."""
    file = _uploaded()
    if file is None:
        return None
    try:
        return cropped(read_picture(file.getvalue()), *_crop())
    except LabError:  # said beside the upload
        return None


def _uploaded() -> st.runtime.uploaded_file_manager.UploadedFile | None:
    return st.session_state.get(_key("upload"))


def _crop() -> tuple[float, float, float]:
    closer = st.session_state.get(_key("crop-closer"), 1.0)
    return closer, st.session_state.get(_key("crop-right"), 0.5), st.session_state.get(_key("crop-down"), 0.5)


def _key(name: str) -> str:
    """A widget's key that is new after every pick, so that the widget begins anew."""
    return f"{name}-{st.session_state.get(state.PICKS, 0)}"


def cropped(whole: Picture, closer: float, right: float, down: float) -> Picture:
    """A square of a picture uint8 [H, W, 3], scaled to [32, 32, 3]: the largest there is, or a part of it.

    closer: how many times smaller its side is. right, down: where it lies, 0 at the edge to 1 at the other.
    """
    height, width = whole.shape[:2]
    side = max(1, round(min(height, width) / closer))
    top, left = round((height - side) * down), round((width - side) * right)
    way = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    square = whole[top : top + side, left : left + side]
    return np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=way), dtype=np.uint8)


def table(places: Sequence[int], known: Sequence[Said]) -> None:
    """A page of the pictures that pass, with what each network said; a picked row is shown."""
    pages = max(1, -(-len(places) // ROWS))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        page = st.number_input("Page", 1, pages, 1, key=f"gallery-page-{pages}", width=140)
        st.caption(f"of {pages}: {words.plural(len(places), 'picture')}. A picked row is shown above.")
    rows = list(places[(page - 1) * ROWS : page * ROWS])
    key = _key(f"gallery-{hash(tuple(rows))}")
    st.dataframe(
        _frame(rows, known), key=key, hide_index=True, row_height=48, height=420, selection_mode="single-row",
        on_select=lambda: _pick_row(rows, key), alt=f"{len(rows)} pictures with what the networks say of them.",
        column_config={"picture": st.column_config.ImageColumn("picture", width=60)},
    )  # fmt: skip


def _pick_row(rows: Sequence[int], key: str) -> None:
    if picked := st.session_state[key]["selection"]["rows"]:
        _pick(rows[picked[0]])


def _frame(rows: Sequence[int], known: Sequence[Said]) -> pd.DataFrame:
    truth, found = labels(PICTURES), pictures(PICTURES, rows)
    columns: dict[str, list[str | int]] = {
        "picture": [_as_address(found[place]) for place in rows],
        "image": list(rows),
        "truth": [classes()[truth[place]] for place in rows],
    }
    for given in known:
        columns[f"{given.network.label} says"] = [_answer(given, place) for place in rows]
    return pd.DataFrame(columns)


def _answer(given: Said, place: int) -> str:
    answer = given.answer[place]
    return "" if answer == UNKNOWN else f"{classes()[answer]} ({given.confidence[place]:.0%})"


def _as_address(picture: Picture) -> str:
    return "data:image/png;base64," + base64.b64encode(overlay.png(overlay.enlarged(picture, 64))).decode()
