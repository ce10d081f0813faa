"""Which imported sets are here: found by their files, whatever else lies in the folder; known by runs when gone."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import data
from core.data.fetching import ROOT
from core.data.own import shelf
from core.data.own.bringing import bring
from core.errors import DataError, UnknownNameError
from tests import own
from tests.hostile.strings import NASTY

NAME = "my-shapes-abcdef"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """The folder of data sets, empty."""
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(shelf, "_remembered", {})
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def shapes(place):
    """A set that was imported."""
    return bring(own.archive(own.files()), "Shapes").info


def file_of(place, info):
    return place / f"{info.name}.safetensors"


def header_of(path):
    size = struct.unpack("<Q", path.read_bytes()[:8])[0]
    return json.loads(path.read_bytes()[8 : 8 + size])


def with_header(path, header):
    """The same file with another header."""
    size = struct.unpack("<Q", path.read_bytes()[:8])[0]
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + path.read_bytes()[8 + size :])


def test_listing_imports_no_heavy_library(place, shapes):
    code = (
        "import sys, core.data as d; assert d.describe(d.names()[-1]).title == 'Shapes';"
        "print([m for m in ('torch', 'cv2', 'numpy', 'safetensors') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_written_file_says_what_it_is(place, shapes):
    said = header_of(file_of(place, shapes))["__metadata__"]
    assert json.loads(said.pop("classes")) == ["circle", "square"]
    assert said.pop("content") == shapes.content
    assert said == {"name": shapes.name, "title": "Shapes", "layout": "NHWC", "source": "imported", "val_size": "2"}


def test_own_sets_stand_behind_the_known_ones_by_title(place):
    for number, title in enumerate(("Zebras", "apples", "Meadows")):
        bring(own.archive(own.files(first=50 * number)), title)
    assert data.names()[:7] == list(data.catalogue.KNOWN)
    assert [data.describe(name).title for name in data.names()[7:]] == ["apples", "Meadows", "Zebras"]


def test_what_was_read_is_read_again_only_when_the_file_was_replaced(place, shapes, monkeypatch):
    assert shelf.listed() == [shapes]
    reads = []
    header = shelf._header
    monkeypatch.setattr(shelf, "_header", lambda path, size: reads.append(path) or header(path, size))
    for _ in range(3):
        assert data.describe(shapes.name) in shelf.listed()
    assert reads == []
    path = file_of(place, shapes)
    os.utime(path, ns=(1, 1))
    assert shelf.listed() == [shapes]
    assert reads == [path]


FOREIGN = {
    "nothing": lambda good: b"",
    "seven bytes": lambda good: b"\x01" * 7,
    "a huge header": lambda good: struct.pack("<Q", 2**63),
    "2 MB of header": lambda good: struct.pack("<Q", 2_000_000) + b" " * 2_000_000,
    "no JSON": lambda good: struct.pack("<Q", 5) + b"{{{{{",
    "a list": lambda good: struct.pack("<Q", 2) + b"[]",
    "deep lists": lambda good: struct.pack("<Q", 200_000) + b"[" * 100_000 + b"]" * 100_000,
    "no UTF-8": lambda good: struct.pack("<Q", 4) + b'"\xff"}',
    "cut in its header": lambda good: good[:100],
    "a web page": lambda good: b"<html>Please log in to the conference wifi</html>" * 100,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_damaged_file_breaks_no_list_and_is_named_as_such(place, shapes, kind):
    path = place / f"{NAME}.safetensors"
    path.write_bytes(FOREIGN[kind](file_of(place, shapes).read_bytes()))
    assert shelf.listed() == [shapes]
    assert shelf.unreadable() == [NAME]
    with pytest.raises(UnknownNameError, match=rf"no data set '{NAME}'.* {shapes.name}"):
        data.describe(NAME)
    shelf.remove(NAME)
    assert shelf.unreadable() == []


def test_no_other_thing_in_the_folder_is_taken_for_a_set(place, shapes):
    for name in (
        "my-.safetensors",
        "my-x.safetensors",
        "My-x-abcdef.safetensors",
        "notes.txt",
        f".{NAME}.safetensors.tmp",
    ):
        (place / name).write_bytes(file_of(place, shapes).read_bytes())
    (place / f"{NAME}.safetensors").mkdir()
    os.mkfifo(place / "my-pipe-abcdef.safetensors")
    (place / "my-link-abcdef.safetensors").symlink_to(place / "nowhere")
    assert shelf.listed() == [shapes]


def test_a_folder_that_is_not_there_or_no_folder_lists_nothing(place, monkeypatch):
    for path in ("nowhere", "file"):
        (place / "file").touch()
        monkeypatch.setenv("CNNLAB_DATA", str(place / path))
        assert shelf.listed() == shelf.unreadable() == []


def test_a_file_under_another_name_is_no_set(place, shapes):
    file_of(place, shapes).rename(place / f"{NAME}.safetensors")
    assert shelf.listed() == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("val_size", value) for value in ("0", "-1", "99", "x", "1e3", "9" * 5000, None)],
        *[
            ("classes", value)
            for value in ("[]", '["a"]', '["a", "a"]', '["a", 1]', '["a", ""]', '["a", " b"]', "x", "{}")
        ],
        ("classes", json.dumps(["a", "b" * 41])),
        ("classes", json.dumps(["a", "b\u202e"])),
        ("classes", json.dumps([str(number) for number in range(101)])),
        *[("content", value) for value in ("", "x" * 64, "0" * 64, None)],
        *[("name", value) for value in ("mnist", "my-shapes", "../my-shapes-abcdef", None)],
        ("title", None),
        ("title", 5),
    ],
)
def test_a_header_that_says_what_cannot_be_is_no_set(place, shapes, key, value):
    path = file_of(place, shapes)
    header = header_of(path)
    if value is None:
        del header["__metadata__"][key]
    else:
        header["__metadata__"][key] = value
    with_header(path, header)
    assert shelf.listed() == []


@pytest.mark.parametrize(
    "shape", [[18, 7, 28, 1], [18, 28, 257, 1], [18, 28, 28, 2], [18, 28, 28], [0, 28, 28, 1], "x", [1e9] * 4]
)
def test_a_header_of_impossible_images_is_no_set(place, shapes, shape):
    path = file_of(place, shapes)
    header = header_of(path)
    header["train_images"]["shape"] = shape
    with_header(path, header)
    assert shelf.listed() == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([NAME, "a" * 64]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(
    JSON
    | st.fixed_dictionaries(dict.fromkeys(("name", "title", "classes", "image_shape", "train_size", "content"), JSON))
)
@settings(max_examples=300)
def test_any_values_are_a_set_or_none(values):
    try:
        shelf.parsed(values)
    except ValueError:
        return
    raise AssertionError(values)  # nothing that chance makes has the content that its name tells of


def test_what_is_written_down_is_read_back(place, shapes):
    assert shelf.parsed(json.loads(json.dumps(shelf.written(shapes)))) == shapes


def test_any_title_gives_a_name_of_letters_digits_and_hyphens():
    for title in NASTY:
        assert shelf.NAME.fullmatch(shelf.new_name(title, "0123456789abcdef")), title
    assert shelf.new_name("Müller's Äpfel & Birnen!", "0123456789") == "my-muller-s-apfel-birnen-012345"
    assert shelf.new_name("苹果", "0123456789") == "my-set-012345"


@pytest.mark.parametrize("name", [*NASTY[:60], "my-", None, 5, "my-x-abcdef/../../x"])
def test_what_is_no_name_finds_and_removes_nothing(place, shapes, name):
    with pytest.raises(UnknownNameError, match="There is no data set"):
        data.describe(name)
    if isinstance(name, str):
        with pytest.raises(UnknownNameError, match=f"no imported data set .* Known: {shapes.name}"):
            shelf.remove(name)
    assert file_of(place, shapes).is_file()


def test_a_removed_set_is_gone_and_can_be_brought_back_under_the_same_name(place, shapes):
    assert shelf.remove(shapes.name) == shapes
    assert [path.name for path in place.iterdir()] == [".import.lock"]
    assert shapes.name not in data.names()
    with pytest.raises(DataError, match=f"{shapes.name} was imported, and its file .* Import its pictures again"):
        data.load(shapes.name)
    with pytest.raises(DataError, match="Import its pictures again"):
        data.load(shapes.name, download=False)
    assert bring(own.archive(own.files()), "shapes").info.name == shapes.name


def test_a_set_that_is_gone_is_known_by_what_a_run_wrote_down(place, shapes, monkeypatch):
    noted = shelf.written(shapes)
    shelf.remove(shapes.name)
    monkeypatch.setattr(shelf, "_remembered", {})  # as in another process
    with pytest.raises(UnknownNameError):
        data.describe(shapes.name)
    shelf.remember({**noted, "classes": ["only one"]})
    with pytest.raises(UnknownNameError):
        data.describe(shapes.name)
    shelf.remember(noted)
    assert data.describe(shapes.name) == shapes
    assert not data.available(shapes.name)
    assert shapes.name not in data.names()


@pytest.mark.parametrize("part", ["train_images", "test_labels"])
def test_a_flipped_bit_among_the_images_is_found_when_it_is_loaded(place, shapes, part):
    path = file_of(place, shapes)
    begin, end = header_of(path)[part]["data_offsets"]
    content = bytearray(path.read_bytes())
    offset = len(content) - max(entry["data_offsets"][1] for name, entry in header_of(path).items() if name[0] != "_")
    content[offset + (begin + end) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"its images or labels are not as they were imported\. .*import its pictures again"
    ):
        data.load(shapes.name)


@pytest.mark.parametrize("length", [-1, -2000])
def test_a_file_cut_short_is_listed_and_refused_when_it_is_loaded(place, shapes, length):
    path = file_of(place, shapes)
    path.write_bytes(path.read_bytes()[:length])
    assert shelf.listed() == [shapes]
    with pytest.raises(DataError, match="it can't be read"):
        data.load(shapes.name)
