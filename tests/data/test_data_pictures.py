"""Single test images: the same as in the loaded set, joined to the official places, without torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from core import data
from core.data.own.bringing import bring
from core.data.pictures import _small, labels, official_places, pictures
from core.data.places import location
from core.errors import DataError, UnknownNameError
from core.jobs import PROJECT
from tests import own


def as_stored(split, place):
    return split.images[place].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("name", ["mnist-mini", "cifar10-mini"])
def test_pictures_of_a_small_set_are_those_of_its_test_split(name):
    test = data.load(name).test
    found = pictures(name, [0, 7, len(test) - 1, len(test), -1])
    assert sorted(found) == [0, 7, len(test) - 1]
    assert all(np.array_equal(image, as_stored(test, place)) for place, image in found.items())


@pytest.mark.parametrize(("full", "small"), [("mnist", "mnist-mini"), ("cifar10", "cifar10-mini")])
def test_without_the_full_set_the_small_one_answers_by_official_places(full, small, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    test = data.load(small).test
    official = test.indices.tolist()
    absent = next(place for place in range(10_000) if place not in set(official))
    found = pictures(full, [official[3], official[10], absent])
    assert sorted(found) == [official[3], official[10]]
    assert np.array_equal(found[official[10]], as_stored(test, 10))


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_with_the_full_set_every_picture_is_there(name):
    if not data.available(name):
        pytest.skip(f"needs {name} on this machine")
    test = data.load(name).test
    found = pictures(name, [0, 4321, 9999])
    assert all(np.array_equal(found[place], as_stored(test, place)) for place in (0, 4321, 9999))


def test_a_damaged_file_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    (tmp_path / "mnist.safetensors").write_bytes(b"\x08\x00\x00\x00")
    with pytest.raises(DataError, match=r"mnist\.safetensors can't be read"):
        pictures("mnist", [0])
    with pytest.raises(DataError, match="can't be read"):
        _small.__wrapped__(str(tmp_path / "mnist.safetensors"))
    with pytest.raises(UnknownNameError):
        pictures("imagenet", [0])


def test_of_an_imported_set_that_is_damaged_both_say_to_import_its_pictures_again(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "data"))
    info = bring(own.folder(tmp_path / "shapes", own.files())).info
    path = location(info.name)
    path.write_bytes(path.read_bytes()[:-9])
    for ask in (lambda: labels(info.name), lambda: pictures(info.name, [0])):
        with pytest.raises(DataError, match=r"Delete it, then import its pictures again\."):
            ask()


@pytest.mark.parametrize("ask", [lambda name: pictures(name, [0]), labels, official_places])
def test_scenes_have_no_pictures_of_their_own(ask):
    with pytest.raises(DataError, match="made anew of the images of mnist-mini"):
        ask("mnist-mini-scenes")


def test_looking_at_pictures_needs_no_torch():
    look = "from core.data.pictures import pictures; pictures('mnist-mini', [0])"
    script = f"import sys; {look}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=False).returncode == 0
