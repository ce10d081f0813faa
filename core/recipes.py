"""The recipes: for each, the value of every knob that a TrainConfig leaves open.

Owns: the tables. Torch-free and below `core.config`, so that a TrainConfig is complete the moment it exists.

    quick    a first result within a minute on two CPU cores: one cycle of AdamW, few epochs, light augmentation
    report   the lab report's way: Adam at a constant rate, early stopping, no augmentation, no tricks
"""

from __future__ import annotations

from typing import Any

from core.data import DatasetInfo

SUMMARIES = {
    "quick": "A first result within about a minute: few epochs, one cycle of the learning rate.",
    "report": "The classic way: Adam at a constant rate, no augmentation, early stopping. Slower and less accurate.",
}

REPORT: dict[str, Any] = {
    "epochs": 50,
    "batch_size": 128,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "constant",
    "warmup": 0.0,
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
    "patience": 5,
    "flip": False,
    "shift": 0,
    "cutout": 0,
    "rotate": 0.0,
    "scale": 0.0,
}

QUICK: dict[str, Any] = {
    "batch_size": 128,
    "optimizer": "adamw",
    "schedule": "linear",
    "warmup": 0.2,
    "weight_decay": 0.01,
    "label_smoothing": 0.0,
    "patience": 0,
    "cutout": 0,
    "rotate": 0.0,
    "scale": 0.0,
}
QUICK_RATE = {"mlp": 3e-3, "cnn": 1e-2}  # 5e-3 for the deep ones
QUICK_BUDGET = {"mlp": 400_000, "cnn": 150_000}  # images shown in all; 24,000 for the deep ones
QUICK_CNN_WIDTH = 16  # half the usual: MNIST in 35 s on two cores without bf16, and still 99.3 %
QUICK_EPOCHS = (3, 8)  # at least, at most


def names() -> list[str]:
    """The recipes, the usual choice first."""
    return list(SUMMARIES)


def knobs(recipe: str, model: str, data: DatasetInfo) -> dict[str, Any]:
    """Values for every knob that a recipe decides; `recipe` must be one of `names()`."""
    if recipe == "report":
        return dict(REPORT)
    return {**QUICK, **_quick_for(model, data)}


def _quick_for(model: str, data: DatasetInfo) -> dict[str, Any]:
    """As many epochs as the budget of images allows; of a large set, a deep network sees only a part."""
    colour = data.image_shape[0] == 3
    budget, (fewest, most) = QUICK_BUDGET.get(model, 24_000), QUICK_EPOCHS
    limited = {"train_size": budget // fewest} if budget // fewest < data.train_size // 2 else {}
    return {
        "epochs": min(most, max(fewest, round(budget / data.train_size))),
        "learning_rate": QUICK_RATE.get(model, 5e-3),
        "flip": colour,  # a mirrored digit is another sign
        "shift": 2 if colour else 1,
        **({"width": QUICK_CNN_WIDTH} if model == "cnn" else {}),
        **limited,
    }
