"""The store of runs below one folder: making, finding and discarding them."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from core import data, machine
from core.config import TrainConfig
from core.data.own import shelf
from core.errors import RunError, UnknownNameError, shown
from core.files import sync_folder, write_json
from core.names import clean_name
from core.runs import places
from core.runs.meta import Meta
from core.runs.places import ID_LETTERS, RUN_ID, run_folders
from core.runs.refusing import refusals
from core.runs.run import Run
from core.runs.status import Status

TRASH = ".trash"
SECONDS_IN_TRASH = 3600.0
SECONDS_FOR_LOCK = 10.0  # another process holds these locks for a moment at a time


class RunStore:
    """The runs below one folder, and the reference runs that ship with CNN Lab."""

    def __init__(self, root: str | Path | None = None) -> None:
        """root: a folder, made when the first run is; else `$CNNLAB_RUNS`, else `trained_models`."""
        self.root = Path(root or os.environ.get("CNNLAB_RUNS") or places.SHIPPED).expanduser().resolve()
        self._runs: dict[Path, Run] = {}
        self._lock = threading.Lock()

    def list(self) -> list[Run]:
        """All runs, the newest first, the reference runs last. A run being discarded is not among them."""
        own = [path for path in run_folders(self.root) if not path.name.startswith("ref-")]
        shipped = [path for path in run_folders(places.SHIPPED) if path.name.startswith("ref-")]
        runs = [self._run(path) for path in (*sorted(own, reverse=True), *sorted(shipped))]
        return [run for run in runs if run.word() != "discard"]

    def get(self, run_id: str) -> Run:
        """The run with this id. Raises: UnknownNameError when it is no id, or no run has it."""
        _check_id(run_id)
        path = (places.SHIPPED if run_id.startswith("ref-") else self.root) / run_id
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
            facts = {"config": config.as_dict(), "environment": environment, **_own_data(config.dataset)}
            write_json(making / "config.json", facts)
            write_json(making / "meta.json", asdict(Meta(clean_name(name))))
            write_json(making / "status.json", asdict(Status(state=state, created=now, queued=now)))
            making.rename(path)
            sync_folder(self.root)
        except OSError as error:
            raise RunError(f"No run could be made in {self.root}: {error}. Free the disk or set CNNLAB_RUNS.") from None
        return self._run(path)

    def runs_on(self, dataset: str) -> tuple[Run, ...]:
        """The runs that learn or learned from this data set, the newest first; none whose config is damaged."""
        configs = ((run, run.config_or_none) for run in self.list())
        return tuple(run for run, config in configs if config and config.dataset == dataset)

    def new_id(self) -> str:
        """An id that no run here has: the time (UTC) and four random letters, a million combinations each second."""
        while True:
            letters = "".join(secrets.choice(ID_LETTERS) for _ in range(4))
            run_id = time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + letters
            if not (self.root / run_id).exists() and not (self.root / TRASH / run_id).exists():
                return run_id

    def create_once(self, config: TrainConfig, name: str, token: str) -> Run:
        """Make a run unless a form with this token already made one; then that one.

        The token's file is made by one caller only, whichever process it is in.

        Raises: RunError when the disk refuses, or another process is making it for longer than ten seconds.
        """
        path = self.root / ".tokens" / hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        with refusals(f"No run could be made in {self.root}"), FileLock(f"{path}.lock", timeout=SECONDS_FOR_LOCK):
            run_id = path.read_text("utf-8", "replace") if path.exists() else ""
            if RUN_ID.match(run_id) and (self.root / run_id).is_dir() and self.get(run_id).word() != "discard":
                return self.get(run_id)
            run_id = self.new_id()
            path.write_text(run_id)  # first: where that fails, or is all that happens, there is no run
            return self.create(config, name, run_id=run_id)

    # Discarding

    def settle_discarded(self) -> None:
        """Move runs that are to be discarded, and that nobody works on any more, to the trash; empty what is old.

        Raises: RunError when the disk refuses.
        """
        discarded = [run for path in run_folders(self.root) if (run := self._run(path)).word() == "discard"]
        if discarded:
            with refusals("What was discarded could not be moved to the trash"), self._trash_lock():
                for run in discarded:
                    self._to_trash(run)
        for path in run_folders(self.root / TRASH):
            with suppress(FileNotFoundError):  # another process has emptied it
                if time.time() - path.stat().st_mtime > SECONDS_IN_TRASH:
                    shutil.rmtree(path, ignore_errors=True)

    def restore_discarded(self, run_id: str) -> Run:
        """Take a run back out of the trash.

        Raises: UnknownNameError when it is gone for good; RunError when the disk refuses.
        """
        _check_id(run_id)
        path, trashed = self.root / run_id, self.root / TRASH / run_id
        if path.is_dir() or trashed.is_dir():
            with refusals(f"Run {run_id} could not be brought back"), self._trash_lock():
                if not path.exists():
                    trashed.rename(path)
                self.get(run_id).say("run")
        return self.get(run_id)

    def _to_trash(self, run: Run) -> None:
        """Move it, unless it was brought back meanwhile, is worked on, or is there already."""
        trash = self.root / TRASH
        trash.mkdir(exist_ok=True)
        with suppress(Timeout, FileNotFoundError), run.held():  # so that nobody begins to work on it meanwhile
            if run.word() == "discard":
                run.path.rename(trash / run.id)
                os.utime(trash / run.id)
                self._runs.pop(run.path, None)

    def _trash_lock(self) -> FileLock:
        """Held by whoever moves runs to the trash or out of it, in whichever thread or process."""
        return FileLock(self.root / ".trash.lock", timeout=SECONDS_FOR_LOCK)

    def _run(self, path: Path) -> Run:
        """The one Run object of a folder in this process, so that what it has read is read once."""
        with self._lock:
            if path not in self._runs:
                self._runs[path] = Run(path)
            return self._runs[path]


def _check_id(run_id: object) -> None:
    """Raises: UnknownNameError when it is not the id of a run."""
    if not isinstance(run_id, str) or not RUN_ID.match(run_id):
        raise UnknownNameError(
            f"{shown(run_id)} is not the id of a run. An id looks like 20261123-194059-k3f9; "
            "`python -m core list` and the Train page show those that exist."
        )


def _own_data(dataset: str) -> dict[str, Any]:
    """What a run writes down of an imported data set, so that it is known by when that set is no longer here."""
    info = data.describe(dataset)
    return {"dataset": shelf.written(info)} if info.is_own else {}
