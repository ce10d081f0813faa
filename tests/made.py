"""Runs that nobody trained, with answers whose accuracy is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core import data
from core.config import TrainConfig
from core.files import write_json
from core.runs import Run, RunStore

IMAGES = 1000


def answered(root: Path, model: str, dataset: str, right: int, *, seed: int = 0, digest: str = "", **knobs) -> Run:
    """A finished run of which so many of its 1,000 answers are right; one that ships where the folder is that of those.

    digest: of the images that it answered; those of its data set where nothing is given.
    """
    run = _finished(root, TrainConfig(**{"model": model, "dataset": dataset, "recipe": "fast", "seed": seed} | knobs))
    label = np.zeros(IMAGES, np.uint8)
    wrong = np.random.default_rng([seed, *model.encode()]).permutation(np.arange(IMAGES) >= right)
    np.savez(run.path / "predictions.npz", prediction=wrong.astype(np.uint8), label=label,
             probability=np.full((IMAGES, 10), 0.1, np.float16))  # fmt: skip
    figures = {"accuracy": right / IMAGES, "loss": 1.0, "images": IMAGES, "opened": [1.0]}
    write_json(run.path / "test.json", {**figures, "data_sha256": digest or dataset})
    return run


def segmented(root: Path, prediction: np.ndarray, label: np.ndarray) -> Run:
    """A finished FCN on scenes with these answers: uint8 [N, 64, 64] each."""
    run = _finished(root, TrainConfig(model="fcn", dataset="mnist-scenes", recipe="fast"))
    classes = len(data.describe("mnist-scenes").classes)
    pairs = label.astype(np.int64).ravel() * classes + prediction.ravel()
    confusion = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    np.savez(run.path / "predictions.npz", prediction=prediction, label=label)
    figures = {"accuracy": float((prediction == label).mean()), "loss": 1.0, "images": len(label), "iou": 0.25}
    write_json(run.path / "test.json", {**figures, "confusion": confusion.tolist(), "opened": [1.0]})
    return run


def _finished(root: Path, config: TrainConfig) -> Run:
    ships = root.name == "shipped"
    run_id = f"ref-{config.dataset}-{config.model}-{config.recipe}-{config.seed}" if ships else ""
    run = RunStore(root).create(config, run_id=run_id)
    run.set_status(state="finished", started=1.0)
    return run
