"""The guided tour on Home: four experiments, each with a guess before its result.

Owns: which experiment is shown, what was guessed, and how far the tour is; the tab remembers both, the address the
experiment. Leaves what the experiments are to `tour_numbers` and `tour_pictures`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from core.errors import LabError
from core.runs import Run
from pages.ui import state, tour_numbers, tour_pictures, words

WIDGET = "tour-experiment"

Runs = Sequence[Run]


@dataclass(frozen=True)
class Experiment:
    """One experiment. options: what may be guessed, by what `result` may return.

    All of these are given the runs that there are. missing: says what to train first and returns True, where the runs
    that it needs are not among them. begin: shows what the question is about. result: shows what came out and returns
    the option that is right. go_on: the way to try it.
    """

    short: str
    title: str
    about: str
    question: str
    options: dict[str, str]
    missing: Callable[[Runs], bool]
    begin: Callable[[Runs], None]
    result: Callable[[Runs], str]
    go_on: Callable[[Runs], None]


EXPERIMENTS = {
    1: Experiment(
        "MLP or CNN?",
        "Does it help to know which pixels are neighbours?",
        "An MLP reads an image as one long row of numbers. A CNN slides small filters over it, so it knows which "
        "pixels lie side by side. Both have learned the same handwritten digits and the same small photographs.",
        "Where does the CNN gain more points of accuracy over the MLP, on test images that neither has seen?",
        {"digits": "On handwritten digits", "photos": "On photographs", "alike": "About the same on both",
         "nowhere": "Nowhere: it is no better"},
        tour_numbers.first_missing, lambda runs: None, tour_numbers.first_result, tour_numbers.first_go_on,
    ),
    2: Experiment(
        "Skip connections",
        "What are skip connections worth?",
        "ConvNet and ResNet are one network of sixteen convolutions: the same parameters, the same weights to begin "
        "with. The ResNet also carries what went into every two convolutions past them and adds it to what comes out. "
        "Pick **ResNet** under *The networks* on this page to see both drawn side by side.",
        "Which of them is more accurate on photographs that neither has seen?",
        {"resnet": "ResNet, with skip connections", "convnet": "ConvNet, without them",
         "same": "No test can tell them apart"},
        tour_numbers.second_missing, lambda runs: None, tour_numbers.second_result, tour_numbers.second_go_on,
    ),
    3: Experiment(
        "Every pixel",
        "Can a network for single digits label every pixel of a drawing?",
        "A CNN answers once for a whole image. Made of convolutions alone it slides over a larger field and answers at "
        "every place, and de-convolutions bring the answers back to single pixels. This FCN says of each pixel of a "
        "64x64 field which digit it belongs to, or that it is background.",
        "Of the pixels that belong to a digit, how many are called by that very digit?",
        {"half": "Less than half", "most": "A half to three quarters", "nearly": "Three quarters to nine tenths",
         "all": "More than nine tenths"},
        tour_pictures.third_missing, tour_pictures.third_begin, tour_pictures.third_result, tour_pictures.third_go_on,
    ),
    4: Experiment(
        "Grad-CAM",
        "What was a decision made of?",
        "Grad-CAM marks on a picture what a network's answer was made of. Such a map is easily believed, so it is put "
        "to the test: the picture is blurred away bit by bit, what the map marks brightest first, and the network is "
        "asked again each time.",
        "How fast does the network lose its answer, compared with blurring patches by chance?",
        {"faster": "Faster: the map marks what counts", "same": "No faster and no slower",
         "slower": "Slower: the map marks what does not count"},
        tour_pictures.fourth_missing, tour_pictures.fourth_begin, tour_pictures.fourth_result,
        tour_pictures.fourth_go_on,
    ),
}  # fmt: skip


def show() -> None:
    """The tour: one experiment at a time."""
    st.header("Guided tour", anchor=False)
    st.markdown("The four experiments of the lab report that CNN Lab grew from. Guess first, then see what came out.")
    number, runs = _choose(), state.own_and_shipped()
    experiment = EXPERIMENTS[number]
    with st.container(border=True):
        st.markdown(f"**Experiment {number}: {experiment.title}**")
        st.markdown(experiment.about)
        if not experiment.missing(runs):
            _ask(number, experiment, runs)
        _next(number)


def guesses() -> dict[int, str]:
    """What was guessed in this tab, by the experiment's number; those whose result was shown."""
    found: dict[int, str] = st.session_state.setdefault(state.GUESSES, {})
    return found


def is_known(number: str) -> bool:
    """Whether a text is the number of an experiment."""
    return number in map(str, EXPERIMENTS)


def _choose() -> int:
    """The experiment to show, which the address remembers."""
    linked = st.query_params.get("experiment", "")
    if WIDGET not in st.session_state:
        known = {str(number): number for number in EXPERIMENTS}
        st.session_state[WIDGET] = st.session_state.get(state.EXPERIMENT) or known.get(linked, 1)
    number = st.segmented_control(
        "Experiment", list(EXPERIMENTS), key=WIDGET, required=True, format_func=_in_chooser,
        label_visibility="collapsed",
    )  # fmt: skip
    st.session_state[state.EXPERIMENT] = number
    if linked or number != 1:  # an address that nobody asked for stays short
        st.query_params["experiment"] = str(number)
    return int(number or 1)


def _in_chooser(number: int) -> str:
    done = " :material/check:" if number in guesses() else ""
    return f"{number} · {EXPERIMENTS[number].short}{done}"


def _ask(number: int, experiment: Experiment, runs: Runs) -> None:
    """The question, and once it is answered what came out."""
    experiment.begin(runs)
    guessed = guesses().get(number)
    if guessed is None:
        choice = st.radio(experiment.question, list(experiment.options), None, key=f"guess-{number}",
                          format_func=experiment.options.__getitem__)  # fmt: skip
        st.button(
            "Show the result", type="primary", icon=":material/visibility:", disabled=choice is None, key="tour-show",
            help="Pick an answer first." if choice is None else None, on_click=_guess, args=(number, choice),
        )  # fmt: skip
        return
    st.markdown(f"**{experiment.question}**")
    verdict = st.empty()
    try:
        right = experiment.result(runs)
    except LabError as error:
        verdict.info(words.md(str(error)), icon=":material/info:")
        return
    _compare(verdict.container(), experiment.options, guessed, right)
    experiment.go_on(runs)


def _guess(number: int, choice: str) -> None:
    guesses()[number] = choice


def _compare(place: st.delta_generator.DeltaGenerator, options: dict[str, str], guessed: str, right: str) -> None:
    """What was guessed against what came out."""
    if guessed == right:
        place.success(f"You guessed **{options[guessed]}**, and so it came out.", icon=":material/check:")
    else:
        place.info(
            f"You guessed **{options[guessed]}**. It came out otherwise: **{options[right]}**.",
            icon=":material/lightbulb:",
        )


def _next(number: int) -> None:
    """The way on, once this experiment is done, and how far the tour is."""
    done = guesses()
    left = [each for each in (*range(number + 1, len(EXPERIMENTS) + 1), *range(1, number)) if each not in done]
    with st.container(horizontal=True, vertical_alignment="center"):
        if number in done and left:
            st.button("Next experiment", icon=":material/arrow_forward:", key="tour-next", on_click=_go_to,
                      args=(left[0],), help=EXPERIMENTS[left[0]].title)  # fmt: skip
        if number in done:
            st.button("Guess again", type="tertiary", icon=":material/undo:", key="tour-again", on_click=_forget,
                      args=(number,), help="Hides the result, for the next person who guesses.")  # fmt: skip
        said = "" if left or number not in done else " That was the whole tour: now train a network of your own."
        st.caption(f"{len(done)} of {len(EXPERIMENTS)} done.{said}", width="content")


def _go_to(number: int) -> None:
    st.session_state[WIDGET] = number


def _forget(number: int) -> None:
    guesses().pop(number, None)
