"""Downloading a data set from a page: in a background thread of the server, with progress that every tab sees.

Owns: who is downloading what, in this process. Leaves the download itself to `core.data.fetch`, which other processes
share through its lock, so that nothing is lost when this is forgotten.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import streamlit as st

from core import data
from core.errors import LabError
from pages.ui import words


@dataclass
class Download:
    """How far one download is, in bytes; `error` is a sentence when it failed."""

    done: int = 0
    total: int = 0
    error: str = ""
    is_running: bool = True


@st.cache_resource(show_spinner=False)
def _downloads() -> dict[str, Download]:
    return {}


def under_way() -> bool:
    """Whether anything is being downloaded."""
    return any(download.is_running for download in _downloads().values())


def start(name: str) -> None:
    """Download a data set unless that is under way already."""
    known = _downloads().get(name)
    if known and known.is_running:
        return
    download = _downloads()[name] = Download()
    threading.Thread(target=_fetch, args=(name, download), daemon=True).start()


def _fetch(name: str, download: Download) -> None:
    def progress(done: int, total: int) -> None:
        download.done, download.total = done, total

    try:
        data.fetch(name, progress=progress)
    except LabError as error:
        download.error = str(error)
    finally:
        download.is_running = False


def offer(name: str, key: str) -> None:
    """A button that downloads a data set, or how far that is, or why it failed."""
    download = _downloads().get(name)
    if download and download.is_running:
        share = download.done / max(1, download.total)
        megabytes = f"{download.done / 1e6:.0f} of {download.total / 1e6:.0f} MB" if download.total else "connecting"
        st.progress(min(1.0, share), text=f"Downloading {data.describe(name).title}: {megabytes}")
        return
    size = f"{data.describe(name).download_mb:.0f} MB"
    if st.button(f"Download ({size})", key=f"download-{key}-{name}", help=f"Fetches {name} from its official source."):
        start(name)
        st.rerun()
    if download and download.error:
        st.error(words.md(download.error), icon=":material/cloud_off:")
