"""The FCN that ships reads ink that no training image comes from; `judge.py` says which it reads worst."""

from pathlib import Path

import pytest

from core import load_model
from core.segmentation import read, segment
from tests.segmentation.ink import drawings, hershey

SHIPPED = Path(__file__).parents[2] / "trained_models"


@pytest.fixture(scope="module")
def network():
    (path,) = [path for path in SHIPPED.glob("ref-mnist-scenes-fcn-fast-*") if (path / "model.safetensors").exists()]
    return load_model(path)


@pytest.mark.parametrize(("source", "least"), [(hershey, 0.97), (drawings, 0.92)], ids=["Hershey fonts", "drawings"])
def test_it_reads_digits_of_fonts_and_of_many_hands(network, source, least):
    right = [[reading.digit for reading in read(ink, segment(network, ink))] == [digit] for digit, _, ink in source()]
    assert sum(right) / len(right) >= least
