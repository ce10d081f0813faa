"""Home: what this is, a first run at once, what is going on, and what is on this machine."""

import streamlit as st

from core import data, machine
from core.config import TrainConfig
from core.runs import LIVE, RESUMABLE, Run
from pages.ui import check, downloads, state, words

FIRST = {"model": "cnn", "dataset": "mnist-mini", "recipe": "quick"}
SHOWN_RUNS = 5


def welcome() -> None:
    """Three sentences and the way in."""
    st.title("CNN Lab", anchor=False)
    st.markdown(
        "Train small image networks for real, on this machine, and watch them learn while they do. "
        "Six networks, from a plain MLP to one that reads what you draw, learn from real images that are already here. "
        "Pause, resume, stop and compare as you like: a run goes on when you close this page."
    )
    with st.container(horizontal=True):
        if st.button("Train a first network", type="primary", icon=":material/play_arrow:") and state.attempt(
            start_first
        ):
            st.switch_page("pages/train.py")
        st.page_link("pages/train.py", label="Choose everything yourself", icon=":material/tune:")
    st.caption("A small convolutional network learns to read handwritten digits: about a minute at most.")


def start_first() -> None:
    """Queue the first run, once: pressed again while it waits or learns, it is that run again."""
    config = TrainConfig(**FIRST)
    same = [run for run in state.own_and_shipped() if run.status().state in LIVE and run.config == config]
    state.show_run(same[0].id if same else state.manager().submit(config))


def run_line(run: Run) -> None:
    """A run in one line, with the way to it."""
    status, test = run.status(), run.test()
    label, icon, colour, meaning = words.badge(status)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(label, icon=icon, color=colour, help=meaning)  # type: ignore[arg-type]
        st.markdown(words.md(run.name), width="content")
        epochs = run.metrics().epochs
        if epochs:
            st.caption(f"validation {max(epochs['val_accuracy']):.2%}", width="content")
        if test:
            st.caption(f"test {test['accuracy']:.2%}", width="content")
        if status.state in RESUMABLE and st.button("Resume", key=f"resume-{run.id}", icon=":material/play_arrow:"):
            state.attempt(state.manager().resume, run.id)
            st.rerun()
        st.page_link("pages/train.py", label="Open", query_params={"run": run.id}, icon=":material/monitoring:")


def section(title: str, runs: list[Run], most: int = SHOWN_RUNS) -> None:
    """Some runs under a title; nothing when there are none."""
    if runs:
        st.subheader(title, anchor=False)
        for run in runs[:most]:
            run_line(run)
        if len(runs) > most:
            st.caption(f"and {len(runs) - most} more on the Train page")


def runs_now() -> None:
    """What is going on, what can go on, what has ended; looked at again every two seconds while it changes."""
    by_state: dict[str, list[Run]] = {"live": [], "resumable": [], "ended": []}
    runs = state.own_and_shipped()
    for run in runs:
        if run.is_shipped:
            continue
        now = run.status().state
        by_state["live" if now in LIVE else "resumable" if now in RESUMABLE else "ended"].append(run)
    section("Now", by_state["live"])
    section("Can go on", by_state["resumable"])
    section("Latest results", by_state["ended"])
    if not any(by_state.values()):
        st.subheader("Runs", anchor=False)
        st.info("No runs yet. **Train a first network** makes one, and its curves appear while it learns.")
    section("Reference runs, trained for you", [run for run in runs if run.is_shipped and run.has_weights], most=10)


def this_machine() -> None:
    """Processor, memory and arithmetic."""
    here = machine.describe()
    st.subheader("This machine", anchor=False)
    arithmetic = "bf16, twice as fast or more" if here.bf16 else "float32 (the processor has no bf16)"
    st.markdown(
        f"{words.md(here.processor)} · {here.cores} cores · {words.memory(here.memory_mb)} of memory · "
        f"computes in {arithmetic}"
    )


def data_sets() -> None:
    """Every data set, and a button for those that are not here yet."""
    st.subheader("Data sets", anchor=False)
    for name in data.names():
        info = data.describe(name)
        channels, height, width = info.image_shape
        left, right = st.columns([3, 2], vertical_alignment="center")
        count = f"{info.train_size + info.val_size:,} training and {info.test_size:,} test images"
        what = f"fields drawn from {data.describe(info.made_of).title}, anew in every epoch" if info.made_of else count
        colour = "colour" if channels == 3 else "grey"
        left.markdown(f"**{info.title}** · {what} · {width}x{height} {colour} · {len(info.classes)} classes")
        with right:
            if data.available(name):
                st.badge("on this machine", icon=":material/check:", color="green")
            else:
                downloads.offer(name, "home")


welcome()
anything_live = any(run.status().state in LIVE for run in state.own_and_shipped())
st.fragment(runs_now, run_every=2.0 if anything_live else None)()
this_machine()
st.fragment(data_sets, run_every=1.0 if downloads.under_way() else None)()
st.fragment(check.offer)()
