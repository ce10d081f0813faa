"""The recipes: for each, the value of every knob that a TrainConfig leaves open.

Owns: the tables. Torch-free and below `core.config`, so that a TrainConfig is complete the moment it exists.

    quick    a first result within a minute on two CPU cores: few epochs, of a large set only a part
    fast     accurate in the time of a coffee or two: nearly what `best` does, in fewer epochs
    best     the most accurate that we know for each network on two CPU cores
    report   the lab report's way: Adam at a constant rate, early stopping, no augmentation, no tricks
"""

from __future__ import annotations

import math
from typing import Any

from core.data import DatasetInfo

SUMMARIES = {
    "quick": "A first result within about a minute: few epochs, of a large data set only a part.",
    "fast": "Accurate in the time of a coffee or two: at most thirty epochs over all images, with all that helps.",
    "best": "As accurate as we know how on this network: more epochs or filters, less learning by heart.",
    "report": "The classic way: Adam at a constant rate, no augmentation, early stopping. Slower and less accurate.",
}

PLAIN: dict[str, Any] = {"whiten": False, "identity": False, "fixed_scales": False, "silu": False}
REPORT: dict[str, Any] = {
    **PLAIN,
    "epochs": 50,
    "batch_size": 128,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "constant",
    "warmup": 0.0,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
    "patience": 5,
    "flip": False,
    "shift": 0,
    "cutout": 0,
    "rotate": 0.0,
    "scale": 0.0,
    "mixup": False,
    "low_resolution": 0.0,
}

ONE_CYCLE: dict[str, Any] = {
    **{"schedule": "linear", "momentum": 0.9, "patience": 0},
    **{"cutout": 0, "mixup": False, "low_resolution": 0.0, "silu": False},
}
FILTERS: dict[str, Any] = {  # for networks with convolutions
    **{"whiten": True, "identity": True, "fixed_scales": True},
    **{"optimizer": "muon", "learning_rate": 1e-2, "weight_decay": 0.0, "warmup": 0.0, "batch_size": 500},
}
UNITS: dict[str, Any] = {  # for the MLP
    **PLAIN,
    **{"optimizer": "adamw", "learning_rate": 2e-3, "weight_decay": 0.05, "warmup": 0.2, "batch_size": 500},
}
DEEP: dict[str, Any] = {**FILTERS, "weight_decay": 0.3, "batch_size": 250, "low_resolution": 0.6, "cutout": 8}
RESNET: dict[str, Any] = {**DEEP, "learning_rate": 7e-3, "shift": 4}  # and ConvNet
SPEEDNET: dict[str, Any] = {**DEEP, "learning_rate": 1.2e-2, "momentum": 0.6}
LONG: dict[str, dict[str, Any]] = {  # what `best` changes for photos, which these else learn by heart
    "mlp": {"weight_decay": 0.3, "mixup": True},  # in 60 epochs 67.9 % of the validation images, 66.0 % not blended
    "cnn": {"weight_decay": 0.3, "batch_size": 250, "shift": 4, "cutout": 8},  # 88.2 %, 86.2 % without, 20 epochs each
}
SMOOTH = ("convnet", "resnet")  # learn photos with SiLUs, by `fast` and by `best`
PHOTOS: dict[str, Any] = {"flip": True, "shift": 2, "rotate": 0.0, "scale": 0.0, "label_smoothing": 0.2}
DIGITS: dict[str, Any] = {"flip": False, "shift": 1, "rotate": 8.0, "scale": 0.08, "label_smoothing": 0.1}
OWN: dict[str, Any] = {  # of a person's own, for a side of 32: nobody knows whether they mean the same when mirrored
    **{"flip": False, "shift": 2, "cutout": 0, "mixup": False, "rotate": 0.0, "scale": 0.0, "label_smoothing": 0.1},
}
SCENES: dict[str, Any] = {  # they are made by chance already
    **{"batch_size": 50, "flip": False, "shift": 0, "rotate": 0.0, "scale": 0.0, "label_smoothing": 0.0},
}

QUICK_BUDGET = {"mlp": 400_000, "cnn": 150_000}  # images shown in all; 24,000 for the others
QUICK_EPOCHS = (3, 8)  # at least, at most
EPOCHS: dict[str, dict[str, tuple[int, int]]] = {  # for photos, for digits; other models as resnet
    "fast": {"mlp": (30, 10), "cnn": (9, 4), "resnet": (18, 3), "speednet": (22, 3), "fcn": (0, 12)},
    "best": {"mlp": (160, 30), "cnn": (26, 12), "resnet": (24, 10), "speednet": (40, 10), "fcn": (0, 36)},
}
SMALL_SET, SMALL_SET_EPOCHS = 10_000, 5  # times as many epochs, of a set with fewer training images
LEAST_STEPS = {"quick": 200, "fast": 400, "best": 1000}  # of learning: of a few pictures that takes many epochs
LEAST_BATCH, BATCHES = 32, 4  # images in a step at least, if a set has as many; steps of an epoch, of a set of few
WIDTH = {"mlp": (1024, 512), "cnn": (64, 32), "convnet": (64, 32), "resnet": (64, 32), "speednet": (64, 32)}
WIDER = {"convnet": (96, 32), "resnet": (96, 32)}  # by `best`


def names() -> list[str]:
    """The recipes, the usual choice first."""
    return list(SUMMARIES)


def knobs(recipe: str, model: str, data: DatasetInfo) -> dict[str, Any]:
    """Values for every knob that a recipe decides; `recipe` must be one of `names()`."""
    if recipe == "report":
        return {**REPORT, "batch_size": _batch(REPORT["batch_size"], data.train_size // BATCHES, data.train_size)}
    found = {
        **_tuned(recipe, model, data),
        **(_quick(model, data) if recipe == "quick" else _sizes(recipe, model, data)),
    }
    if data.is_own:
        steps = found.get("train_size", data.train_size) // found["batch_size"]
        found["epochs"] = max(found["epochs"], math.ceil(LEAST_STEPS[recipe] / steps))
    return found


def _tuned(recipe: str, model: str, data: DatasetInfo) -> dict[str, Any]:
    """The knobs of `quick`, `fast` and `best` that say how it learns, not how long or how wide."""
    if data.has_masks:
        return {**ONE_CYCLE, **FILTERS, **SCENES}
    is_colour = _is_colour(data)
    of_photos = {"mlp": UNITS, "cnn": FILTERS, "speednet": SPEEDNET}.get(model, RESNET)
    learner = of_photos if is_colour or model == "mlp" else FILTERS
    if is_colour:
        changed = LONG.get(model, {}) if recipe == "best" else {}
        learner = {**learner, **changed, "silu": model in SMOOTH and recipe != "quick"}
    return {
        **ONE_CYCLE,
        **(PHOTOS if is_colour else DIGITS),
        **learner,
        "batch_size": _batch(learner["batch_size"], data.train_size // 20, data.train_size),
        **(_own(data) if data.is_own else {}),
    }


def _own(data: DatasetInfo) -> dict[str, Any]:
    """Careful changes of pictures that nobody has seen: none that could change what they mean."""
    side = data.image_shape[1]
    return {**OWN, "shift": min(16, round(OWN["shift"] * side / 32)), "low_resolution": 0.0}


def _batch(usual: int, share: int, images: int) -> int:
    """The usual number of images in a step; of few images only a share, but enough to average over."""
    return min(usual, max(LEAST_BATCH, share), images)


def _sizes(recipe: str, model: str, data: DatasetInfo) -> dict[str, Any]:
    place = 0 if _is_colour(data) else 1
    epochs = EPOCHS[recipe].get(model, EPOCHS[recipe]["resnet"])[place]
    epochs *= SMALL_SET_EPOCHS if data.train_size < SMALL_SET else 1
    widths = {**WIDTH, **(WIDER if recipe == "best" else {})}
    return {"epochs": epochs, **({"width": widths[model][place]} if model in widths else {})}


def _quick(model: str, data: DatasetInfo) -> dict[str, Any]:
    """As many epochs as the budget of images allows; of a large set, a deep network sees only a part."""
    budget, (fewest, most) = QUICK_BUDGET.get(model, 24_000), QUICK_EPOCHS
    if data.is_own:  # larger images, fewer of them
        budget = round(budget * min(1.0, (32 / data.image_shape[1]) ** 2))
    limited = {"train_size": budget // fewest} if budget // fewest < data.train_size // 2 else {}
    used = limited.get("train_size", data.train_size)
    batch_size = SCENES["batch_size"] if data.has_masks else _batch(128, used // BATCHES, used)
    epochs = min(most, max(fewest, round(budget / data.train_size)))
    return {"epochs": epochs, "batch_size": batch_size, "cutout": 0, **limited}  # a square takes more epochs to pay


def _is_colour(data: DatasetInfo) -> bool:
    return data.image_shape[0] == 3
