"""A run's answers: what was written comes back, and anything else is refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from core.answers import answers_of
from core.errors import RunError


def test_the_answers_are_those_that_made_the_test_figures(trained):
    answers, test = answers_of(trained), trained.test()
    assert answers.right.mean() == pytest.approx(test["accuracy"])
    confusion = np.zeros((10, 10), dtype=int)
    np.add.at(confusion, (answers.label, answers.prediction), 1)
    assert confusion.tolist() == test["confusion"] == answers.confusion.tolist()
    assert answers.confidence == pytest.approx(answers.probability[range(2000), answers.prediction])
    assert answers.data_sha256 == test["data_sha256"]


def test_a_sealed_run_has_none(store, small):
    with pytest.raises(RunError, match="sealed"):
        answers_of(store.create(small))


WRONG = {
    "objects": {"prediction": np.array([{}], dtype=object)},
    "no label": {"label": None},
    "another length": {"label": np.zeros(3, np.uint8)},
    "a class too many": {"prediction": np.full(2000, 10, np.uint8)},
    "floats": {"label": np.zeros(2000, np.float32)},
    "flat probabilities": {"probability": np.zeros(2000, np.float16)},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=list(WRONG))
def test_a_file_that_no_run_wrote_is_refused(trained, change):
    with np.load(trained.path / "predictions.npz") as file:
        arrays = {name: value for name, value in {**file, **change}.items() if value is not None}
    np.savez(trained.path / "predictions.npz", **arrays)
    with pytest.raises(RunError, match="can't be read"):
        answers_of(trained)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04cut", b"x" * 100])
def test_a_damaged_file_is_refused(trained, content):
    (trained.path / "predictions.npz").write_bytes(content)
    with pytest.raises(RunError, match="can't be read"):
        answers_of(trained)
