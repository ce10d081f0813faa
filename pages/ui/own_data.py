"""Data sets of one's own on the Home page: bringing pictures, looking at them, training on them, removing them.

Owns: that section. Leaves all reading and refusing to `core.data.own`; whatever a person calls things is shown as text.
"""

from __future__ import annotations

import time
from pathlib import PurePath

import numpy as np
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core import data
from core.data.own import limits, shelf
from core.data.own.bringing import bring
from core.data.pictures import Picture, labels, pictures
from core.errors import LabError
from core.runs import LIVE, RESUMABLE
from pages.ui import overlay, state, words

AS_THEY_ARE = "as the pictures are"
SIZES = (AS_THEY_ARE, "28", "32", "48", "64", "96", "128")
SECONDS_WITHOUT_BAR, SECONDS_BETWEEN_LOOKS = 1.0, 0.2
SAMPLES, MOST_CLASSES, SIDE = 5, 20, 56  # pictures of a class, classes shown, pixels of a picture: they fit a phone


def show() -> None:
    """The section: what came of the last import, the sets that are here, and how to bring more."""
    st.header("Your own data", anchor=False)
    found = shelf.listed()
    with st.container():  # however much is in it, what comes below stays what it is: open, if it was opened
        _said()
        for info in found:
            _set(info)
        if damaged := shelf.unreadable():
            names = words.md(", ".join(damaged))
            st.caption(f"Damaged in the folder of data sets: {names}. Import their pictures again to mend them.")
    with st.expander("Bring your own pictures", icon=":material/add_photo_alternate:", expanded=not found, key="own"):
        _form()


def _form() -> None:
    """Where a person puts a file, and says what it is called."""
    st.markdown(
        f"A **ZIP** of a folder that holds a folder of PNG or JPEG pictures for each class, {limits.LEAST_A_CLASS} or "
        f"more in each; or an **.npz** with `images` and `labels`. At most {limits.UPLOAD_MB} MB. "
        "They stay on this machine. A larger set comes straight from its folder: `python -m core import FOLDER`."
    )
    version = st.session_state.get(state.IMPORTS, 0)  # after an import the form begins anew
    with st.form(f"own-{version}", border=False):  # a form takes no press while a file is on its way
        file = st.file_uploader("ZIP or .npz", key=f"own-file-{version}", max_upload_size=limits.UPLOAD_MB)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            title = st.text_input(
                "Name", key=f"own-name-{version}", max_chars=limits.LONGEST_TITLE, placeholder="as the file", width=320
            )
            size = st.selectbox(
                "Size in pixels", SIZES, key=f"own-size-{version}", width=180,
                help="Of the images that networks see. As the pictures are: 28 grey or 32 in colour, and 64 when most "
                     "pictures are that large. More pixels show more and take longer.",
            )  # fmt: skip
            pressed = st.form_submit_button("Import", type="primary", icon=":material/upload:")
    if pressed and file is None:
        st.error("No file is chosen yet: choose a ZIP or an .npz first.", icon=":material/broken_image:")
    elif pressed:
        _import(file, title, None if size == AS_THEY_ARE else int(size))
        st.rerun()


def _import(file: UploadedFile, title: str, side: int | None) -> None:
    """Read and keep what was sent, with a bar where that takes long."""
    place, begin, last = st.empty(), time.monotonic(), [0.0]

    def told(done: int, total: int) -> None:
        now = time.monotonic()
        if now - begin > SECONDS_WITHOUT_BAR and now - last[0] > SECONDS_BETWEEN_LOOKS:
            last[0] = now
            place.progress(done / total, text=f"Reading picture {done:,} of {total:,}")

    try:
        brought = bring(file.getvalue(), title or PurePath(file.name).stem, side, told)
    except LabError as error:
        st.session_state[state.IMPORTED] = (str(error), False)
        return
    finally:
        place.empty()
    st.session_state[state.IMPORTED] = (brought.in_words(), True)
    st.session_state[state.LOOKED_AT] = brought.info.name
    st.session_state[state.IMPORTS] = st.session_state.get(state.IMPORTS, 0) + 1


def _said() -> None:
    """What came of the last import or removal."""
    if said := st.session_state.get(state.IMPORTED):
        sentence, is_good = said
        show = st.success if is_good else st.error
        show(words.md(sentence), icon=":material/check:" if is_good else ":material/broken_image:")


def _set(info: data.DatasetInfo) -> None:
    """One set: what it holds, the ways to it and out of it, and its pictures if they are asked for."""
    with st.container(border=True):
        st.markdown(f"{words.bold(info.title)} · {shelf.in_words(info)}")
        st.caption(
            f"{info.train_size:,} to learn from, {info.val_size:,} for validation, {info.test_size:,} for the test · "
            f"on the command line {words.md(info.name)}"
        )
        is_looked_at = st.session_state.get(state.LOOKED_AT) == info.name
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(
                "train.py", label="Train on it", query_params={"dataset": info.name},
                icon=":material/model_training:",
            )  # fmt: skip
            st.button(
                "Hide pictures" if is_looked_at else "Show pictures", key=f"look-{info.name}", icon=":material/image:",
                on_click=_look_at, args=("" if is_looked_at else info.name,),
            )  # fmt: skip
            _way_out(info)
        if is_looked_at:
            _samples(info)


def _look_at(name: str) -> None:
    """Show the pictures of this set from now on; "" for none."""
    st.session_state[state.LOOKED_AT] = name


def _way_out(info: data.DatasetInfo) -> None:
    """Removing a set, in two presses."""
    runs = state.store().runs_on(info.name)
    states = [run.status().state for run in runs]
    is_used = any(each in LIVE for each in states)
    with st.popover("Remove", icon=":material/delete:"):
        st.markdown(f"The pictures of {words.bold(info.title)} will be gone from this machine for good.")
        if runs:
            st.markdown(f"What {words.plural(len(runs), 'run')} learned from them stays.")
        if paused := sum(each in RESUMABLE for each in states):
            st.markdown(f"Without them {words.plural(paused, 'run')} can't go on.")
        if st.button("Remove for good", key=f"remove-{info.name}", type="primary", disabled=is_used,
                     help="A run learns from them just now, or waits to." if is_used else None):  # fmt: skip
            try:
                shelf.remove(info.name)
                said = f"{info.title} is gone.", True
            except LabError as error:
                said = str(error), False
            st.session_state[state.IMPORTED] = said
            st.rerun()


def _samples(info: data.DatasetInfo) -> None:
    """A few test pictures of each class."""
    try:
        strips = _strips(info.name, info.content)
    except LabError as error:
        st.error(words.md(str(error)), icon=":material/broken_image:")
        return
    with st.container(horizontal=True):
        for name, (count, strip) in zip(info.classes, strips, strict=False):
            alt = f"{words.plural(count, 'picture')} of the class {name}."
            st.image(strip, words.md(name), alt=alt, width="content")
    if (more := len(info.classes) - len(strips)) > 0:
        st.caption(f"{more} more {'class is' if more == 1 else 'classes are'} not shown.")


@st.cache_resource(show_spinner=False, max_entries=16)
def _strips(name: str, content: str) -> list[tuple[int, bytes]]:
    """For each class, how many pictures there are, and they side by side as a PNG. content: says which set it is."""
    places: dict[int, list[int]] = {}
    for place, label in labels(name).items():
        places.setdefault(label, []).append(place)
    chosen = [places[label][:SAMPLES] for label in sorted(places)[:MOST_CLASSES]]
    found = pictures(name, [place for some in chosen for place in some])
    return [(len(some), overlay.png(overlay.strip([_panel(found[place]) for place in some]))) for some in chosen]


def _panel(image: Picture) -> Picture:
    """An image uint8 [H, W, C] as uint8 [SIDE, SIDE, 3]."""
    colour = np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))
    return overlay.enlarged(colour, SIDE, smooth=image.shape[0] > SIDE)
