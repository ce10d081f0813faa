"""Train: a form for a new run, the queue, and the chosen run live."""

import streamlit as st

from core.errors import LabError
from core.runs import LIVE, Run, Status
from pages.ui import audience, charts, form, live, plot, state, words

# Until so many seconds of training, the page looks every so many seconds. By then a curve moves by less than a
# twentieth of its length between two looks, and drawing takes the training's own cores: about 0.2 s a look. Where many
# watch, `audience` says how much longer each of them waits.
TICKS = ((10.0, 0.5), (40.0, 1.0), (120.0, 2.0))
SLOW_TICK = 5.0


def choose_run(runs: list[Run]) -> Run | None:
    """The run to show: the one just started or clicked, the one in the address, the running one, the newest."""
    wanted = st.session_state.get(state.CHOSEN_RUN) or st.query_params.get("run")
    if wanted is not None:
        try:
            return state.store().get(wanted)
        except LabError as error:
            st.error(words.md(str(error)), icon=":material/link_off:")
            st.session_state.pop(state.CHOSEN_RUN, None)
    running = [run for run in runs if run.status().state == "running"]
    return (running or runs or [None])[0]


def picker(runs: list[Run], chosen: Run) -> Run:
    """A box with all runs; returns the run that it shows."""
    known = {run.id: run for run in [*runs, chosen]}
    place, labels = list(known).index(chosen.id), words.labels(known.values())
    picked = st.selectbox(
        "Run", list(known), index=place, format_func=labels.__getitem__,
        key=f"pick-{chosen.id}-{labels[chosen.id]}",  # a box keeps the words of what it shows, as they were
    )  # fmt: skip
    if picked != chosen.id:
        state.show_run(picked)
        st.rerun()
    return known[picked]


def notices() -> None:
    """What the last press led to, and Undo for what was discarded."""
    state.show_notice()
    if discarded := st.session_state.get(state.DISCARDED):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"Discarded *{words.md(discarded[1])}*.")
            if st.button("Undo", icon=":material/undo:"):
                st.session_state.pop(state.DISCARDED)
                if state.attempt(state.manager().undo_discard, discarded[0]):
                    state.show_run(discarded[0])
                st.rerun()


def new_run() -> None:
    """The form with its forecast and its button."""
    with st.container(border=True):
        st.header("New run", anchor=False)
        banner = st.empty()
        configs = form.show()
        if (forked := st.session_state.get(state.FORKED_FROM)) and configs:
            banner.info(form.fork_in_words(forked, configs[0]), icon=":material/call_split:")
        form.data_offer(configs)
        form.forecast(configs)
        form.start_button(configs)


def queue(seen: list[tuple[Run, Status]]) -> None:
    """Who is learning and who waits, in order."""
    running = [(run, status.node) for run, status in seen if status.state == "running"]
    queued = sorted((pair for pair in seen if pair[1].state == "queued"), key=lambda pair: pair[1].queued)
    waiting = [run for run, _ in queued]
    if state.manager().trouble:
        st.error(words.md(state.manager().trouble))
    if len(running) + len(waiting) > 1:
        lines = [f"- **learning{f' on {words.md(node)}' if node else ''}** · {words.md(run.name)}"
                 for run, node in running]  # fmt: skip
        lines += [f"- **{place}.** · {words.md(run.name)}" for place, run in enumerate(waiting, 1)]
        with st.expander(f"Queue: {len(running)} learning, {len(waiting)} waiting", expanded=True):
            st.markdown("\n".join(lines))


def watch(run_id: str, said: str, others: list[Run], view: charts.View, every: float | None) -> None:
    """All that changes by itself; the one fragment of the page. said: the state that the list of runs names."""
    with audience.here.look():
        draw(run_id, said, others, view, every)


def draw(run_id: str, said: str, others: list[Run], view: charts.View, every: float | None) -> None:
    """The queue and the run, once."""
    seen = [(run, run.status()) for run in state.own_and_shipped()]
    try:
        run = state.store().get(run_id)
    except LabError:  # discarded in another tab
        st.session_state.pop(state.CHOSEN_RUN, None)
        st.rerun()
    status = next((status for each, status in seen if each.id == run_id), None) or run.status()
    if status.state != said or (every is not None and every != seconds_between_ticks(run, seen, every)):
        st.rerun()  # a fragment's pace is set by a full run of the script; when all has ended, this is the last one
    metrics = audience.here.metrics(run, every)
    queue(seen)
    live.header(run, status, metrics)
    live.buttons(run, status)
    if status.state != "damaged":
        live.progress(run, status, metrics)
        live.curves(run, others, view, every)
    live.details(run, status)


def seconds_between_ticks(run: Run, seen: list[tuple[Run, Status]], every: float | None = None) -> float | None:
    """None when nothing runs; faster while the run has just begun, slower while many watch. every: as it is now."""
    if not any(status.state in LIVE for _, status in seen):
        return None
    seconds = (audience.here.metrics(run, every).steps.get("seconds") or [0.0])[-1]
    usual = next((pace for until, pace in TICKS if seconds < until), SLOW_TICK)
    return audience.here.pace(state.tab(), usual, every)


def show_chosen(runs: list[Run]) -> None:
    """The chosen run with its options, ticking while anything is live."""
    chosen = choose_run(runs)
    if chosen is None:
        st.info("No runs yet. Press **Start training**: with the form as it is, a small network learns to read digits.")
        return
    chosen = picker(runs, chosen)
    st.session_state[state.CHOSEN_RUN] = chosen.id
    st.query_params["run"] = chosen.id
    every, said = seconds_between_ticks(chosen, [(run, run.status()) for run in runs]), chosen.status().state
    compared, view = live.overlays(chosen), live.chosen_view()
    st.fragment(watch, run_every=every)(chosen.id, said, compared, view, every)


state.arrive("train")
state.manager().warm_up()
form.fill_from_address()
st.title("Train", anchor=False)
notices()
run_column, form_column = st.columns([2, 1], gap="medium")  # on a phone the run comes first
with form_column:
    new_run()
with run_column:
    show_chosen(state.own_and_shipped())
plot.prepare()
