"""The networks on Home: what each is, how the reference runs stand, and its layers drawn, two side by side.

Owns: that section, and what of it the address remembers. Leaves the drawing to `drawing`, finding the layers to
`core.models.blueprint`, which loads torch only when a network is picked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core import data, models
from core.config import TrainConfig
from core.experiments import standings
from core.runs import Run
from pages.ui import drawing, state, words

if TYPE_CHECKING:
    from core.models.blueprint import Blueprint

RECIPE = "fast"  # of the reference runs
IMAGES = {"cifar10": "32x32 photographs", "mnist": "28x28 digits"}
FIELDS = "mnist-scenes"  # what a network for every pixel sees
NONE = "none"
BESIDE = {"resnet": "convnet", "convnet": "resnet"}  # what stands beside a network until another is picked
COUNT = st.column_config.NumberColumn(format="localized")
PICK, SECOND, SEEN = "network-drawn", "network-beside", "network-images"


def show() -> None:
    """The section: what is drawn, then all of them in a table."""
    st.header("The networks", anchor=False)
    name, beside, images = _choose()
    if name is None:
        st.caption("Pick a network to see its layers drawn: what each gives, how much it learns and what it costs.")
    else:
        drawn = [each for each in (name, beside) if each != NONE]
        with st.spinner("Letting an image pass through the network…"):
            plans = [plan(each, images) for each in drawn]
        for column, each, found in zip(st.columns(2), drawn, plans, strict=False):
            with column:
                _draw(each, images, found)
    runs = state.own_and_shipped()
    st.markdown(overview(runs))
    if any(run.is_shipped for run in runs):
        st.caption(
            f"Test accuracy of the reference runs that come with CNN Lab, by the recipe {RECIPE}, the mean over their "
            "seeds; of the FCN how far its digits overlap with the true ones (IoU)."
        )


def overview(runs: Sequence[Run]) -> str:
    """What each network is, and how its reference runs stand, as a Markdown table."""
    known = standings(runs, RECIPE)
    kinds = ("mnist", "cifar10")
    lines = [f"| network | {' | '.join(data.describe(kind).title for kind in kinds)} |", "|---|---:|---:|"]
    for name in models.names():
        info = models.describe(name)
        asked = (FIELDS, "") if info.task == "masks" else kinds
        cells = [f"{known[name, kind]:.2%}" if (name, kind) in known else "" for kind in asked]
        lines.append(f"| **{info.title}** · {info.summary} | {' | '.join(cells)} |")
    return "\n".join(lines)


def config_of(name: str, images: str) -> TrainConfig:
    """The config of a network's reference run on these images; a network for every pixel sees its fields."""
    return TrainConfig(model=name, dataset=FIELDS if models.describe(name).task == "masks" else images, recipe=RECIPE)


def plan(name: str, images: str) -> Blueprint:
    """The layers of a network, as its reference run has them."""
    from core.models.blueprint import blueprint_of

    config = config_of(name, images)
    info = data.describe(config.dataset)
    return blueprint_of(name, info.image_shape, len(info.classes), config.width, silu=config.silu)


def _choose() -> tuple[str | None, str, str]:
    """The network to draw, the one beside it and the images that they see, which tab and address remember."""
    linked = [st.query_params.get("network", ""), st.query_params.get("beside", ""), st.query_params.get("images", "")]
    known, with_it, seen = st.session_state.get(state.NETWORKS) or linked
    if PICK not in st.session_state and known in models.names():
        st.session_state[PICK] = known
    if SEEN not in st.session_state:
        st.session_state[SEEN] = seen if seen in IMAGES else next(iter(IMAGES))
    name = st.segmented_control("Draw its layers", models.names(), key=PICK, format_func=_title)
    if name is None:
        st.session_state[state.NETWORKS] = "", "", ""
        for parameter in ("network", "beside", "images"):
            st.query_params.pop(parameter, None)
        return None, NONE, ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        others = [NONE, *(other for other in models.names() if other != name)]
        begin = with_it if known == name and with_it in others else BESIDE.get(name, NONE)
        beside = st.selectbox("Beside it", others, others.index(begin), key=f"{SECOND}-{name}", format_func=_title,
                              width=150)  # fmt: skip
        images = st.segmented_control("Made for", list(IMAGES), key=SEEN, format_func=IMAGES.__getitem__, required=True,
                                      help="An FCN sees fields of 64x64, whatever is picked here.")  # fmt: skip
    chosen = name, beside, images or next(iter(IMAGES))
    st.session_state[state.NETWORKS] = chosen
    st.query_params.update({"network": name, "beside": beside, "images": chosen[2]})
    return chosen


def _title(name: str) -> str:
    return name if name == NONE else models.describe(name).title


def _draw(name: str, images: str, found: Blueprint) -> None:
    """One network: its sums, its drawing and the table of its layers."""
    config, title = config_of(name, images), models.describe(name).title
    st.markdown(
        f"**{title}** · {words.count(found.parameters)} parameters, {words.count(found.multiply_adds)} multiply-adds "
        f"an image"
    )
    theme = "dark" if st.context.theme.type == "dark" else "light"
    st.image(drawing.svg(found, theme), alt=drawing.in_words(title, found))
    st.caption(
        f"As its reference run on {data.describe(config.dataset).title} has it, width {config.width}. A bar is as wide "
        "as a map has pixels a side, and as thick as there are many maps. Batch norm, ReLU, GELU and SiLU are not "
        "drawn."
    )
    with st.expander("All layers in numbers", icon=":material/table_rows:"):
        st.dataframe(drawing.rows(found), hide_index=True, alt=f"Every layer of {title} in numbers.",
                     column_config=dict.fromkeys(("parameters", "multiply-adds"), COUNT))  # fmt: skip
