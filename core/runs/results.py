"""The one evaluation on the sealed test set, as a run keeps it: figures in test.json, answers in predictions.npz.

test.json names the SHA-256 of the answers that belong to it.
"""

from __future__ import annotations

import hashlib
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.files import write_bytes, write_json

if TYPE_CHECKING:
    from core.evaluation import Evaluation

FIGURES = "test.json"
ANSWERS = "predictions.npz"
SUMS = "answers_sha256"  # in test.json: of predictions.npz; two while one file replaces the other


def save_test(folder: Path, before: dict[str, Any] | None, result: Evaluation, fingerprint: str) -> dict[str, Any]:
    """Store the figures and the answer to every test image; counts the openings. Returns the figures.

    A crash on the way leaves figures and answers that agree. before: the figures so far, None while the test set is
    sealed. fingerprint: SHA-256 of the test set. Raises: OSError when the disk refuses.
    """
    answers = _answers(result)
    digest = hashlib.sha256(answers).hexdigest()
    figures = {
        **_figures(result),
        "data_sha256": fingerprint,
        "opened": [*(before or {}).get("opened", []), time.time()],
        SUMS: [digest],
    }
    if before and SUMS in before:
        write_json(folder / FIGURES, {**before, SUMS: [*before[SUMS], digest]})
    write_bytes(folder / ANSWERS, answers)
    write_json(folder / FIGURES, figures)
    return figures


def _figures(result: Evaluation) -> dict[str, Any]:
    from core.evaluation import digit_iou

    figures = {
        "accuracy": result.accuracy,
        "loss": result.loss,
        "images": len(result.predictions),
        "confusion": result.confusion.tolist(),
    }
    return figures if result.probabilities is not None else {**figures, "iou": digit_iou(result.confusion)}


def _answers(result: Evaluation) -> bytes:
    """The bytes of predictions.npz: prediction, label uint8 [N]; probability float16 [N, C], not of masks."""
    import numpy as np

    answers: dict[str, Any] = {
        "prediction": result.predictions.numpy().astype(np.uint8),
        "label": result.labels.numpy().astype(np.uint8),
    }
    if result.probabilities is not None:
        answers["probability"] = result.probabilities.numpy().astype(np.float16)
    file = io.BytesIO()
    np.savez_compressed(file, **answers)
    return file.getvalue()
