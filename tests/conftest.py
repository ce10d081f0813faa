"""What all tests share: a store of their own, small configs, and runs that were really trained."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from core.config import TrainConfig
from core.runs import Run, RunStore, places
from core.training import State
from core.worker import work

settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")  # test machines are shared: a slow moment is no defect

SMALL = {"train_size": 400, "batch_size": 50, "threads": 1}


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees or touches a person's runs, nor those that ship."""
    monkeypatch.setenv("CNNLAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(places, "SHIPPED", tmp_path / "shipped")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def small() -> TrainConfig:
    """Trains in well under a second."""
    return TrainConfig(model="mlp", dataset="mnist-mini", epochs=2, width=16, **SMALL)


@pytest.fixture
def trained(store: RunStore, small: TrainConfig) -> Run:
    """A finished run."""
    run = store.create(small)
    assert work(run) == "finished"
    return run


@pytest.fixture
def paused(store, small) -> Run:
    """A run that was told to pause, with two checkpoints behind it."""
    run = store.create(small)
    words = iter(["run"] * 9 + ["pause"] * 9)
    assert work(run, control=lambda: next(words)) == "paused"
    state, metrics_bytes, _ = run.load_state()
    assert metrics_bytes == run.metrics_bytes()
    run.save_state(State(state.tensors, {**state.counters, "step": state.step + 1}))
    return run


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """For child processes: this store."""
    return {**os.environ, "CNNLAB_RUNS": str(tmp_path / "runs")}
