import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from core import data
from core.data import catalogue
from core.data.fetching import ROOT
from core.data.splits import hold_out
from core.errors import DataError, UnknownNameError

MINIS = ["mnist-mini", "cifar10-mini"]


def test_importing_the_package_imports_no_heavy_library():
    code = (
        "import sys, core.data as d; d.names(); d.describe('mnist'); d.available('mnist');"
        "print([m for m in ('torch', 'torchvision', 'cv2', 'numpy', 'safetensors') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_exported_names_are_sorted_and_there():
    assert list(data.__all__) == sorted(data.__all__)
    assert all(hasattr(data, name) for name in data.__all__)


def test_the_data_sets_are_listed_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))  # where nobody has imported any
    files = ["mnist", "cifar10", "mnist-mini", "cifar10-mini"]
    assert data.names() == [*files, "mnist-scenes", "mnist-mini-scenes", "mnist-everywhere"]


def test_sizes_add_up_to_the_official_sets():
    mnist, cifar10 = data.describe("mnist"), data.describe("cifar10")
    assert mnist.train_size + mnist.val_size == 60_000
    assert cifar10.train_size + cifar10.val_size == 50_000
    assert (mnist.test_size, cifar10.test_size) == (10_000, 10_000)
    assert (mnist.val_size, cifar10.val_size) == (5_000, 5_000)
    assert (mnist.download_mb, cifar10.download_mb) == (12, 170)


@pytest.mark.parametrize("call", [data.describe, data.load, data.fetch, data.location, data.available])
@pytest.mark.parametrize("name", ["minst", "../mnist", "", None])
def test_an_unknown_name_is_refused_with_the_known_ones(call, name):
    with pytest.raises(
        UnknownNameError, match=r"There is no data set .* Known: mnist, cifar10, mnist-mini, cifar10-mini"
    ):
        call(name)


def test_the_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    assert data.location("mnist") == tmp_path / "mnist.safetensors"
    assert not data.available("mnist")
    data.location("mnist").touch()
    assert data.available("mnist")
    monkeypatch.setenv("CNNLAB_DATA", "")
    assert data.location("mnist") == Path.home() / ".cache" / "cnnlab" / "mnist.safetensors"


def test_a_set_that_is_not_here_is_refused_without_a_download(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        data.load("cifar10", download=False)
    for part in ("CIFAR-10", "mnist-mini", "cifar10-mini", str(tmp_path / "cifar10.safetensors")):
        assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", MINIS)
def test_a_loaded_set_is_what_the_catalogue_says(name):
    import torch

    info, dataset = data.describe(name), data.load(name, download=False)
    sizes = {"train": info.train_size, "val": info.val_size, "test": info.test_size}
    for part, size in sizes.items():
        split = getattr(dataset, part)
        assert len(split) == size
        assert split.images.shape == (size, *info.image_shape)
        assert split.images.dtype == torch.uint8
        assert split.images.is_contiguous(memory_format=torch.channels_last)
        assert split.labels.shape == split.indices.shape == (size,)
        assert split.labels.dtype == split.indices.dtype == torch.int64
        assert set(split.labels.tolist()) == set(range(len(info.classes)))
    assert dataset.classes == info.classes


@pytest.mark.parametrize("name", MINIS)
def test_no_image_is_both_in_training_and_in_validation(name):
    dataset = data.load(name)
    train, val = set(dataset.train.indices.tolist()), set(dataset.val.indices.tolist())
    assert not train & val
    assert len(train | val) == len(dataset.train) + len(dataset.val)


def test_held_out_images_are_a_random_share_and_the_same_every_time():
    train, val = hold_out(50_000, 5_000)
    assert sorted(train.tolist() + val.tolist()) == list(range(50_000))
    assert abs(val.double().mean().item() - 24_999.5) < 4 * 50_000 / (12 * 5_000) ** 0.5  # four standard errors
    assert hold_out(50_000, 5_000)[1].equal(val)
    # Published figures rest on this very split; a torch that draws another one must not pass unseen.
    assert val[:8].tolist() == [6, 12, 16, 24, 32, 68, 69, 76]


def test_the_split_leaves_global_random_numbers_alone():
    import torch

    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    hold_out(100, 10)
    assert torch.rand(3).equal(expected)


def test_the_fingerprint_is_the_hash_of_the_test_images_and_labels():
    dataset = data.load("mnist-mini")
    digest = hashlib.sha256(b"[2000, 28, 28, 1]")
    digest.update(dataset.test.images.permute(0, 2, 3, 1).contiguous().numpy().tobytes())
    digest.update(dataset.test.labels.byte().numpy().tobytes())
    assert dataset.fingerprint == digest.hexdigest()


def test_every_known_set_names_its_source_and_terms():
    for info in catalogue.KNOWN.values():
        assert info.source
        assert info.terms
        assert info.title
