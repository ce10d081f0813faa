"""A crash or a power cut at every step of every save: what was there before or what was to come is there, whole."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core import data, load_model
from core.answers import answers_of
from core.errors import CheckpointError
from core.evaluation import Evaluation, evaluate
from core.runs import Run, auditing
from core.training import State
from tests.faults.disk import Crash, Disk

pytestmark = pytest.mark.faults

LEFT_OVER = "left behind by a crash|kept from being used|are left over|never opened"
AFTERMATHS = ("killed", "power cut", "power cut that loses a rename")


def state_at(step: int) -> State:
    return State({"model.w": torch.full((3,), float(step))}, {"step": step})


def weights_of(step: int) -> dict[str, torch.Tensor]:
    return {"w": torch.full((3,), float(step))}


@pytest.fixture
def half_way(store, small) -> Run:
    """An interrupted run with two states and weights."""
    run = store.create(small)
    run.set_status(state="interrupted")
    for step in (1, 2):
        run.save_weights(weights_of(step), step)
        run.save_state(state_at(step))
    return run


@pytest.fixture
def answered(trained) -> Evaluation:
    return evaluate(load_model(trained), data.load("mnist-mini").test)


def copy_of(run: Run, place: Path) -> Run:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return Run(Path(shutil.copytree(run.path, place / run.id)))


def crashes(template: Run, save: Callable[[Run], object], aftermath: str, place: Path):
    """The run after a crash at the first step of a save, at the second, and so on."""
    for step in range(1, 100):
        run = copy_of(template, place)
        disk = Disk(run.path, step, Crash, lasting=True)
        with pytest.MonkeyPatch.context() as patch:
            disk.install(patch)
            try:
                save(run)
            except Crash:
                pass
            else:
                assert step > 4
                return
        if aftermath != "killed":
            disk.cut_power(rename_is_lost=aftermath.endswith("rename"))
        yield Run(run.path)


def assert_nothing_is_damaged(run: Run) -> None:
    for finding in auditing.audit_run(run):
        assert finding.severity == "loose end", finding
        assert re.search(LEFT_OVER, finding.sentence), finding


@pytest.mark.parametrize("aftermath", AFTERMATHS)
@pytest.mark.parametrize("new", [2, 3])
def test_a_state_is_the_new_or_the_one_before(half_way, tmp_path, aftermath, new):
    def save(run):
        run.save_state(state_at(new))

    for run in crashes(half_way, save, aftermath, tmp_path / "crashed"):
        assert_nothing_is_damaged(run)
        state, _, warning = run.load_state()
        assert (state.step in (2, new), warning) == (True, "")
        assert torch.equal(state.tensors["model.w"], state_at(state.step).tensors["model.w"])
        save(run)
        assert run.load_state()[0].step == new
        assert not list(run.path.glob(".*.tmp"))


@pytest.mark.parametrize("aftermath", AFTERMATHS)
def test_the_first_state_is_there_or_not(store, small, tmp_path, aftermath):
    for run in crashes(store.create(small), lambda run: run.save_state(state_at(1)), aftermath, tmp_path / "crashed"):
        assert_nothing_is_damaged(run)
        assert run.load_state() is None or run.load_state()[0].step == 1


@pytest.mark.parametrize("aftermath", AFTERMATHS)
def test_weights_agree_with_the_manifest_also_after_two_crashes(half_way, tmp_path, aftermath):
    for once in crashes(half_way, lambda run: run.save_weights(weights_of(3), 3), aftermath, tmp_path / "once"):
        assert_nothing_is_damaged(once)
        assert float(once.load_weights()["w"][0]) in (2.0, 3.0)
        for twice in crashes(once, lambda run: run.save_weights(weights_of(4), 4), aftermath, tmp_path / "twice"):
            assert_nothing_is_damaged(twice)
            assert float(twice.load_weights()["w"][0]) in (2.0, 3.0, 4.0)


@pytest.mark.parametrize("aftermath", AFTERMATHS)
def test_the_first_weights_are_there_or_not(store, small, tmp_path, aftermath):
    for run in crashes(store.create(small), lambda run: run.save_weights(weights_of(1), 1), aftermath, tmp_path / "x"):
        assert_nothing_is_damaged(run)
        try:
            assert float(run.load_weights()["w"][0]) == 1.0
        except CheckpointError:
            assert not run.has_weights


@pytest.mark.parametrize("aftermath", AFTERMATHS)
def test_states_are_dropped_or_still_load(trained, tmp_path, aftermath):
    for step in (1, 2):
        trained.save_state(state_at(step))
    for run in crashes(trained, Run.drop_states, aftermath, tmp_path / "crashed"):
        assert_nothing_is_damaged(run)
        assert run.load_state() is None or run.load_state()[0].step == 2
        assert run.load_weights()


@pytest.mark.parametrize("aftermath", AFTERMATHS)
def test_the_status_is_the_old_or_the_new(half_way, tmp_path, aftermath):
    for run in crashes(half_way, lambda run: run.set_status(state="paused", epoch=7), aftermath, tmp_path / "crashed"):
        assert_nothing_is_damaged(run)
        assert (run.status().state, run.status().epoch) in {("interrupted", 0), ("paused", 7)}


@pytest.mark.parametrize("aftermath", AFTERMATHS)
def test_the_test_figures_agree_with_the_answers(trained, answered, tmp_path, aftermath):
    """The same answers, their probabilities rounded otherwise, as on another machine."""
    other = Evaluation(**{**vars(answered), "loss": 9.0, "probabilities": answered.probabilities * 0.99})
    for run in crashes(trained, lambda run: run.save_test(other, "x"), aftermath, tmp_path / "crashed"):
        assert_nothing_is_damaged(run)
        assert len(answers_of(run).prediction) == 2000
        assert (run.test()["loss"], len(run.test()["opened"])) in {(trained.test()["loss"], 1), (9.0, 2)}


@pytest.mark.parametrize("aftermath", AFTERMATHS)
def test_the_first_test_figures_are_there_with_their_answers_or_not_at_all(trained, answered, tmp_path, aftermath):
    for name in ("test.json", "predictions.npz"):
        (trained.path / name).unlink()
    for run in crashes(trained, lambda run: run.save_test(answered, "x"), aftermath, tmp_path / "crashed"):
        assert_nothing_is_damaged(run)
        assert run.test() is None or len(answers_of(run).prediction) == 2000
