"""Rows of a comparison: what is folded, and the means and intervals over it."""

from __future__ import annotations

import dataclasses
import statistics

import pytest

from core.comparison import REPORT, rows
from core.config import TrainConfig
from core.files import write_json
from core.runs import RunStore
from core.statistics import accuracy_interval, mean_interval
from core.summaries import Summaries


@pytest.fixture
def fill(store):
    """Makes finished runs whose test accuracy is as given."""

    def make(accuracy, name="", state="finished", **knobs):
        run = store.create(TrainConfig(**{"model": "cnn", "dataset": "cifar10", "recipe": "fast", **knobs}), name)
        run.set_status(state=state, parameters=5, multiply_adds=7)
        if accuracy is not None:
            write_json(run.path / "test.json", {"accuracy": accuracy, "loss": 1, "images": 10000, "opened": [1]})
        return run

    return make


def table(store, fold=True):
    return rows(Summaries(RunStore(store.root)).all(), fold=fold)


def test_seeds_share_a_row_and_any_other_knob_makes_another(store, fill):
    accuracies = [0.85, 0.86, 0.84]
    runs = [fill(accuracy, seed=seed) for seed, accuracy in enumerate(accuracies)]
    other = fill(0.80, seed=0, shift=0)
    folded = {row.runs: row for row in table(store)}
    assert len(folded) == 2
    row = next(row for row in folded.values() if len(row.runs) == 3)
    assert set(row.runs) == {run.id for run in runs}
    assert row.seeds == (0, 1, 2)
    assert row.test_accuracy == pytest.approx(0.85)
    assert row.test_spread == pytest.approx(statistics.stdev(accuracies))
    assert row.test_interval.low == pytest.approx(mean_interval(accuracies).low)
    assert (row.report, row.changed, row.parameters) == (REPORT["cnn"], {}, 5)
    assert folded[(other.id,)].changed == {"shift": 0}


def test_an_interval_of_two_seeds_stays_within_what_an_accuracy_can_be(store, fill):
    for seed, accuracy in enumerate((0.97, 0.90)):
        fill(accuracy, seed=seed)
    (row,) = table(store)
    assert mean_interval([0.97, 0.90]).high > 1
    assert (row.test_interval.low, row.test_interval.high) == (pytest.approx(mean_interval([0.97, 0.90]).low), 1.0)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_run_that_was_stopped_is_not_averaged_with_those_that_finished(store, fill, place):
    runs = [fill(accuracy, seed=seed) for seed, accuracy in enumerate((0.85, 0.86))]
    runs.insert(place, fill(0.40, seed=2, state="stopped"))
    for created, run in enumerate(runs):
        run.set_status(created=created)
    (row,) = table(store)
    assert set(row.counted) == {run.id for run in runs if run.config.seed != 2}
    assert (len(row.runs), row.seeds, row.state) == (3, (0, 1), "2 finished, 1 stopped")
    assert row.test_accuracy == pytest.approx(0.855)


def test_a_single_run_has_wilsons_interval_and_no_spread(store, fill):
    fill(0.8512, "mine")
    (row,) = table(store)
    assert (row.label, row.test_spread) == ("mine", None)
    assert row.test_interval == accuracy_interval(8512, 10_000)


def test_unfolded_every_run_is_a_row(store, fill):
    runs = [fill(0.5 + seed / 10, seed=seed) for seed in range(3)]
    assert {row.runs for row in table(store, fold=False)} == {(run.id,) for run in runs}


def test_what_is_not_known_is_none_and_states_are_counted(store, fill):
    fill(0.9, seed=0)
    fill(None, seed=1, state="paused")
    fill(None, seed=2, state="paused")
    (row,) = table(store)
    assert sorted(row.state.split(", ")) == ["1 finished", "2 paused"]
    assert (row.test_accuracy, row.test_spread, row.val_accuracy, row.curve) == (0.9, None, None, ())


def test_a_run_that_can_not_be_read_stands_alone(store, fill):
    fill(0.9)
    broken = fill(0.9)
    (broken.path / "config.json").write_text("{")
    found = table(store)
    assert len(found) == 2
    row = next(row for row in found if row.runs == (broken.id,))
    assert (row.state, row.model, row.label) == ("damaged", "", broken.id)


def test_the_report_had_these_networks_on_cifar10_only(store, fill):
    fill(0.9, dataset="mnist")
    assert table(store)[0].report is None
    assert all(dataclasses.asdict(row)["report"] is None for row in table(store))


def test_a_seed_that_was_trained_twice_counts_once(store, fill):
    for seed, accuracy in ((0, 0.85), (0, None), (0, 0.85), (1, 0.87)):
        fill(accuracy, seed=seed)
    (row,) = table(store)
    assert (len(row.runs), len(row.counted), row.seeds) == (4, 2, (0, 1))
    assert row.test_accuracy == pytest.approx(0.86)
    assert row.test_spread == pytest.approx(statistics.stdev([0.85, 0.87]))


def test_labels_that_would_stand_twice_are_told_apart(store, fill):
    runs = [fill(0.9, "same", shift=shift) for shift in (0, 1)] + [fill(0.8, "other", shift=2)]
    labels = [row.label for row in table(store)]
    assert sorted(labels) == sorted(["other", *(f"same ({run.id[-4:]})" for run in runs[:2])])
