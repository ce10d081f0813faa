"""How far a map can be believed, in words and numbers, beside it.

Owns: those words and their thresholds' meaning. Leaves the working out to `cam`, which keeps it.
"""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from core.data.pictures import Picture
from core.errors import LabError
from core.explain.faithfulness import Faithfulness
from core.explain.randomisation import THRESHOLD
from pages.ui import cam, state, words
from pages.ui.cam import Look

SECONDS_BETWEEN_WORDS = 0.3
SECONDS_TO_DRAW = 0.3  # that the browser has the processor to itself: two busy cores keep a new picture waiting
FAITHFUL_HELP = (
    "Pixels are blurred away, the brightest of the map first, and the class falls. Deletion is the mean of its "
    "probability meanwhile: the map explains when that is lower than for random maps on the same grid, by more than "
    "their spread over 20 of them. By luck alone, about one random map in six passes too."
)
LEARNED_HELP = (
    "The weights of the network's last block are shuffled. A map that shows what the network learned is gone then: its "
    f"rank correlation with the true one, the mean over 16 test images, is under {THRESHOLD}. One that stays "
    "shows the picture, not the decision."
)


def show(
    seen: Look,
    picture: Picture,
    place: Any,  # noqa: ANN401 - Streamlit's empty container
    sent: float,
) -> dict[str, Any]:
    """Work out what can be believed, with progress in `place`, then say it there; returns the figures.

    sent: when all else of the page was on its way, by `time.monotonic()`; the work begins a moment later.
    """
    if seen.is_empty:
        with place.container():
            st.badge("nothing argues for this class", icon=":material/block:", color="gray")
        return {}
    try:
        faithful = cam.faithful(seen, picture, _progress(place, "How faithful is this map?", sent))
        correlation = cam.checked(seen, _progress(place, "What if the weights meant nothing?", sent))
    except LabError as error:
        place.info(words.md(str(error)), icon=":material/info:")
        return {}
    with place.container():
        say(seen, faithful, correlation)
    return figures(faithful, correlation)


def say(seen: Look, faithful: Faithfulness, correlation: float) -> None:
    """The two badges, and the numbers behind them."""
    with st.container(horizontal=True):
        label, icon, colour = in_words(seen, faithful)
        st.badge(label, icon=f":material/{icon}:", color=colour, help=FAITHFUL_HELP)
        if correlation < THRESHOLD:
            st.badge("depends on what was learned", icon=":material/school:", color="green", help=LEARNED_HELP)
        else:
            st.badge("stays when weights are shuffled", icon=":material/warning:", color="red", help=LEARNED_HELP)
    st.caption(numbers(faithful, correlation))


def in_words(seen: Look, faithful: Faithfulness) -> tuple[str, str, str]:
    """Label, icon and colour of the verdict on deletion."""
    if not faithful.explains_the_decision:
        return "no better than chance here", "casino", "orange"
    is_decision = seen.label == seen.answer and seen.rather is None
    return "explains the decision" if is_decision else "explains this class", "check", "green"


def numbers(faithful: Faithfulness, correlation: float) -> str:
    """The figures in a line."""
    return (
        f"Deletion {faithful.deletion:.2f}, random maps {faithful.random_deletion:.2f} ± "
        f"{faithful.random_deletion_spread:.2f} (lower is better) · insertion {faithful.insertion:.2f}, random maps "
        f"{faithful.random_insertion:.2f} ± {faithful.random_insertion_spread:.2f} (higher is better) · correlation "
        f"with a shuffled last block {correlation:.2f}"
    )


def figures(faithful: Faithfulness, correlation: float) -> dict[str, Any]:
    """The figures to take along."""
    return {
        "deletion_area": faithful.deletion,
        "insertion_area": faithful.insertion,
        "random_deletion_area": [faithful.random_deletion, faithful.random_deletion_spread],
        "random_insertion_area": [faithful.random_insertion, faithful.random_insertion_spread],
        "explains_the_decision": faithful.explains_the_decision,
        "correlation_with_shuffled_last_block": correlation,
    }


def _progress(place: Any, text: str, sent: float) -> cam.Progress:  # noqa: ANN401
    """Tells how far it is, seldom enough for the browser, and lets Streamlit begin anew at every call."""
    told = 0.0

    def tell(done: int, every: int) -> None:
        nonlocal told
        while time.monotonic() < sent + SECONDS_TO_DRAW:
            time.sleep(0.02)
            _obey_a_press()
        if time.monotonic() - told > SECONDS_BETWEEN_WORDS:
            told = time.monotonic()
            place.progress(done / every, text=text)
        else:
            _obey_a_press()

    return tell


def _obey_a_press() -> None:
    """Let Streamlit begin anew where somebody has pressed: any look at the session's state does."""
    st.session_state.get(state.PICTURE)
