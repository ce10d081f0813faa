"""The rows of a comparison: runs one by one, or the seeds of one config folded into a row.

Owns: what belongs together, and means and intervals over it. Leaves reading runs to `core.summaries`, methods to
`core.statistics`, looks to pages.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.config import TrainConfig
from core.errors import LabError
from core.statistics import Interval, accuracy_interval, mean_interval
from core.summaries import Summary

REPORT_DATASET = "cifar10"
REPORT = {"mlp": 0.4302, "cnn": 0.7028, "convnet": 0.7537, "resnet": 0.8221}  # test accuracy in the report it grew from
NAMING = ("model", "dataset", "recipe", "seed")  # knobs that a row names by themselves


@dataclass(frozen=True)
class Row:
    """One row: a run, or all seeds of one config. Means are over the runs that have the figure, None if none has.

    runs: their ids. counted: those that have finished, or all where none has, and of them one for each seed, a tested
    one where there is any, since a seed that was trained twice gives the same network again and says nothing about the
    spread; all figures but bytes are over these. seeds: theirs.
    state: the runs' if all agree, else "3 finished, 1 running". changed: knobs that are not as the recipe says.
    test_accuracy 0..1 (of scenes the digits' mean intersection over union), with its standard deviation over seeds
    (None for one) and its 95 % interval: Wilson's for one run, Student's over seeds for more. bytes: of all runs.
    curve: of the run with the lowest validation loss.
    report: the test accuracy of the report, where it had this network on this data set.
    """

    label: str
    runs: tuple[str, ...]
    counted: tuple[str, ...]
    seeds: tuple[int, ...]
    state: str
    dataset: str
    model: str
    recipe: str
    changed: dict[str, Any]
    tags: tuple[str, ...]
    test_accuracy: float | None
    test_spread: float | None
    test_interval: Interval | None
    report: float | None
    val_accuracy: float | None
    val_loss: float | None
    parameters: int | None
    multiply_adds: int | None
    seconds: float | None
    seconds_per_epoch: float | None
    seconds_to_best: float | None
    bytes: int
    curve: tuple[float, ...]


def rows(summaries: Iterable[Summary], *, fold: bool) -> list[Row]:
    """The rows of these runs, in their order. fold: whether runs that differ in their seed alone share a row."""
    groups: dict[str, list[Summary]] = {}
    for summary in summaries:
        groups.setdefault(_group(summary) if fold else summary.id, []).append(summary)
    return _told_apart([_row(group) for group in groups.values()])


def _told_apart(found: list[Row]) -> list[Row]:
    """The rows, with the end of a run's id behind labels that would stand twice."""
    times = Counter(row.label for row in found)
    return [replace(row, label=f"{row.label} ({row.runs[0][-4:]})") if times[row.label] > 1 else row for row in found]


def _group(summary: Summary) -> str:
    """Equal for runs that differ in their seed alone; a run whose config can't be read stands alone."""
    if summary.config is None:
        return summary.id
    return json.dumps({**summary.config, "seed": None}, sort_keys=True)


def _row(every: Sequence[Summary]) -> Row:
    runs = _one_a_seed([run for run in every if run.state == "finished"] or every)
    first, config = runs[0], runs[0].config or {}
    accuracies = [run.test_accuracy for run in runs if run.test_accuracy is not None]
    best = min(runs, key=lambda run: float("inf") if run.val_loss is None else run.val_loss)
    model, dataset = str(config.get("model", "")), str(config.get("dataset", ""))
    return Row(
        label=first.name if len(every) == 1 else f"{model} on {dataset}, {config.get('recipe')}",
        runs=tuple(run.id for run in every),
        counted=tuple(run.id for run in runs),
        seeds=tuple(sorted(run.config["seed"] for run in runs if run.config)),
        state=_states([run.state for run in every]),
        dataset=dataset,
        model=model,
        recipe=str(config.get("recipe", "")),
        changed=_changed(config),
        tags=tuple(dict.fromkeys(tag for run in every for tag in run.tags)),
        test_accuracy=_mean(accuracies),
        test_spread=statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        test_interval=_interval(runs, accuracies),
        report=REPORT.get(model) if dataset == REPORT_DATASET else None,
        val_accuracy=_mean([run.val_accuracy for run in runs]),
        val_loss=_mean([run.val_loss for run in runs]),
        parameters=first.parameters,
        multiply_adds=first.multiply_adds,
        seconds=_mean([run.seconds for run in runs]),
        seconds_per_epoch=_mean([run.seconds_per_epoch for run in runs]),
        seconds_to_best=_mean([run.seconds_to_best for run in runs]),
        bytes=sum(run.bytes for run in every),
        curve=best.curve,
    )


def _one_a_seed(runs: Sequence[Summary]) -> list[Summary]:
    """The first run of each seed, a tested one where there is any."""
    found: dict[Any, Summary] = {}
    for run in sorted(runs, key=lambda run: run.test_accuracy is None):
        found.setdefault((run.config or {}).get("seed"), run)
    return list(found.values())


def _interval(runs: Sequence[Summary], accuracies: list[float]) -> Interval | None:
    if len(accuracies) > 1:
        found = mean_interval(accuracies)  # of few seeds it may be wider than what an accuracy can be
        return Interval(max(0.0, found.low), min(1.0, found.high))
    tested = [run for run in runs if run.test_accuracy is not None and run.test_images]
    if not tested:
        return None
    images = tested[0].test_images or 0
    return accuracy_interval(round(accuracies[0] * images), images)


def _states(states: list[str]) -> str:
    """The state of all; of several, how many are in each, those that finished first."""
    if len(set(states)) == 1:
        return states[0]
    ordered = sorted(set(states), key=lambda state: (state != "finished", state))
    return ", ".join(f"{states.count(state)} {state}" for state in ordered)


def _changed(config: dict[str, Any]) -> dict[str, Any]:
    """The knobs that a person set otherwise than the recipe would have."""
    try:
        plain = TrainConfig(**{name: config[name] for name in NAMING}).as_dict()
    except (LabError, KeyError):
        return {}
    return {name: value for name, value in config.items() if plain.get(name) != value}


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
