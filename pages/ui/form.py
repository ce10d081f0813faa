"""The form of a new run: what is trained on what, by which recipe, and every knob behind a fold.

Owns: turning widgets into configs. A knob that a person changed keeps its value when the recipe changes; all others
follow the recipe. Leaves checking values to TrainConfig, whose message is shown beside the form.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from dataclasses import replace
from typing import Any

import streamlit as st

from core import data, machine, models, recipes
from core.config import TrainConfig, knob_of
from core.errors import ConfigError, LabError, shown
from core.runs import Run
from pages.ui import downloads, state, words

GROUPS = {
    "Learning": (
        *("epochs", "batch_size", "learning_rate", "optimizer", "schedule", "warmup"),
        *("momentum", "weight_decay", "label_smoothing", "patience"),
    ),
    "Images": ("train_size", "flip", "shift", "cutout", "rotate", "scale", "mixup", "low_resolution"),
    "Network and its start": ("width", "whiten", "identity", "fixed_scales", "silu", "init_from"),
    "Machine": ("precision", "device", "threads", "devices"),
}
TITLES = {
    "train_size": "training images",
    "patience": "patience (epochs)",
    "rotate": "rotate (degrees)",
    "silu": "SiLU for ReLU",
    "init_from": "begin with the weights of run",
}
MOST_SEEDS = 20
SECONDS_OF_ONE_PRESS = 3.0
MODEL, DATASET, RECIPE, SEEDS, NAME = "form_model", "form_dataset", "form_recipe", "form_seeds", "form_name"
OF_ADDRESS = {"model": (MODEL, models.names), "dataset": (DATASET, data.names), "recipe": (RECIPE, recipes.names)}
MOST_SEED_LETTERS = 100


def show() -> list[TrainConfig] | None:
    """Draw the form; returns a config for each seed, or None while something in it is wrong."""
    offered = _data_sets()
    st.session_state.setdefault(DATASET, "mnist-mini")
    dataset = st.selectbox(
        "Data set", offered, key=DATASET, format_func=lambda n: data.describe(n).title, persist_state="session",
        help="The mini sets ship with CNN Lab and need no network. Sets of your own are imported on the Home page.",
    )  # fmt: skip
    st.caption(_about(data.describe(dataset)))
    fitting = models.names("masks" if data.describe(dataset).has_masks else "classes")
    if st.session_state.get(MODEL) not in fitting:
        st.session_state[MODEL] = "cnn" if "cnn" in fitting else fitting[0]
    model = st.selectbox(
        "Model", fitting, key=MODEL, format_func=lambda n: models.describe(n).title, persist_state="session",
        help="Which network learns: those that answer what this data set asks.",
    )  # fmt: skip
    st.caption(models.describe(model).summary)
    recipe = st.selectbox(
        "Recipe", recipes.names(), key=RECIPE, persist_state="session", help="Where the knobs get their values."
    )
    st.caption(recipes.SUMMARIES[recipe])
    left, right = st.columns([1, 2])
    seeds_help = "Makes the random choices repeatable. 0-2 or 0,1,2 makes three runs."
    st.session_state.setdefault(SEEDS, "0")  # not as a default, since a link or a fork may have filled it in
    seeds = left.text_input("Seeds", key=SEEDS, persist_state="session", help=seeds_help)
    right.text_input("Name", key=NAME, max_chars=100, placeholder="optional", help="Only for you; shown in lists.")
    try:
        plain = TrainConfig(model=model, dataset=dataset, recipe=recipe)
        config = TrainConfig.from_dict({**_main_knobs(plain), **_advanced(plain)})
        return [replace(config, seed=seed) for seed in parse_seeds(seeds)]
    except LabError as error:
        st.error(words.md(str(error)), icon=":material/error:")
        return None


def _data_sets() -> list[str]:
    """Names to choose from: those that there are, and an imported one that is gone if the form names it."""
    names, chosen = data.names(), st.session_state.get(DATASET)
    return [*names, chosen] if chosen and chosen not in names else names


def _about(info: data.DatasetInfo) -> str:
    channels, height, width = info.image_shape
    colour = "colour" if channels == 3 else "grey"
    if info.has_masks:
        label = "one label at every pixel" if info.labels == "everywhere" else "a class for every pixel"
        return f"{info.train_size:,} fields of {width}x{height} an epoch, drawn anew each time: {label}"
    return f"{info.train_size:,} training images, {len(info.classes)} classes, {width}x{height} {colour}"


def _main_knobs(config: TrainConfig) -> dict[str, Any]:
    return {"model": config.model, "dataset": config.dataset, "recipe": config.recipe}


def _advanced(plain: TrainConfig) -> dict[str, Any]:
    """All other knobs, folded away; returns only those that a person changed."""
    changed: dict[str, Any] = st.session_state.setdefault(state.CHANGED_KNOBS, {})
    left_out = [] if models.describe(plain.model).task == "masks" else ["init_from"]
    for name in left_out:
        changed.pop(name, None)
    if machine.gpus() < 2 and "devices" not in changed:
        left_out.append("devices")
    title = f"Advanced: {len(changed)} changed by hand" if changed else "Advanced"
    with st.expander(title, icon=":material/tune:", key="advanced"):
        for group, names in GROUPS.items():
            st.markdown(f"**{group}**")
            columns = st.columns(2)
            for place, name in enumerate(name for name in names if name not in left_out):
                _knob(columns[place % 2], name, plain, changed)
        if changed and st.button("Back to the recipe's values", icon=":material/undo:"):
            changed.clear()
            st.rerun()
    return changed


def _knob(place: Any, name: str, plain: TrainConfig, changed: dict[str, Any]) -> None:  # noqa: ANN401
    """One widget, which follows the recipe until it is changed."""
    spec, default = knob_of(name), getattr(plain, name)
    value = changed.get(name, default)
    key = f"knob-{name}-{value}"
    common = {"key": key, "help": f"{spec.metadata['help'].capitalize()}. The recipe says {default}."}
    title = TITLES.get(name, name.replace("_", " "))
    if spec.type == "bool":
        new: Any = place.checkbox(title, value, **common)
    elif name == "init_from":
        new = place.selectbox(title, _beginnings(value), index=_beginnings(value).index(value), **common)
    elif choices := spec.metadata["choices"]:
        new = place.selectbox(title, choices, index=choices.index(value), **common)
    elif spec.type == "int":
        new = place.number_input(title, value=value, step=1, **common)
    else:
        new = place.number_input(title, value=value, step=None, format="%g", **common)
    if new != value and new is not None:
        changed[name] = new
        if new == default:
            del changed[name]
        st.rerun()


def _beginnings(value: str) -> list[str]:
    """Ids of the runs whose weights an FCN can begin with: CNNs on MNIST."""
    found = [run for run in state.own_and_shipped() if run.has_weights and (config := run.config_or_none)
             and config.model == "cnn" and (info := data.describe(config.dataset)).image_shape == (1, 28, 28)
             and not info.is_own]  # fmt: skip
    return list(dict.fromkeys(["", value, *(run.id for run in found)]))


def parse_seeds(text: str) -> list[int]:
    """The seeds in "0", "0-2" or "0, 1, 5". Raises: ConfigError for anything else, or for more than 20."""
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})\s*(?:-\s*(\d{1,10})\s*)?", part)
        if not match or int(match[2] or match[1]) - int(match[1]) >= MOST_SEEDS:
            raise ConfigError(
                f"Seeds are {shown(text)}, expected something like 0, 0-2 or 0,1,5: {MOST_SEEDS} at most."
            )
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
    if not 1 <= len(set(seeds)) <= MOST_SEEDS:
        raise ConfigError(f"Seeds are {shown(text)}, which makes {len(set(seeds))} runs. Take 1 to {MOST_SEEDS}.")
    return sorted(set(seeds))


def fill_from_address() -> None:
    """Fill the form with what a link names, such as `?model=resnet&dataset=cifar10-mini&recipe=quick&seeds=0-2`.

    Once: then the address lets go of it, so that the form can be changed. A name that nobody knows becomes the notice.
    """
    seeds = st.query_params.pop("seeds", "")
    named = {key: st.query_params.pop(name) for name, (key, _) in OF_ADDRESS.items() if name in st.query_params}
    for key, name in named.items():
        known = next(names() for own, names in OF_ADDRESS.values() if own == key)
        if name in known:
            st.session_state[key] = name
        else:
            state.tell(f"The link names {shown(name)}, which is not among {', '.join(known)}.", is_trouble=True)
    if MODEL in named and DATASET not in named:
        _fit_data_set()
    if seeds:
        st.session_state[SEEDS] = seeds[:MOST_SEED_LETTERS]
    if named:
        st.session_state[state.CHANGED_KNOBS] = {}
        st.session_state.pop(state.FORKED_FROM, None)


def _fit_data_set() -> None:
    """Take a data set that the model of a link can learn, unless the form has one."""
    task = models.describe(st.session_state[MODEL]).task if st.session_state.get(MODEL) in models.names() else ""
    if task and data.describe(st.session_state.get(DATASET, "mnist-mini")).has_masks != (task == "masks"):
        st.session_state[DATASET] = "mnist-mini-scenes" if task == "masks" else "mnist-mini"


def fill_from(run: Run) -> None:
    """Fill the form with a run's config, so that one thing can be changed and the rest stays."""
    config = run.config
    plain = TrainConfig(model=config.model, dataset=config.dataset, recipe=config.recipe)
    st.session_state[MODEL], st.session_state[DATASET] = config.model, config.dataset
    st.session_state[RECIPE], st.session_state[SEEDS] = config.recipe, str(config.seed)
    differs = words.difference(config, plain)
    st.session_state[state.CHANGED_KNOBS] = {name: mine for name, (mine, _) in differs.items() if name != "seed"}
    st.session_state[state.FORKED_FROM] = run.id


def fork_in_words(run_id: str, config: TrainConfig) -> str:
    """What the form now holds that the run it was filled from does not."""
    try:
        run = state.store().get(run_id)
        changed = words.difference(config, run.config)
    except LabError:  # discarded since
        return "This form holds the config of a run that is gone."
    if not changed:
        return f"This form holds the config of **{words.md(run.name)}**. Change one thing and start."
    knobs = ", ".join(f"{TITLES.get(name, name.replace('_', ' '))} {theirs} → {mine}"
                      for name, (mine, theirs) in changed.items())  # fmt: skip
    return f"Like **{words.md(run.name)}**, but {words.md(knobs)}."


def start_button(configs: list[TrainConfig] | None) -> None:
    """The button, which makes one run a seed however often and in however many tabs this form is sent."""
    tokens: dict[TrainConfig, str] = st.session_state.get(state.TOKENS, {})
    missing = configs is not None and not data.available(configs[0].dataset)
    pressed = st.button(
        "Start training",
        type="primary",
        icon=":material/play_arrow:",
        disabled=configs is None or missing,
        help="Get the data set first." if missing else None,
    )
    if pressed and configs:
        _submit(configs, tokens)
    st.session_state[state.TOKENS] = {config: _token(config) for config in configs or []}


def _submit(configs: list[TrainConfig], tokens: dict[TrainConfig, str]) -> None:
    """Queue a run for each config. One that the form did not show yet, changed in the moment of the press, is new."""
    known = {run.id for run in state.own_and_shipped()}
    name = st.session_state.get(NAME, "")
    try:
        ids = [_send(config, name, tokens.get(config) or _token(config)) for config in configs]
    except LabError as error:
        st.error(words.md(str(error)), icon=":material/error:")
        return
    if all(run_id in known for run_id in ids):
        state.tell("This very form was sent already: here is the run that it made.")
    st.session_state.pop(state.FORKED_FROM, None)
    state.show_run(ids[0])
    st.rerun()


def _send(config: TrainConfig, name: str, token: str) -> str:
    """Queue a run; presses that follow each other closely are one press, though the form was drawn in between."""
    sent: dict[TrainConfig, tuple[str, float]] = st.session_state.setdefault(state.SENT, {})
    before, when = sent.get(config, (token, -math.inf))
    if time.monotonic() - when < SECONDS_OF_ONE_PRESS:
        token = before
    sent[config] = token, time.monotonic()
    return state.manager().submit(config, name, token=token)


def _token(config: TrainConfig) -> str:
    """Equal for equal forms that were shown before any of them was sent: the config, and its runs so far."""
    knobs = json.dumps(config.as_dict(), sort_keys=True)
    runs = sorted(run.id for run in state.own_and_shipped() if run.config_or_none == config)
    return hashlib.sha256(json.dumps([knobs, runs]).encode()).hexdigest()[:48]


def data_offer(configs: list[TrainConfig] | None) -> None:
    """Says so when the data set is not on this machine, and offers to get it."""
    if not configs or data.available(configs[0].dataset):
        return
    info = data.describe(configs[0].dataset)
    if info.is_own:
        gone = f"{words.md(info.title)} is no longer on this machine. Import its pictures again on the Home page."
        st.info(gone, icon=":material/image_not_supported:")
        return
    st.info(f"{info.title} is not on this machine yet.", icon=":material/download:")
    _offer_download(info.name)


@st.fragment(run_every=1.0)
def _offer_download(name: str) -> None:
    if data.available(name):
        st.rerun()
    downloads.offer(name, "form")


def forecast(configs: list[TrainConfig] | None) -> None:
    """Time and memory of what Start would begin; measured in the background when it is not known yet."""
    if not configs or not data.available(configs[0].dataset):
        return
    known = _ask(configs[0])
    every = 0.5 if known is None else None
    st.fragment(_forecast, run_every=every)(configs, every is not None)


def _ask(config: TrainConfig) -> Any:  # noqa: ANN401 - a Forecast, a message, or None while it is being measured
    try:
        return state.forecaster().ask(config)
    except LabError as error:
        return str(error)


def _forecast(configs: list[TrainConfig], waiting: bool) -> None:
    found = _ask(configs[0])
    if found is None:
        st.caption(":material/hourglass_top: Measuring a few steps to forecast time and memory…")
        return
    if waiting:
        st.rerun()
    if isinstance(found, str):
        st.warning(words.md(found), icon=":material/help:")
        return
    runs = f" for each of {len(configs)} runs" if len(configs) > 1 else ""
    early = " at most; it may stop earlier" if configs[0].patience else ""
    st.caption(
        f":material/timer: About **{words.duration(found.seconds)}**{runs}{early} "
        f"({words.duration(found.seconds_per_epoch)} an epoch, {configs[0].epochs} epochs) · "
        f":material/memory: **{words.memory(found.memory_mb)}** of memory · "
        f"{words.count(found.parameters)} parameters, {words.count(found.multiply_adds)} multiply-adds an image · "
        f"from {found.source}"
    )
