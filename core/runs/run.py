"""One run: a folder of files that are the truth, and everything that can be asked of it.

Every cache here can be thrown away. Leaves the weights and states to `core.checkpoints`.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from core import checkpoints, data
from core.config import TrainConfig
from core.data.own import shelf
from core.errors import LabError, RunError, shown
from core.files import read_json, sha256, write_bytes, write_json
from core.metrics import Metrics, MetricsReader
from core.names import clean_name
from core.runs import places, results
from core.runs.meta import Meta, clean_tags
from core.runs.refusing import refusals
from core.runs.status import STATES, WORDS, Status
from core.tensors import MOST_HEADER_BYTES

if TYPE_CHECKING:
    from torch import Tensor

    from core.evaluation import Evaluation
    from core.training.events import Metric, State

MOST_BYTES_A_PARAMETER = 24  # of a state: weights, Adam's two means, statistics of normalisations, and as much again

BEFORE_IT_WAS_A_KNOB = {"silu": False}  # of runs whose config says nothing of it


class Run:
    """One run: a folder, and everything that can be asked of it. Made by a RunStore."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        self._reader = MetricsReader(path / "metrics.jsonl")
        self._status: tuple[tuple[int, int], Status] | None = None  # what was read, and of which file

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    # What it is

    @cached_property
    def config(self) -> TrainConfig:
        """Every knob of the run.

        Raises: RunError when the file is damaged; ConfigError or UnknownNameError when a knob in it has a value that it
        can't have, such as a network that is no longer here.
        """
        return TrainConfig.from_dict({**BEFORE_IT_WAS_A_KNOB, **self._config_file["config"]})

    @property
    def config_or_none(self) -> TrainConfig | None:
        """The config, or None when it can't be read."""
        try:
            return self.config
        except LabError:
            return None

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Versions and machine that the run was made with."""
        return dict(self._config_file.get("environment", {}))

    @cached_property
    def _config_file(self) -> dict[str, Any]:
        try:
            values = read_json(self.path / "config.json")
            if not isinstance(values.get("config"), dict):
                raise ValueError("it has no config")
            shelf.remember(values.get("dataset"))  # it may be an imported one that is not here any more
        except (OSError, ValueError) as error:
            raise RunError(f"The config of run {self.id} can't be read ({error}). Discard the run.") from None
        return values

    @property
    def name(self) -> str:
        """A person's name for the run, else model, data set, recipe and seed."""
        if name := self.meta().name:
            return name
        config = self.config_or_none
        return f"{config.model} on {config.dataset}, {config.recipe}, seed {config.seed}" if config else self.id

    def meta(self) -> Meta:
        """A person's words about it; empty where there are none, or they can't be read."""
        try:
            values = read_json(self.path / "meta.json")
        except (OSError, ValueError):
            return Meta()
        tags = values.get("tags")
        return Meta(
            name=clean_name(str(values.get("name", ""))),
            tags=clean_tags(tags if isinstance(tags, list) else []),
            hidden=values.get("hidden") is True,
        )

    def rename(self, name: str) -> None:
        """Give it a name; control characters go, and what is longer than 100 characters is cut.

        Raises: RunError for a run that ships with CNN Lab, or when the disk refuses.
        """
        self._set_meta(name=clean_name(name))

    def tag(self, tags: Iterable[str]) -> None:
        """Give it these tags instead of those it has. Raises: RunError as `rename` does."""
        self._set_meta(tags=clean_tags(tags))

    def hide(self, hidden: bool) -> None:
        """Leave it out of tables, or not. Raises: RunError as `rename` does."""
        self._set_meta(hidden=hidden)

    def _set_meta(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of Meta
        self._refuse_if_shipped()
        with refusals(f"Run {self.id} could not be changed"):
            write_json(self.path / "meta.json", asdict(replace(self.meta(), **changes)))

    @property
    def is_shipped(self) -> bool:
        """Whether it is a reference run, where it ships: read-only."""
        return self.id.startswith("ref-") and self.path.parent == places.SHIPPED

    @property
    def has_weights(self) -> bool:
        """Whether its best weights are there; of the reference runs only one seed in three has them."""
        return (self.path / checkpoints.WEIGHTS).is_file()

    # Where it stands

    def status(self) -> Status:
        """The status as it is: a "running" run whose process is gone is interrupted, a broken file is damaged."""
        status = self._written_status()
        if status.state == "running" and not self.is_held():
            status = self._written_status()  # it may have ended between the two looks
            if status.state == "running":
                return replace(status, state="interrupted", reason="Its process is gone. Resume goes on from there.")
        return status

    def status_when_held(self) -> Status:
        """The status for who holds the run's lock: a written "running" was left behind by a process that died."""
        status = self._written_status()
        return replace(status, state="interrupted") if status.state == "running" else status

    def _written_status(self) -> Status:
        """What stands in status.json, read again only when the file was replaced."""
        try:
            facts = (self.path / "status.json").stat()
        except OSError as error:
            return Status(state="damaged", reason=f"This run's files can't be read: {error}")
        known, kept = (facts.st_ino, facts.st_mtime_ns), self._status
        if kept is None or kept[0] != known:
            kept = self._status = known, self._read_status()
        return kept[1]

    def _read_status(self) -> Status:
        try:
            values = read_json(self.path / "status.json")
            known = {spec.name for spec in fields(Status)}
            status = Status(**{name: value for name, value in values.items() if name in known})
            if status.state not in STATES:
                raise ValueError(f"state {shown(status.state)}")
            _ = self.config
        except (OSError, ValueError, TypeError, LabError) as error:
            return Status(state="damaged", reason=f"This run's files can't be read: {error}")
        return status

    def set_status(self, **changes: Any) -> Status:  # noqa: ANN401 - the fields of Status
        """Change the written status. Only for who holds the run's lock."""
        status = replace(self._written_status(), **changes)
        write_json(self.path / "status.json", asdict(status))
        return status

    def is_held(self) -> bool:
        """Whether a process holds the run's lock, that is, works on it. False for a run that is gone."""
        try:
            with self.held():
                return False
        except Timeout:
            return True
        except FileNotFoundError:
            return False

    @contextmanager
    def held(self, timeout_seconds: float = 0.0) -> Iterator[None]:
        """Hold the run's lock.

        Raises: filelock.Timeout when another holds it that long; FileNotFoundError when the run is gone: a lock would
        make its folder anew, and that would be listed as a damaged run.
        """
        if not self.path.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"Run {self.id} is gone", str(self.path))
        with FileLock(self.path / "lock", timeout=timeout_seconds, thread_local=False):
            yield

    # Steering

    def word(self) -> str:
        """The last word to the run: "run", "pause", "stop" or "discard"."""
        try:
            word = read_json(self.path / "control.json").get("word")
        except (OSError, ValueError):
            return "run"
        return word if word in WORDS else "run"

    def say(self, word: str) -> None:
        """Leave a word for whoever works on the run.

        Raises: RunError for a run that ships with CNN Lab, or when the disk refuses.
        """
        self._refuse_if_shipped()
        with refusals(f"Run {self.id} could not be told to {word}"):
            write_json(self.path / "control.json", {"word": word})

    def _refuse_if_shipped(self) -> None:
        if self.is_shipped:
            raise RunError(f"Run {self.id} ships with CNN Lab and is read-only. Fork it to change something.")

    # What it has learned

    def metrics(self) -> Metrics:
        """What it has told so far; reads only what is new since the last time."""
        return self._reader.read()

    @property
    def curves_are_changed(self) -> bool:
        """Whether its metrics are not as it left them. False while they may still grow."""
        promised = self._written_status().metrics_sha256
        return bool(promised) and self.metrics().sha256 != promised

    def metrics_bytes(self) -> int:
        """Length of the metrics file now."""
        path = self.path / "metrics.jsonl"
        return path.stat().st_size if path.exists() else 0

    def append(self, event: Metric) -> None:
        """Add one event to the metrics. Raises: OSError when the disk refuses."""
        from core.training.events import as_dict

        with (self.path / "metrics.jsonl").open("ab") as file:
            file.write(json.dumps(as_dict(event), allow_nan=False).encode() + b"\n")

    def cut_metrics(self, length: int) -> None:
        """Forget all metrics behind `length` bytes. The file is replaced, so that readers notice."""
        path = self.path / "metrics.jsonl"
        write_bytes(path, path.read_bytes()[:length] if path.exists() else b"")

    def metrics_sha256(self) -> str:
        """SHA-256 of the metrics file as it is now; "" where there is none. Raises: OSError when it can't be read."""
        path = self.path / "metrics.jsonl"
        return sha256(path) if path.exists() else ""

    def save_state(self, state: State) -> None:
        """Store a state to go on from, with the metrics up to now made safe first."""
        path = self.path / "metrics.jsonl"
        if path.exists():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        checkpoints.save_state(self.path, state, self.metrics_bytes())

    def load_state(self) -> tuple[State, int, str] | None:
        """The newest whole state, its metrics length and a warning; None when there is none."""
        return checkpoints.load_state(self.path, self._most_bytes())

    def drop_states(self) -> None:
        """Forget all states: a run that has ended needs only its weights."""
        checkpoints.drop_states(self.path)

    def step_of_weights(self) -> int:
        """The step of the best weights; 0 when there are none. Raises: CheckpointError when the manifest is damaged."""
        return checkpoints.step_of_weights(self.path)

    def save_weights(self, tensors: dict[str, Tensor], step: int) -> None:
        """Store the weights at the best validation loss so far."""
        checkpoints.save_weights(self.path, tensors, step)

    def load_weights(self) -> dict[str, Tensor]:
        """The best weights. Raises: CheckpointError when there are none or they are damaged."""
        return checkpoints.load_weights(self.path, self._most_bytes())

    def _most_bytes(self) -> int:
        """More than any file with tensors of this run can take. Raises: LabError when its config is damaged."""
        from core.models.cost import parameters_of

        info = data.describe(self.config.dataset)
        parameters = parameters_of(self.config.model, info.image_shape, len(info.classes), self.config.width)
        return MOST_BYTES_A_PARAMETER * parameters + MOST_HEADER_BYTES

    def test(self) -> dict[str, Any] | None:
        """The figures on the sealed test set; None while it is sealed, and where they are damaged."""
        try:
            return read_json(self.path / results.FIGURES)
        except (OSError, ValueError):
            return None

    def save_test(self, result: Evaluation, fingerprint: str) -> dict[str, Any]:
        """Store the figures on the test set and the answer to every test image; counts the openings.

        Raises: RunError for a run that ships with CNN Lab.
        """
        self._refuse_if_shipped()
        return results.save_test(self.path, self.test(), result, fingerprint)

    def log_tail(self, characters: int = 4000) -> str:
        """The end of what its process printed."""
        try:
            return (self.path / "log.txt").read_text(encoding="utf-8", errors="replace")[-characters:]
        except OSError:
            return ""
