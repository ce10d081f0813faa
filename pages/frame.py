"""What is around every page: the navigation, the title, the icon. The script that `app.py` serves."""

from pathlib import Path

import streamlit as st

from pages.ui import access

ICON = Path(__file__).parent / "ui" / "icon.svg"  # an icon by name would come from the network


def main() -> None:
    """Draw the page that the address asks for."""
    st.set_page_config(page_icon=ICON, layout="wide")  # first, else the browser fetches the page's own icon by its name
    page = st.navigation(
        [
            st.Page("home.py", title="Home", icon=":material/home:", default=True),
            st.Page("train.py", title="Train", icon=":material/model_training:", url_path="train"),
            st.Page("compare.py", title="Compare", icon=":material/compare_arrows:", url_path="compare"),
            st.Page("segment.py", title="Segment", icon=":material/gesture:", url_path="segment"),
            st.Page("gradcam.py", title="Grad-CAM", icon=":material/center_focus_strong:", url_path="gradcam"),
        ],
        position="top",
    )
    st.set_page_config(page_title=f"{page.title} · CNN Lab")
    access.prepare()
    page.run()


if __name__ == "__main__":  # and not once more in each process that Python's multiprocessing may begin from here
    main()
