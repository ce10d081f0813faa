"""What a run will cost before it starts: time and memory, from earlier runs on this machine or a few steps in a child.

Owns: the figures of one step and one validation for a kind of run, kept in `<store>/.forecasts.json`, and what follows
from them. A kind is everything that makes a step slower or faster: two runs of one kind differ in epochs at most.

    python -m core.forecast     a config as JSON on the standard input; its figures as JSON on the standard output
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core import causes, machine
from core.config import TrainConfig
from core.errors import LabError, RunError
from core.files import read_json, write_json
from core.runs import Run, RunStore

PROJECT = Path(__file__).resolve().parent.parent
WARM_UP_STEPS = 3
MEASURED_SECONDS = 1.5
MOST_SECONDS = 120.0  # a child that measures longer than this is given up
SECONDS_OF_AN_ERROR = 60.0  # what went wrong may have been for want of memory or time just then
FAILED_IN_WORDS = 2  # exit code of a child whose last line is an error of ours
ENOUGH_EPOCHS = 2  # an earlier run tells from its second epoch on: the first holds the start
LEARNING = {  # knobs that change what is learned, not what a step costs
    *("seed", "recipe", "epochs", "learning_rate", "schedule", "warmup"),
    *("momentum", "weight_decay", "label_smoothing", "patience", "low_resolution"),
}


@dataclass(frozen=True)
class Forecast:
    """What a run of a config will take here.

    seconds: all epochs, without early stopping. memory_mb: the most its process holds. parameters, multiply_adds: of
    the network, for one image. source: where the figures are from, in words.
    """

    seconds: float
    seconds_per_epoch: float
    memory_mb: int
    parameters: int
    multiply_adds: int
    source: str


class Forecaster:
    """Answers at once what it knows, and measures in a child what it doesn't, one kind at a time."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._measuring: dict[str, threading.Thread] = {}
        self._kinds: dict[str, str] = {}
        self._errors: dict[str, tuple[float, LabError]] = {}  # by kind, and when it happened
        self._beside_a_run: dict[str, dict[str, Any]] = {}  # measured while another run trained: good until it ends

    def ask(self, config: TrainConfig) -> Forecast | None:
        """The forecast, or None while it is being measured: a few seconds.

        Raises: LabError when it could not be measured. After a minute it is measured again.
        """
        kind = kind_of(config)
        if figures := self._measured().get(kind):
            return _forecast(config, {**figures, **self._from_earlier_runs(kind)})
        with self._lock:
            since, error = self._errors.get(kind, (0.0, None))
            if error and time.monotonic() < since + SECONDS_OF_AN_ERROR:
                raise error
            if (figures := self._beside_a_run.get(kind)) and (kind in self._measuring or self._busy()):
                return _forecast(config, figures)
            if kind not in self._measuring:
                thread = threading.Thread(target=self._measure, args=(kind, config), daemon=True)
                self._measuring[kind] = thread
                thread.start()
        return None

    def _from_earlier_runs(self, kind: str) -> dict[str, Any]:
        """Figures of the newest finished run of this kind; empty when there is none."""
        for run in self._store.list():
            if run.status().state == "finished" and self._kind_of_run(run) == kind and (figures := figures_of(run)):
                return figures
        return {}

    def _kind_of_run(self, run: Run) -> str:
        if run.id not in self._kinds:
            self._kinds[run.id] = kind_of(run.config)
        return self._kinds[run.id]

    def _measure(self, kind: str, config: TrainConfig) -> None:
        with self._one_at_a_time:
            try:
                busy = self._busy()
                figures = measure_in_child(config)
                with self._lock:
                    if busy or self._busy():
                        self._beside_a_run[kind] = {**figures, "source": "a few steps beside a run that trains now"}
                    else:
                        self._store.root.mkdir(parents=True, exist_ok=True)
                        write_json(self._path, {**self._measured(), kind: figures})
            except LabError as error:
                self._fail(kind, error)
            except OSError as error:
                self._fail(kind, RunError(causes.refused("No forecast could be made", error)))
            finally:
                with self._lock:
                    self._measuring.pop(kind, None)

    def _fail(self, kind: str, error: LabError) -> None:
        with self._lock:
            self._errors[kind] = time.monotonic(), error

    def _busy(self) -> bool:
        """Whether a run trains here: a step then takes longer than it would alone."""
        states = [run.status() for run in self._store.list()]
        return any(status.state == "running" and not status.node for status in states)

    @property
    def _path(self) -> Path:
        return self._store.root / ".forecasts.json"

    def _measured(self) -> dict[str, Any]:
        try:
            return read_json(self._path)
        except (OSError, ValueError):
            return {}  # a cache: it is measured again


def kind_of(config: TrainConfig) -> str:
    """A short name for all configs whose steps cost the same on this machine."""
    knobs = {name: value for name, value in config.as_dict().items() if name not in LEARNING}
    text = json.dumps([knobs, machine.describe().key, machine.versions().get("torch")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def figures_of(run: Run) -> dict[str, Any] | None:
    """Seconds an epoch (over images of full size, with its validation) and memory of a run on this machine.

    None if it was too short to tell.
    """
    seconds = run.metrics().epochs.get("seconds", [])
    status = run.status()
    if len(seconds) < ENOUGH_EPOCHS or not _is_from_here(run):
        return None
    first, all_of_it = run.config.work(1), run.config.work(len(seconds))
    per_epoch = (seconds[-1] - seconds[0]) / (all_of_it - first)
    start = max(0.0, seconds[0] - per_epoch * first)
    figures = {"epoch_seconds": per_epoch, "start_seconds": start, "source": "earlier runs"}
    return figures | ({"memory_mb": status.memory_mb} if status.memory_mb else {})


def _is_from_here(run: Run) -> bool:
    """Whether it was trained on a machine like this one, with the same torch."""
    if run.status().node:
        return False
    here = {**asdict(machine.describe()), "torch": machine.versions().get("torch")}
    return all(run.environment.get(name) == here[name] for name in ("processor", "cores", "bf16", "torch"))


def measure_in_child(config: TrainConfig) -> dict[str, Any]:
    """Figures from a few steps in a process of its own, so that its memory is its own too.

    Raises: RunError when it fails or takes too long.
    """
    text = json.dumps(config.as_dict())
    command = [sys.executable, "-m", "core.forecast"]
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=MOST_SECONDS, cwd=PROJECT, check=False
        )
        return dict(json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        raise RunError(
            f"No forecast: a few steps took over {MOST_SECONDS:.0f} s. It will be slow here. {causes.SMALLER}"
        ) from None
    except ValueError:
        raise RunError(f"No forecast: {_why(done)}") from None


def _why(child: subprocess.CompletedProcess[str]) -> str:
    """Why a child that measured has told nothing, and what to do."""
    lines = child.stderr.strip().splitlines()
    if not lines:
        return f"its process was killed{causes.OUT_OF_MEMORY}. {causes.SMALLER}"
    if child.returncode == FAILED_IN_WORDS:
        return lines[-1]
    return f"{lines[-1].rstrip('.')}. Start the run without one: its log will say more."


def measure(config: TrainConfig) -> dict[str, Any]:
    """Train a few steps and validate once, in this process; nothing is kept.

    Returns seconds of an epoch over images of full size with its validation, seconds before the first step, memory,
    parameters, multiply-adds.
    """
    begin = time.perf_counter()
    from core import data as datasets
    from core.evaluation import BATCH_SIZE, evaluate
    from core.models.cost import cost
    from core.training.device import use_threads
    from core.training.learner import Learner

    use_threads(config.threads)
    data = datasets.load(config.dataset)
    learner = Learner(replace(config, low_resolution=0.0), data)
    size = cost(learner.model, datasets.describe(config.dataset).image_shape)
    order = learner.epoch_order()
    begin_steps = time.perf_counter()
    _steps(learner, order, WARM_UP_STEPS, 0.0)
    start_seconds = time.perf_counter() - begin_steps
    step_seconds = _steps(learner, order, WARM_UP_STEPS, MEASURED_SECONDS)
    begin_validation = time.perf_counter()
    learner.validate()
    validation_seconds = time.perf_counter() - begin_validation
    learner.snapshot()  # a checkpoint is part of what a run holds in memory
    evaluate(learner.model, _first(data.val, BATCH_SIZE))  # so is the test at its end, in float32
    return {
        "epoch_seconds": step_seconds * learner.steps_per_epoch + validation_seconds,
        "start_seconds": start_seconds + begin_steps - begin,
        "memory_mb": machine.peak_memory_mb(),
        "parameters": size.parameters,
        "multiply_adds": size.multiply_adds,
        "source": "a few steps just now",
    }


def _first(split: Any, count: int) -> Any:  # noqa: ANN401 - torch is imported late
    return type(split)(split.images[:count], split.labels[:count], split.indices[:count])


def _steps(learner: Any, order: Any, least: int, seconds: float) -> float:  # noqa: ANN401 - torch is imported late
    """Learn `least` steps and go on until `seconds` are over; returns the median seconds of a step."""
    taken: list[float] = []
    begin = time.perf_counter()
    while len(taken) < least or time.perf_counter() - begin < seconds:
        before = time.perf_counter()
        loss, _ = learner.learn(order[learner.progress.step % len(order)])
        float(loss)  # wait for the device
        taken.append(time.perf_counter() - before)
    return sorted(taken)[len(taken) // 2]


def _forecast(config: TrainConfig, figures: dict[str, Any]) -> Forecast:
    return Forecast(
        seconds=figures["start_seconds"] + figures["epoch_seconds"] * config.work(config.epochs),
        seconds_per_epoch=figures["epoch_seconds"] * config.work(config.epochs) / config.epochs,
        memory_mb=figures["memory_mb"],
        parameters=figures["parameters"],
        multiply_adds=figures["multiply_adds"],
        source=figures["source"],
    )


def main() -> int:
    """Measure the config on the standard input."""
    try:
        print(json.dumps(measure(TrainConfig.from_json(sys.stdin.read()))))
    except LabError as error:
        print(error, file=sys.stderr)
        return FAILED_IN_WORDS
    return 0


if __name__ == "__main__":
    sys.exit(main())
