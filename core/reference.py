"""The reference runs that ship: which there are, making them, and the table of their results.

Owns: `trained_models/ref-<data set>-<model>-<recipe>-<seed>`. Each is trained by the ordinary worker, in a folder
beside them that is not committed, and published when it has ended: config, curves, test figures and answers; weights
only for the seed with the best validation loss, and none where they would be too large. Cut off anywhere, making them
goes on from there.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core import data as datasets
from core.checkpoints import WEIGHTS, save_weights
from core.comparison import REPORT, REPORT_DATASET
from core.config import TrainConfig
from core.files import read_json, write_json
from core.jobs import hand_over, start_worker
from core.runs import SHIPPED, Run, RunStore, Status

if TYPE_CHECKING:
    from torch import Tensor
SCRATCH = ".reference"
SECONDS_BETWEEN_LOOKS = 1.0
PAIRS = (  # what learns from what, the quick ones first
    *(("mnist", "mlp"), ("cifar10", "mlp"), ("mnist", "cnn"), ("cifar10", "cnn")),
    *(("mnist", model) for model in ("speednet", "resnet", "convnet")),
    ("mnist-scenes", "fcn"),
    *(("cifar10", model) for model in ("resnet", "convnet", "speednet")),
)
SEEDS = (0, 1, 2)
MORE_SEEDS = (3, 4)  # of the network that is built for speed: the figure of its paper is a mean of many, too
LONG = (("mlp", SEEDS), ("cnn", SEEDS), ("convnet", SEEDS), ("resnet", (0,)))  # learn photos by `best` as well
TOO_LARGE = ("ref-cifar10-mlp-best", "ref-cifar10-convnet-best")  # 10 MB of weights each, of 60 MB for all runs
COLUMNS = (
    *("data set", "model", "recipe", "test accuracy", "six views", "IoU", "seeds"),
    *("the report", "wall clock", "CPU time a core", "epochs", "parameters"),
)
PUBLISHED = ("config.json", "meta.json", "status.json", "predictions.npz")
SIX_VIEWS = "accuracy_of_six_views"
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
    def name(self) -> str:
        """What its run is called."""
        return f"{self.model} on {self.dataset}, {self.recipe}, seed {self.seed}"

    @property
    def config(self) -> TrainConfig:
        """The config of its run."""
        return TrainConfig(model=self.model, dataset=self.dataset, recipe=self.recipe, seed=self.seed)


def references() -> list[Reference]:
    """All reference runs, in the order in which they are made: one seed of each network first, the quick ones first."""
    fast = [Reference(dataset, model, "fast", seed) for seed in SEEDS for dataset, model in PAIRS]
    speedy = [Reference("cifar10", "speednet", "fast", seed) for seed in MORE_SEEDS]
    as_reported = Reference("mnist-everywhere", "fcn", "quick", 0)
    longest = [Reference("cifar10", model, "best", seed) for model, seeds in LONG for seed in seeds]
    return [*fast[: len(PAIRS)], as_reported, *fast[len(PAIRS) :], *speedy, *longest]


def make(told: Callable[[Run], None], shipped: Path = SHIPPED) -> Iterator[tuple[Reference, Status]]:
    """Train what is not there yet, each run in a process of its own; yields every one with its status.

    told: called with the run under way about once a second. It ends at the first run that could not finish. Leave it
    by an exception such as KeyboardInterrupt, and the run under way stores its state; the next call goes on from there.

    Raises: CheckpointError when the weights of a run that ships are damaged.
    """
    for reference in references():
        if not _is_there(reference, shipped):
            run = _run_of(reference, shipped / SCRATCH)
            if run.status().state != "finished":
                _train(run, told)
            if (status := run.status()).state != "finished":
                yield reference, status
                return
            publish(run, shipped)
        keep_best_weights(reference.group, shipped)
        yield reference, Run(shipped / reference.id).status()


def _is_there(reference: Reference, shipped: Path) -> bool:
    """Whether its run ships already, with the config that the recipe now gives."""
    path = shipped / reference.id
    return path.is_dir() and Run(path).config == reference.config


def _run_of(reference: Reference, scratch: Path) -> Run:
    """The run in the making, begun now if it was not, or anew if its recipe has changed."""
    path = scratch / reference.id
    if path.is_dir() and Run(path).config == reference.config:
        return Run(path)
    shutil.rmtree(path, ignore_errors=True)
    return RunStore(scratch).create(reference.config, reference.name, state="paused", run_id=reference.id)


def _train(run: Run, told: Callable[[Run], None]) -> None:
    """Let a worker train the run to its end."""
    worker = start_worker(run.path.parent / "worker.log")
    try:
        hand_over(run, worker)
        while worker.poll() is None:
            told(run)
            time.sleep(SECONDS_BETWEEN_LOOKS)
        told(run)
    finally:
        if worker.stdin:
            worker.stdin.close()  # left early: it stores its state
        worker.wait()


def publish(run: Run, shipped: Path) -> None:
    """Copy what others need of a finished run to where it ships, with its weights."""
    making = shipped / f".new-{run.id}"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    for name in PUBLISHED:
        shutil.copyfile(run.path / name, making / name)
    write_json(making / "test.json", {**(run.test() or {}), **_six_views(run)})
    lines = (run.path / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (making / "metrics.jsonl").write_bytes(b"".join(thinned(lines)))
    published = Run(making)
    published.set_status(metrics_sha256=published.metrics_sha256())  # of the lines that are left
    step = int(read_json(run.path / "manifest.json")["best"]["step"])
    save_weights(making, _as_small_as_it_may_be(run), step)
    shutil.rmtree(shipped / run.id, ignore_errors=True)  # of another recipe
    making.rename(shipped / run.id)


def _six_views(run: Run) -> dict[str, float]:
    """Test accuracy over six views of each image, for photographs: a mirrored digit is another sign.

    Of the same weights as the one-view figure, right after it: nothing is chosen by either.
    """
    from core.evaluation import evaluate
    from core.loading import load_model

    if datasets.describe(run.config.dataset).image_shape[0] != 3:
        return {}
    return {SIX_VIEWS: evaluate(load_model(run), datasets.load(run.config.dataset).test, views=6).accuracy}


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
    """Of the published runs of a group, at most the one with the lowest validation loss keeps its weights."""
    runs = [run for run in _published(shipped) if run.id.rpartition("-")[0] == group]
    best = min(runs, key=lambda run: min(run.metrics().epochs["val_loss"]))
    for run in runs:
        if (run is not best or group in TOO_LARGE) and run.has_weights:
            write_json(run.path / "manifest.json", {})  # first, so that it never names a file that is not there
            (run.path / WEIGHTS).unlink()


def _published(shipped: Path) -> list[Run]:
    return [Run(shipped / reference.id) for reference in references() if (shipped / reference.id).is_dir()]


def table(shipped: Path = SHIPPED) -> str:
    """The results of all reference runs as Markdown: a row for each data set, model and recipe."""
    groups: dict[str, list[Run]] = {}
    for run in _published(shipped):
        groups.setdefault(run.id.rpartition("-")[0], []).append(run)
    head = f"| {' | '.join(COLUMNS)} |"
    return "\n".join([head, "|" + "---|" * len(COLUMNS), *(_row(runs) for runs in groups.values())])


def _row(runs: list[Run]) -> str:
    config = runs[0].config
    tests = [test for run in runs if (test := run.test())]
    accuracies = [test["accuracy"] for test in tests]
    six_views = [test[SIX_VIEWS] for test in tests if SIX_VIEWS in test]
    ious = [test["iou"] for test in tests if "iou" in test]
    minutes = statistics.mean(run.status().seconds for run in runs) / 60
    cpu = [run.status().cpu_seconds / run.status().threads for run in runs if run.status().cpu_seconds]
    report = REPORT.get(config.model)
    cells = (
        config.dataset,
        f"`{config.model}`",
        f"`{config.recipe}`",
        f"**{statistics.mean(accuracies):.2%}**{_spread(accuracies)}",
        f"{statistics.mean(six_views):.2%}" if six_views else "",
        f"{statistics.mean(ious):.2%}{_spread(ious)}" if ious else "",
        ", ".join(str(run.config.seed) for run in runs),
        f"{report:.2%}" if report and config.dataset == REPORT_DATASET else "",
        f"{minutes:.1f} min",
        f"{statistics.mean(cpu) / 60:.1f} min" if cpu else "",
        str(config.epochs),
        f"{runs[0].status().parameters:,}",
    )
    return f"| {' | '.join(cells)} |"


def _spread(values: list[float]) -> str:
    return f" ± {statistics.stdev(values):.2%}" if len(values) > 1 else ""
