"""Home: what this is, a first run at once, what goes on, a tour, the networks drawn, this machine and its data."""

from typing import Any

import streamlit as st

from core import data, machine, models
from core.config import TrainConfig
from core.runs import LIVE, RESUMABLE, Run, Status
from pages.ui import audience, charts, check, downloads, networks, own_data, state, tour, words

FIRST = {"model": "cnn", "dataset": "mnist-mini", "recipe": "quick"}
LINKED = {"experiment": tour.show, "network": networks.show}  # the sections by the parameter that leads to them
SHOWN_RUNS = 5
SECONDS_BETWEEN_LOOKS = 2.0
BADGE_WIDTH, NAME_WIDTH, FIGURE_WIDTH = 104, 246, 116  # pixels: aligned on a wide page, two lines on a phone


def welcome() -> None:
    """Three sentences and the way in."""
    st.title("CNN Lab", anchor=False)
    st.markdown(
        "Train small image networks for real, on this machine, and watch them learn while they do. "
        "Six networks, from a plain MLP to one that reads what you draw, learn from real images that are already here. "
        "Pause, resume, stop and compare as you like: a run goes on when you close this page."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Train a first network", type="primary", icon=":material/play_arrow:") and state.attempt(
            start_first
        ):
            st.switch_page("train.py")
        st.page_link("train.py", label="Choose everything yourself", icon=":material/tune:")
    state.show_notice()


def start_first() -> None:
    """Queue the first run, once: pressed again while it waits or learns, it is that run again."""
    config = TrainConfig(**FIRST)
    same = [run for run in state.own_and_shipped() if run.status().state in LIVE and run.config == config]
    state.show_run(same[0].id if same else state.manager().submit(config))


def your_runs(every: float | None) -> None:
    """The newest runs, those that go on or can go on first; looked at again and again while one of them is live.

    every: seconds between two looks, None where nothing is live.
    """
    with audience.here.look():
        seen = [(run, run.status()) for run in state.own_and_shipped() if not run.is_shipped]
        if every is not None and every != pace([status for _, status in seen], every):
            st.rerun()  # the pace of a fragment is set by a full run of the script
        st.header("Your runs", anchor=False)
        if not seen:
            st.caption(
                "No runs yet. **Train a first network** makes one: in about a minute a small convolutional network "
                "learns to read handwritten digits, and you see its curves grow."
            )
        for run, status in sorted(seen, key=_urgency)[:SHOWN_RUNS]:
            run_line(run, status, every)
        if len(seen) > SHOWN_RUNS:
            st.caption(f"and {len(seen) - SHOWN_RUNS} more, all of them on the Compare page")


def _urgency(pair: tuple[Run, Status]) -> int:
    return 0 if pair[1].state in LIVE else 1 if pair[1].state in RESUMABLE else 2


def pace(seen: list[Status], before: float | None = None) -> float | None:
    """Seconds between two looks at the runs, longer while many tabs watch; None where none is live."""
    if not any(status.state in LIVE for status in seen):
        return None
    return audience.here.pace(state.tab(), SECONDS_BETWEEN_LOOKS, before)


def run_line(run: Run, status: Status, every: float | None) -> None:
    """A run in one line, every part at its place whatever the run does, with the way to it."""
    label, icon, colour, meaning = words.badge(status)
    epochs = audience.here.metrics(run, every).epochs
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.badge(label, icon=icon, color=colour, help=meaning, width=BADGE_WIDTH)  # type: ignore[arg-type]
        st.page_link("train.py", label=words.md(run.name), query_params={"run": run.id}, width=NAME_WIDTH,
                     icon=":material/monitoring:")  # fmt: skip
        st.caption(_best(epochs), width=FIGURE_WIDTH)
        st.caption(_tested(run) or _how_far(run, len(epochs.get("epoch", []))), width=FIGURE_WIDTH)
        if status.state in RESUMABLE and st.button("Resume", key=f"resume-{run.id}", icon=":material/play_arrow:"):
            state.attempt(state.manager().resume, run.id)
            st.rerun()


def _best(epochs: dict[str, list[Any]]) -> str:
    """Validation accuracy, or IoU of scenes, at the lowest validation loss, as on all pages."""
    place = charts.best_epoch(epochs)
    if place is None:
        return "no epoch yet"
    if "val_iou" in epochs:
        return f"val. IoU {epochs['val_iou'][place]:.2%}"
    return f"validation {epochs['val_accuracy'][place]:.2%}"


def _tested(run: Run) -> str:
    test = run.test()
    if not test:
        return ""
    return f"test IoU {test['iou']:.2%}" if "iou" in test else f"test {test['accuracy']:.2%}"


def _how_far(run: Run, epochs: int) -> str:
    config = run.config_or_none
    return f"epoch {epochs} of {config.epochs}" if config else ""


def this_machine() -> None:
    """Processor, memory and arithmetic."""
    here = machine.describe()
    st.header("This machine and its data", anchor=False)
    arithmetic = "bf16, twice as fast or more" if here.bf16 else "float32 (the processor has no bf16)"
    st.markdown(
        f"{words.md(here.processor)} · {words.plural(here.cores, 'core')} · {words.memory(here.memory_mb)} of memory · "
        f"computes in {arithmetic}"
    )


def data_sets(is_ticking: bool) -> None:
    """Every data set, and a button for each file of images that is not here yet."""
    if is_ticking and not downloads.under_way():
        st.rerun()  # the last look: then nothing changes by itself any more
    lines = ["| data set | images to learn from, to validate and to test | on this machine |", "|---|---|---|"]
    missing = {}
    for name in data.names():
        info = data.describe(name)
        channels, height, width = info.image_shape
        count = f"{info.train_size:,}, {info.val_size:,} and {info.test_size:,}"
        what = f"made of {data.describe(info.made_of).title} in every epoch" if info.made_of else count
        size = f"{width}x{height} {'colour' if channels == 3 else 'grey'}, {len(info.classes)} classes"
        here = ":green-badge[:material/check: here]" if data.available(name) else "not yet"
        lines.append(f"| **{words.md(info.title)}** | {words.md(f'{what} · {size}')} | {here} |")
        if not data.available(name):
            missing[info.made_of or name] = info
    st.markdown("\n".join(lines))
    for name in missing:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{words.md(data.describe(name).title)} is not on this machine yet.", width="content")
            downloads.offer(name, "home")


if state.arrive("home"):  # what a link names comes right below the welcome
    state.check_link("experiment", tour.is_known, "the number of an experiment, such as 2")
    state.check_link("network", lambda name: name in models.names(), f"one of {', '.join(models.names())}")
    st.session_state[state.FIRST] = next((name for name in LINKED if name in st.query_params), "")
welcome()
first = LINKED.get(st.session_state.get(state.FIRST, ""))
if first:
    st.fragment(first)()
every = pace([run.status() for run in state.own_and_shipped() if not run.is_shipped])
st.fragment(your_runs, run_every=every)(every)
for section in LINKED.values():
    if section is not first:
        st.fragment(section)()
this_machine()
st.fragment(data_sets, run_every=1.0 if downloads.under_way() else None)(downloads.under_way())
st.fragment(own_data.show)()
st.fragment(check.offer)()
