"""The reference runs that ship: which there are, making them, and the table of their results.

Owns: `trained_models/ref-<data set>-<model>-<recipe>-<seed>`. Each is trained by the ordinary worker in a folder beside
them that is not committed, and published when it has ended: config, curves, test figures and answers; weights only for
the seed with the best validation loss. Cut off anywhere, making them goes on from there.
"""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core import data as datasets
from core.checkpoints import WEIGHTS, save_weights
from core.config import TrainConfig
from core.files import read_json, write_json
from core.runs import ENDED, SHIPPED, Run, RunStore

if TYPE_CHECKING:
    from torch import Tensor

    from core.training import Event
    from core.worker import Control

SCRATCH = ".reference"
DATASETS = ("mnist", "cifar10")
MODELS = ("mlp", "cnn", "resnet", "convnet")
SEEDS = (0, 1, 2)
REPORT = {"mlp": 0.4302, "cnn": 0.7028, "convnet": 0.7537, "resnet": 0.8221}  # CIFAR-10, the report this grew from
PUBLISHED = ("config.json", "meta.json", "status.json", "test.json", "predictions.npz")
MOST_STEPS = 400  # step events that a published run keeps; all its epochs stay
HALF_MAY_COST = 0.0005  # accuracy on the validation images that float16 weights may cost


@dataclass(frozen=True)
class Reference:
    """One reference run by what it trains."""

    dataset: str
    model: str
    recipe: str
    seed: int

    @property
    def id(self) -> str:
        """The id of its run."""
        return f"{self.group}-{self.seed}"

    @property
    def group(self) -> str:
        """What its seeds have in common."""
        return f"ref-{self.dataset}-{self.model}-{self.recipe}"

    @property
    def config(self) -> TrainConfig:
        """The config of its run."""
        return TrainConfig(model=self.model, dataset=self.dataset, recipe=self.recipe, seed=self.seed)


def references() -> list[Reference]:
    """All reference runs, in the order in which they are made: the quick ones first."""
    fast = [Reference(d, m, "fast", s) for d in DATASETS for m in MODELS for s in SEEDS]
    return [*fast, Reference("cifar10", "resnet", "best", 0)]


def make(
    control: Callable[[Run], Control], told: Callable[[Run, Event], None], shipped: Path = SHIPPED
) -> Iterator[tuple[Reference, str]]:
    """Train what is not there yet; yields each reference run with the state it is in, and stops where one is left.

    control: makes what steers a run. told: hears every event of it.

    Raises: LabError when a data set can't be had.
    """
    from core.worker import work

    for reference in references():
        if (shipped / reference.id).is_dir():
            yield reference, "finished"
            continue
        run = _run_of(reference, shipped / SCRATCH)
        if run.status().state not in ENDED:
            work(run, control=control(run), told=lambda event, run=run: told(run, event))  # type: ignore[misc]
        state = run.status().state
        if state in ENDED:
            publish(run, shipped)
            keep_best_weights(reference.group, shipped)
        yield reference, state
        if state not in ENDED:
            return


def _run_of(reference: Reference, scratch: Path) -> Run:
    """The run in the making, begun now if it was not."""
    path = scratch / reference.id
    if path.is_dir():
        return Run(path)
    return RunStore(scratch).create(reference.config, state="paused", run_id=reference.id)


def publish(run: Run, shipped: Path) -> None:
    """Copy what others need of a run that has ended to where it ships, with its weights."""
    making = shipped / f".new-{run.id}"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    for name in PUBLISHED:
        shutil.copyfile(run.path / name, making / name)
    lines = (run.path / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (making / "metrics.jsonl").write_bytes(b"".join(thinned(lines)))
    step = int(read_json(run.path / "manifest.json")["best"]["step"])
    save_weights(making, _as_small_as_it_may_be(run), step)
    making.rename(shipped / run.id)


def thinned(lines: list[bytes]) -> list[bytes]:
    """The lines of a metrics file with at most `MOST_STEPS` step events: every n-th and the last."""
    steps = [place for place, line in enumerate(lines) if json.loads(line)["event"] == "step"]
    every = -(-len(steps) // MOST_STEPS)
    dropped = set(steps) - set(steps[:: max(1, every)]) - set(steps[-1:])
    return [line for place, line in enumerate(lines) if place not in dropped]


def _as_small_as_it_may_be(run: Run) -> dict[str, Tensor]:
    """The weights in float16, unless that changes the accuracy on the validation images by more than it may."""
    from core.evaluation import evaluate
    from core.loading import load_model

    whole = run.load_weights()
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in whole.items()}
    model, val = load_model(run), datasets.load(run.config.dataset).val
    before = evaluate(model, val).accuracy
    model.load_state_dict(half)
    return half if before - evaluate(model, val).accuracy < HALF_MAY_COST else whole


def keep_best_weights(group: str, shipped: Path) -> None:
    """Of the published runs of a group, only the one with the lowest validation loss keeps its weights."""
    runs = [run for run in _published(shipped) if run.id.rpartition("-")[0] == group]
    best = min(runs, key=lambda run: min(run.metrics().epochs["val_loss"]))
    for run in runs:
        if run is not best:
            (run.path / WEIGHTS).unlink(missing_ok=True)
            write_json(run.path / "manifest.json", {})


def _published(shipped: Path) -> list[Run]:
    return [Run(shipped / reference.id) for reference in references() if (shipped / reference.id).is_dir()]


def table(shipped: Path = SHIPPED) -> str:
    """The results of all reference runs as Markdown: a row for each data set, model and recipe."""
    groups: dict[str, list[Run]] = {}
    for run in _published(shipped):
        groups.setdefault(run.id.rpartition("-")[0], []).append(run)
    head = "| data set | model | recipe | test accuracy | seeds | the report | training time | epochs | parameters |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|---|", *(_row(runs) for runs in groups.values())])


def _row(runs: list[Run]) -> str:
    config = runs[0].config
    accuracies = [test["accuracy"] for run in runs if (test := run.test())]
    spread = f" ± {statistics.stdev(accuracies):.2%}" if len(accuracies) > 1 else ""
    minutes = statistics.mean(run.status().seconds for run in runs) / 60
    report = REPORT.get(config.model)
    cells = (
        config.dataset,
        f"`{config.model}`",
        f"`{config.recipe}`",
        f"**{statistics.mean(accuracies):.2%}**{spread}",
        ", ".join(str(run.config.seed) for run in runs),
        f"{report:.2%}" if report and config.dataset == "cifar10" else "",
        f"{minutes:.1f} min",
        str(config.epochs),
        f"{_parameters(config):,}",
    )
    return f"| {' | '.join(cells)} |"


def _parameters(config: TrainConfig) -> int:
    from core import models

    info = datasets.describe(config.dataset)
    model = models.build(config.model, info.image_shape, len(info.classes), width=config.width)
    return sum(parameter.numel() for parameter in model.parameters())
