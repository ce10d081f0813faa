"""The experiments of the guided tour that hold two networks against each other: MLP and CNN, ConvNet and ResNet.

Owns: how their results are said and shown. Leaves which runs answer, and what may be said, to `core.experiments`.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core import data, experiments, models
from core.experiments import DIGITS, PHOTOS, Contest, Rivals, rivals, where_it_gains
from core.runs import Run
from pages.ui import words
from pages.ui.charts import Kept


@st.cache_resource(show_spinner=False)
def _contests() -> Kept:
    """What came out already, by the runs and when their test sets were opened."""
    return Kept(16)


def _contest(pair: Rivals) -> Contest:
    """What came out of two networks' runs; worked out once. Raises: RunError."""
    key = tuple((run.id, str((run.test() or {}).get("opened"))) for runs in pair for run in runs)
    return _contests().get(key, lambda: experiments.contest(pair))


def _needed(runs: Sequence[Run], first: str, second: str, kinds: Sequence[Sequence[str]]) -> bool:
    """Says what to train, and returns True, where a pair of runs is missing on one of the kinds of images."""
    missing = [datasets[-1] for datasets in kinds if rivals(runs, first, second, datasets) is None]
    if not missing:
        return False
    one, other = models.describe(first).title, models.describe(second).title
    st.info(
        f"This experiment needs both {one} and {other}, trained on the same images by the same recipe. Train "
        "them as below, and come back when they have ended: it takes a few minutes.",
        icon=":material/model_training:",
    )
    with st.container(horizontal=True):
        for dataset in missing:
            for model in (first, second):
                to_train(model, dataset)
    return True


def to_train(model: str, dataset: str, label: str = "Train") -> None:
    """A link to the Train page with the form filled; its label begins as given."""
    title = f"{label} {models.describe(model).title} on {data.describe(dataset).title}"
    st.page_link("train.py", label=title, icon=":material/model_training:",
                 query_params={"model": model, "dataset": dataset, "recipe": "quick"})  # fmt: skip


def first_missing(runs: Sequence[Run]) -> bool:
    """Whether a pair of MLP and CNN is missing, on digits or on photographs; then it says what to train."""
    return _needed(runs, "mlp", "cnn", (DIGITS, PHOTOS))


def first_result(runs: Sequence[Run]) -> str:
    """What the CNN gains on digits and on photographs. Raises: RunError."""
    digits, photos = _read(runs, "mlp", "cnn", (DIGITS, PHOTOS))
    st.markdown(table([digits, photos]))
    for each in (digits, photos):
        st.markdown(in_words(each))
    if photos.first.report and photos.second.report:
        st.markdown(
            f"The lab report that CNN Lab grew from had {photos.first.report:.2%} with its MLP and "
            f"{photos.second.report:.2%} with its CNN on the same photographs."
        )
    st.caption(how([digits, photos]))
    return where_it_gains(digits.difference, photos.difference)


def first_go_on(runs: Sequence[Run]) -> None:
    """The way to train such a network."""
    to_train("cnn", PHOTOS[-1], "Try it yourself: train")


def second_missing(runs: Sequence[Run]) -> bool:
    """Whether a pair of ConvNet and ResNet is missing on photographs; then it says what to train."""
    return _needed(runs, "convnet", "resnet", (PHOTOS,))


def second_result(runs: Sequence[Run]) -> str:
    """Whether skip connections pay on photographs, with what they do on digits beside. Raises: RunError."""
    found = _read(runs, "convnet", "resnet", (PHOTOS, DIGITS))
    st.markdown(table(found))
    for each in found:
        st.markdown(in_words(each))
    photos = found[0]
    if photos.first.report and photos.second.report:
        st.markdown(_beside_the_report(photos, photos.first.report, photos.second.report))
    st.caption(how(found))
    return photos.better or "same"


def _beside_the_report(found: Contest, first: float, second: float) -> str:
    gap = abs(second - first)
    than = "larger" if gap > abs(found.difference.value) else "no larger"
    return (
        f"The lab report had {first:.2%} without and {second:.2%} with skip connections: a gap {than} than here. It "
        f"trained both by a plain recipe; today's recipe takes the network without them to "
        f"{found.first.test_accuracy or 0:.2%}."
    )


def second_go_on(runs: Sequence[Run]) -> None:
    """The way to both networks on the Compare page, side by side."""
    if pair := rivals(runs, "convnet", "resnet", PHOTOS):
        st.page_link(
            "compare.py",
            label="Try it yourself: their curves, and where they differ",
            icon=":material/compare_arrows:",
            query_params={"runs": [each[0].id for each in pair]},
        )


def _read(runs: Sequence[Run], first: str, second: str, kinds: Sequence[Sequence[str]]) -> list[Contest]:
    """What came out on each kind of images, as far as there are runs. Raises: RunError."""
    with st.spinner("Reading what each network answered…"):
        return [_contest(pair) for datasets in kinds if (pair := rivals(runs, first, second, datasets))]


def table(found: Sequence[Contest]) -> str:
    """Accuracies, and gains in points, as a Markdown table, a row for each data set."""
    one, other = (models.describe(row.model).title for row in (found[0].first, found[0].second))
    lines = [f"| data set | {one} | {other} | gain |", "|---|---:|---:|---:|"]
    for each in found:
        title = data.describe(each.first.dataset).title
        accuracies = " | ".join(f"{row.test_accuracy or 0:.2%}" for row in (each.first, each.second))
        lines.append(f"| {title} | {accuracies} | {each.difference.value * 100:+.2f} |")
    return "\n".join(lines)


def in_words(found: Contest) -> str:
    """Whether one of two networks is better, in a sentence."""
    one, other = (models.describe(row.model).title for row in (found.second, found.first))
    seeds = min(len(found.first.counted), len(found.second.counted))
    verdict = words.verdict(one, other, found.difference, seeds)
    fewer = f" It makes {found.mistakes_avoided:.0%} fewer mistakes." if found.better == found.second.model else ""
    return f"On {data.describe(found.first.dataset).title}: {verdict}{fewer}"


def how(found: Sequence[Contest]) -> str:
    """What the intervals are over, and how far they can be believed."""
    said = []
    if any(each.difference.over == "seeds" for each in found):
        said.append("With seeds: each network was trained that often, with other random numbers, and the interval "
                    "tells what training both again would give.")  # fmt: skip
    if any(each.difference.over == "images" for each in found):
        said.append("On these test images: one training of each, since one of the two has no second; the interval "
                    "tells what other images would give, and nothing of what another training would.")  # fmt: skip
    return " ".join(said)
