"""A person's pictures become a data set like any other: what goes in, what comes out, and what is said of it."""

from __future__ import annotations

import errno
import hashlib

import cv2
import numpy as np
import pytest
import torch

from core import data
from core.data.own import bringing, limits, shelf
from core.data.own.bringing import bring
from core.data.pictures import labels, pictures
from core.errors import ConfigError, DataError
from tests import own


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """The folder of data sets, not made yet."""
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def left_in(place):
    return sorted(path.name for path in place.glob("*")) if place.exists() else []


def test_a_folder_a_class_becomes_a_data_set_that_is_listed_and_loads(tmp_path):
    given = own.files(count=20)
    brought = bring(own.folder(tmp_path / "My shapes", given))
    info = brought.info
    assert (info.title, info.classes, info.image_shape) == ("My shapes", own.SHAPES, (1, 28, 28))
    assert data.names()[-1] == info.name
    assert info.name.startswith("my-shapes-")
    assert data.describe(info.name) == info
    assert not info.shipped
    dataset = data.load(info.name)
    assert [len(part) for part in (dataset.train, dataset.val, dataset.test)] == [28, 4, 8]
    assert [info.train_size, info.val_size, info.test_size] == [28, 4, 8]
    assert dataset.test.labels.bincount().tolist() == [4, 4]
    assert dataset.train.images.is_contiguous(memory_format=torch.channels_last)


def test_every_picture_is_in_one_part_with_its_own_label(tmp_path):
    """Against the pictures themselves, resized by the same library."""
    given = own.files(count=15, size=(28, 28))
    dataset = data.load(bring(own.folder(tmp_path / "shapes", given)).info.name)
    expected = {}
    for path, content in given.items():
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
        expected[pixels.tobytes()] = own.SHAPES.index(path.split("/")[0])
    parts = (dataset.train, dataset.val, dataset.test)
    found = {
        image.numpy().tobytes(): int(label)
        for part in parts
        for image, label in zip(part.images, part.labels, strict=True)
    }
    assert found == expected
    assert sum(map(len, parts)) == 30


def test_one_in_five_of_each_class_is_tested_whatever_the_size(tmp_path):
    counts = {"a": 10, "b": 37, "c": 100}
    given = {path: content for name, count in counts.items() for path, content in own.files([name], count).items()}
    dataset = data.load(bring(own.folder(tmp_path / "x", given)).info.name)
    assert dataset.test.labels.bincount().tolist() == [2, 7, 20]
    assert len(dataset.val) == (147 - 29) // 8


def test_the_same_pictures_give_the_same_data_set_on_any_machine(tmp_path, monkeypatch):
    """Published figures rest on this very split: another one must not pass unseen."""
    given = own.files(count=20)
    info = bring(own.folder(tmp_path / "shapes", given)).info
    first = data.load(info.name)
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "elsewhere"))
    again = bring(own.archive(dict(reversed(given.items()))), "Other").info
    assert again.content == info.content
    assert again.name[-6:] == info.name[-6:] == info.content[:6]
    assert data.load(again.name).fingerprint == first.fingerprint
    chosen = bringing._chosen_for_test(np.repeat([0, 1], 20))
    assert chosen.tolist() == [2, 10, 16, 0, 28, 36, 26, 39]


@pytest.mark.parametrize("around", ["", "shapes/", "a/b/"])
def test_an_archive_is_taken_like_the_folder_in_it(tmp_path, around):
    given = own.files()
    info = bring(own.folder(tmp_path / "shapes", given)).info
    zipped = own.archive({f"{around}{path}": content for path, content in given.items()})
    assert bring(zipped, "Zipped").info == info  # the very same pictures
    (tmp_path / "shapes.zip").write_bytes(zipped)
    assert bring(tmp_path / "shapes.zip", "From a file").info == info


def test_an_npz_becomes_a_data_set_with_its_own_names():
    given = own.arrays(size=(28, 28))
    info = bring(own.npz(**given, classes=np.array(["Kreis ○", "b"])), "Arrays").info
    assert info.classes == ("Kreis ○", "b")
    dataset = data.load(info.name)
    whole = np.concatenate([part.images[:, 0].numpy() for part in (dataset.train, dataset.val, dataset.test)])
    assert sorted(image.tobytes() for image in whole) == sorted(image.tobytes() for image in given["images"])


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int32", ">i4", "uint16"])
def test_labels_of_any_whole_numbers_are_taken_and_name_the_classes(dtype):
    given = own.arrays(classes=3)
    names = np.array([2, 5, 31])[given["labels"]].astype(dtype)
    info = bring(own.npz(images=given["images"], labels=names), "x").info
    assert info.classes == ("2", "5", "31")


@pytest.mark.parametrize("shape", [(12, 12, 1), (12, 12), (12, 12, 3)])
def test_images_of_an_npz_may_be_grey_or_in_colour(shape):
    images = np.stack([own.picture(n, n // 10, grey=len(shape) < 3 or shape[2] == 1).reshape(shape) for n in range(20)])
    info = bring(own.npz(images=np.asfortranarray(images), labels=np.repeat([0, 1], 10)), "x").info
    assert info.image_shape == ((3, 32, 32) if shape[2:] == (3,) else (1, 28, 28))


def test_an_official_test_set_is_kept_as_it_is(tmp_path):
    train, test = own.arrays(8, size=(28, 28)), own.arrays(2, first=100, size=(28, 28))
    from_arrays = bring(
        own.npz(**train, test_images=test["images"], test_labels=test["labels"], classes=np.array(own.SHAPES)), "x"
    ).info
    assert [from_arrays.train_size, from_arrays.val_size, from_arrays.test_size] == [14, 2, 4]
    tested = data.load(from_arrays.name).test.images[:, 0].numpy()
    assert np.array_equal(tested, test["images"])
    given = {f"train/{path}": content for path, content in own.files(count=8, size=(28, 28)).items()}
    given |= {f"Test/{path}": content for path, content in own.files(count=2, first=100, size=(28, 28)).items()}
    assert bring(own.folder(tmp_path / "split", given)).info == from_arrays


def test_pictures_for_validation_are_learned_from_since_validation_is_held_out_of_them(tmp_path):
    given = {f"train/{path}": content for path, content in own.files(count=10).items()}
    given |= {f"val/{path}": content for path, content in own.files(count=5, first=50).items()}
    info = bring(own.folder(tmp_path / "split", given)).info
    assert info.train_size + info.val_size + info.test_size == 30
    assert info.classes == own.SHAPES


def test_classes_named_train_and_test_are_classes(tmp_path):
    assert bring(own.folder(tmp_path / "x", own.files(["test", "train"]))).info.classes == ("test", "train")


# What pictures become


@pytest.mark.parametrize(
    ("sizes", "grey", "expected"),
    [
        ([(12, 12)], True, (1, 28, 28)),
        ([(63, 200)], True, (1, 28, 28)),
        ([(64, 64)], True, (1, 64, 64)),
        ([(40, 50)], False, (3, 32, 32)),
        ([(300, 200)], False, (3, 64, 64)),
        ([(12, 12), (200, 200), (200, 200)], False, (3, 64, 64)),
        ([(12, 12), (12, 12), (200, 200)], False, (3, 32, 32)),
    ],
)
def test_the_pictures_decide_size_and_colour(tmp_path, sizes, grey, expected):
    given = {
        f"{name}/{number}.png": own.encoded(own.picture(number, label, sizes[number % len(sizes)], grey=grey))
        for label, name in enumerate(own.SHAPES)
        for number in range(12)
    }
    brought = bring(own.folder(tmp_path / "x", given))
    assert brought.info.image_shape == expected
    assert f"{expected[1]}x{expected[1]}, since most" in brought.in_words()


@pytest.mark.parametrize("side", [8, 50, 256])
def test_a_person_may_choose_the_size(tmp_path, side):
    brought = bring(own.folder(tmp_path / "x", own.files()), side=side)
    assert brought.info.image_shape == (1, side, side)
    assert "since most" not in brought.in_words()


@pytest.mark.parametrize("side", [7, 257, 0, -1, 2.5, True, "28"])
def test_a_size_that_no_network_takes_is_refused(tmp_path, place, side):
    with pytest.raises(ConfigError, match="allowed are 8 to 256 pixels a side"):
        bring(own.folder(tmp_path / "x", own.files()), side=side)
    assert left_in(place) == []


def test_one_coloured_pixel_makes_a_set_coloured(tmp_path):
    given = own.files()
    pixels = np.repeat(own.picture(0)[..., np.newaxis], 3, axis=2)
    pixels[3, 3] = 200, 100, 0
    given["circle/000.png"] = own.encoded(pixels)
    assert bring(own.folder(tmp_path / "x", given)).info.image_shape[0] == 3


def test_of_a_picture_that_is_no_square_the_middle_is_kept(tmp_path):
    """Black but for a white square in its middle, to which the crop must come down."""
    wide, high = np.zeros((28, 60), np.uint8), np.zeros((58, 28), np.uint8)
    wide[:, 16:44], high[15:43] = 255, 255
    given = own.files(count=20, size=(28, 28)) | {
        "circle/000.png": own.encoded(wide),
        "square/000.png": own.encoded(high),
    }
    brought = bring(own.folder(tmp_path / "x", given))
    assert "2 pictures were no square: the middle was kept." in brought.in_words()
    dataset = data.load(brought.info.name)
    white = [int(image.min()) == 255 for part in (dataset.train, dataset.val, dataset.test) for image in part.images]
    assert sum(white) == 2


def test_large_pictures_are_shrunk_by_averaging(tmp_path):
    """Stripes one pixel wide become their mean, not one of the two."""
    stripes = np.zeros((128, 128), np.uint8)
    stripes[:, ::2] = 200
    given = own.files(count=20, size=(128, 128)) | {
        f"circle/{number:03}.png": own.encoded(stripes + number) for number in range(20)
    }
    dataset = data.load(bring(own.folder(tmp_path / "x", given)).info.name)
    of_stripes = dataset.test.images[dataset.test.labels == 0]
    assert int(of_stripes.min()) >= 100
    assert int(of_stripes.max()) <= 120


# What is said


def test_pictures_that_are_here_already_are_said_to_be_and_not_doubled(tmp_path, place):
    source = own.folder(tmp_path / "shapes", own.files())
    info = bring(source).info
    again = bring(source, "Another name")
    assert (again.is_new, again.info) == (False, info)
    assert again.in_words() == f"These very pictures are here already: shapes ({info.name}). Nothing was added."
    assert [name for name in left_in(place) if name.startswith("my-")] == [f"{info.name}.safetensors"]


def test_other_pictures_of_the_same_name_are_refused_with_what_to_do(tmp_path, place):
    info = bring(own.folder(tmp_path / "a" / "shapes", own.files())).info
    before = left_in(place)
    with pytest.raises(DataError, match=r"already a data set named 'shapes' \(my-shapes-.*another name, or remove"):
        bring(own.folder(tmp_path / "b" / "SHAPES", own.files(first=50)), "Shapes".lower())
    assert left_in(place) == before
    shelf.remove(info.name)
    assert bring(tmp_path / "b" / "SHAPES").is_new


@pytest.mark.parametrize("title", ["MNIST", "cifar10", "CIFAR-10 mini", "mnist-Scenes"])
def test_the_names_of_known_sets_are_taken(title):
    with pytest.raises(DataError, match="is the name of a data set that CNN Lab knows"):
        bring(own.archive(own.files()), title)


@pytest.mark.parametrize("title", ["", " \n", "\u202e\x00"])
def test_a_data_set_has_a_name(title):
    with pytest.raises(DataError, match="has no name"):
        bring(own.archive(own.files()), title)


def test_pictures_that_are_there_twice_and_files_beside_them_are_told_of(tmp_path):
    given = own.files(count=12)
    given["circle/again.png"] = given["circle/000.png"]
    given |= {
        "README.txt": b"about",
        ".DS_Store": b"x",
        "circle/.hidden": b"x",
        "circle/Thumbs.db": b"x",
        "__MACOSX/._a": b"x",
    }
    brought = bring(own.folder(tmp_path / "x", given))
    assert (brought.repeated, brought.left_out) == (1, 1)
    assert "1 picture is there more than once" in brought.in_words()
    assert "1 file in no folder of a class stayed out." in brought.in_words()


def test_progress_is_told_after_each_picture(tmp_path):
    told = []
    bring(own.folder(tmp_path / "x", own.files()), progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 20) for number in range(1, 21)]


# What is refused


def refusal(tmp_path, given):
    with pytest.raises(DataError) as caught:
        bring(own.folder(tmp_path / "x", given))
    assert len(str(caught.value)) < 400
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "There are no folders of classes in it"),
        ({"a.png": b"x"}, "There are no folders of classes in it"),
        (own.files(["circle"]), "only one class, 'circle'"),
        (own.files(count=9), "The class 'circle' has 9 pictures, at least 10 are needed"),
        (own.files() | {"empty/.keep": b""}, "The class 'empty' is empty, at least 10"),
        (own.files() | {"circle/more/a.png": b"x"}, "'circle/more/a.png' lies in a folder inside"),
        (own.files([f"c{n}" for n in range(101)], 1), "There are 101 classes, at most 100"),
        (own.files(["a\u200b", "a"]), "Two classes are named 'a'"),
        ({f"train/{p}": c for p, c in own.files(count=8).items()}
         | {f"test/{p}": c for p, c in own.files(["circle"], 2).items()},
         "The class 'square' is empty in the test, at least 2"),
        ({f"train/{p}": c for p, c in own.files(count=8).items()}
         | {f"test/{p}": c for p, c in own.files(["circle", "square", "star"], 2).items()},
         "The class 'star' is in the test only"),
    ],
)  # fmt: skip
def test_what_is_no_folder_a_class_is_refused_in_words(tmp_path, place, given, words):
    (tmp_path / "x").mkdir()
    assert words in refusal(tmp_path, given)
    assert left_in(place) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "neither a PNG nor a JPEG"),
        (own.encoded(own.picture(0))[:-20], "This PNG is damaged or incomplete"),
        (own.encoded(own.picture(0, size=(7, 30))), "30 x 7 pixels, at least 8 a side"),
        (b"x" * 5_000_001, "at most 5 MB"),
    ],
)
def test_a_file_that_is_no_picture_is_named_with_how_many_more(tmp_path, place, content, words):
    message = refusal(tmp_path, own.files() | {"circle/bad.png": content})
    assert message.startswith("'circle/bad.png': ")
    assert words in message
    assert message.endswith("Nothing was imported.")
    more = refusal(tmp_path, {f"square/bad{number}.png": content for number in range(3)})
    assert "3 more can't be taken either." in more
    assert left_in(place) == []


def test_too_many_pictures_are_refused_before_one_is_read(tmp_path, monkeypatch):
    from core.data.own import tree

    monkeypatch.setattr(tree, "MOST_PICTURES", 19)
    monkeypatch.setattr(bringing, "read_picture", lambda data: pytest.fail("one was read"))
    assert "There are 20 pictures, at most 19 are taken" in refusal(tmp_path, own.files())
    with pytest.raises(DataError, match="There are 20 pictures, at most 19"):
        bring(own.npz(**own.arrays()), "x")


def test_too_many_pixels_are_refused(tmp_path, place, monkeypatch):
    from core.data.own import squares

    monkeypatch.setattr(squares, "MOST_BYTES", 20 * 12 * 12 - 1)
    assert "too many pictures for their size" in refusal(tmp_path, own.files())
    monkeypatch.setattr(squares, "MOST_BYTES", 20 * 28 * 28 - 1)  # small as they are, too large once they are alike
    assert "too many pictures for their size" in refusal(tmp_path, own.files())
    assert left_in(place) == []


@pytest.mark.parametrize("source", ["nothing", "a.txt", "a.npy"])
def test_another_source_is_refused(tmp_path, source):
    (tmp_path / "a.txt").write_text("no archive")
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(DataError, match=r"There is no folder and no file|neither a ZIP archive nor an \.npz"):
        bring(tmp_path / source, "x")


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), PermissionError(errno.EACCES, "no")]
)
def test_a_disk_that_refuses_is_one_sentence_and_leaves_nothing(tmp_path, place, monkeypatch, error):
    def refuse(*_):
        raise error

    monkeypatch.setattr("core.files.os.fsync", refuse)
    with pytest.raises(DataError, match=r"can't be written to .* Make room there, or let CNNLAB_DATA"):
        bring(own.folder(tmp_path / "x", own.files()))
    assert [name for name in left_in(place) if "import.lock" not in name] == []
    assert shelf.listed() == []


def test_a_folder_of_data_that_is_a_file_is_one_sentence(tmp_path, place):
    place.write_text("in the way")
    with pytest.raises(DataError, match="can't be written to"):
        bring(own.folder(tmp_path / "x", own.files()))


# What it is good for


def test_its_pictures_are_found_one_by_one_and_its_fingerprint_names_its_test_set(tmp_path):
    info = bring(own.folder(tmp_path / "x", own.files())).info
    dataset = data.load(info.name)
    assert labels(info.name) == dict(enumerate(dataset.test.labels.tolist()))
    found = pictures(info.name, [0, 3, 99])
    assert sorted(found) == [0, 3]
    assert np.array_equal(found[3], dataset.test.images[3].permute(1, 2, 0).numpy())
    digest = hashlib.sha256(b"[4, 28, 28, 1]")
    digest.update(dataset.test.images.permute(0, 2, 3, 1).contiguous().numpy().tobytes())
    digest.update(dataset.test.labels.byte().numpy().tobytes())
    assert dataset.fingerprint == digest.hexdigest()


def test_the_limits_leave_something_of_every_class_in_every_part():
    assert round(limits.LEAST_A_CLASS / limits.TEST_SHARE) == 2
    least = limits.LEAST_A_CLASS - 2
    assert least * limits.CLASSES[0] // limits.VAL_SHARE >= 1
    assert limits.LEAST_WITH_TEST == (8, 2)
