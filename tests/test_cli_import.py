"""`python -m core import`: one line of what came of it, one sentence of what is wrong."""

from __future__ import annotations

import json

import pytest

from core.__main__ import main
from core.config import TrainConfig
from core.data.own import shelf
from core.runs import Run
from tests import own


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def folder(tmp_path):
    return own.folder(tmp_path / "shapes", own.files(count=20))


def test_a_folder_is_imported_listed_trained_on_and_removed(store, folder, capsys, monkeypatch):
    assert main(["import", str(folder), "--name", "My shapes", "--size", "16"]) == 0
    (info,) = shelf.listed()
    printed = capsys.readouterr()
    assert printed.out.startswith(
        f"My shapes is here as {info.name}: 2 classes, 40 pictures of 16x16 grey; 28 to learn"
    )
    assert len(printed.out.splitlines()) == 1
    assert printed.err == ""  # nobody watches
    assert main(["import", "--list"]) == 0
    assert capsys.readouterr().out.replace(" ", "") == f"{info.name}2classes,40picturesof16x16grey:Myshapes\n"
    assert main(["train", "--model", "cnn", "--dataset", info.name, "--width", "8", "--threads", "1"]) == 0
    assert "test accuracy 1.0000" in capsys.readouterr().out
    (run,) = store.list()
    assert main(["evaluate", run.id]) == 0
    capsys.readouterr()
    assert main(["import", "--remove", info.name]) == 0
    assert capsys.readouterr().out == f"{info.name} is gone. Runs that learned from it stay.\n"
    monkeypatch.setattr(shelf, "_remembered", {})
    assert main(["list"]) == 0
    assert "finished" in capsys.readouterr().out
    assert main(["evaluate", run.id, "--again"]) == 2
    assert "is not there any more. Import its pictures again" in capsys.readouterr().err
    assert main(["audit"]) == 0
    assert main(["import", "--list"]) == 0
    assert "No data set of your own yet" in capsys.readouterr().out.splitlines()[-1]


def test_the_same_folder_again_is_no_error(folder, capsys):
    for _ in range(2):
        assert main(["import", str(folder)]) == 0
    assert "are here already: shapes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Give the path of a folder"),
        (["/nowhere"], "There is no folder and no file '/nowhere'"),
        (["FOLDER", "--size", "7"], "The size is 7, allowed are 8 to 256"),
        (["FOLDER", "--name", "MNIST"], "'MNIST' is the name of a data set that CNN Lab knows"),
        (["FOLDER/circle"], "There are no folders of classes"),
        (["FOLDER/circle/000.png"], "neither a ZIP archive nor an .npz"),
        (["--remove", "my-nope-abcdef"], "There is no imported data set 'my-nope-abcdef'. Known: none yet."),
        (["--remove", "../mnist"], "There is no imported data set '../mnist'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(folder, capsys, arguments, words):
    assert main(["import", *(argument.replace("FOLDER", str(folder)) for argument in arguments)]) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert printed.out == ""
    assert shelf.listed() == []


def test_a_watched_import_shows_how_far_it_is(folder, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert main(["import", str(folder)]) == 0
    assert "picture 20 of 40" in capsys.readouterr().err


def test_a_damaged_set_is_listed_as_such(place, folder, capsys):
    main(["import", str(folder)])
    (place / "my-broken-abcdef.safetensors").write_bytes(b"")
    capsys.readouterr()
    assert main(["import", "--list"]) == 0
    assert "my-broken-abcdef" in capsys.readouterr().out.splitlines()[-1]
    assert main(["import", "--remove", "my-broken-abcdef"]) == 0


def test_a_set_that_a_run_waits_for_is_not_removed(store, folder, capsys):
    main(["import", str(folder)])
    (info,) = shelf.listed()
    run = store.create(TrainConfig(model="mlp", dataset=info.name))
    assert main(["import", "--remove", info.name]) == 2
    assert "A run learns from" in capsys.readouterr().err
    run.set_status(state="stopped")
    assert main(["import", "--remove", info.name]) == 0


def test_a_run_writes_down_what_it_learned_from_and_nothing_of_known_sets(store, folder, small):
    main(["import", str(folder)])
    (info,) = shelf.listed()
    run = store.create(TrainConfig(model="mlp", dataset=info.name))
    noted = json.loads((run.path / "config.json").read_text())["dataset"]
    assert shelf.parsed(noted) == info
    assert "dataset" not in json.loads((store.create(small).path / "config.json").read_text())


@pytest.mark.parametrize("noted", [None, [], "x", {"name": "my-x-abcdef"}, {"name": "mnist"}])
def test_a_run_of_a_set_that_nobody_knows_is_damaged_and_no_more(store, folder, monkeypatch, noted):
    from core.files import read_json, write_json

    main(["import", str(folder)])
    (info,) = shelf.listed()
    run = store.create(TrainConfig(model="mlp", dataset=info.name))
    values = read_json(run.path / "config.json")
    write_json(run.path / "config.json", {**values, "dataset": noted})
    shelf.remove(info.name)
    monkeypatch.setattr(shelf, "_remembered", {})
    assert Run(run.path).status().state == "damaged"
