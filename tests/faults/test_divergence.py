"""A learning rate far too large, through the real worker: it ends as diverged, in words, and its best weights stay."""

from __future__ import annotations

import json
import math

import pytest
import torch

from core import data, load_model
from core.config import TrainConfig
from core.errors import CheckpointError, RunError
from core.evaluation import evaluate
from core.jobs import JobManager
from tests.faults.page import train_page
from tests.pages.conftest import text_of
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

HUGE = {"model": "mlp", "dataset": "mnist-mini", "width": 16, "optimizer": "sgd", "learning_rate": 100.0}
PLAIN = {"precision": "float32", "threads": 1, "batch_size": 20}
AT_ONCE = TrainConfig(train_size=2000, epochs=3, warmup=0.0, schedule="constant", **HUGE, **PLAIN)
LATER = TrainConfig(train_size=120, epochs=100, warmup=0.9, **HUGE, **PLAIN)  # the rate rises for most of the run


@pytest.fixture
def manager(store):
    with JobManager(store) as manager:
        yield manager


def diverged(manager, config):
    """The run of a config that ends as diverged, with no line of its metrics that is no number."""
    run = manager.store.get(manager.submit(config))
    wait_for(lambda: run.status().state == "diverged")
    for line in (run.path / "metrics.jsonl").read_text().splitlines():
        assert all(math.isfinite(value) for value in json.loads(line).values() if isinstance(value, float))
    with pytest.raises(RunError, match="is diverged"):
        manager.resume(run.id)
    wait_for(lambda: not list(run.path.glob("state-*")))  # it says how it ended before it clears up
    return run


def test_what_diverges_after_some_epochs_keeps_its_best_weights_and_says_so(manager):
    run = diverged(manager, LATER)
    epochs = run.metrics().epochs
    best = min(epochs["val_loss"])
    assert "no number any more" in run.status().reason
    assert "Try a smaller learning rate; the best weights so far are kept." in run.status().reason
    assert all(torch.isfinite(tensor).all() for tensor in run.load_weights().values())
    validation = evaluate(load_model(run), data.load(LATER.dataset).val, label_smoothing=LATER.label_smoothing)
    assert validation.loss == pytest.approx(best, rel=1e-5)
    assert run.test()["accuracy"] > 0


def test_what_diverges_in_its_first_epoch_promises_no_weights(manager):
    run = diverged(manager, AT_ONCE)
    assert not run.metrics().epochs
    assert "Try a smaller learning rate; no epoch was done" in run.status().reason
    assert run.test() is None
    with pytest.raises(CheckpointError, match="has no weights"):
        run.load_weights()


def test_the_page_says_what_happened_and_what_to_do(manager):
    with train_page(diverged(manager, AT_ONCE).id) as app:
        assert " diverged]" in text_of(app)
        assert "smaller learning rate" in text_of(app)
