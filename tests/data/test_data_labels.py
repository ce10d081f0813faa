"""Test labels without the set: the same as in the loaded one, joined to the official places."""

from __future__ import annotations

import numpy as np
import pytest

from core import data
from core.data.pictures import labels, official_places, pictures
from core.errors import DataError


def test_without_the_full_set_the_labels_are_those_of_the_small_one_by_official_places(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    test = data.load("cifar10-mini").test
    found = labels("cifar10")
    assert found == dict(zip(test.indices.tolist(), test.labels.tolist(), strict=True))
    assert official_places("cifar10-mini") == test.indices.tolist()
    assert labels("cifar10-mini") == dict(enumerate(test.labels.tolist()))
    assert list(pictures("cifar10", list(found)[:3])) == list(found)[:3]


def test_with_the_full_set_every_label_is_there():
    if not data.available("cifar10"):
        pytest.skip("needs cifar10 on this machine")
    assert np.array_equal(list(labels("cifar10").values()), data.load("cifar10").test.labels)
    assert official_places("cifar10") == list(range(10_000))


def test_a_damaged_file_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    (tmp_path / "cifar10.safetensors").write_bytes(b"\x08\x00\x00\x00")
    with pytest.raises(DataError, match=r"cifar10\.safetensors can't be read"):
        labels("cifar10")
