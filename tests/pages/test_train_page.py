"""The Train page in every state that a store can be in."""

from __future__ import annotations

import dataclasses

import pytest

from core import machine
from core.runs import STATES
from pages.ui import form, live, state, words
from tests.pages.conftest import button, text_of

NOT_WRITTEN = ("damaged",)  # a state that is found, never written


def own(store):
    return [run for run in store.list() if not run.is_shipped]


def test_an_empty_store_says_what_to_do_next(open_page):
    app = open_page("train")
    assert "Start training" in text_of(app)
    assert not button(app, "Start training").disabled


@pytest.mark.parametrize("state", [state for state in STATES if state not in NOT_WRITTEN])
def test_a_run_in_every_state_is_shown_with_its_state_in_words(open_page, make_run, state):
    run = make_run(state, reason="Because of that.")
    shown = "interrupted" if state == "running" else state  # nobody holds its lock
    app = open_page("train", run=run.id)
    assert f" {shown}]" in text_of(app)
    assert button(app, "Resume").disabled == (shown not in ("paused", "interrupted", "failed"))
    assert button(app, "Pause").disabled == (shown != "queued")
    assert button(app, "Stop").disabled == (shown in ("finished", "stopped", "diverged"))


def test_a_running_run_can_be_paused_and_stopped_and_not_resumed(open_page, make_run):
    run = make_run("running")
    with run.held():
        app = open_page("train", run=run.id)
        assert " running]" in text_of(app)
        assert [button(app, label).disabled for label in ("Pause", "Stop", "Resume")] == [False, False, True]


def test_runs_on_a_cluster_say_where_they_compute_and_its_trouble_is_shown(open_page, make_run):
    first, second = make_run("running", node="anna"), make_run("running", node="bert_2")
    with first.held(), second.held():
        app = open_page("train", run=first.id)
        assert "- **learning on anna** · mlp" in text_of(app)
        assert r"- **learning on bert\_2** · mlp" in text_of(app)
        assert "computed on anna" in text_of(app)
        state.manager().trouble = "The cluster sleeps."
        assert "The cluster sleeps" in text_of(app.run())


def test_a_damaged_run_is_shown_as_such_and_can_be_discarded(open_page, make_run):
    run = make_run()
    (run.path / "status.json").write_text("{")
    app = open_page("train", run=run.id)
    assert " damaged]" in text_of(app)
    assert not button(app, "Discard").disabled
    assert button(app, "Fork").disabled


def test_the_list_of_runs_names_the_state_that_the_run_below_it_has(open_page, make_run, monkeypatch):
    run, chosen_view = make_run("queued"), live.chosen_view

    def view_while_it_begins():
        run.set_status(state="running")  # after the list was drawn, before the run is
        return chosen_view()

    monkeypatch.setattr(live, "chosen_view", view_while_it_begins)
    with run.held():
        app = open_page("train", run=run.id)
    named = next(box for box in app.selectbox if box.label == "Run")
    assert [state for state in ("queued", "running") if state in named.options[0]] == ["running"]


def test_curves_that_are_not_as_the_run_left_them_are_said_to_be_so(open_page, trained):
    path, words = trained.path / "metrics.jsonl", "was changed or damaged since it left off"
    assert words not in text_of(open_page("train", run=trained.id))
    path.rename(path.with_suffix(".old"))
    path.write_bytes(path.with_suffix(".old").read_bytes().replace(b'"loss": 2', b'"loss": 1'))
    assert words in text_of(open_page("train", run=trained.id))


def test_a_run_whose_config_is_damaged_raises_nothing(open_page, make_run):
    run = make_run()
    (run.path / "config.json").write_text("[]")
    open_page("train", run=run.id)


@pytest.mark.parametrize("address", ["../x", "20261123-194059-k3f9", "<b>", "a" * 500])
def test_an_address_of_no_run_gets_the_stores_message_and_the_page_works_on(open_page, make_run, address):
    make_run()
    app = open_page("train", run=address)
    assert len(app.error) == 1
    assert not button(app, "Start training").disabled
    button(app, "Start training").click().run()
    assert not app.exception


def test_ten_presses_in_a_row_make_one_run(open_page, store, monkeypatch):
    monkeypatch.setattr(form, "SECONDS_OF_ONE_PRESS", 600.0)  # however slow the machine is
    app = open_page("train")
    for _ in range(10):
        button(app, "Start training").click().run()
    assert len(own(store)) == 1


def test_two_tabs_with_the_same_form_make_one_run(open_page, store):
    first, second = open_page("train"), open_page("train")
    button(first, "Start training").click().run()
    button(second, "Start training").click().run()
    assert len(own(store)) == 1
    assert "already" in text_of(second)


def test_seeds_make_a_run_each(open_page, store):
    app = open_page("train")
    app.text_input(key="form_seeds").set_value("0-2").run()
    button(app, "Start training").click().run()
    assert sorted(run.config.seed for run in own(store)) == [0, 1, 2]


@pytest.mark.parametrize("seeds", ["", "x", "1-", "3-1", "0-99999", "-1", "1,,2", "9999999999999"])
def test_wrong_seeds_get_one_message_and_start_nothing(open_page, store, seeds):
    app = open_page("train")
    app.text_input(key="form_seeds").set_value(seeds).run()
    assert not app.exception
    assert len(app.error) == 1
    assert button(app, "Start training").disabled
    assert app.text_input(key="form_seeds").value == seeds
    assert not own(store)


@pytest.mark.parametrize(("title", "wrong"), [("epochs", 0), ("batch size", 10**9), ("learning rate", -1.0)])
def test_a_wrong_knob_gets_one_message_and_stays_as_typed(open_page, title, wrong):
    app = open_page("train")
    knob = next(element for element in app.number_input if element.label.lower() == title)
    knob.set_value(wrong).run()
    assert not app.exception
    assert len(app.error) == 1
    assert words.md(title.replace(" ", "_")) in app.error[0].value
    assert next(element for element in app.number_input if element.label.lower() == title).value == wrong
    assert button(app, "Start training").disabled


@pytest.mark.parametrize(("gpus", "is_there"), [(1, False), (2, True)])
def test_the_number_of_devices_can_be_chosen_where_there_are_several(open_page, monkeypatch, gpus, is_there):
    monkeypatch.setattr(machine, "gpus", lambda: gpus)
    labels = [element.label for element in open_page("train").number_input]
    assert ("devices" in labels) == is_there
    assert "threads" in labels


def test_knobs_follow_the_recipe_until_they_are_changed(open_page):
    app = open_page("train")

    def knob(title):
        return next(element for element in app.number_input if element.label.lower() == title)

    quick = knob("epochs").value
    knob("batch size").set_value(64).run()
    app.selectbox(key="form_recipe").set_value("report").run()
    assert knob("epochs").value == 50 != quick
    assert knob("batch size").value == 64


def test_fork_fills_the_form_with_the_runs_config(open_page, store, make_run, small):
    run = make_run()
    app = open_page("train", run=run.id)
    button(app, "Fork").click().run()
    assert not app.exception
    assert "Change one thing" in text_of(app)
    app.text_input(key="form_seeds").set_value("7").run()
    assert "seed 0 → 7" in text_of(app).replace("\\", "")
    button(app, "Start training").click().run()
    forked = next(other for other in own(store) if other.id != run.id)
    assert forked.config == dataclasses.replace(small, seed=7)


def test_a_name_with_html_or_markdown_is_shown_as_text(open_page, make_run):
    name = "<script>alert(1)</script> ![x](http://example.org/x.png) :red[x] $x$"
    app = open_page("train", run=make_run(name=name).id)
    assert "![x](" not in text_of(app)
    assert "<script>" not in text_of(app).replace("\\<script", "")


def test_discard_acts_at_once_and_undo_brings_it_back(open_page, store, make_run):
    run = make_run(name="precious")
    app = open_page("train", run=run.id)
    button(app, "Discard").click().run()
    assert not app.exception
    assert not own(store)
    button(app, "Undo").click().run()
    assert not app.exception
    assert [each.id for each in own(store)] == [run.id]


def test_pause_resume_and_stop_say_their_word_to_a_queued_run(open_page, make_run):
    run = make_run("queued")
    app = open_page("train", run=run.id)
    button(app, "Pause").click().run()
    assert run.status().state == "paused"
    button(app, "Resume").click().run()
    assert run.status().state == "queued"
    button(app, "Stop").click().run()
    assert run.word() == "stop"
    assert not app.exception


def test_other_runs_can_be_laid_over(open_page, make_run):
    first, second = make_run(name="first"), make_run(name="second")
    app = open_page("train", run=first.id)
    app.multiselect(key="with").set_value([second.id]).run()
    assert not app.exception
    assert app.query_params["with"] == second.id


def test_a_link_lays_the_same_runs_over_whatever_they_are_called_by_now(open_page, make_run):
    first, second = make_run(name="first"), make_run(name="second")
    app = open_page("train", run=first.id, **{"with": second.id})
    assert app.multiselect(key="with").value == [second.id]
    second.rename("another name")
    assert open_page("train", run=first.id, **{"with": second.id}).multiselect(key="with").value == [second.id]


def test_a_link_to_no_run_in_with_is_passed_over(open_page, make_run):
    app = open_page("train", run=make_run().id, **{"with": "../x"})
    make_run()
    assert not app.run().exception


def test_a_run_without_any_metrics_yet_raises_nothing(open_page, make_run):
    run = make_run("queued", epochs=0)
    app = open_page("train", run=run.id)
    assert not app.exception


def test_a_deliberate_press_later_makes_another_run(open_page, store, monkeypatch):
    monkeypatch.setattr(form, "SECONDS_OF_ONE_PRESS", 0.0)
    app = open_page("train")
    for _ in range(3):
        button(app, "Start training").click().run()
    assert len(own(store)) == 3
    store.list()[0].say("discard")
    button(app, "Start training").click().run()
    assert len(own(store)) == 3  # one fewer, one more: a token of old does not stand in the way
