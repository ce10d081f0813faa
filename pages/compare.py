"""Compare: a table of runs, their curves over each other, and whether a difference is real."""

from collections.abc import Iterable
from functools import partial
from html import escape
from itertools import combinations
from typing import Any

import streamlit as st

from core.answers import Answers, answers_of
from core.comparison import Row, rows
from core.errors import LabError
from core.runs import LIVE, Run
from core.statistics import Difference, difference
from core.summaries import Summary
from core.tables import as_csv, as_latex, as_markdown
from pages.ui import bands, charts, differ, hygiene, plot, reliability, report, state, table, words

FILTERS = {"dataset": "Data set", "model": "Model", "recipe": "Recipe"}
MOST_PICKED = 8  # as many colours as there are
SECONDS_BETWEEN_LOOKS = 5.0
CHART_KINDS = {"loss": "Loss", "accuracy": "Accuracy"}
download = partial(st.download_button, on_click="ignore")  # a file that is taken changes nothing on the page


@st.cache_resource(show_spinner=False)
def differences() -> charts.Kept:
    """Differences that were worked out already, by the rows' runs and when their test sets were opened."""
    return charts.Kept(256)


def choose(found: list[Summary]) -> list[Row]:
    """The filters, and the rows that pass them."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        fold = st.toggle("Fold seeds", True, key="fold", bind="query-params", help="One row for all seeds of a config.")
        for knob, title in FILTERS.items():
            options = sorted({str(summary.config[knob]) for summary in found if summary.config})
            wanted = st.multiselect(title, options, key=knob, placeholder="all", width=200, bind="query-params")
            found = [summary for summary in found if not wanted or (summary.config or {}).get(knob) in wanted]
        states = st.multiselect(
            "State", sorted({s.state for s in found}), key="state", placeholder="all", width=200, bind="query-params"
        )
        hidden = st.toggle("Show hidden", key="hidden", bind="query-params", help="Runs that somebody has hidden.")
    kept = [s for s in found if (hidden or not s.hidden) and (not states or s.state in states)]
    return rows(kept, fold=fold)


def pick(shown: list[Row]) -> list[Row]:
    """The table; returns the rows picked in it, which the address remembers by the ids of their runs."""
    wanted = set(st.session_state.get(state.PICKED) or st.query_params.get_all("runs"))
    places = [place for place, row in enumerate(shown) if wanted & set(row.runs)]
    ids = "".join(run_id for row in shown for run_id in row.runs)
    selection = st.dataframe(
        table.frame(shown), column_config=table.drawing(), hide_index=True, placeholder="", on_select="rerun",
        selection_mode="multi-row", selection_default={"selection": {"rows": places}}, alt=table.in_words(shown),
        key=f"table-{hash(ids)}",  # another order of rows is another table: a selection is by place
    )  # fmt: skip
    picked = [shown[place] for place in selection["selection"]["rows"] if place < len(shown)]
    st.session_state[state.PICKED] = st.query_params["runs"] = [row.runs[0] for row in picked]
    if len(picked) > MOST_PICKED:
        st.info(f"{len(picked)} rows are picked; the first {MOST_PICKED} are drawn.", icon=":material/palette:")
    return picked[:MOST_PICKED]


def take_along(shown: list[Row], picked: list[Row]) -> None:
    """The table as files, and the picked rows as a report."""
    text = table.as_text(shown)
    with st.container(horizontal=True):
        download("Export CSV", as_csv(text), "runs.csv", "text/csv", icon=":material/download:")
        download("Export Markdown", as_markdown(text), "runs.md", "text/markdown")
        download("Export LaTeX", as_latex(text), "runs.tex", "application/x-tex")
        if picked:
            made = partial(_report, picked)
            download("Export report", made, "comparison.html", "text/html", icon=":material/description:",
                      help="One HTML file with the picked rows, their curves and their configs.")  # fmt: skip


def _report(picked: list[Row]) -> str:
    """The picked rows as one HTML file."""
    drawn = [band for row in picked if (band := _band(row))]
    view = charts.View("epoch", False, 0.0)
    kinds = CHART_KINDS if drawn else {}
    figures = {title: (bands.figure(kind, drawn, view), bands.in_words(kind, drawn)) for kind, title in kinds.items()}
    runs = [state.store().get(run_id) for row in picked for run_id in row.counted]
    facts = {f"{run.name} ({run.id})": _facts(run) for run in runs}
    return report.html(table.as_text(picked), _verdicts(picked), figures, facts)


def _verdicts(picked: list[Row]) -> list[str]:
    """Whether any two of the picked rows with a test accuracy differ, as sentences in HTML."""
    pairs = combinations([row for row in picked if row.test_accuracy is not None], 2)
    return [_verdict(first, second) for first, second in pairs]


def _verdict(first: Row, second: Row) -> str:
    try:
        found = _difference(first, second)
    except LabError as error:
        return f"{report.bold(first.label)}, {report.bold(second.label)}: {escape(str(error))}"
    return words.verdict(first.label, second.label, found, _seeds(first, second), report.bold)


def _facts(run: Run) -> dict[str, Any]:
    try:
        return {"config": run.config.as_dict(), "environment": run.environment}
    except LabError as error:
        return {"error": str(error)}


def curves(picked: list[Row]) -> None:
    """Loss and accuracy of the picked rows, seeds as a band."""
    st.header("Curves", anchor=False)
    drawn = [band for row in picked if (band := _band(row))]
    if not drawn:
        st.caption("None of the picked rows has an epoch to draw yet.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        x = st.segmented_control(
            "Along the x axis", ["epoch", "time"], default="epoch", key="compare-x", bind="query-params", required=True
        )
        smoothing = st.slider("Smoothing of training", 0.0, 0.95, 0.0, 0.05, key="compare-smoothing", width=220)
        log = st.toggle("Log axis for loss", key="compare-log", bind="query-params")
    view = charts.View(x or "epoch", log, smoothing)
    for column, (kind, title) in zip(st.columns(2), CHART_KINDS.items(), strict=True):
        with column:
            st.markdown(f"**{title}** · training dashed, validation solid, band from the worst to the best seed")
            alt = bands.in_words(kind, drawn)
            plot.show(bands.figure(kind, drawn, view), key=f"compare-{kind}", alt=alt)


def _band(row: Row) -> bands.Band | None:
    found = [charts.Curve(run.id, run.name, run.metrics()) for run in map(state.store().get, row.counted)]
    with_epochs = tuple(curve for curve in found if bands.has_epochs(curve.metrics))
    return bands.Band(row.label, with_epochs) if with_epochs else None


def is_it_real(picked: list[Row]) -> None:
    """Whether two of the picked rows differ by more than chance."""
    tested = {row.label: row for row in picked if row.test_accuracy is not None}
    st.header("Is it real?", anchor=False)
    if len(tested) < 2:
        st.caption("Pick two rows that have a test accuracy, and their difference is put to the test here.")
        return
    with st.container(horizontal=True):
        first = tested[st.selectbox("One", list(tested), key="real-first", width=320)]
        others = [label for label in tested if label != first.label]
        second = tested[st.selectbox("against the other", others, key="real-second", width=320)]
    try:
        found = _difference(first, second)
    except LabError as error:
        st.info(words.md(str(error)), icon=":material/info:")
        return
    st.markdown(words.verdict(first.label, second.label, found, _seeds(first, second)))
    if found.over == "seeds":
        st.caption("Welch's interval: how the difference would vary if both were trained again with other seeds.")
    else:
        st.caption(
            "A bootstrap over the test images: how the difference would vary on other images like these. If both were "
            "equally good, answers as one-sided as these would come about in "
            f"{words.chances(found.disagreement_p or 0.0)} (McNemar's exact test)."
        )


def _seeds(first: Row, second: Row) -> int:
    """How many seeds the one with fewer has."""
    return min(len(first.counted), len(second.counted))


def _difference(first: Row, second: Row) -> Difference:
    """The difference of two rows; worked out once for the same answers. Raises: RunError where it can't be."""
    given, other = _answers(first.counted), _answers(second.counted)
    if len({answers.data_sha256 for answers in (*given, *other)}) != 1:
        raise LabError("These two were tested on different images, so their accuracies can't be compared.")
    key = (first.counted, second.counted, first.test_accuracy, second.test_accuracy)
    return differences().get(key, lambda: difference([a.right for a in given], [b.right for b in other]))


def _answers(run_ids: Iterable[str]) -> list[Answers]:
    """The answers of those runs whose test set was opened."""
    runs = [state.store().get(run_id) for run_id in run_ids]
    return [answers_of(run) for run in runs if run.test() is not None]


def where_they_differ(picked: list[Row]) -> None:
    """Confusion, images and calibration of the picked rows that answered the same images as the first."""
    subjects: list[differ.Subject] = []
    for row in picked:
        try:
            answers = next(iter(_answers(row.counted)), None)
        except LabError as error:
            st.info(words.md(str(error)), icon=":material/info:")
            continue
        if answers and differ.fits(row, answers, subjects):
            subjects.append(differ.Subject(row, answers))
    if subjects:
        differ.show(subjects)
        reliability.show(subjects)


def sealed(picked: list[Row], found: list[Summary]) -> None:
    """When and how often the test set of each picked run was opened."""
    st.header("The sealed test set", anchor=False)
    st.caption("A run's test set is opened once, at its end, for the weights with the lowest validation loss.")
    known = {summary.id: summary for summary in found}
    for summary in (known[run_id] for row in picked for run_id in row.runs if run_id in known):
        if summary.opened:
            times = "once" if len(summary.opened) == 1 else f"{len(summary.opened)} times"
            st.markdown(f"- {words.md(summary.name)}: opened {times}, last at {words.when(summary.opened[-1])}")
        else:
            st.markdown(f"- {words.md(summary.name)}: still sealed")


def progress(found: list[Summary]) -> list[tuple[str, str, int]]:
    """How far all runs are."""
    return [(summary.id, summary.state, summary.epochs) for summary in found]


def look_again(seen: list[tuple[str, str, int]]) -> None:
    """Draw the page anew when a run has got further than was seen."""
    if progress(state.summaries().all()) != seen:
        st.rerun()


def main() -> None:
    """The page from top to bottom."""
    st.title("Compare", anchor=False)
    state.show_notice()
    hygiene.undo()
    found = state.summaries().all()
    if not found:
        st.info("No runs yet. Train some on the **Train** page, and they stand side by side here.")
        st.page_link("train.py", label="Train a network", icon=":material/model_training:")
        return
    is_anything_live = any(summary.state in LIVE for summary in found)
    st.fragment(look_again, run_every=SECONDS_BETWEEN_LOOKS if is_anything_live else None)(progress(found))
    shown = choose(found)
    if not shown:
        st.info("No run passes these filters. Take one of them away.", icon=":material/filter_alt_off:")
        return
    st.caption("Pick rows by the boxes on their left, or by arrow keys and Shift+Space; a click on a title sorts.")
    picked = pick(shown)
    take_along(shown, picked)
    if not picked:
        st.info("Pick one row or more to see their curves, and two to see whether they differ.")
        return
    hygiene.show(picked)
    curves(picked)
    is_it_real(picked)
    where_they_differ(picked)
    sealed(picked, found)


if state.arrive("compare"):
    state.check_link("runs", state.is_run, "the id of a run that is here")
main()
plot.prepare()
