"""One run, live: where it stands, what can be done with it, and its curves.

Owns: what is drawn of a run; drawn again and again by the Train page's one fragment while something is live.
"""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from core import data
from core.errors import LabError
from core.metrics import Metrics
from core.runs import ENDED, LIVE, RESUMABLE, Run, Status
from pages.ui import audience, charts, form, hygiene, plot, state, words

FIGURES = {"loss": "Loss", "accuracy": "Accuracy", "lr": "Learning rate", "speed": "Images a second"}
HELPS = {
    "Pause": "Stores all that it needs, and leaves. Resume goes on exactly from there.",
    "Resume": "Goes on from where it left.",
    "Stop": "Ends it for good, keeps its best weights and tests them.",
    "Discard": "Throws it away; Undo brings it back for an hour.",
    "Fork": "Fills the form with its config, so that you can change one thing and start another run.",
}
OF_MASKS = {"loss": "Loss", "iou": "Digit IoU", "lr": "Learning rate", "speed": "Images a second"}
ENDABLE = (*LIVE, *RESUMABLE)
MOST_OVERLAYS = 7  # with the run itself as many as there are colours


def header(run: Run, status: Status, metrics: Metrics) -> None:
    """Name and state, and the sentences that belong to them."""
    label, icon, colour, meaning = words.badge(status)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(words.md(run.name), anchor=False, width="content")
        st.badge(label, icon=icon, color=colour, help=meaning)  # type: ignore[arg-type]
    if run.is_shipped:
        own = any(not other.is_shipped for other in state.own_and_shipped())
        yours = "" if own else " You have no runs yet: **Start training** makes one."
        st.caption(
            f"A reference run that ships with CNN Lab and stays as it is. Fork fills the form with what it did.{yours}"
        )
    if status.reason:
        show = st.error if status.state in ("failed", "diverged", "damaged") else st.caption
        show(words.md(status.reason))
    if status.warning:
        st.warning(words.md(status.warning))
    if run.curves_are_changed:
        st.warning("The file of its metrics was changed or damaged since it left off: the curves may be wrong.")
    if damaged := metrics.damaged_lines:
        st.warning(f"{damaged} damaged line{'s' if damaged > 1 else ''} of its metrics are left out of the curves.")


def buttons(run: Run, status: Status) -> None:
    """Everything that can be done with the run. What can't be done now is there, but greyed."""
    manager, own = state.manager(), not run.is_shipped
    with st.container(horizontal=True):
        _button("Pause", "pause", own and status.state in LIVE, manager.pause, run.id)
        _button("Resume", "play_arrow", own and status.state in RESUMABLE, manager.resume, run.id)
        _button("Stop", "stop", own and status.state in ENDABLE, manager.stop, run.id)
        if st.button("Discard", icon=":material/delete:", disabled=not own, key="discard", help=HELPS["Discard"]):
            if state.attempt(manager.discard, run.id):
                st.session_state[state.DISCARDED] = (run.id, run.name)
                st.session_state.pop(state.CHOSEN_RUN, None)
                st.query_params.pop("run", None)  # else it would be asked for once more
            st.rerun()
        fork = {"on_click": state.attempt, "args": (form.fill_from, run)}  # before the form's widgets are drawn
        if st.button("Fork", icon=":material/call_split:", key="fork", disabled=status.state == "damaged",
                     help=HELPS["Fork"], **fork):  # fmt: skip
            st.rerun()
        with st.popover("Rename", icon=":material/edit:", disabled=not own or status.state == "damaged"):
            hygiene.rename(run, "train")


def _button(label: str, icon: str, enabled: bool, action: Any, run_id: str) -> None:  # noqa: ANN401
    """A button that acts before anything is drawn, so that little time passes in which leaving the page undoes it."""
    if st.button(label, icon=f":material/{icon}:", disabled=not enabled, key=label.lower(), help=HELPS[label],
                 on_click=state.attempt, args=(action, run_id)):  # fmt: skip
        st.rerun()


def progress(run: Run, status: Status, metrics: Metrics) -> None:
    """How far it is, how long it will still take, and its figures."""
    steps, epochs = metrics.steps, run.config.epochs
    done = max([*steps.get("epoch", [])[-1:], *metrics.epochs.get("epoch", [])[-1:], 0.0])
    if status.state not in ENDED:
        st.progress(
            min(1.0, done / epochs), text=f"Epoch {done:.1f} of {epochs}{_time_left(run, status, metrics, done)}"
        )
    if not steps:
        hint = "Loading libraries and images…" if status.state == "running" else "Nothing learned yet."
        st.caption(hint if status.state != "queued" else "It waits for its turn.")
    _figures(run, status, metrics)


def _time_left(run: Run, status: Status, metrics: Metrics, done: float) -> str:
    seconds = (metrics.steps.get("seconds") or [0.0])[-1]
    if status.state != "running" or done <= 0:
        return ""
    config = run.config
    left = seconds / config.work(done) * (config.work(config.epochs) - config.work(done))
    return f", about {words.duration(left)} left" + (" (it may stop earlier)" if config.patience else "")


def _figures(run: Run, status: Status, metrics: Metrics) -> None:
    place, epochs, steps = charts.best_epoch(metrics.epochs), metrics.epochs, metrics.steps
    measure = "val_iou" if "val_iou" in epochs else "val_accuracy"
    cells = {
        "Best validation": (f"{epochs[measure][place]:.2%}" if place is not None else "–"),
        "at epoch": (str(epochs["epoch"][place]) if place is not None else "–"),
        "Patience left": _patience_left(run, epochs),
        "Images a second": (f"{steps['images_per_second'][-1]:,.0f}" if steps else "–"),
        "Learning rate": (f"{steps['lr'][-1]:.2g}" if steps else "–"),
        "Time": words.duration(max((column.get("seconds") or [0.0])[-1] for column in (epochs, steps))),
        "Memory": words.memory(status.memory_mb) if status.memory_mb else "–",
    }
    helps = {
        "Best validation": "Accuracy on the validation images at the epoch with the lowest validation loss; of scenes "
        "the mean intersection over union of the digits.",
        "Patience left": "Epochs that may pass without a lower validation loss before it stops early.",
    }
    if test := run.test():
        iou = {"Test IoU": f"{test['iou']:.2%}"} if "iou" in test else {}
        cells = {"Test accuracy": f"{test['accuracy']:.2%}", **iou, **cells}
        opened = len(test["opened"])
        times = "once" if opened == 1 else f"{opened} times"
        helps["Test accuracy"] = f"On {test['images']:,} sealed test images, at the best weights; opened {times}."
    with st.container(horizontal=True):
        for label, value in cells.items():
            st.metric(label, value, help=helps.get(label), width="content")


def _patience_left(run: Run, epochs: dict[str, list[Any]]) -> str:
    if not run.config.patience:
        return "off"
    return str(epochs["patience_left"][-1]) if epochs.get("patience_left") else "–"


def chosen_view() -> charts.View:
    """The view options; each is in the page's address."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        x = st.segmented_control("Along the x axis", list(charts.X_AXES), default="epoch", key="x", bind="query-params",
                                 required=True)  # fmt: skip
        smoothing = st.slider("Smoothing", 0.0, 0.95, 0.6, 0.05, key="smoothing", bind="query-params", width=220,
                              help="Averages the training curve over its last points; 0 shows all.")  # fmt: skip
        log = st.toggle("Log axis for loss", key="log", bind="query-params")
    return charts.View(x or "epoch", log, smoothing)


def overlays(run: Run) -> list[Run]:
    """Other runs to draw over this one."""
    others = {other.id: other for other in state.own_and_shipped() if other.id != run.id}
    if not others:
        return []
    linked = [run_id for run_id in st.query_params.get_all("with") if run_id in others][:MOST_OVERLAYS]
    chosen = st.multiselect(  # not bound to the address: that would hold what a run is called and its state, not its id
        "Compare with", list(others), linked, format_func=words.labels(others.values()).__getitem__, key="with",
        max_selections=MOST_OVERLAYS, persist_state="session", placeholder="Other runs, drawn over this one",
    )  # fmt: skip
    st.query_params["with"] = chosen
    return [others[run_id] for run_id in chosen if run_id in others]


def curves(run: Run, others: list[Run], view: charts.View, every: float | None) -> None:
    """The four charts. every: seconds between two looks, None where nothing is live."""
    drawn = [charts.Curve(each.id, each.name, audience.here.metrics(each, every)) for each in (run, *others)]
    if every is None and not drawn[0].metrics.steps:
        return  # it ended before its first step: axes without anything on them say nothing
    columns = [*st.columns(2), *st.columns(2)]
    figures = OF_MASKS if data.describe(run.config.dataset).has_masks else FIGURES
    for column, (kind, title) in zip(columns, figures.items(), strict=True):
        with column:
            st.markdown(f"**{title}**" + (" · training dashed, validation solid, ★ best" if kind == "loss" else ""))
            alt = charts.in_words(kind, drawn)
            plot.show(charts.figure(kind, drawn, view), key=f"chart-{kind}", alt=alt)


def details(run: Run, status: Status) -> None:
    """The config, where it was made, and what its process printed."""
    with st.expander("Config", icon=":material/settings:"):
        try:
            st.code(json.dumps(run.config.as_dict(), indent=1), language=None)
            where = f"computed on {status.node}" if status.node else run.environment.get("processor", "")
            st.caption(words.md(f"{run.id} · {where} · torch {run.environment.get('torch')}"))
        except LabError as error:
            st.error(words.md(str(error)))
    if (log := run.log_tail()) and status.state in ("failed", "interrupted", "diverged"):
        with st.expander("Log", icon=":material/article:"):
            st.code(log, language=None)
