"""Checking the files of all runs from a page: a button, progress where it takes long, and what was found."""

from __future__ import annotations

import time

import streamlit as st

from core import runs
from pages.ui import state, words

SECONDS_WITHOUT_BAR = 1.0
MOST_SHOWN = 20


def offer() -> None:
    """The button, and what the last press in this tab has found."""
    st.header("Files", anchor=False)
    if st.button(
        "Check all files",
        icon=":material/fact_check:",
        help="Sees whether the files of every run are as they were written and agree. Changes nothing.",
    ):
        st.session_state[state.AUDITED] = _audit()
    if state.AUDITED in st.session_state:
        _show(*st.session_state[state.AUDITED])


def _audit() -> tuple[list[runs.Finding], int]:
    """All findings, and how many runs were looked at."""
    place, begin, store = st.empty(), time.monotonic(), state.store()

    def told(done: int, total: int) -> None:
        if time.monotonic() - begin > SECONDS_WITHOUT_BAR:
            place.progress(done / total, text=f"Checking run {done + 1} of {total}")

    findings = runs.audit(store, told)
    place.empty()
    return findings, len(store.list())


def _show(findings: list[runs.Finding], count: int) -> None:
    show = st.warning if findings else st.success
    show(runs.in_words(findings, count))
    for finding in findings[:MOST_SHOWN]:
        st.markdown(f"- {words.md(finding.run_id)} · {finding.severity}: {words.md(finding.sentence)}")
    if len(findings) > MOST_SHOWN:
        st.caption(f"and {len(findings) - MOST_SHOWN} more; `python -m core audit` prints them all")
