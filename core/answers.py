"""What a run answered to every test image, read back from its files. Torch-free.

Owns: reading and checking `predictions.npz`. Leaves writing to `core.runs`, conclusions to `core.statistics`.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import RunError
from core.runs import Run
from core.runs.results import ANSWERS, SUMS

FIELDS = ("prediction", "probability", "label")
FIELDS_OF_MASKS = ("prediction", "label")


@dataclass(frozen=True)
class Answers:
    """The answers of one run to the N test images, in the official order of the test set.

    prediction, label: uint8 [N]. probability: float32 [N, C]. data_sha256: of the test set that was asked.
    """

    prediction: NDArray[np.uint8]
    probability: NDArray[np.float32]
    label: NDArray[np.uint8]
    data_sha256: str

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer is right: bool [N]."""
        return np.asarray(self.prediction == self.label)

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """How often each class got each answer: int64 [C, C], rows are the truth, columns the answers."""
        classes = self.probability.shape[1]
        pairs = self.label.astype(np.int64) * classes + self.prediction
        return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes).astype(np.int64)

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """The probability of each answer: float32 [N]."""
        return np.asarray(self.probability.max(axis=1))


def answers_of(run: Run) -> Answers:
    """The answers of a run whose test set was opened.

    Raises: RunError when there are none, or the file is damaged.
    """
    test = _opened(run)
    if "iou" in test:
        raise RunError(
            f"Run {run.id} answers for every pixel of a field: its answers are masks, not classes of images. "
            "Take a run of a network that answers once for an image."
        )
    found = _read(run, test, FIELDS, _check)
    probability = found["probability"].astype(np.float32)
    return Answers(found["prediction"], probability, found["label"], str(test.get("data_sha256", "")))


def masks_of(run: Run) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The answers of a run that answers for every pixel, and the truth: uint8 [N, H, W] each, in the order of the set.

    Raises: RunError when there are none, or the file is damaged.
    """
    test = _opened(run)
    if "iou" not in test:
        raise RunError(
            f"Run {run.id} answers once for each image: its answers are classes, not masks. Take a run of an FCN."
        )
    found = _read(run, test, FIELDS_OF_MASKS, _check_masks)
    return found["prediction"], found["label"]


def _opened(run: Run) -> dict[str, Any]:
    """The figures of a run whose test set was opened. Raises: RunError when it was not."""
    test = run.test()
    if test is None:
        raise RunError(
            f"Run {run.id} has no answers: its test set is sealed until it has ended. Let it end, or stop it."
        )
    return test


def _read(
    run: Run, test: dict[str, Any], names: tuple[str, ...], check: Callable[[dict[str, NDArray[Any]]], None]
) -> dict[str, NDArray[Any]]:
    """The named arrays of a run's answers, checked. Raises: RunError when the file is damaged."""
    try:
        content = (run.path / ANSWERS).read_bytes()
        if SUMS in test and hashlib.sha256(content).hexdigest() not in test[SUMS]:
            raise ValueError("its SHA-256 does not agree")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            found = {name: file[name] for name in names}
        check(found)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(
            f"The answers of run {run.id} can't be read ({error}). "
            f"Evaluate it again: python -m core evaluate {run.id} --again"
        ) from None
    return found


def _check_masks(found: dict[str, NDArray[Any]]) -> None:
    """Raises: ValueError when the arrays are not what a run writes."""
    prediction, label = (found[name] for name in FIELDS_OF_MASKS)
    if prediction.dtype != np.uint8 or label.dtype != np.uint8:
        raise ValueError(f"dtypes {prediction.dtype}, {label.dtype}")
    if prediction.ndim != 3 or label.shape != prediction.shape:
        raise ValueError(f"shapes {prediction.shape}, {label.shape}")


def _check(found: dict[str, NDArray[Any]]) -> None:
    """Raises: ValueError when the arrays are not what a run writes."""
    prediction, probability, label = (found[name] for name in FIELDS)
    if prediction.dtype != np.uint8 or label.dtype != np.uint8 or probability.dtype != np.float16:
        raise ValueError(f"dtypes {prediction.dtype}, {probability.dtype}, {label.dtype}")
    if prediction.ndim != 1 or label.shape != prediction.shape or probability.shape[:1] != prediction.shape:
        raise ValueError(f"shapes {prediction.shape}, {probability.shape}, {label.shape}")
    classes = probability.shape[1] if probability.ndim == 2 else 0
    if max(prediction.max(initial=0), label.max(initial=0)) >= classes:
        raise ValueError(f"a class outside the {classes} that there are")
