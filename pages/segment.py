"""Segment: draw digits anywhere on a field, and every pixel gets its class while the pen still moves."""

import random
from contextlib import suppress

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core import data, drawings
from core.errors import LabError
from core.runs import Run
from pages.ui import canvas, field, state, words

KEY = "segment-canvas"
MOST_SEED = 1_000_000
OPINIONS, SHIFTS = "opinions", "shifts"  # what can be asked about a drawing


def choose() -> Run | None:
    """The network that reads the canvas, which the address remembers; None while there is none."""
    known = {run.id: run for run in field.segmenters()}
    if not known:
        st.info("No network says of every pixel what it is yet. Train one: on the **Train** page, take the data set "
                "**MNIST mini scenes** and the model **FCN**.")  # fmt: skip
        st.page_link("train.py", label="Train an FCN", icon=":material/model_training:",
                     query_params={"model": "fcn", "dataset": "mnist-mini-scenes", "recipe": "quick"})  # fmt: skip
        return None
    linked = st.query_params.get("run", "")
    ids = list(known)
    picked = st.selectbox(
        "Network", ids, index=ids.index(linked) if linked in known else 0, key="segment-run",
        format_func=lambda run_id: known[run_id].name, width=420, help="Runs of an FCN that have their weights.",
    )  # fmt: skip
    st.query_params["run"] = picked
    return known[picked]


def field_and_answers(run: Run | None) -> None:
    """All that follows the pen: an answer about a drawing goes when the drawing changes."""
    board(run)
    if run is not None:
        why_convolutional(run)


def board(run: Run | None) -> None:
    """The canvas and what the network says of it; drawn again with every message of the pen."""
    version = st.session_state.setdefault(state.INK_VERSION, 0)
    drawn = _heard(version)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        show = st.selectbox("Show", canvas.SHOWS, key="show", bind="query-params", width=180, format_func=_shown,
                            help="The likeliest class, how likely one class is, or how unsure it is.")  # fmt: skip
        overlay = st.slider("Opacity", 0.0, 1.0, 0.75, 0.05, key="overlay", bind="query-params", width=180)
        st.button("Random scene", icon=":material/casino:", on_click=_random_scene, disabled=run is None)
        _upload()
    ink = st.session_state.get(state.INK)
    seen, trouble = _see(run, ink)
    answer = seen.answer(drawn.number if drawn else 0) if seen else None
    canvas.canvas(KEY, answer=answer, ink=ink, version=version, overlay=overlay, show=show)
    if trouble:
        st.error(words.md(trouble), icon=":material/error:")
    elif run is not None:
        _in_words(run, ink, seen)
    if seen and run and drawn and drawn.pixel:
        _pixel(run, ink, seen, drawn.pixel)
    if seen:
        _take_along(ink, seen)


def _warm_up(run: Run | None) -> None:
    """Load the network before the canvas is there. What is wrong with it the board says."""
    with suppress(LabError, OSError):
        if run is not None:
            field.network(run)


def _heard(version: int) -> canvas.Drawn | None:
    """What the canvas said last; its ink is kept, so that another page and back loses nothing."""
    try:
        drawn = canvas.read(KEY, version)
    except LabError as error:
        st.error(words.md(str(error)), icon=":material/error:")
        return None
    before = st.session_state.get(state.INK)
    if drawn and (before is None or not np.array_equal(drawn.ink, before)):
        st.session_state[state.INK] = drawn.ink
        st.session_state.pop(state.SCENE, None)
        st.query_params.pop("scene", None)
    return drawn


def _see(run: Run | None, ink: field.Pixels | None) -> tuple[field.Seen | None, str]:
    """What the network says, or why it can't."""
    if run is None or ink is None:
        return None, ""
    try:
        return field.see(run, ink), ""
    except (LabError, OSError) as error:
        return None, str(error)


def _shown(show: str) -> str:
    return (
        f"the {show}" if show.isdigit() else {"classes": "all classes", "entropy": "how unsure it is"}.get(show, show)
    )


def put(ink: field.Pixels, scene: int | None = None) -> None:
    """Put ink on the canvas: of a random scene, or of a person's picture."""
    st.session_state[state.INK] = ink
    st.session_state[state.INK_VERSION] = st.session_state.get(state.INK_VERSION, 0) + 1
    if scene is None:
        st.session_state.pop(state.SCENE, None)
        st.query_params.pop("scene", None)
    else:
        st.session_state[state.SCENE] = scene
        st.query_params["scene"] = str(scene)


def _random_scene() -> None:
    seed = random.randrange(MOST_SEED)
    put(field.scene(seed)[0], seed)


def _linked_scene() -> None:
    """The scene that the address names, on a canvas that nobody has drawn on."""
    seed = st.query_params.get("scene", "")
    if state.INK not in st.session_state and _is_scene(seed):
        put(field.scene(int(seed))[0], int(seed))


def _is_scene(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(MOST_SEED)) and int(text) < MOST_SEED


def _upload() -> None:
    with st.popover("Your own picture", icon=":material/upload:"):
        st.caption("A PNG or JPEG of dark digits on light paper, or light on dark; it is fitted into the field.")
        sent = st.file_uploader("Picture", key="segment-upload", label_visibility="collapsed", max_upload_size=5)
        if sent is not None and st.session_state.get(state.TAKEN) != sent.file_id:
            try:
                put(field.ink_of_upload(sent.getvalue()))
                st.session_state[state.TAKEN] = sent.file_id
                st.rerun(scope="fragment")
            except LabError as error:
                st.error(words.md(str(error)), icon=":material/image_not_supported:")


def _in_words(run: Run, ink: field.Pixels | None, seen: field.Seen | None) -> None:
    """What the canvas does not say itself; of a random scene, how right every pixel is."""
    if seen is None or ink is None:
        st.markdown("The field is empty: draw a digit, anywhere.")
        return
    if not seen.readings:
        st.markdown("Only specks: nothing that it takes for a digit.")
    if (seed := st.session_state.get(state.SCENE)) is not None:
        truth = field.scene(seed)[1]
        there = " ".join(str(digit) for digit in range(10) if (truth == digit).any())
        iou = field.scene_iou(seen.found.labels, truth)
        st.markdown(
            f"Random scene {seed:,}: its digits are {there}. Intersection over union with the truth: **{iou:.1%}**."
        )
    if data.describe(run.config.dataset).labels == "everywhere":
        _everywhere(ink, seen)


def _everywhere(ink: field.Pixels, seen: field.Seen) -> None:
    """What the lab report saw of such a network, in the figures of this very drawing, and why."""
    black = seen.found.labels[ink < field.FAINT]
    counts = np.bincount(black, minlength=11)
    st.info(
        f"This network learned as the lab report's did: one digit a field, and its label at *every* pixel, black ones "
        f"too. Here it calls {counts.max() / max(1, len(black)):.0%} of the black pixels "
        f"**{counts.argmax()}**. Nobody ever showed it a background, so it has to give a black pixel some digit: near "
        f"ink the digit that it sees, far from all ink the one that is likeliest where nothing is, and a thin digit "
        f"leaves most of the field black: the report's “1”. Two digits in a field are something that it never met.",
        icon=":material/history_edu:",
    )


def _pixel(run: Run, ink: field.Pixels, seen: field.Seen, pixel: tuple[int, int]) -> None:
    """The picked pixel: its likeliest classes, and what of the field sways them."""
    x, y = pixel
    probabilities = seen.found.probabilities[:, y, x]
    classes = data.describe(run.config.dataset).classes
    likely = ", ".join(f"{classes[c]} {probabilities[c]:.0%}" for c in probabilities.argsort()[:-4:-1])
    left, right = st.columns([1, 2], vertical_alignment="center")
    left.image(field.sway(run, ink, pixel), alt=f"What sways the class of pixel {x}, {y}: brighter orange sways more.")
    right.markdown(f"**Pixel {x}, {y}**: {likely}")
    right.caption("Orange is its receptive field: how much every other pixel sways this one's class (the size of the "
                  "gradient, its square root so that weak influence shows).")  # fmt: skip


def _take_along(ink: field.Pixels, seen: field.Seen) -> None:
    with st.container(horizontal=True):
        st.download_button("Ink", field.as_png(ink), "ink.png", "image/png", icon=":material/download:",
                           on_click="ignore", help="The 64x64 pixels of the drawing.")  # fmt: skip
        mask = field.as_png(seen.found.labels)
        st.download_button("Mask", mask, "mask.png", "image/png", icon=":material/download:", on_click="ignore",
                           help="The class of every pixel: 0 to 9, 10 for the background.")  # fmt: skip


def why_convolutional(run: Run) -> None:
    """The same ink before the networks for one digit, and the drawing moved over the field."""
    st.header("Why convolutional?", anchor=False)
    st.caption("An MLP or a plain CNN answers once for a whole 28x28 image. The FCN slides the same layers over the "
               "field, so a digit may stand anywhere.")  # fmt: skip
    with st.container(horizontal=True):
        asked = st.button("Ask the MLP and the CNN", icon=":material/quiz:", key="ask-others")
        moved = st.button("Move the drawing around", icon=":material/open_with:", key="shift-test")
    ink = st.session_state.get(state.INK)
    try:
        seen = field.see(run, ink) if ink is not None else None
        if (asked or moved) and seen is None:
            st.info("Draw a digit first.")
        elif asked:
            _remember(run, ink, OPINIONS, field.opinions(ink))
        elif moved and len(seen.readings) != 1:
            st.info("Draw one digit alone for this: it is moved over the whole field.")
        elif moved:
            with st.spinner("Reading it at 81 places…"):
                _remember(run, ink, SHIFTS, field.shift_test(run, ink, seen.readings[0].digit))
        if seen:
            _answered(run, ink, seen)
    except LabError as error:
        st.error(words.md(str(error)))


def _remember(run: Run, ink: field.Pixels, question: str, found: object) -> None:
    st.session_state[state.ASKED] = (run.id, ink, question, found)


def _answered(run: Run, ink: field.Pixels, seen: field.Seen) -> None:
    """What was asked last, while the drawing is still the one that it was asked of."""
    run_id, of, question, found = st.session_state.get(state.ASKED, ("", None, "", None))
    if run_id == run.id and np.array_equal(ink, of):
        (_opinions if question == OPINIONS else _shifts)(ink, seen, found)


def _opinions(ink: field.Pixels, seen: field.Seen, found: list[field.Opinion]) -> None:
    left, middle, right = st.columns([1, 1, 3])
    for place, name, image in ((left, "squeezed", drawings.squeezed(ink)), (middle, "centred", drawings.centred(ink))):
        place.image(np.kron(image, np.ones((5, 5), np.uint8)), f"{name} to 28x28", alt=f"The drawing, {name} to 28x28.")
    rows = [{"network": opinion.run.name, "of the squeezed field": _said(opinion.squeezed),
             "cropped and centred": _said(opinion.centred)} for opinion in found]  # fmt: skip
    reads = " ".join(str(reading.digit) for reading in seen.readings) or "nothing"
    rows.append(
        {"network": "this FCN", "of the squeezed field": f"{reads}, where they stand", "cropped and centred": ""}
    )
    right.dataframe(rows, hide_index=True, alt="What each network says of the same ink.")


def _said(answer: tuple[int, float]) -> str:
    return f"{answer[0]} ({answer[1]:.0%})"


def _shifts(_ink: field.Pixels, seen: field.Seen, found: list[tuple[Run, NDArray[np.bool_]]]) -> None:
    st.markdown(
        f"Where each network still reads **{seen.readings[0].digit}** when the middle of the drawing stands there "
        "(white: it does):"
    )
    columns = st.columns(max(3, len(found)))
    for column, (name, grid) in zip(columns, ((run.name, grid) for run, grid in found), strict=False):
        squares = np.kron(np.where(grid, 235, 70).astype(np.uint8), np.ones((16, 16), np.uint8))
        share = f"{grid.mean():.0%} of 81 places"
        column.image(squares, f"{words.md(name)}: {share}", alt=f"{name} reads it at {share}.")


def main() -> None:
    """The page from top to bottom."""
    st.title("Segment", anchor=False)
    st.caption(
        "Draw digits anywhere, several if you like: a fully convolutional network says of every pixel what it is."
    )
    state.show_notice()
    with st.spinner("Loading libraries, digits and the network…"):  # shown at the first look only: then it is quick
        _linked_scene()
        run = choose()
        _warm_up(run)
    st.fragment(field_and_answers)(run)


if state.arrive("segment"):
    state.check_link("scene", _is_scene, f"a number below {MOST_SEED:,}")
main()
