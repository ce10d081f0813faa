"""What outlives one run of a page's script: the job manager of this process, and the names of session keys.

Owns: every key in `st.session_state` that is not a widget's own, and every cached resource. All of it can be rebuilt
from the run store: any visitor may clear the caches.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import streamlit as st

from core.errors import LabError, shown
from core.forecast import Forecaster
from core.jobs import JobManager
from core.runs import Run, RunStore
from core.summaries import Summaries
from pages.ui import words

CHOSEN_RUN = "chosen_run"  # id of the run that the Train page shows
TOKENS = "form_tokens"  # {config: token} of the form as it was last shown, one for each seed
SENT = "form_sent"  # {config: (token, when)} of what this tab sent
CHANGED_KNOBS = "changed_knobs"  # {knob: value} that a person set by hand
FORKED_FROM = "forked_from"  # id of the run whose config the form was filled with
DISCARDED = "discarded"  # (id, name) of the run that was discarded last, for Undo
NOTICE = "notice"  # (sentence, whether it is trouble) to show once, after the rerun that it caused
DELETED = "deleted_runs"  # ids of the runs that the Compare page deleted last, for Undo
PICTURE = "picture"  # place, in the official test set, of the picture that the Grad-CAM page shows
PICKS = "picture_picks"  # how often a picture was picked, so that an upload and a picked row can be let go
INK = "segment_ink"  # uint8 [64, 64], what is on the canvas of the Segment page
INK_VERSION = "segment_ink_version"  # grows whenever the page itself puts ink on the canvas
TAKEN = "segment_upload_taken"  # id of the uploaded file that is on the canvas
ASKED = "segment_asked"  # (id of the run, ink, question, what was found): what was asked last about a drawing
SCENE = "segment_scene"  # seed of the random scene that was put there, while the canvas still shows it
AUDITED = "audited"  # (findings, number of runs) of the last check of all files in this tab
PICKED = "picked_runs"  # ids of the runs that the Compare page has picked
PAGE = "page"  # url path of the page that this tab shows
FIRST = "first_on_home"  # the parameter of the link by which this tab came to Home, "" for none
EXPERIMENT = "experiment_shown"  # number of the experiment of the guided tour that Home shows
GUESSES = "guesses"  # {number of an experiment: option} that a person guessed before the result was shown
NETWORKS = "networks_drawn"  # (network, network beside it, their images) that Home draws; "" for none
IMPORTED = "imported"  # (sentence, whether it went well): what came of the last import or removal of a data set
IMPORTS = "imports"  # how many data sets this tab has imported, so that the form begins anew
LOOKED_AT = "looked_at"  # name of the imported data set whose pictures Home shows
TAB = "tab"  # a number in 0..1 by which this tab is told from the others

LINKED = {  # the parameter of a link that wins over what a tab remembers
    **{CHOSEN_RUN: "run", PICKED: "runs", PICTURE: "image"},
    **{EXPERIMENT: "experiment", NETWORKS: "network", INK: "scene"},
}


def arrive(page: str) -> bool:
    """Note which page this tab shows; returns whether it came there just now.

    A link to another page wins over what the tab remembers of that page.
    """
    if st.session_state.get(PAGE) == page:
        return False
    st.session_state[PAGE] = page
    for key, parameter in LINKED.items():
        if parameter in st.query_params:
            st.session_state.pop(key, None)
    return True


@st.cache_resource(show_spinner=False)
def manager() -> JobManager:
    """The queue of this process. Another one may lead; then this one hands its runs over through the store."""
    return JobManager(RunStore())


@st.cache_resource(show_spinner=False)
def forecaster() -> Forecaster:
    """What remembers and measures the cost of runs."""
    return Forecaster(manager().store)


@st.cache_resource(show_spinner=False)
def summaries() -> Summaries:
    """What tables say of the runs."""
    return Summaries(manager().store)


def tab() -> float:
    """A number in 0..1 that stays the same in this tab and that no other one has."""
    return float(st.session_state.setdefault(TAB, random.random()))


def store() -> RunStore:
    """The runs."""
    return manager().store


def is_run(run_id: str) -> bool:
    """Whether there is such a run."""
    try:
        store().get(run_id)
    except LabError:
        return False
    return True


def own_and_shipped() -> list[Run]:
    """All runs, the newest first."""
    return store().list()


def show_run(run_id: str) -> None:
    """Let the Train page show this run."""
    st.session_state[CHOSEN_RUN] = run_id


def attempt(action: Callable[..., object], *arguments: object) -> bool:
    """Do what a button says; an error of ours becomes the notice. Returns whether it worked."""
    try:
        action(*arguments)
    except LabError as error:
        tell(str(error), is_trouble=True)
        return False
    return True


def tell(sentence: str, *, is_trouble: bool = False) -> None:
    """Say something at the top of the page, once, when it is next drawn; after what is to be said already."""
    before, was_trouble = st.session_state.get(NOTICE, ("", False))
    st.session_state[NOTICE] = f"{before} {sentence}".strip(), is_trouble or was_trouble


def check_link(parameter: str, is_known: Callable[[str], bool], expected: str) -> None:
    """Say so when the address names something that is not there, and let it go of that.

    expected: what might stand there, such as "a number below 5".
    """
    given = st.query_params.get_all(parameter)
    if unknown := [value for value in given if not is_known(value)]:
        tell(f"The link says {parameter}={shown(unknown[0])}; expected is {expected}.", is_trouble=True)
        st.query_params[parameter] = [value for value in given if value not in unknown]


def show_notice() -> None:
    """What the last press led to, where a page wants it to stand."""
    if NOTICE in st.session_state:
        sentence, is_trouble = st.session_state.pop(NOTICE)
        (st.error if is_trouble else st.info)(words.md(sentence), icon=":material/error:" if is_trouble else None)
