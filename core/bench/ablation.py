"""What each ingredient of the fast recipe is worth: the recipe on a shorter schedule, with one of them off at a time.

Owns: the ingredients. Everything is judged on the validation images. What bf16 is worth depends on the processor, and
`bench train` tells it.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import Any

from core.bench.outcome import Outcome, learned
from core.bench.photos import photos
from core.bench.table import aligned
from core.config import TrainConfig

EPOCHS = {"cnn": 3, "resnet": 3}
SEEDS = (0, 1, 2)
WITHOUT: dict[str, dict[str, Any]] = {
    "whitened first layer": {"whiten": False},
    "identity filters": {"identity": False},
    "fixed scales": {"fixed_scales": False},
    "SiLUs (ReLUs instead)": {"silu": False},
    "Muon (AdamW instead)": {"optimizer": "adamw", "learning_rate": 3e-3},
    "weight decay": {"weight_decay": 0.0},
    "label smoothing": {"label_smoothing": 0.0},
    "mirrored images": {"flip": False},
    "shifted images": {"shift": 0},
    "a square cut out": {"cutout": 0},
    "a falling learning rate": {"schedule": "constant"},
    "low resolution at first": {"low_resolution": 0.0},
    "smaller batches (1000 instead)": {"batch_size": 1000},
}


def main() -> None:
    """Print a line for each ingredient of each model, as soon as it is known."""
    for model, epochs in EPOCHS.items():
        base = TrainConfig(model=model, dataset=photos(), recipe="fast", epochs=epochs)
        print(f"{model} on {base.dataset}, recipe fast, {epochs} epochs; one seed without each ingredient, against")
        print("the same seed with all of them; the spread is that of three seeds with all of them")
        whole = [train(base, seed=seed) for seed in SEEDS]
        spread = statistics.stdev(one.accuracy for one in whole)
        _print(f"all of it, spread {spread * 100:.2f} points", whole[0], whole[0])
        for ingredient, off in WITHOUT.items():
            if replace(base, **off) == base:  # this network's recipe has none of it
                continue
            _print(f"without {ingredient}", train(base, **off), whole[0])


def _print(what: str, one: Outcome, whole: Outcome) -> None:
    points = f"{(one.accuracy - whole.accuracy) * 100:+.2f} points"
    print(aligned([(f"{what:45}", f"{one.accuracy:.2%}", f"{points:>13}", f"{one.seconds:5.0f} s")]), flush=True)


def train(config: TrainConfig, **changes: Any) -> Outcome:  # noqa: ANN401 - the fields of TrainConfig
    """What comes of the config with some knobs changed."""
    return learned(TrainConfig.from_dict({**config.as_dict(), **changes}))
