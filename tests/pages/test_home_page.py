"""The Home page: a way in, what goes on, and what is on this machine."""

from __future__ import annotations

from pages.ui import words
from tests.pages.conftest import APP, button, text_of


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
        "All is well with 1 runs: every file is whole, and they agree with each other."
    ]
    (trained.path / "model.safetensors").write_bytes(b"short")
    button(app, "Check all files").click().run()
    assert not app.exception
    assert [box.value for box in app.warning] == ["Damage: 1, loose ends: 0, in 1 of 1 runs."]
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


def test_the_app_names_nothing_that_a_browser_would_fetch_from_elsewhere():
    assert ".svg" in (APP.read_text())
    assert ":material/" not in APP.read_text().split("st.navigation")[0]  # as page icon it comes from a font server
