"""Archives, arrays and folders that were made to do harm: each is refused in words, and none takes much or runs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core import data
from core.data.own import archives, shelf
from core.data.own.bringing import bring
from core.errors import DataError
from core.names import clean_name
from tests import own
from tests.hostile.archives import ARCHIVES, ARRAYS, zipped
from tests.hostile.pictures import KINDS
from tests.hostile.strings import NASTY

PROJECT = Path(__file__).resolve().parents[2]
MOST_MB = 150
SENT = {**ARCHIVES, **ARRAYS}


@pytest.fixture(scope="module")
def importings():
    """What a process of its own made of each file."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux can forget how much memory a process once had")
    command = [sys.executable, "-m", "tests.hostile.importing"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {told["name"]: told for told in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.mark.parametrize("kind", SENT)
def test_what_was_sent_is_taken_or_refused_in_words(importings, kind):
    found, expected = importings[kind]["found"], SENT[kind][1]
    if expected is None:
        assert found is None
    else:
        assert expected in found
        assert len(found) < 400


@pytest.mark.parametrize("kind", SENT)
def test_nothing_that_was_sent_takes_much_memory_or_is_unpickled(importings, kind):
    assert importings[kind]["grown_mb"] < MOST_MB
    assert not importings[kind]["unpickled"]


def test_nothing_is_unpacked_before_the_list_of_files_is_checked(monkeypatch):
    opened = []
    by_list = ("times its size", "at most 500", "out of it", "list of files", "ZIP64", "50,000", "password", "method")
    made = [make() for make, said in ARCHIVES.values() if said and any(part in said for part in by_list)]
    assert len(made) > 12
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda self, member, **_: opened.append(member) or 1 / 0)
    for content in made:
        with pytest.raises(DataError):
            bring(content, "x")
    assert opened == []


def test_a_file_is_read_no_further_than_its_limit(monkeypatch):
    read = []
    real = zipfile.ZipExtFile.read
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda self, n=-1: read.append(n) or real(self, n))
    with pytest.raises(DataError, match="at most 5 MB"):
        bring(zipped(("circle/big.png", bytes(6_000_000))), "x")
    assert set(read) == {5_000_001}


def test_no_name_in_an_archive_becomes_a_path(tmp_path, place):
    """All of them are names of files in a class, and of nothing else."""
    for number, text in enumerate(NASTY[::4]):
        text = text.encode("utf-8", "replace").decode()
        with contextlib.suppress(DataError):
            bring(zipped((f"circle/{text}.png", own.encoded(own.picture(number + 500)))), f"set {number}")
    assert {path.name for path in tmp_path.iterdir()} <= {"data"}
    assert all(shelf.NAME.fullmatch(path.name.removesuffix(shelf.ENDING)) for path in place.glob("my*"))


def test_any_title_is_a_short_line_of_text_and_no_path(tmp_path, place):
    titles = {clean_name(text, 60): text for text in NASTY}
    titles.pop("")
    for number, text in enumerate({title.casefold(): text for title, text in titles.items()}.values()):
        info = bring(own.npz(**own.arrays(first=20 * number, size=(8, 8))), text, side=8).info
        assert info.title.isprintable()
        assert 0 < len(info.title) <= 60
        assert info.title == " ".join(info.title.split())
        assert data.describe(info.name) == info
        assert data.location(info.name).parent == place
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_any_name_of_a_class_is_a_short_line_of_text():
    known = {clean_name(text, 40): text[:900].encode("utf-8", "replace").decode() for text in NASTY}
    known.pop("")
    texts = list(known.values())
    for begin in range(0, len(texts) - 1, 60):
        some = texts[begin : begin + 60]
        given = own.arrays(10, len(some), first=begin * 50, size=(8, 8))
        info = bring(own.npz(**given, classes=np.array(some)), f"set {begin}").info
        for name in info.classes:
            assert name.isprintable()
            assert 0 < len(name) <= 40
        assert data.load(info.name).classes == info.classes


@pytest.mark.parametrize("kind", [kind for kind, (_, expected) in KINDS.items() if isinstance(expected, str)])
def test_a_hostile_picture_in_an_archive_is_refused_as_it_is_alone(place, kind):
    made, expected = KINDS[kind]
    with pytest.raises(DataError) as caught:
        bring(own.archive({**own.files(), "circle/hostile.png": made()}), "x")
    assert str(caught.value).startswith("'circle/hostile.png': ")
    assert expected in str(caught.value)
    assert not list(place.glob("my*"))


@pytest.mark.parametrize("kind", ["a film of 10,000 frames", "a film of large frames"])
def test_a_film_is_refused(kind):
    with pytest.raises(DataError, match=r"'circle/film\.png': This PNG is a film of several pictures"):
        bring(own.archive({**own.files(), "circle/film.png": KINDS[kind][0]()}), "x")


# Folders


def linked(tmp_path, target):
    source = own.folder(tmp_path / "shapes", own.files())
    (source / "circle" / "link.png").symlink_to(target)
    return source


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path):
    outside = tmp_path / "secret.png"
    outside.write_bytes(own.encoded(own.picture(777)))
    for target in (outside, "../../secret.png", "/etc/passwd"):
        source = linked(tmp_path / str(len(str(target))), target)
        (tmp_path / str(len(str(target))) / "secret.png").write_bytes(outside.read_bytes())
        with pytest.raises(DataError, match=r"'circle/link\.png' is a link that leads out of the folder"):
            bring(source)


def test_a_link_to_another_picture_of_the_folder_is_that_picture(tmp_path):
    brought = bring(linked(tmp_path, "000.png"))
    assert brought.repeated == 1


@pytest.mark.parametrize("target", ["link.png", "nowhere.png", "..", "."])
def test_a_link_to_nothing_itself_or_a_folder_is_refused(tmp_path, target):
    with pytest.raises(DataError, match=r"'circle/link\.png' (can't be read|is neither a file nor a folder)"):
        bring(linked(tmp_path, target))


def test_a_link_to_a_folder_is_no_class(tmp_path):
    source = own.folder(tmp_path / "shapes", own.files())
    (source / "third").symlink_to(source / "circle")
    with pytest.raises(DataError, match="'third' is neither a file nor a folder"):
        bring(source)


def test_nobody_waits_for_a_pipe(tmp_path):
    source = own.folder(tmp_path / "shapes", own.files())
    os.mkfifo(source / "circle" / "pipe.png")
    with pytest.raises(DataError, match=r"'circle/pipe\.png' is neither a file nor a folder"):
        bring(source)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="There is no folder and no file"):
        bring(tmp_path / "pipe")


def test_a_name_that_is_no_text_is_shown_as_such(tmp_path):
    source = own.folder(tmp_path / "shapes", own.files())
    strange = os.fsencode(source) + b"/circle/\xff\x1b[31m.png"
    Path(os.fsdecode(strange)).write_bytes(b"no picture")
    with pytest.raises(DataError) as caught:
        bring(source)
    assert str(caught.value).encode().isascii()
    assert "\x1b" not in str(caught.value)


def test_a_class_that_is_no_text_gets_a_name_that_is(tmp_path):
    source = own.folder(tmp_path / "shapes", own.files())
    (source / "square").rename(os.fsdecode(os.fsencode(source) + b"/s\xffquare"))
    assert bring(source).info.classes == ("circle", "s quare")


def test_a_folder_far_too_large_is_left_early(tmp_path, monkeypatch):
    from core.data.own import folders

    monkeypatch.setattr(folders, "MOST_PICTURES", 5)
    with pytest.raises(DataError, match=r"far too much in .* at most 5 pictures"):
        bring(own.folder(tmp_path / "shapes", own.files()))


def test_the_longest_comment_hides_no_end_of_an_archive():
    """What is looked at before the archive is opened is what Python's own reader will see."""
    content = ARCHIVES["the same behind a comment"][0]()
    assert len(content) - content.rindex(b"PK\6\7") == 20 + archives.END_BYTES + 0xFFFF
