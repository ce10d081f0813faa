import json
import os
import struct

import pytest
import torch
from safetensors.torch import save_file

from core import data
from core.data import cache, catalogue
from core.data.catalogue import DatasetInfo
from core.errors import DataError

TINY = DatasetInfo("mnist", "MNIST", (1, 28, 28), catalogue.DIGITS, 30, 10, 20, 1, "made by a test", "none")


@pytest.fixture
def path(tmp_path, monkeypatch):
    """The place of a cache file of a tiny MNIST."""
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    monkeypatch.setitem(catalogue.KNOWN, "mnist", TINY)
    return tmp_path / "mnist.safetensors"


def tensors():
    generator = torch.Generator().manual_seed(0)
    return {
        "train_images": torch.randint(0, 256, (40, 28, 28, 1), dtype=torch.uint8, generator=generator),
        "train_labels": (torch.arange(40) % 10).byte(),
        "test_images": torch.randint(0, 256, (20, 28, 28, 1), dtype=torch.uint8, generator=generator),
        "test_labels": (torch.arange(20) % 10).byte(),
    }


def save(path, content, **metadata):
    save_file(content, path, {"classes": json.dumps(catalogue.DIGITS)} | metadata)


def refused(path, words):
    """Loading is refused with the file's name, what is wrong and what to do; the file stays as it is."""
    before = path.read_bytes()
    with pytest.raises(DataError, match=words) as caught:
        data.load("mnist")
    assert str(path) in str(caught.value)
    assert "Delete it or move it away, then fetch mnist again" in str(caught.value)
    assert path.read_bytes() == before
    return str(caught.value)


def test_what_is_written_is_what_is_loaded(path):
    made = tensors()
    cache.write(path, TINY, made)
    dataset = data.load("mnist", download=False)
    for split, part in ((dataset.train, "train"), (dataset.val, "train"), (dataset.test, "test")):
        assert split.images.equal(made[f"{part}_images"][split.indices].permute(0, 3, 1, 2))
        assert split.labels.equal(made[f"{part}_labels"][split.indices].long())
    assert dataset.test.indices.tolist() == list(range(20))
    assert [len(dataset.train), len(dataset.val), len(dataset.test)] == [30, 10, 20]


def test_a_written_file_says_what_it_is(path):
    cache.write(path, TINY, tensors())
    size = struct.unpack("<Q", path.read_bytes()[:8])[0]
    metadata = json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]
    assert json.loads(metadata.pop("classes")) == list("0123456789")
    assert metadata == {"name": "mnist", "layout": "NHWC", "source": "made by a test"}


def test_tensors_of_another_set_are_never_written(path):
    with pytest.raises(DataError, match="test_images has the shape"):
        cache.write(path, TINY, tensors() | {"test_images": torch.zeros(20, 32, 32, 3, dtype=torch.uint8)})
    assert list(path.parent.iterdir()) == []


def test_a_loaded_set_outlives_its_file(path):
    made = tensors()
    save(path, made)
    dataset = data.load("mnist")
    with path.open("rb+") as file:  # the same inode, which a mapped file would show
        file.write(bytes(path.stat().st_size))
    assert dataset.test.images.equal(made["test_images"].permute(0, 3, 1, 2))


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 100, 400, 5000, -1000, -1])
def test_a_file_cut_short_is_refused(path, length):
    save(path, tensors())
    path.write_bytes(path.read_bytes()[:length])
    refused(path, "it can't be read")


def test_a_file_with_something_after_its_end_is_refused(path):
    save(path, tensors())
    path.write_bytes(path.read_bytes() + b"x")
    refused(path, "it can't be read")


def test_another_kind_of_file_is_refused(path):
    path.write_bytes(b"<html>Please log in to the conference wifi</html>" * 100)
    refused(path, "it can't be read")


def test_a_folder_in_the_place_of_the_file_is_no_file(path):
    path.mkdir()
    assert not data.available("mnist")


def test_any_flipped_bit_of_the_header_is_refused_or_harmless(path):
    """Harmless: a bit in words for people, or between two spellings of the same."""
    made = tensors()
    save(path, made)
    content = path.read_bytes()
    header = 8 + struct.unpack("<Q", content[:8])[0]
    refused_by_name = harmless = 0
    for place in range(header):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            dataset = data.load("mnist")
        except DataError as error:
            refused_by_name += str(path) in str(error)
        else:
            harmless += 1
            assert dataset.test.images.equal(made["test_images"].permute(0, 3, 1, 2))
            assert dataset.train.labels.equal(made["train_labels"][dataset.train.indices].long())
    assert refused_by_name + harmless == header
    assert refused_by_name > 0.8 * header


@pytest.mark.parametrize("name", ["train_images", "train_labels", "test_images", "test_labels"])
def test_a_missing_tensor_is_named(path, name):
    content = tensors()
    del content[name]
    save(path, content)
    refused(path, f"it has no '{name}'")


@pytest.mark.parametrize("name", ["train_images", "test_labels"])
def test_a_wrong_dtype_is_named(path, name):
    content = tensors()
    content[name] = content[name].float()
    save(path, content)
    refused(path, f"{name} is float32, expected uint8")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("train_labels", (39,)),
        ("train_images", (39, 28, 28, 1)),
        ("test_images", (20, 1, 28, 28)),
        ("test_images", (20, 28, 28)),
        ("test_labels", (20, 1)),
    ],
)
def test_a_wrong_shape_is_named_with_the_right_one(path, name, shape):
    save(path, tensors() | {name: torch.zeros(shape, dtype=torch.uint8)})
    message = refused(path, f"{name} has the shape")
    assert str(list(shape)) in message
    assert str(list(tensors()[name].shape)) in message


@pytest.mark.parametrize("name", ["train_labels", "test_labels"])
def test_a_label_without_a_class_is_named(path, name):
    content = tensors()
    content[name][3] = 10
    save(path, content)
    refused(path, f"{name} holds the label 10, but there are 10 classes")


@pytest.mark.parametrize("classes", ['["0"]', "not json", "[" * 5000, '{"0": 1}', json.dumps(list("9876543210"))])
def test_other_classes_are_refused(path, classes):
    save(path, tensors(), classes=classes)
    refused(path, "its metadata gives the classes")


def test_another_layout_is_refused(path):
    save(path, tensors(), layout="NCHW")
    refused(path, "its metadata gives the layout 'NCHW'")


def test_a_file_without_metadata_is_refused(path):
    save_file(tensors(), path)
    refused(path, "its metadata gives the classes None")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(path):
    save(path, tensors())
    path.chmod(0)
    with pytest.raises(DataError, match="it can't be read"):
        data.load("mnist")
