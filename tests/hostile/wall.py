"""A page that shows every nasty name as pages show names: for a real browser to read.

streamlit run tests/hostile/wall.py
"""

import streamlit as st

from core.runs import clean_name
from pages.ui import words
from tests.hostile.strings import NASTY

NAMES = tuple(name for name in dict.fromkeys(map(clean_name, NASTY)) if name)

if __name__ == "__main__":
    for name in NAMES:
        st.markdown(words.md(name))
