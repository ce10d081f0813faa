"""Grad-CAM: what a decision was made of, several networks side by side, and whether to believe the picture."""

import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core import explain
from core.errors import LabError
from pages.ui import cam, further, gallery, overlay, said, state, verdicts, words
from pages.ui.cam import Look, Network, Question
from pages.ui.gallery import Shown

MOST_NETWORKS = 4
PREDICTED, TRUE, NOTHING = "what it predicts", "the true one", "nothing else"
SMOOTH, SQUARES = "smooth", "as it is"
METHODS, CLASS, CENTRE, SHUFFLED, INSIDE = (
    "All methods", "A whole class", "Object or centre?", "Shuffled weights", "Inside a network",
)  # fmt: skip


@dataclass(frozen=True)
class Card:
    """What one network said, how its map is drawn, and the place for the verdict below it.

    It holds no pictures: the exported figure is made of it on demand, and waits for that as long as its tab is known.
    """

    look: Look
    opacity: float
    smooth: bool
    place: Any


def choose_networks(offered: list[Network]) -> list[Network]:
    """The networks to look at, which the address remembers."""
    known = {network.run.id: network for network in offered}
    linked = [run_id for run_id in st.query_params.get_all("models") if run_id in known][:MOST_NETWORKS]
    first = linked or [network.run.id for network in cam.first_choice(offered)]
    picked = st.multiselect(
        "Networks", list(known), first, key="gradcam-networks", format_func=lambda run_id: known[run_id].label,
        max_selections=MOST_NETWORKS, placeholder="Pick one", help="Up to four, side by side on the same picture.",
    )  # fmt: skip
    st.query_params["models"] = picked
    return [known[run_id] for run_id in picked]


def readable(networks: list[Network]) -> list[Network]:
    """Those whose weights can be read; of the others it is said why not."""
    found = []
    for network in networks:
        try:
            with st.spinner("Loading libraries and the network…"):
                cam.loaded(network)
        except LabError as error:
            st.error(words.md(f"{network.label}: {error}"), icon=":material/broken_image:")
        else:
            found.append(network)
    return found


def choose_picture(networks: list[Network]) -> tuple[Shown | None, list[int], list[gallery.Said]]:
    """The filters and buttons, the picture, the places that pass, and what the networks answered to them."""
    known = gallery.said(networks)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        places = gallery.filters(networks, known)
        gallery.random_button(places)
        gallery.upload()
    return gallery.choose(places), places, known


def ask(networks: list[Network], shown: Shown) -> Question:
    """Class, layer and method."""
    names = cam.classes()
    deepest = max((len(cam.loaded(network)[1]) for network in networks), default=0)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        target = st.selectbox("Why", [PREDICTED, TRUE, *names], key="why", bind="query-params", width=190)
        rather = st.selectbox(
            "rather than", [NOTHING, cam.NEXT, *names], key="rather", bind="query-params", width=170,
            help="What speaks for the one class and not for the other.",
        )  # fmt: skip
        method = st.selectbox(
            "Method", list(explain.METHODS), key="method", bind="query-params", width=170,
            format_func=lambda name: explain.METHODS[name].title, help="All methods stand side by side further down.",
        )  # fmt: skip
        layer = deepest
        if deepest > 1:
            layer = st.slider(
                "Layer", 1, deepest, deepest, key=f"layer-of-{deepest}", bind="query-params", width=260,
                format=f"%d of {deepest}", help="From the first convolution to the last. A network with fewer shows "
                "the one as deep in proportion.",
            )  # fmt: skip
    if target == TRUE and shown.truth is None:
        st.caption("Nobody has said what is on your own picture, so what the networks predict is explained instead.")
    label = {PREDICTED: None, TRUE: shown.truth}.get(target, names.index(target) if target in names else None)
    against = None if rather == NOTHING else rather if rather == cam.NEXT else names.index(rather)
    return Question(label, against, (layer - 1) / max(1, deepest - 1), method)


def choose_view() -> tuple[float, bool]:
    """Opacity of the overlay, and whether maps are smooth."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = st.segmented_control(
            "Map", [SMOOTH, SQUARES], default=SMOOTH, key="view", bind="query-params", required=True,
            help="As it is: every place of the layer's feature map is a square.",
        )  # fmt: skip
        opacity = st.slider("Opacity of the map", 0.0, 1.0, 0.5, 0.05, key="opacity", bind="query-params", width=220)
        st.toggle(
            "Judge the maps", True, key="judge", bind="query-params",
            help="How faithful each map is takes some seconds to work out, after the maps are shown.",
        )  # fmt: skip
    return opacity, view != SQUARES


def show_maps(networks: list[Network], shown: Shown, question: Question) -> list[Card]:
    """A card for each network, and under them how maps are drawn."""
    columns, cards = st.columns(min(2, len(networks))), []
    opacity, smooth = choose_view()
    for number, network in enumerate(networks):
        with columns[number % len(columns)].container(border=True):
            cards.append(show_one(cam.look(network, shown.pixels, question), shown, opacity, smooth))
    return cards


def show_one(seen: Look, shown: Shown, opacity: float, smooth: bool) -> Card:
    """What one network says, and why: picture, map and overlay."""
    st.markdown(said.answer_in_words(seen, shown))
    strip = strip_of(seen, shown, opacity, smooth)
    st.image(overlay.png(strip), width="stretch", alt=said.in_words(seen, shown))
    st.caption(said.how_in_words(seen))
    return Card(seen, opacity, smooth, st.empty())


def strip_of(seen: Look, shown: Shown, opacity: float, smooth: bool) -> np.ndarray:
    """Picture, map and overlay side by side: uint8 [H, W, 4]."""
    picture, values = overlay.enlarged(shown.pixels, smooth=smooth), seen.shown(overlay.SIDE, smooth=smooth)
    return overlay.strip([picture, overlay.coloured(values), overlay.blended(picture, values, opacity)])


def probabilities(found: list[Look]) -> None:
    """How likely each network finds each class."""
    st.markdown("**How likely each network finds each class**")
    frame = pd.DataFrame({seen.network.label: seen.probabilities for seen in found}, index=list(cam.classes()))
    st.dataframe(
        frame, alt="Probabilities of all classes: " + "; ".join(said.most_likely(seen) for seen in found) + ".",
        column_config={
            seen.network.label: st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
            for seen in found
        },
    )  # fmt: skip


def look_further(networks: list[Network], shown: Shown, question: Question) -> None:
    """One closer look at a time, since each takes a while."""
    st.header("Look further", anchor=False)
    opacity, smooth = st.session_state["opacity"], st.session_state["view"] != SQUARES
    kind = st.segmented_control(
        "Look further", [METHODS, CLASS, CENTRE, SHUFFLED, INSIDE], key="further", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    if kind == METHODS:
        further.attempt(further.methods, networks, shown.pixels, question, opacity, smooth)
    if kind not in (CLASS, CENTRE, SHUFFLED, INSIDE):
        return
    with st.container(horizontal=True):
        known = {network.label: network for network in networks}
        network = known[st.selectbox("Of", list(known), key="further-network", width=320)]
        if kind == CLASS:
            label = st.selectbox("Class", cam.classes(), shown.truth or 0, key="further-class", width=160)
    if kind == CLASS:
        further.attempt(further.whole_class, network, cam.classes().index(label), question, opacity, smooth)
    elif kind == CENTRE:
        further.attempt(further.centre, network, question)
    elif kind == SHUFFLED:
        further.attempt(further.shuffled, network, question)
    else:
        further.attempt(further.inside, network, shown.pixels, question)


def take_along(cards: list[Card], shown: Shown, judged: list[dict[str, Any]]) -> None:
    """The figure and the numbers as files."""
    numbers = [said.numbers_of(card.look) | figures for card, figures in zip(cards, judged, strict=True)]
    written = json.dumps({"picture": shown.title, "networks": numbers}, indent=1)
    with st.container(horizontal=True):
        further.download(
            "Export figure", lambda: overlay.png(figure_of(cards, shown)), "grad-cam.png", "image/png",
            icon=":material/download:",
        )  # fmt: skip
        further.download("Export numbers", written, "grad-cam.json", "application/json")


def figure_of(cards: list[Card], shown: Shown) -> np.ndarray:
    """All strips under each other, with what each network said."""
    texts = [f"{said.answer_in_words(card.look, shown)}; {said.asked_in_words(card.look)}" for card in cards]
    plain = [text.replace("*", "").replace("\\", "").replace(words.JOINER, "") for text in texts]  # without Markdown
    strips = [strip_of(card.look, shown, card.opacity, card.smooth) for card in cards]
    return overlay.figure(list(zip(plain, strips, strict=True)))


def nothing_to_look_at() -> None:
    """What to do when no network has its weights here."""
    st.info(
        "No network for photographs has its weights here yet. Train one on **CIFAR-10** or **CIFAR-10 mini**, and its "
        "decisions can be looked into while it is still learning."
    )
    st.page_link("train.py", label="Train a network", icon=":material/model_training:",
                 query_params={"model": "resnet", "dataset": "cifar10-mini", "recipe": "quick"})  # fmt: skip


def main() -> None:
    """The page from top to bottom; how faithful the maps are is worked out last."""
    st.title("Grad-CAM", anchor=False)
    st.markdown("What a network's answer was made of, as a map over the picture, and whether to believe that map.")
    state.show_notice()
    offered = cam.offered()
    if not offered:
        nothing_to_look_at()
        return
    networks = readable(choose_networks(offered))
    if not networks:
        st.info("Pick a network to see what it looks at.", icon=":material/touch_app:")
        return
    shown, places, known = choose_picture(networks)
    if shown is None:
        st.info("No picture passes these filters. Take one of them away.", icon=":material/filter_alt_off:")
        return
    question = ask(networks, shown)
    st.markdown(f"**{words.md(shown.title)}** · picture, map and overlay; dark blue is nothing, yellow is most")
    cards = show_maps(networks, shown, question)
    files = st.container()
    left, right = st.columns(2)
    with left:
        probabilities([card.look for card in cards])
    with right:
        st.markdown("**Gallery**")
        gallery.table(places, known)
    look_further(networks, shown, question)
    wanted, sent = st.session_state["judge"], time.monotonic()
    judged = [verdicts.show(card.look, shown.pixels, card.place, sent) if wanted else {} for card in cards]
    with files:
        take_along(cards, shown, judged)


try:
    if state.arrive("gradcam"):
        state.check_link("models", cam.is_offered, "the id of a run on photographs whose weights are here")
        state.check_link("image", gallery.is_place, "the place of a test image that is on this machine")
    main()
except LabError as error:  # damaged data: the one place that every part of the page depends on
    st.error(words.md(str(error)), icon=":material/error:")
