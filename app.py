"""CNN Lab: start it with `streamlit run app.py`."""

from pathlib import Path

import streamlit as st

from pages.ui import access, state

ICON = Path(__file__).parent / "pages" / "ui" / "icon.svg"  # an icon by name would come from the network

st.session_state[state.THROUGH_APP] = True
st.set_page_config(page_icon=ICON, layout="wide")  # first, else the browser fetches the page's own icon by its name
page = st.navigation(
    [
        st.Page("pages/home.py", title="Home", icon=":material/home:", default=True),
        st.Page("pages/train.py", title="Train", icon=":material/model_training:", url_path="train"),
        st.Page("pages/compare.py", title="Compare", icon=":material/compare_arrows:", url_path="compare"),
        st.Page("pages/segment.py", title="Segment", icon=":material/gesture:", url_path="segment"),
        st.Page("pages/gradcam.py", title="Grad-CAM", icon=":material/center_focus_strong:", url_path="gradcam"),
    ],
    position="top",
)
st.set_page_config(page_title=f"{page.title} · CNN Lab")
access.prepare()
page.run()
