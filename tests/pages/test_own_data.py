"""One's own data on the Home page: brought, looked at, linked to, removed, and gone without harm."""

from __future__ import annotations

import pytest

from core import data
from core.config import TrainConfig
from core.data.own import shelf
from core.data.own.bringing import bring
from core.runs import Run
from core.worker import work
from pages.ui import own_data, words
from tests import own
from tests.pages.conftest import button, text_of

NASTY_TITLE = "<b>Mine</b> | :red[x] [a](http://b)"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """The folder of data sets."""
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def shapes():
    """A set that was imported."""
    return bring(own.archive(own.files(count=20)), "Shapes").info


def send(app, content, name="shapes.zip", title=""):
    app.file_uploader[0].set_value((name, content, "application/zip"))
    field = next(field for field in app.text_input if field.label == "Name")
    field.set_value(title)
    button(app, "Import").click().run()
    assert not app.exception
    return app


def said(app):
    return [box.value.replace("\\", "") for box in (*app.success, *app.error)]


def test_without_a_set_the_page_says_what_to_bring_and_a_press_without_a_file_says_what_is_missing(open_page):
    app = open_page("home")
    assert "a folder of PNG or JPEG pictures for each class, 10 or more" in text_of(app)
    button(app, "Import").click().run()
    assert not app.exception
    assert said(app) == ["No file is chosen yet: choose a ZIP or an .npz first."]
    send(app, own.archive(own.files()))
    assert not app.error


def test_what_is_sent_becomes_a_data_set_with_pictures_and_a_link_to_train_on_it(open_page):
    app = send(open_page("home"), own.archive(own.files(count=20)))
    (info,) = shelf.listed()
    assert said(app)[0].startswith(f"shapes is here as {info.name}: 2 classes, 40 pictures of 28x28 grey; 28 to learn")
    assert [image.alt for strip in app.get("image") for image in strip.proto.imgs] == [
        "4 pictures of the class circle.", "4 pictures of the class square.",
    ]  # fmt: skip
    links = [link.proto for link in app.get("page_link") if link.proto.label == "Train on it"]
    assert [link.query_string for link in links] == [f"dataset={info.name}"]
    assert app.file_uploader[0].value is None  # the form began anew
    button(app, "Hide pictures").click().run()
    assert not app.get("image")
    button(app, "Show pictures").click().run()
    assert app.get("image")


def test_the_link_leads_to_the_form_with_that_data_set_and_its_run_is_queued(open_page, store, shapes):
    app = open_page("train", dataset=shapes.name)
    assert app.selectbox(key="form_dataset").value == shapes.name
    assert "28 training images, 2 classes, 28x28 grey" in text_of(app)
    button(app, "Start training").click().run()
    assert not app.exception
    assert [run.config.dataset for run in store.list()] == [shapes.name]


def test_a_title_is_shown_as_the_text_that_it_is(open_page):
    app = send(open_page("home"), own.archive(own.files()), title=NASTY_TITLE)
    shown = text_of(app)
    assert words.bold(NASTY_TITLE) in shown
    assert NASTY_TITLE not in shown
    (info,) = shelf.listed()
    app = open_page("train", dataset=info.name)
    assert NASTY_TITLE in app.selectbox(key="form_dataset").options


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<svg/>", "neither a ZIP archive nor an .npz"),
        (own.archive(own.files(["circle"])), "only one class, 'circle'"),
        (own.archive({**own.files(), "circle/[a](b).png": b"x"}), "'circle/[a](b).png': This file is neither a PNG"),
        (own.npz(images=own.arrays()["images"]), "holds no labels"),
    ],
)
def test_what_is_refused_is_one_sentence_and_the_form_stays(open_page, content, expected):
    app = send(open_page("home"), content)
    assert len(app.error) == 1
    assert expected in said(app)[0]
    assert "[a](b)" not in app.error[0].value
    assert shelf.listed() == []
    again = send(app, own.archive(own.files()))
    assert len(shelf.listed()) == 1
    assert not again.error


def test_file_and_press_are_of_one_form_which_takes_no_press_while_a_file_is_on_its_way(open_page):
    app = open_page("home")
    assert app.file_uploader[0].form_id
    assert button(app, "Import").form_id == app.file_uploader[0].form_id


def test_the_same_pictures_again_are_said_to_be_here(open_page, shapes):
    app = send(open_page("home"), own.archive(own.files(count=20)), title="Again")
    assert said(app) == [f"These very pictures are here already: Shapes ({shapes.name}). Nothing was added."]


def test_a_long_import_shows_how_far_it_is(open_page, monkeypatch):
    shown = []
    monkeypatch.setattr(own_data, "SECONDS_WITHOUT_BAR", -1.0)
    monkeypatch.setattr(own_data, "SECONDS_BETWEEN_LOOKS", -1.0)
    monkeypatch.setattr(
        "streamlit.delta_generator.DeltaGenerator.progress", lambda self, share, text: shown.append((share, text))
    )
    send(open_page("home"), own.archive(own.files()))
    assert shown[0] == (1 / 20, "Reading picture 1 of 20")
    assert shown[-1] == (1.0, "Reading picture 20 of 20")


def test_a_set_is_removed_in_two_presses(open_page, shapes):
    app = open_page("home")
    assert [box.proto.popover.label for box in app.get("popover")] == ["Remove"]
    button(app, "Remove for good").click().run()
    assert not app.exception
    assert said(app) == ["Shapes is gone."]
    assert shelf.listed() == []
    assert shapes.name not in text_of(app).replace("\\", "")


def test_a_set_that_a_run_waits_for_is_not_removed(open_page, store, shapes):
    store.create(TrainConfig(model="mlp", dataset=shapes.name))
    app = open_page("home")
    assert button(app, "Remove for good").disabled
    assert "What 1 run learned from them stays" in text_of(app)


def test_before_a_set_is_removed_it_is_said_what_runs_lose(open_page, store, shapes):
    for state in ("paused", "finished", "interrupted"):
        store.create(TrainConfig(model="mlp", dataset=shapes.name), state=state)
    said = text_of(open_page("home"))
    assert "What 3 runs learned from them stays" in said
    assert "Without them 2 runs can't go on" in said


def test_damaged_files_are_told_of_and_do_no_harm(open_page, shapes, place):
    (place / "my-broken-abcdef.safetensors").write_bytes(b"no tensors")
    app = open_page("home")
    assert "my-broken-abcdef" in text_of(app).replace("\\", "")
    path = data.location(shapes.name)
    path.write_bytes(path.read_bytes()[:-2000])
    button(app, "Show pictures").click().run()
    assert not app.exception
    assert "can't be read" in said(app)[0]


def test_many_classes_are_shown_in_part(open_page):
    given = own.npz(**own.arrays(classes=30, size=(8, 8)))
    app = send(open_page("home"), given)
    assert len([image for strip in app.get("image") for image in strip.proto.imgs]) == own_data.MOST_CLASSES
    assert "10 more classes are not shown" in text_of(app)


# When it is gone


@pytest.fixture
def orphan(store, shapes, monkeypatch):
    """A finished run whose data set is gone, as a server finds it that never saw that set."""
    run = store.create(TrainConfig(model="mlp", dataset=shapes.name, epochs=2, width=16, threads=1))
    assert work(run) == "finished"
    shelf.remove(shapes.name)
    monkeypatch.setattr(shelf, "_remembered", {})
    return Run(run.path)


def test_every_page_shows_a_run_whose_data_set_is_gone(open_page, orphan):
    assert orphan.status().state == "finished"
    home = open_page("home")
    assert "mlp on my" in text_of(home).replace("\\", "")
    train = open_page("train", run=orphan.id)
    assert not train.error
    assert " finished]" in text_of(train)
    compare = open_page("compare", runs=orphan.id)
    assert not compare.error
    assert "Where they differ" in text_of(compare)
    assert "circle" in str([frame.value for frame in compare.dataframe])
    for page in ("segment", "gradcam"):
        open_page(page)


def test_a_fork_of_it_says_what_is_missing_and_starts_nothing(open_page, orphan, store):
    app = open_page("train", run=orphan.id)
    button(app, "Fork").click().run()
    assert not app.exception
    assert app.selectbox(key="form_dataset").value == orphan.config.dataset
    assert "Shapes is no longer on this machine" in text_of(app)
    assert button(app, "Start training").disabled
    assert not [press for press in app.button if press.label.startswith("Download")]


def test_a_link_to_it_is_answered_in_words(open_page, shapes):
    shelf.remove(shapes.name)
    app = open_page("train", dataset=shapes.name)
    assert "is not among mnist" in text_of(app).replace("\\", "")
    assert app.selectbox(key="form_dataset").value == "mnist-mini"
