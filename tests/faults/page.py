"""The Train page in this process, with a job manager of its own that works."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import APP


@contextmanager
def train_page(run_id: str) -> Iterator[AppTest]:
    """The page as its address with a run shows it; afterwards its manager is closed, so that no other test meets it."""
    st.cache_resource.clear()
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params["run"] = run_id
    app.run()
    app.switch_page("train.py").run()
    assert not app.exception
    try:
        yield app
    finally:
        sys.modules["pages.ui.state"].manager().close()  # of the modules that the page was drawn by
        st.cache_resource.clear()
