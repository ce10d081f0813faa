"""What Streamlit leaves too faint to see, or out of the keyboard's reach, on every page.

Owns: `style.css` (contrast, where the keyboard is, less motion, columns at 200 %, the top of the page) and `keys.js`
(popovers). Leaves the colours to `.streamlit/config.toml`, the canvas's and the charts' own keys to them.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent

_access = st.components.v2.component(
    "cnnlab_access",
    css=(HERE / "style.css").read_text(encoding="utf-8"),
    js=(HERE / "keys.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def prepare() -> None:
    """Hand it to the page; it takes no room there. Once a run of the script."""
    _access(key="access")
