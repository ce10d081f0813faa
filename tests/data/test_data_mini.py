import shutil
from pathlib import Path

import numpy as np
import pytest

from core import data
from core.data import mini, places, shipped
from core.errors import DataError

FULL_IS_HERE = {name: data.available(full) for name, full in mini.MINIS.items()}


def arrays(name):
    with np.load(data.location(name), allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


@pytest.mark.parametrize("name", mini.MINIS)
def test_every_class_has_equally_many_images(name):
    shipped_arrays, info = arrays(name), data.describe(name)
    per_class = (info.train_size + info.val_size) // 10, info.test_size // 10
    assert np.bincount(shipped_arrays["train_labels"]).tolist() == [per_class[0]] * 10
    assert np.bincount(shipped_arrays["test_labels"]).tolist() == [per_class[1]] * 10


@pytest.mark.parametrize("name", mini.MINIS)
def test_indices_ascend_within_the_official_sets(name):
    shipped_arrays, full = arrays(name), data.describe(mini.MINIS[name])
    for part, size in (("train", full.train_size + full.val_size), ("test", full.test_size)):
        indices = shipped_arrays[f"{part}_indices"]
        assert (np.diff(indices) > 0).all()
        assert indices[0] >= 0
        assert indices[-1] < size


def test_no_lossy_test_image_of_cifar10_ships():
    assert len(mini.LEFT_OUT["cifar10"]) == 20
    assert not set(arrays("cifar10-mini")["test_indices"].tolist()) & set(mini.LEFT_OUT["cifar10"])


def test_the_shipped_files_stay_small():
    assert sum(data.location(name).stat().st_size for name in mini.MINIS) < 11_800_000


@pytest.mark.parametrize("name", mini.MINIS)
def test_cutting_again_gives_identical_arrays(name):
    if not FULL_IS_HERE[name]:
        pytest.skip(f"{mini.MINIS[name]} is not on this machine")
    again, kept = mini.cut(name), arrays(name)
    assert again.keys() == kept.keys()
    for key, array in kept.items():
        assert again[key].dtype == array.dtype
        np.testing.assert_array_equal(again[key], array)


@pytest.mark.parametrize("name", mini.MINIS)
def test_shipped_images_are_the_official_ones_at_their_indices(name):
    if not FULL_IS_HERE[name]:
        pytest.skip(f"{mini.MINIS[name]} is not on this machine")
    small, full = data.load(name), data.load(mini.MINIS[name])
    assert small.test.images.equal(full.test.images[small.test.indices])
    assert small.test.labels.equal(full.test.labels[small.test.indices])
    official = {int(place): row for row, place in enumerate(full.train.indices)}
    shared = [(row, official[int(place)]) for row, place in enumerate(small.train.indices) if int(place) in official]
    assert len(shared) > 0.8 * len(small.train)  # the others are in the full set's validation split
    for row, row_of_full in shared[::50]:
        assert small.train.images[row].equal(full.train.images[row_of_full])
        assert small.train.labels[row] == full.train.labels[row_of_full]


def test_choosing_leaves_out_what_it_is_told_and_spreads_a_rest():
    labels = np.repeat(np.arange(3, dtype=np.uint8), 5)  # 0 0 0 0 0 1 1 1 1 1 2 2 2 2 2
    chosen = mini.choose(labels, 8, (0, 1, 5), np.random.RandomState(0))
    assert not set(chosen.tolist()) & {0, 1, 5}
    assert np.bincount(labels[chosen]).tolist() == [3, 3, 2]
    assert (np.diff(chosen) > 0).all()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "SHIPPED_FOLDER", tmp_path)
    path = tmp_path / "mnist-mini.npz"
    shutil.copy(Path(shipped.__file__).parent / "shipped" / "mnist-mini.npz", path)
    return path


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.9999])
def test_a_shipped_file_cut_short_is_refused_by_name(copy, share):
    content = copy.read_bytes()
    copy.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match="is damaged") as caught:
        data.load("mnist-mini")
    assert str(copy) in str(caught.value)


def test_a_flipped_byte_in_a_shipped_file_is_found(copy):
    content = bytearray(copy.read_bytes())
    content[len(content) // 3] ^= 1
    copy.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        data.load("mnist-mini")


def test_a_missing_shipped_file_is_refused_by_name(copy):
    copy.unlink()
    assert not data.available("mnist-mini")
    with pytest.raises(DataError, match="ships with CNN Lab") as caught:
        data.load("mnist-mini")
    assert str(copy) in str(caught.value)


def test_a_pickled_object_in_a_shipped_file_is_never_opened(copy):
    np.savez(copy, train_images=np.array([print], dtype=object))
    with pytest.raises(DataError, match="is damaged"):
        data.load("mnist-mini")
