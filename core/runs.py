"""The run store: the only code that knows a run's files.

Owns: making, listing, reading and steering runs, each a folder of files that are the truth. Every cache here can be
thrown away. Leaves to `core.checkpoints` the weights and states, to `core.jobs` when a run is started.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from core import checkpoints, machine
from core.config import TrainConfig
from core.errors import LabError, RunError, UnknownNameError, shown
from core.files import read_json, sync_folder, write_atomic, write_json
from core.metrics import Metrics, MetricsReader

if TYPE_CHECKING:
    from torch import Tensor

    from core.evaluation import Evaluation
    from core.training.events import Metric, State

SHIPPED = Path(__file__).resolve().parent.parent / "trained_models"
RUN_ID = re.compile(r"(\d{8}-\d{6}-[a-z2-7]{4}|ref-[a-z0-9][a-z0-9-]{0,60})\Z")
ID_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
LONGEST_NAME = 100  # characters of a run's name that are kept
MOST_TAGS = 20
TRASH = ".trash"
SECONDS_IN_TRASH = 3600.0

LIVE = ("queued", "running")
RESUMABLE = ("paused", "interrupted", "failed")
ENDED = ("finished", "stopped", "diverged")
STATES = (*LIVE, *RESUMABLE, *ENDED, "damaged")
WORDS = ("run", "pause", "stop", "discard")


@dataclass(frozen=True)
class Meta:
    """A person's words about a run. hidden: whether tables leave it out."""

    name: str = ""
    tags: tuple[str, ...] = ()
    hidden: bool = False


@dataclass(frozen=True)
class Status:
    """Where a run stands. Times are seconds since 1970, 0 for not yet; `reason` is a sentence for a person.

    parameters, multiply_adds: of its network, the latter for one image; 0 until it was built.
    """

    state: str
    created: float = 0.0
    queued: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    epoch: int = 0
    seconds: float = 0.0
    reason: str = ""
    warning: str = ""
    device: str = ""
    precision: str = ""
    threads: int = 0
    memory_mb: int = 0
    parameters: int = 0
    multiply_adds: int = 0


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
        """Every knob of the run. Raises: RunError when the file is damaged."""
        return TrainConfig.from_dict(self._config_file["config"])

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
        except (OSError, ValueError) as error:
            raise RunError(f"The config of run {self.id} can't be read ({error}). Discard the run.") from None
        return values

    @property
    def name(self) -> str:
        """A person's name for the run, else model, data set, recipe and seed."""
        if name := self.meta().name:
            return name
        try:
            config = self.config
            return f"{config.model} on {config.dataset}, {config.recipe}, seed {config.seed}"
        except LabError:
            return self.id

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

        Raises: RunError for a run that ships with CNN Lab.
        """
        self._set_meta(name=clean_name(name))

    def tag(self, tags: Iterable[str]) -> None:
        """Give it these tags instead of those it has. Raises: RunError for a run that ships with CNN Lab."""
        self._set_meta(tags=clean_tags(tags))

    def hide(self, hidden: bool) -> None:
        """Leave it out of tables, or not. Raises: RunError for a run that ships with CNN Lab."""
        self._set_meta(hidden=hidden)

    def _set_meta(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of Meta
        self._refuse_if_shipped()
        write_json(self.path / "meta.json", asdict(replace(self.meta(), **changes)))

    @property
    def is_shipped(self) -> bool:
        """Whether it is a reference run, where it ships: read-only."""
        return self.id.startswith("ref-") and self.path.parent == SHIPPED

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
        """Whether a process holds the run's lock, that is, works on it."""
        try:
            with self.held():
                return False
        except Timeout:
            return True

    @contextmanager
    def held(self, timeout_seconds: float = 0.0) -> Iterator[None]:
        """Hold the run's lock. Raises: filelock.Timeout when another holds it that long."""
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
        """Leave a word for whoever works on the run. Raises: RunError for a run that ships with CNN Lab."""
        self._refuse_if_shipped()
        write_json(self.path / "control.json", {"word": word})

    def _refuse_if_shipped(self) -> None:
        if self.is_shipped:
            raise RunError(f"Run {self.id} ships with CNN Lab and is read-only. Fork it to change something.")

    # What it has learned

    def metrics(self) -> Metrics:
        """What it has told so far; reads only what is new since the last time."""
        return self._reader.read()

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
        kept = path.read_bytes()[:length] if path.exists() else b""
        write_atomic(path, lambda temporary: temporary.write_bytes(kept))

    def save_state(self, state: State) -> None:
        """Store a state to go on from, with the metrics up to now made safe first."""
        path = self.path / "metrics.jsonl"
        if path.exists():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        checkpoints.save_state(self.path, state, self.metrics_bytes())

    def load_state(self) -> tuple[State, int, str] | None:
        """The newest whole state, its metrics length and a warning; None when there is none."""
        return checkpoints.load_state(self.path)

    def drop_states(self) -> None:
        """Forget all states: a run that has ended needs only its weights."""
        checkpoints.drop_states(self.path)

    def save_weights(self, tensors: dict[str, Tensor], step: int) -> None:
        """Store the weights at the best validation loss so far."""
        checkpoints.save_weights(self.path, tensors, step)

    def load_weights(self) -> dict[str, Tensor]:
        """The best weights. Raises: CheckpointError when there are none or they are damaged."""
        return checkpoints.load_weights(self.path)

    def test(self) -> dict[str, Any] | None:
        """The figures on the sealed test set, None while it is sealed."""
        try:
            return read_json(self.path / "test.json")
        except (OSError, ValueError):
            return None

    def save_test(self, result: Evaluation, fingerprint: str) -> dict[str, Any]:
        """Store the figures on the test set and the answer to every test image; counts the openings.

        Raises: RunError for a run that ships with CNN Lab.
        """
        import numpy as np

        from core.evaluation import digit_iou

        self._refuse_if_shipped()

        before = self.test() or {"opened": []}
        figures = {
            "accuracy": result.accuracy,
            "loss": result.loss,
            "images": len(result.predictions),
            "confusion": result.confusion.tolist(),
            "data_sha256": fingerprint,
            "opened": [*before["opened"], time.time()],
        }
        answers: dict[str, Any] = {
            "prediction": result.predictions.numpy().astype(np.uint8),
            "label": result.labels.numpy().astype(np.uint8),
        }
        if result.probabilities is None:
            figures["iou"] = digit_iou(result.confusion)
        else:
            answers["probability"] = result.probabilities.numpy().astype(np.float16)

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.savez_compressed(file, **answers)

        write_atomic(self.path / "predictions.npz", write)
        write_json(self.path / "test.json", figures)
        return figures

    def log_tail(self, characters: int = 4000) -> str:
        """The end of what its process printed."""
        try:
            return (self.path / "log.txt").read_text(encoding="utf-8", errors="replace")[-characters:]
        except OSError:
            return ""


class RunStore:
    """The runs below one folder, and the reference runs that ship with CNN Lab."""

    def __init__(self, root: str | Path | None = None) -> None:
        """root: a folder, made when the first run is; else `$CNNLAB_RUNS`, else `trained_models`."""
        self.root = Path(root or os.environ.get("CNNLAB_RUNS") or SHIPPED).expanduser().resolve()
        self._runs: dict[Path, Run] = {}
        self._lock = threading.Lock()

    def list(self) -> list[Run]:
        """All runs, the newest first, the reference runs last. A run being discarded is not among them."""
        own = [path for path in _run_folders(self.root) if not path.name.startswith("ref-")]
        shipped = [path for path in _run_folders(SHIPPED) if path.name.startswith("ref-")]
        runs = [self._run(path) for path in (*sorted(own, reverse=True), *sorted(shipped))]
        return [run for run in runs if run.word() != "discard"]

    def get(self, run_id: str) -> Run:
        """The run with this id. Raises: UnknownNameError when it is no id, or no run has it."""
        if not isinstance(run_id, str) or not RUN_ID.match(run_id):
            raise UnknownNameError(
                f"{shown(run_id)} is not the id of a run. An id looks like 20261123-194059-k3f9; "
                "`python -m core list` and the Train page show those that exist."
            )
        path = (SHIPPED if run_id.startswith("ref-") else self.root) / run_id
        if not path.is_dir():
            raise UnknownNameError(f"There is no run {run_id} any more. `python -m core list` shows those there are.")
        return self._run(path)

    def create(self, config: TrainConfig, name: str = "", *, state: str = "queued", run_id: str = "") -> Run:
        """Make a run of this config and put it at the end of the queue; `state="paused"` keeps it out of the queue.

        Raises: RunError when the folder can't be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            path = self.root / (run_id or self.new_id())
            making = path.with_name(f".new-{path.name}")
            shutil.rmtree(making, ignore_errors=True)  # of one that was killed while it made the same
            making.mkdir()
            now = time.time()
            environment = {**machine.versions(), **asdict(machine.describe())}
            write_json(making / "config.json", {"config": config.as_dict(), "environment": environment})
            write_json(making / "meta.json", asdict(Meta(clean_name(name))))
            write_json(making / "status.json", asdict(Status(state=state, created=now, queued=now)))
            making.rename(path)
            sync_folder(self.root)
        except OSError as error:
            raise RunError(f"No run could be made in {self.root}: {error}. Free the disk or set CNNLAB_RUNS.") from None
        return self._run(path)

    def new_id(self) -> str:
        """An id that no run has yet: when it was made (UTC) and four random letters."""
        letters = "".join(secrets.choice(ID_LETTERS) for _ in range(4))
        return time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + letters

    def create_once(self, config: TrainConfig, name: str, token: str) -> Run:
        """Make a run unless a form with this token already made one; then that one.

        The token's file is made by one caller only, whichever process it is in. Raises: RunError.
        """
        folder = self.root / ".tokens"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / re.sub(r"[^A-Za-z0-9_-]", "", token)[:64]
        with FileLock(str(path) + ".lock", timeout=10):
            run_id = path.read_text() if path.exists() else ""
            if RUN_ID.match(run_id) and (self.root / run_id).is_dir() and self.get(run_id).word() != "discard":
                return self.get(run_id)
            run = self.create(config, name)
            path.write_text(run.id)
            return run

    # Discarding

    def settle_discarded(self) -> None:
        """Move runs that are to be discarded, and that nobody works on any more, to the trash; empty what is old."""
        for path in _run_folders(self.root):
            run = self._run(path)
            if run.word() == "discard" and not run.is_held():
                self._to_trash(run)
        for path in _run_folders(self.root / TRASH):
            if time.time() - path.stat().st_mtime > SECONDS_IN_TRASH:
                shutil.rmtree(path, ignore_errors=True)

    def restore_discarded(self, run_id: str) -> Run:
        """Take a run back out of the trash. Raises: UnknownNameError when it is gone for good."""
        path, trashed = self.root / run_id, self.root / TRASH / run_id
        if RUN_ID.match(run_id) and trashed.is_dir() and not path.exists():
            trashed.rename(path)
        run = self.get(run_id)
        run.say("run")
        return run

    def _to_trash(self, run: Run) -> None:
        trash = self.root / TRASH
        trash.mkdir(exist_ok=True)
        run.path.rename(trash / run.id)
        os.utime(trash / run.id)
        self._runs.pop(run.path, None)

    def _run(self, path: Path) -> Run:
        """The one Run object of a folder in this process, so that what it has read is read once."""
        with self._lock:
            return self._runs.setdefault(path, Run(path))


def clean_name(name: str) -> str:
    """A name as it is kept: printable, on one line, at most 100 characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())[:LONGEST_NAME]


def clean_tags(tags: Iterable[object]) -> tuple[str, ...]:
    """Tags as they are kept: cleaned like names, each once, in order, at most 20."""
    cleaned = (clean_name(str(tag)) for tag in tags)
    return tuple(dict.fromkeys(tag for tag in cleaned if tag))[:MOST_TAGS]


def _run_folders(root: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(root) if RUN_ID.match(entry.name) and entry.is_dir()]
    except OSError:
        return []
