"""What a press does when something is in its way, and what a page then says."""

from __future__ import annotations

import json

import pytest

from core.config import TrainConfig
from core.errors import RunError
from core.jobs import JobManager
from core.runs import Run
from pages.ui import report, table
from tests.pages.conftest import button, text_of


def own_runs(store):
    return [run for run in store.list() if not run.is_shipped]


def test_seeds_that_were_typed_in_the_moment_of_the_press_are_those_that_start(open_page, store):
    app = open_page("train")
    next(field for field in app.text_input if field.label == "Seeds").set_value("3-5")
    button(app, "Start training").click().run()
    assert not app.exception
    assert sorted(run.config.seed for run in own_runs(store)) == [3, 4, 5]


def test_as_many_other_seeds_as_were_shown_start_too(open_page, store):
    app = open_page("train")
    button(app, "Start training").click().run()
    next(field for field in app.text_input if field.label == "Seeds").set_value("7")
    button(app, "Start training").click().run()
    assert sorted(run.config.seed for run in own_runs(store)) == [0, 7]


def test_of_several_runs_those_that_could_be_deleted_are_gone_and_the_others_named(
    open_page, make_run, monkeypatch, store
):
    first, second = make_run(name="one"), make_run(name="two")
    discard = JobManager.discard

    def only_the_first(self, run_id):
        if run_id == second.id:
            raise RunError("The disk is full.")
        discard(self, run_id)

    monkeypatch.setattr(JobManager, "discard", only_the_first)
    app = open_page("compare", runs=[first.id, second.id], fold="false")
    button(app, "Delete").click().run()
    assert not app.exception
    assert [box.value for box in app.error] == ["The disk is full\\."]
    assert "Deleted 1 run." in text_of(app)
    assert store.get(second.id).status().state == "finished"


def test_home_tells_what_train_and_compare_tell(open_page, make_run, store):
    """The accuracy where the validation loss was lowest, though a later epoch had a higher one; of scenes the IoU."""
    digits, scenes = make_run(name="digits"), store.create(TrainConfig(model="fcn", dataset="mnist-mini-scenes"))
    scenes.set_status(state="finished", started=1.0, ended=2.0, epoch=2, seconds=1.0)
    for run, iou in ((digits, {}), (scenes, {"val_iou": 0.5})):
        lines = [
            {"event": "epoch", "step": n, "epoch": n, "seconds": 1.0, "train_loss": 1.0, "train_accuracy": 0.5,
             "val_loss": loss, "val_accuracy": accuracy, "best": n == 1, "patience_left": None, **iou}
            for n, loss, accuracy in ((1, 0.1, 0.91), (2, 0.2, 0.92))
        ]  # fmt: skip
        (run.path / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    said = text_of(open_page("home"))
    assert "validation 91.00%" in said
    assert "val. IoU 50.00%" in said
    assert "92.00%" not in said


def metric(app, label):
    return next(element.value for element in app.metric if element.label == label)


@pytest.mark.parametrize(("patience", "said"), [(3, "–"), (0, "off")])
def test_patience_is_off_only_where_there_is_none(open_page, store, patience, said):
    run = store.create(TrainConfig(model="mlp", dataset="mnist-mini", epochs=2, patience=patience))
    assert metric(open_page("train", run=run.id), "Patience left") == said


def test_a_link_that_names_a_network_for_scenes_brings_scenes_along(open_page):
    app = open_page("train", model="fcn")
    assert not app.exception
    shown = {box.label: box.value for box in app.selectbox}
    assert (shown["Model"], shown["Data set"]) == ("fcn", "mnist-mini-scenes")


@pytest.mark.parametrize("said", ["stays as it is", "You have no runs yet"])
def test_where_only_reference_runs_are_the_train_page_says_why_they_stay_and_how_to_make_one(
    open_page, make_run, monkeypatch, said
):
    run = make_run()
    assert said not in text_of(open_page("train", run=run.id))
    monkeypatch.setattr(Run, "is_shipped", True)
    assert said in text_of(open_page("train", run=run.id))


def test_a_report_without_curves_has_no_heading_for_them():
    assert "<h2>Curves" not in report.html([["a"], ["b"]], [], {}, {})


def test_after_a_discard_nothing_asks_for_the_run_once_more(open_page, make_run):
    run, other = make_run(name="gone"), make_run(name="other")
    app = open_page("train", run=run.id)
    button(app, "Discard").click().run()
    assert not app.error
    assert "Discarded" in text_of(app)
    button(app, "Undo").click().run()
    assert app.query_params["run"] in (run.id, [run.id])
    assert other.status().state == "finished"


def test_a_run_that_failed_before_its_first_step_shows_no_empty_charts(open_page, store):
    run = store.create(TrainConfig(model="mlp", dataset="mnist-mini"))
    run.set_status(state="failed", reason="Its images are not here.")
    said = text_of(open_page("train", run=run.id))
    assert "Its images are not here" in said
    assert "**Loss**" not in said


@pytest.mark.parametrize(
    ("page", "parameter", "given"),
    [
        ("home", "experiment", "banana"),
        ("home", "network", "alexnet"),
        ("compare", "runs", "nope"),
        ("segment", "scene", "-1"),
    ],
)
def test_a_link_to_what_is_not_there_says_so_and_the_address_lets_go_of_it(open_page, make_run, page, parameter, given):
    make_run()
    app = open_page(page, **{parameter: given})
    assert f"The link says {parameter}='{given}'; expected is" in text_of(app).replace("\\", "")
    assert given not in app.query_params.get(parameter, [])
    app.run()
    assert not app.error, "it is said once"


def test_a_name_is_saved_by_its_form_on_both_pages(open_page, make_run):
    run = make_run(name="before")
    for number, (page, link) in enumerate({"train": {"run": run.id}, "compare": {"runs": [run.id]}}.items()):
        app = open_page(page, **link)
        next(field for field in app.text_input if field.label == "New name").set_value(f"name {number}")
        button(app, "Save the name").click().run()
        assert not app.exception
        assert run.name == f"name {number}"


def test_the_table_rounds_a_tie_as_text_does():
    assert [table._as_shown(value) for value in (0.92945, 0.5, None)] == [float(f"{0.92945:.2%}"[:-1]), 50.0, None]
    assert "%.2f%%" in str(table.drawing()["test accuracy"]), "93.00 % is not cut to 93 %"
