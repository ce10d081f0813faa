"""Summaries: what a table says of a run, right, tolerant of damage, and read again only where something changed."""

from __future__ import annotations

import json

import pytest

from core import summaries as module
from core.answers import answers_of
from core.config import TrainConfig
from core.errors import RunError
from core.files import write_json
from core.runs import Run, RunStore
from core.summaries import CURVE_POINTS, Summaries
from tests.load.store import make_store


@pytest.fixture
def reads(monkeypatch):
    """The ids of the runs that were read."""
    seen, real = [], module.summarise
    monkeypatch.setattr(module, "summarise", lambda run, status: seen.append(run.id) or real(run, status))
    return seen


def test_a_trained_run_is_summed_up_as_its_files_say(store, trained):
    (found,) = Summaries(store).all()
    metrics, test = trained.metrics().epochs, trained.test()
    best = metrics["val_loss"].index(min(metrics["val_loss"]))
    assert (found.id, found.state, found.epochs) == (trained.id, "finished", 2)
    assert (found.best_epoch, found.val_accuracy) == (metrics["epoch"][best], metrics["val_accuracy"][best])
    assert (found.seconds_to_best, found.seconds) == (metrics["seconds"][best], metrics["seconds"][-1])
    assert found.seconds_per_epoch == pytest.approx(metrics["seconds"][-1] / 2)
    assert (found.test_accuracy, found.test_images, len(found.opened)) == (test["accuracy"], 2000, 1)
    assert found.config == trained.config.as_dict()
    assert found.bytes == sum(path.stat().st_size for path in trained.path.iterdir())
    assert found.curve == tuple(metrics["val_accuracy"])


def test_a_second_look_reads_nothing_and_a_third_only_what_changed(store, reads):
    make_store(store, 6, epochs=2)
    summaries = Summaries(store)
    first = summaries.all()
    assert sorted(reads) == sorted(summary.id for summary in first)
    reads.clear()
    assert summaries.all() == first
    assert reads == []
    store.get(first[2].id).rename("renamed")
    with (store.get(first[4].id).path / "metrics.jsonl").open("a") as file:
        file.write("\n")
    assert summaries.all()[2].name == "renamed"
    assert sorted(reads) == sorted([first[2].id, first[4].id])


def test_a_run_whose_process_died_is_seen_although_no_file_changed(store, small):
    run, summaries = store.create(small), Summaries(store)
    run.set_status(state="running")
    with run.held():
        assert summaries.all()[0].state == "running"
    assert summaries.all()[0].state == "interrupted"


def test_a_discarded_run_is_gone(store, small):
    run, summaries = store.create(small), Summaries(store)
    assert len(summaries.all()) == 1
    run.say("discard")
    assert summaries.all() == []


@pytest.mark.parametrize("file", ["config.json", "meta.json", "status.json", "test.json", "metrics.jsonl"])
@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"accuracy": "high", "opened": 7}', "\x00\xff", '{"tags": 3}', None]
)
def test_a_damaged_run_is_summed_up_as_far_as_it_goes(store, trained, file, content):
    path = trained.path / file
    path.unlink() if content is None else path.write_text(content, encoding="latin-1")
    (found,) = Summaries(RunStore(store.root)).all()
    assert found.id == trained.id
    if file in ("config.json", "status.json"):
        assert found.state == "damaged"
        assert found.reason
    if file == "test.json":
        assert found.test_accuracy is None
    if file == "metrics.jsonl":
        assert (found.epochs, found.best_epoch, found.curve) == (0, None, ())


def test_damaged_lines_among_the_epochs_are_left_out(store, trained):
    lines = (trained.path / "metrics.jsonl").read_text().splitlines()
    broken = ['{"event": "epoch", "epoch": 9}', '{"event": "epoch", "val_loss": "x"', '{"event": "epoch"}']
    (trained.path / "metrics.jsonl").write_text("\n".join([*lines, *broken]))
    (found,) = Summaries(store).all()
    assert found.epochs == 2


def test_a_long_curve_is_thinned_and_keeps_its_end(store):
    make_store(store, 1, epochs=500)
    (found,) = Summaries(store).all()
    assert len(found.curve) <= CURVE_POINTS
    assert found.curve[-1] == store.list()[0].metrics().epochs["val_accuracy"][-1]
    assert found.epochs == 500


def test_tags_and_hiding_are_kept_beside_the_name_and_cleaned(store, small):
    run = store.create(small, "first")
    run.tag(["  lecture\n3 ", "", "lecture 3", "x" * 300, *map(str, range(40))])
    run.hide(True)
    run.rename("second")
    (found,) = Summaries(store).all()
    assert (found.name, found.hidden, len(found.tags)) == ("second", True, 20)
    assert found.tags[:2] == ("lecture 3", "x" * 100)
    assert json.loads((run.path / "meta.json").read_text())["hidden"] is True
    run.hide(False)
    assert not Summaries(store).all()[0].hidden


def test_a_shipped_run_takes_no_tags(monkeypatch, trained):
    from core.runs import places

    places.SHIPPED.mkdir()
    shipped = Run(trained.path.rename(places.SHIPPED / "ref-cnn"))
    for change in (lambda: shipped.tag(["mine"]), lambda: shipped.hide(True)):
        with pytest.raises(RunError, match="read-only"):
            change()


def test_of_scenes_the_intersection_over_union_stands_for_the_accuracy(store):
    run = store.create(TrainConfig(model="fcn", dataset="mnist-mini-scenes"))
    run.set_status(state="finished", epoch=1)
    epoch = {"event": "epoch", "step": 1, "epoch": 1, "seconds": 1.0, "train_loss": 1.0, "train_accuracy": 0.9,
             "val_loss": 0.5, "val_accuracy": 0.99, "best": True, "patience_left": None, "val_iou": 0.7}  # fmt: skip
    (run.path / "metrics.jsonl").write_text(json.dumps(epoch) + "\n")
    test = {"accuracy": 0.99, "loss": 1, "images": 500, "iou": 0.6, "opened": [1.0]}
    write_json(run.path / "test.json", test)
    summary = Summaries(store).all()[0]
    assert (summary.val_accuracy, summary.test_accuracy, summary.test_images) == (0.7, 0.6, None)
    with pytest.raises(RunError, match="masks"):
        answers_of(run)
