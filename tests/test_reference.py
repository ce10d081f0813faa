"""The reference runs: made by one command that goes on where it was cut off, small, and true to their table."""

from __future__ import annotations

import json
from functools import partial

import pytest

from core import load_model, reference
from core.config import TrainConfig
from core.errors import CheckpointError
from core.jobs import PROJECT
from core.reference import Reference, references, table, thinned
from core.runs import SHIPPED, Run
from core.worker import Control

TINY = [Reference("mnist-mini", "mlp", "quick", seed) for seed in (0, 1)]


@pytest.fixture
def tiny(monkeypatch):
    """Two reference runs that train in a second."""
    small = partial(TrainConfig, epochs=2, width=16, train_size=400, batch_size=50, threads=1)
    monkeypatch.setattr(reference, "TrainConfig", small)
    monkeypatch.setattr(reference, "references", lambda: TINY)


def leave_after(steps):
    """Makes a control that tells a run to leave after so many steps."""

    class Leaving(Control):
        def __call__(self):
            self.asked = getattr(self, "asked", 0) + 1
            return "leave" if self.asked > steps else "run"

    return Leaving


def silent(run, event):
    pass


def test_making_them_goes_on_where_it_was_cut_off_and_gives_what_an_uncut_making_gives(tiny, tmp_path):
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    assert [state for _, state in reference.make(leave_after(9), silent, cut)] == ["interrupted"]
    assert not list(cut.glob("ref-*"))
    assert [state for _, state in reference.make(Control, silent, cut)] == ["finished", "finished"]
    assert [state for _, state in reference.make(Control, silent, whole)] == ["finished", "finished"]
    for one in TINY:
        first, second = Run(cut / one.id), Run(whole / one.id)
        assert first.test()["accuracy"] == second.test()["accuracy"]
        assert first.metrics().epochs["val_loss"] == second.metrics().epochs["val_loss"]
        assert first.status().state == "finished"
    assert [state for _, state in reference.make(None, None, whole)] == ["finished", "finished"]  # nothing to do


def test_only_the_seed_with_the_best_validation_loss_ships_weights_and_the_others_say_so(tiny, tmp_path):
    list(reference.make(Control, silent, tmp_path))
    runs = {one.id: Run(tmp_path / one.id) for one in TINY}
    losses = {run_id: min(run.metrics().epochs["val_loss"]) for run_id, run in runs.items()}
    best, worst = sorted(losses, key=losses.get)
    load_model(runs[best])
    with pytest.raises(CheckpointError, match="the weights are with another seed"):
        load_model(runs[worst])
    assert (runs[worst].path / "predictions.npz").is_file()


def test_the_table_gives_mean_spread_and_what_it_cost(tiny, tmp_path):
    list(reference.make(Control, silent, tmp_path))
    accuracies = [Run(tmp_path / one.id).test()["accuracy"] for one in TINY]
    row = table(tmp_path).splitlines()[-1]
    assert f"**{sum(accuracies) / 2:.2%}** ± {abs(accuracies[0] - accuracies[1]) / 2**0.5:.2%}" in row
    assert "| 0, 1 |" in row


def test_thinning_keeps_every_epoch_the_first_and_the_last_step():
    lines = [json.dumps({"event": "step" if n % 100 else "epoch", "step": n}).encode() for n in range(5000)]
    kept = [json.loads(line) for line in thinned(lines)]
    steps = [line["step"] for line in kept if line["event"] == "step"]
    assert len(steps) <= reference.MOST_STEPS + 1
    assert (steps[0], steps[-1]) == (1, 4999)
    assert len(kept) - len(steps) == 50
    assert kept == sorted(kept, key=lambda line: line["step"])


def test_those_that_ship_are_whole_and_small_and_the_readme_shows_their_table():
    shipped = [Run(SHIPPED / one.id) for one in references() if (SHIPPED / one.id).is_dir()]
    assert sorted(path.name for path in SHIPPED.glob("ref-*")) == sorted(run.id for run in shipped)
    for run in shipped:
        assert run.status().state == "finished"
        assert run.test()["images"] == 10_000
        assert len(run.metrics().epochs["val_loss"]) == run.config.epochs
    assert sum(p.stat().st_size for p in SHIPPED.glob("ref-*/*")) < 60e6
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    _, _, rest = readme.partition("<!-- results -->\n")
    assert rest.partition("\n<!-- end of results -->")[0] == table(), "put what `python -m core reference` prints there"
