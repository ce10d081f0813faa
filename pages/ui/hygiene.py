"""Putting runs in order: rename, tag, hide, and delete with undo.

Owns: those buttons for the rows that are picked. What ships with CNN Lab is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core.comparison import Row
from core.runs import Run
from pages.ui import state, words


def show(picked: Sequence[Row]) -> None:
    """The buttons for the runs of the picked rows that are a person's own."""
    runs = [run for row in picked for run_id in row.runs if not (run := state.store().get(run_id)).is_shipped]
    if not runs:
        st.caption("Reference runs ship with CNN Lab and stay as they are.")
        return
    with st.container(horizontal=True):
        with st.popover("Rename", icon=":material/edit:", disabled=len(runs) > 1, help="For one picked run."):
            rename(runs[0], "compare")
        with st.popover("Tag", icon=":material/label:"):
            _tag(runs)
        hidden = all(run.meta().hidden for run in runs)
        if st.button("Show again" if hidden else "Hide", icon=":material/visibility_off:", key="hide"):
            _each(runs, lambda run: run.hide(not hidden))
            st.rerun()
        if st.button("Delete", icon=":material/delete:", key="delete", help="Undo brings them back for an hour."):
            gone = _each(runs, lambda run: state.manager().discard(run.id))
            st.session_state[state.DELETED] = [run.id for run in gone]
            st.rerun()


def undo() -> None:
    """The way back for what was deleted last."""
    deleted = st.session_state.get(state.DELETED)
    if not deleted:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Deleted {words.plural(len(deleted), 'run')}.")
        if st.button("Undo", icon=":material/undo:"):
            st.session_state.pop(state.DELETED)
            for run_id in deleted:
                state.attempt(state.manager().undo_discard, run_id)
            st.rerun()


def rename(run: Run, where: str) -> None:
    """A form for a run's name, which Enter sends. where: names the page, since keys of widgets are all one page's."""
    with st.form(f"{where}-rename-{run.id}", border=False):
        name = st.text_input("New name", run.name, max_chars=100, key=f"{where}-name-{run.id}")
        if st.form_submit_button("Save the name"):
            state.attempt(run.rename, name)
            st.rerun()


def _tag(runs: Sequence[Run]) -> None:
    """Tags that all of them get instead of those they have."""
    known = list(dict.fromkeys(tag for run in runs for tag in run.meta().tags))
    key = f"compare-tags-{hash(tuple(run.id for run in runs))}"
    tags = st.multiselect("Tags", known, known, key=key, accept_new_options=True, placeholder="type a new one")
    if st.button("Save the tags"):
        _each(runs, lambda run: run.tag(tags))
        st.rerun()


def _each(runs: Sequence[Run], action: Callable[[Run], object]) -> list[Run]:
    """Do the same to every run; returns those with which it worked."""
    return [run for run in runs if state.attempt(action, run)]
