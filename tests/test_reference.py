"""The reference runs: made by one command that goes on where it was cut off, small, and true to their table."""

from __future__ import annotations

import json
import shutil
from functools import partial

import pytest

from core import data, load_model, reference
from core.config import TrainConfig
from core.errors import CheckpointError
from core.jobs import PROJECT
from core.reference import Reference, references, table, thinned
from core.runs import SHIPPED, Run
from core.runs.auditing import audit_run

TINY = [Reference("cifar10-mini", "mlp", "quick", seed) for seed in (0, 1)]
WATCHED = "core.reference.SECONDS_BETWEEN_LOOKS"


@pytest.fixture
def tiny(monkeypatch):
    """Two reference runs that train in a second, each in its child process."""
    small = partial(TrainConfig, epochs=3, width=16, train_size=400, batch_size=50, threads=1)
    monkeypatch.setattr(reference, "TrainConfig", small)
    monkeypatch.setattr(reference, "references", lambda: TINY)
    monkeypatch.setattr(WATCHED, 0.02)


def make(shipped, told=lambda run: None):
    return [status.state for _, status in reference.make(told, shipped)]


def cut_off_when(condition):
    """What hears of a run and leaves once a condition holds, as Ctrl-C does."""

    def told(run):
        if condition(run):
            raise KeyboardInterrupt

    return told


def test_making_them_goes_on_where_it_was_cut_off_and_gives_what_an_uncut_making_gives(tiny, tmp_path):
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    with pytest.raises(KeyboardInterrupt):
        make(cut, cut_off_when(lambda run: run.metrics().steps))
    assert not list(cut.glob("ref-*"))
    assert Run(cut / reference.SCRATCH / TINY[0].id).status().state in ("interrupted", "finished")
    assert make(cut) == make(whole) == ["finished", "finished"]
    for one in TINY:
        first, second = Run(cut / one.id), Run(whole / one.id)
        assert first.test()["accuracy"] == second.test()["accuracy"]
        assert first.metrics().epochs["val_loss"] == second.metrics().epochs["val_loss"]
        assert audit_run(first) == []
        assert first.name == second.name == f"mlp on cifar10-mini, quick, seed {one.seed}"
        assert first.test()[reference.SIX_VIEWS] == pytest.approx(first.test()["accuracy"], abs=0.1)
    assert make(whole, cut_off_when(lambda run: True)) == ["finished", "finished"]  # nothing is trained again


@pytest.mark.parametrize("step", ["make", "publish", "rename", "keep"])
def test_killed_at_any_step_it_still_ends_whole(tiny, tmp_path, step):
    make(tmp_path)
    last = tmp_path / TINY[1].id
    if step == "make":  # killed while the run's folder was being made
        shutil.rmtree(last)
        shutil.rmtree(tmp_path / reference.SCRATCH)
        (tmp_path / reference.SCRATCH / f".new-{TINY[1].id}").mkdir(parents=True)
    elif step == "publish":
        shutil.rmtree(last)
        (tmp_path / f".new-{TINY[1].id}").mkdir()
    elif step == "rename":
        shutil.rmtree(last)
        reference.publish(Run(tmp_path / reference.SCRATCH / TINY[1].id), tmp_path)
    else:  # killed between forgetting the weights of the others and removing them
        best, other = sorted((Run(tmp_path / one.id) for one in TINY), key=lambda run: not run.has_weights)
        shutil.copyfile(best.path / "model.safetensors", other.path / "model.safetensors")
    assert make(tmp_path) == ["finished", "finished"]
    (with_weights,) = [run for one in TINY if (run := Run(tmp_path / one.id)).has_weights]
    assert load_model(with_weights)


def test_a_changed_recipe_makes_them_anew(tiny, tmp_path, monkeypatch):
    make(tmp_path)
    monkeypatch.setattr(reference, "TrainConfig", partial(reference.TrainConfig, epochs=2))
    assert make(tmp_path) == ["finished", "finished"]
    assert {Run(tmp_path / one.id).config.epochs for one in TINY} == {2}


def test_a_run_that_fails_ends_the_making_with_its_reason(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "references", lambda: [Reference("cifar10", "mlp", "quick", 0), *TINY])
    monkeypatch.setattr(reference, "TrainConfig", TrainConfig)
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/cifar10.safetensors").write_bytes(b"cut short")
    (_, status), *more = reference.make(lambda run: None, tmp_path)
    assert (status.state, more) == ("failed", [])
    assert "cifar10.safetensors" in status.reason


def test_only_the_seed_with_the_best_validation_loss_ships_weights_and_the_others_say_so(tiny, tmp_path):
    make(tmp_path)
    runs = {one.id: Run(tmp_path / one.id) for one in TINY}
    losses = {run_id: min(run.metrics().epochs["val_loss"]) for run_id, run in runs.items()}
    best, worst = sorted(losses, key=losses.get)
    load_model(runs[best])
    with pytest.raises(CheckpointError, match="ships with its curves and answers only"):
        load_model(runs[worst])
    assert (runs[worst].path / "predictions.npz").is_file()


def test_of_a_network_that_is_too_large_no_seed_ships_weights(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "TOO_LARGE", (TINY[0].group,))
    make(tmp_path)
    assert not any(Run(tmp_path / one.id).has_weights for one in TINY)
    assert [audit_run(Run(tmp_path / one.id)) for one in TINY] == [[], []]


def test_the_table_gives_mean_spread_and_what_it_cost(tiny, tmp_path):
    make(tmp_path)
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
    known = {one.id: one for one in references()}
    shipped = [Run(path) for path in sorted(SHIPPED.glob("ref-*"))]
    assert {run.id for run in shipped} <= set(known)
    groups = {}
    for run in shipped:
        groups.setdefault(known[run.id].group, []).append(run)
        assert run.config == known[run.id].config, f"{run.id} is of an older recipe: python -m core reference"
        assert run.status().state == "finished"
        assert run.test()["images"] == data.describe(run.config.dataset).test_size
        assert len(run.metrics().epochs["val_loss"]) == run.config.epochs
    for runs in groups.values():
        with_weights = [run for run in runs if run.has_weights]
        assert len(with_weights) == (known[runs[0].id].group not in reference.TOO_LARGE)
        assert all(load_model(run) for run in with_weights)
    assert sum(p.stat().st_size for p in SHIPPED.glob("ref-*/*")) < 60e6
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    _, _, rest = readme.partition("<!-- results -->\n")
    assert rest.partition("<!-- end of results -->")[0] == table() + "\n", "put what `core reference` prints there"
