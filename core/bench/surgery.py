"""What a CNN's knowledge of digits is worth to an FCN: training from the surgery against training from scratch.

Owns: that one question. Judged on the validation scenes after every epoch; both see the same scenes in the same order.
"""

from __future__ import annotations

from core import training
from core.bench.table import aligned
from core.config import TrainConfig
from core.errors import LabError
from core.runs import RunStore

SEEDS = (0, 1, 2)
EPOCHS, SCENES = 4, 10_000  # scenes an epoch


def main() -> None:
    """Print the digit IoU after each epoch, for each seed and both beginnings.

    Raises: LabError when no CNN that learned MNIST has its weights here.
    """
    beginning = next((run.id for run in RunStore().list() if run.has_weights and _fits(run.config)), None)
    if beginning is None:
        raise LabError(
            "There is no CNN with weights to begin with. Train one: python -m core train --model cnn --dataset mnist"
        )
    rows = [["", "seed", *(f"epoch {epoch}" for epoch in range(1, EPOCHS + 1))]]
    for seed in SEEDS:
        for name, run_id in (("from scratch", ""), (f"from {beginning}", beginning)):
            config = TrainConfig(model="fcn", dataset="mnist-scenes", recipe="fast", seed=seed, epochs=EPOCHS,
                                 train_size=SCENES, init_from=run_id)  # fmt: skip
            rows.append([name, str(seed), *(f"{iou:.1%}" for iou in curve(config))])
            print(aligned([rows[0], rows[-1]]), flush=True)
    print(f"\n{aligned(rows)}")


def _fits(config: TrainConfig) -> bool:
    return (
        config.model == "cnn"
        and config.dataset == "mnist"
        and config.width == TrainConfig(model="fcn", dataset="mnist-scenes").width
    )


def curve(config: TrainConfig) -> list[float]:
    """The digit IoU on the validation scenes after each epoch, 0..1."""
    weights = RunStore().get(config.init_from).load_weights() if config.init_from else None
    events = training.fit(config, weights=weights, checkpoint_seconds=float("inf"))
    return [event.val_iou or 0.0 for event in events if isinstance(event, training.Epoch)]
