"""The Home page: a way in, what goes on, and what is on this machine."""

from __future__ import annotations

import streamlit as st

from core.errors import RunError
from core.jobs import JobManager
from pages.ui import words
from tests.pages.conftest import button, text_of


def test_an_empty_home_says_what_to_do_next_and_names_machine_and_data(open_page):
    words = text_of(open_page("home"))
    assert "No runs yet" in words
    assert "This machine" in words
    assert "MNIST mini" in words


def test_the_first_network_is_queued_once_however_often_it_is_pressed(open_page, store):
    for _ in range(2):
        app = open_page("home")
        button(app, "Train a first network").click().run()
        assert not app.exception
    runs = [run for run in store.list() if not run.is_shipped]
    assert [(run.config.model, run.config.dataset, run.config.recipe) for run in runs] == [
        ("cnn", "mnist-mini", "quick")
    ]


def test_an_interrupted_run_can_be_resumed_from_here(open_page, make_run):
    run = make_run("running")  # nobody holds its lock
    app = open_page("home")
    button(app, "Resume").click().run()
    assert not app.exception
    assert run.status().state == "queued"


def names(app, runs):
    """The names of runs, in the order in which Home shows them."""
    shown = [link.proto.label for link in app.get("page_link")]
    return [run.name for run in sorted((run for run in runs if words.md(run.name) in shown),
                                       key=lambda run: shown.index(words.md(run.name)))]  # fmt: skip


def test_what_goes_on_comes_first_then_what_can_go_on_then_the_newest(open_page, make_run):
    runs = [make_run(state, f"{number} {state}") for number, state in
            enumerate(["finished", "queued", "stopped", "paused", "finished", "failed"])]  # fmt: skip
    app = open_page("home")
    shown = names(app, runs)
    assert shown[0] == "1 queued"
    assert set(shown[1:3]) == {"3 paused", "5 failed"}
    assert len(shown) == 5
    assert "and 1 more" in text_of(app)


def test_every_part_of_a_run_has_its_place_before_and_after_its_first_epoch(open_page, make_run):
    make_run("queued", epochs=0)
    app = open_page("home")
    assert [caption.value for caption in app.caption if "epoch" in caption.value] == ["no epoch yet", "epoch 0 of 2"]
    make_run("queued", epochs=2)
    assert "validation 75.00%" in text_of(open_page("home"))


def test_the_list_ticks_only_while_something_is_live(open_page, make_run, monkeypatch):
    paces = []
    fragment = st.fragment
    monkeypatch.setattr(st, "fragment", lambda what, run_every=None: paces.append((what.__name__, run_every))
                        or fragment(what))  # fmt: skip
    open_page("home")
    run = make_run("queued")
    open_page("home")
    run.set_status(state="finished")
    open_page("home")
    assert [every for name, every in paces if name == "your_runs"] == [None, 2.0, None]


def test_a_run_that_cannot_be_resumed_is_said_so(open_page, make_run, monkeypatch):
    run = make_run("paused")
    app = open_page("home")

    def refuse(self, run_id):
        raise RunError("The disk is full.")

    monkeypatch.setattr(JobManager, "resume", refuse)
    button(app, "Resume").click().run()
    assert [box.value for box in app.error] == [words.md("The disk is full.")]
    assert run.status().state == "paused"


def test_images_that_are_not_here_are_offered_once_a_file(open_page, monkeypatch, tmp_path):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "data"))
    app = open_page("home")
    assert [element.label for element in app.button if element.label.startswith("Download")] == [
        "Download (12 MB)", "Download (170 MB)",
    ]  # fmt: skip
    assert "MNIST is not on this machine yet" in text_of(app)


def test_a_damaged_run_does_no_harm(open_page, make_run):
    (make_run().path / "status.json").write_text("{")
    (make_run().path / "config.json").write_text("[]")
    (make_run().path / "metrics.jsonl").write_bytes(b"\xff\xfe\n{}\n[]\n")
    open_page("home")


def test_a_set_that_is_not_here_can_be_downloaded_and_a_failure_is_one_message(open_page, monkeypatch, tmp_path):
    from core import data
    from core.errors import DataError

    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "data"))

    def offline(name, progress=None):
        raise DataError(f"{name} could not be fetched: no network.")

    monkeypatch.setattr(data, "fetch", offline)
    app = open_page("home")
    next(element for element in app.button if element.label.startswith("Download")).click().run()
    app.run()
    assert not app.exception
    assert [error.value for error in app.error] == [words.md("mnist could not be fetched: no network.")]


def test_all_files_are_checked_at_a_press_and_what_is_wrong_is_said(open_page, store, trained):
    app = open_page("home")
    button(app, "Check all files").click().run()
    assert not app.exception
    assert [box.value for box in app.success] == [
        "All is well with 1 run: every file is whole, and they agree with each other."
    ]
    (trained.path / "model.safetensors").write_bytes(b"short")
    button(app, "Check all files").click().run()
    assert not app.exception
    assert [box.value for box in app.warning] == ["Damage: 1, loose ends: 0, in 1 of 1 run."]
    assert "is missing or not as it was written" in text_of(app).replace("\\", "")


def test_a_long_check_shows_how_far_it_is(open_page, trained, monkeypatch):
    from pages.ui import check

    shown = []
    monkeypatch.setattr(check, "SECONDS_WITHOUT_BAR", -1.0)
    monkeypatch.setattr(
        "streamlit.delta_generator.DeltaGenerator.progress", lambda self, share, text: shown.append(text)
    )
    button(open_page("home"), "Check all files").click().run()
    assert shown == ["Checking run 1 of 1"]
