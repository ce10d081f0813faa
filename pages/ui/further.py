"""The closer looks of the Grad-CAM page: all methods, a whole class, the centre, and the inside of a network.

Owns: those sections, of which one is worked out at a time. Leaves computing to `cam`, pictures to `overlay`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from core import explain
from core.data.pictures import Picture
from core.errors import LabError
from core.explain.randomisation import THRESHOLD
from pages.ui import cam, overlay, words
from pages.ui.cam import Look, Network, Question

SMALL = 112  # pixels of a small panel
SPACED = SMALL + overlay.GAP  # with the gap beside it
OF_A_CLASS, COLUMNS = 32, 8
MOST_MAPS, MAPS_A_ROW = 48, 8
EVEN = 0.25  # of an even map lies in the middle quarter
download = partial(st.download_button, on_click="ignore")


def methods(networks: Sequence[Network], picture: Picture, question: Question, opacity: float, smooth: bool) -> None:
    """Every method on the same picture, a row for each network."""
    st.caption("The same picture and class. Where the methods disagree, none of them is the whole truth.")
    for network in networks:
        found = [cam.look(network, picture, replace(question, method=name)) for name in _methods_of(network)]
        st.markdown(words.bold(network.label))
        panels = [overlay.png(overlay.spaced(_over(picture, seen, opacity, smooth))) for seen in found]
        captions = [explain.METHODS[seen.method].title + (" (nothing)" if seen.is_empty else "") for seen in found]
        st.image(panels, captions, width=SPACED, alt=[f"{title} of {network.label}." for title in captions])
    with st.expander("What each method does"):
        for method in explain.METHODS.values():
            st.markdown(f"- **{method.title}**: {method.summary} {words.md(method.source)}.")


def _methods_of(network: Network) -> list[str]:
    _, layers = cam.loaded(network)
    return [name for name, method in explain.METHODS.items() if layers or not method.reads_layer]


def _over(picture: Picture, seen: Look, opacity: float, smooth: bool) -> Picture:
    large = overlay.enlarged(picture, SMALL, smooth=smooth)
    return overlay.blended(large, seen.shown(SMALL, smooth=smooth), opacity)


def whole_class(network: Network, label: int, question: Question, opacity: float, smooth: bool) -> None:
    """The first test images of a class at once, with what the network says of each."""
    name = cam.classes()[label]
    asked = replace(question, target=label, rather=None)
    place, found, pictures = st.empty(), [], cam.of_class(label, OF_A_CLASS)
    for done, picture in enumerate(pictures, 1):
        found.append(cam.look(network, picture, asked))
        place.progress(done / len(pictures), text=f"{done} of {len(pictures)} pictures")
    who = words.md(network.label)
    place.caption(f"Why {name}: the first {len(pictures)} test images of that class, and what {who} says.")
    panels = [_over(picture, seen, opacity, smooth) for picture, seen in zip(pictures, found, strict=True)]
    said = [f"{cam.classes()[seen.answer]} {seen.probabilities[seen.answer]:.0%}" for seen in found]
    st.image(
        [overlay.png(overlay.spaced(panel)) for panel in panels], said, width=SPACED,
        alt=[f"Map over a picture of a {name}, answered {answer}." for answer in said],
    )  # fmt: skip
    sheet = overlay.figure([(f"why {name}: {network.label}", overlay.grid(panels, COLUMNS))])
    download("Export sheet", overlay.png(sheet), f"{name}.png", "image/png", icon=":material/download:")


def centre(network: Network, question: Question) -> None:
    """Whether the object or the centre of the picture draws the maps."""
    place = st.empty()
    means, moved = cam.centre(network, question, lambda done, every: place.progress(done / every, text="Mean maps"))
    place.markdown(centre_in_words(network.label, moved))
    st.caption(
        f"How alike the maps of shifted pictures are to those before: {moved.with_object:.2f} when these are shifted "
        f"along, {moved.with_centre:.2f} when they stay (correlations over {moved.images} pictures, difference ± "
        f"{moved.error:.2f}). Below, the mean map of up to {cam.MOST_OF_A_CLASS} test images of each class; "
        f"an even map would have {EVEN:.0%} in the middle quarter. The dot is the centre of mass."
    )
    titles = [_where(cam.classes()[label], mean) for label, mean in enumerate(means)]
    st.image(
        [overlay.png(overlay.spaced(_with_dot(mean))) for mean in means], titles, width=SPACED,
        alt=[f"Mean map of {title}." for title in titles],
    )  # fmt: skip


def centre_in_words(label: str, moved: explain.Following) -> str:
    """The verdict of the test by shifting."""
    verdicts = {
        "object": "**the object** draws its maps: when the picture is shifted, they go along.",
        "centre": "**the place in the picture** draws its maps more than the object: when that is shifted, they stay.",
        "unclear": "it **can't be told** whether the object or the place draws its maps.",
    }
    return f"{words.bold(label)}: {verdicts[moved.verdict]}"


def _where(name: str, mean: explain.MeanMap) -> str:
    down, right = mean.offset
    if np.isnan(down):
        return f"{name}: no map"
    return (
        f"{name}: {mean.middle:.0%} in the middle, {abs(right):.1f} px {'right' if right > 0 else 'left'}, "
        f"{abs(down):.1f} {'down' if down > 0 else 'up'}"
    )


def _with_dot(mean: explain.MeanMap) -> Picture:
    """The mean map, its greatest value brightest, with its centre of mass as a white dot with a dark rim."""
    values = mean.map.numpy()
    pixels = overlay.tile(values / max(float(values.max()), 1e-12), SMALL)
    side = values.shape[0]
    if not np.isnan(mean.offset[0]):
        down, right = ((offset + side / 2) * SMALL / side for offset in mean.offset)
        overlay.dot(pixels, down, right)
    return pixels


def shuffled(network: Network, question: Question) -> None:
    """What is left of the maps when more and more of the network, from the top down, is shuffled."""
    place = st.empty()
    stages = cam.stages(network, question, lambda done, every: place.progress(done / every, text="Shuffling"))
    place.markdown(shuffled_in_words(network.label, stages))
    st.caption(
        "A map that shows what was learned is gone once the weights above its layer mean nothing; one that stays shows "
        f"edges of the picture. The mean over {cam.CHECKED_PICTURES} test images, of what the trained network says "
        "(Adebayo et al. 2018, arXiv:1810.03292)."
    )
    frame = pd.DataFrame(
        [(stage.block, stage.correlation) for stage in stages],
        columns=["shuffled from the top down to", "rank correlation"],
    )
    st.dataframe(
        frame, hide_index=True, width=560, alt=f"Rank correlation of maps of {network.label} by what is shuffled.",
        column_config={"rank correlation": st.column_config.ProgressColumn(format="%.2f", min_value=-1, max_value=1)},
    )  # fmt: skip


def shuffled_in_words(label: str, stages: Sequence[explain.Stage]) -> str:
    """The verdict of the sanity check."""
    last = next(stage for stage in stages if stage.is_last_block)
    said = "**depend on what was learned**" if last.correlation < THRESHOLD else "**hardly depend on what was learned**"
    return (
        f"The maps of {words.bold(label)} {said}: with its layers down to {words.md(last.block)} shuffled, their rank "
        f"correlation with the true ones is {last.correlation:.2f} (the line is drawn at {THRESHOLD})."
    )


def inside(network: Network, picture: Picture, question: Question) -> None:
    """The filters of the first layer, and what the chosen layer makes of this picture."""
    model, layers = cam.loaded(network)
    if not layers:
        st.info("This network has no convolution, so it has neither filters nor feature maps.", icon=":material/info:")
        return
    filters = explain.first_filters(model)  # [K, C, k, k]
    st.markdown(
        f"**The {len(filters)} filters of the first layer**, {filters.shape[3]} x {filters.shape[2]} pixels each"
    )
    scaled = (0.5 + filters / (2 * filters.abs().amax(dim=(1, 2, 3), keepdim=True))).permute(0, 2, 3, 1).numpy()
    tiles = [overlay.tile(one, 48) for one in scaled]
    st.image(overlay.png(overlay.grid(tiles, 18)), alt=f"{len(filters)} small filters; grey is zero.")
    layer = layers[round(question.depth * (len(layers) - 1))]
    maps = explain.feature_maps(model, explain.as_images([picture]), layer.after)[0]  # [K, h, w]
    strongest = maps.mean(dim=(1, 2)).argsort(descending=True)[:MOST_MAPS].tolist()
    st.markdown(
        f"**What {words.md(layer.name)} makes of this picture**: {len(maps)} maps of {maps.shape[2]} x {maps.shape[1]} "
        f"after the activation; here the {len(strongest)} strongest, each in its own scale"
    )
    panels = [overlay.tile(explain.scaled(maps[place : place + 1])[0].numpy(), 84) for place in strongest]
    st.image(
        overlay.png(overlay.grid(panels, MAPS_A_ROW)),
        alt=f"The {len(strongest)} strongest feature maps of {layer.name}.",
    )


def attempt(section: object, *arguments: object) -> None:
    """Draw a section; an error of ours becomes a sentence in its place."""
    try:
        section(*arguments)  # type: ignore[operator]
    except LabError as error:
        st.info(words.md(str(error)), icon=":material/info:")
