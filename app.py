"""CNN Lab: start it with `streamlit run app.py`.

Owns: who may ask the server for anything, and that a browser opens. Leaves what is shown to `pages/frame.py`.
"""

import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit.web.server.server_util import get_url

SECONDS_TO_LISTEN = 0.5  # from here to a server that answers


@asynccontextmanager
async def open_browser(_: st.App) -> AsyncIterator[None]:
    """Show the first page to the person who started the server: for an `st.App`, Streamlit leaves that out."""
    if not st.get_option("server.headless"):
        threading.Timer(SECONDS_TO_LISTEN, webbrowser.open, [get_url("localhost")]).start()
    yield


# Streamlit itself asks for the host only where pages talk, not where it hands out files. No list means any host.
hosts = Middleware(
    TrustedHostMiddleware, allowed_hosts=st.get_option("server.allowedHosts") or ["*"], www_redirect=False
)
app = st.App("pages/frame.py", lifespan=open_browser, middleware=[hosts])
