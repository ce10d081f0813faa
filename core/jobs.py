"""The queue: a background thread that starts a child process for each run, follows it, and starts the next.

Owns: when a run begins, the words of steering, what becomes of a run whose process is gone. Keeps nothing that it
could not rebuild from the store: any other manager of the same store may queue and steer, and takes over the
scheduling when this one is gone. Leaves training to `core.worker`, runs on a cluster to `core.relay`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from core import causes
from core.config import TrainConfig
from core.errors import RunError
from core.relay import BROKE_OFF, LOST, Relay, Relayed, after_loss
from core.runs import ENDED, RESUMABLE, Run, RunStore, refusals

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_FOR_LOCK = 0.5
SECONDS_TO_LEAVE = 20.0
PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class _Child:
    """A process that works on a run, and when that run was queued the time that the process took it."""

    process: subprocess.Popen[bytes] | Relayed
    queued: float


class JobManager:
    """Queues, starts and steers the runs of a store. Close it, or use it as a context manager."""

    def __init__(self, store: RunStore, slots: int = 1) -> None:
        """slots: how many runs train at the same time on this machine.

        When `CNNLAB_RAY` names a cluster, runs train there, as many as it has room for.

        Raises: RunError when the store's folder can't be made.
        """
        self.store = store
        self.slots = slots
        self.trouble = ""  # what kept the thread from its work the last time, for a person
        self._children: dict[str, _Child] = {}
        self._spare: subprocess.Popen[bytes] | None = None
        self._spare_wanted = False
        self._relay = Relay(store.root / ".cluster.log") if os.environ.get("CNNLAB_RAY") else None
        self._wake = threading.Event()
        self._closing = threading.Event()
        with refusals(f"The folder of runs {store.root} could not be made"):
            store.root.mkdir(parents=True, exist_ok=True)
        self._scheduler_lock = FileLock(store.root / ".scheduler.lock", timeout=0, thread_local=False)
        self._thread = threading.Thread(target=self._loop, name="cnnlab-jobs", daemon=True)
        self._thread.start()

    def __enter__(self) -> JobManager:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def leads(self) -> bool:
        """Whether it is this manager that starts the store's runs."""
        return self._scheduler_lock.is_locked

    def works_on(self, run_id: str) -> bool:
        """Whether a run is with a process that this manager started, or is being settled after one."""
        return run_id in self._children

    # What a person can do

    def submit(self, config: TrainConfig, name: str = "", token: str = "") -> str:
        """Queue a run and return its id. The same token again returns the run that it made the first time.

        Raises: RunError when the store can't be written.
        """
        run = self.store.create_once(config, name, token) if token else self.store.create(config, name)
        self._wake.set()
        return run.id

    def pause(self, run_id: str) -> None:
        """Let it store its state and leave; Resume goes on exactly from there.

        Raises: RunError unless it is live, or when the disk refuses.
        """
        self._steer(run_id, "pause", allowed=("queued", "running"))

    def resume(self, run_id: str) -> None:
        """Queue it again.

        Raises: RunError unless it was paused, interrupted or failed, or when the disk or another process refuses.
        """
        run = self._steer(run_id, "run", allowed=RESUMABLE)
        with refusals(f"Run {run_id} could not be resumed"), run.held(SECONDS_FOR_LOCK):
            if run.status_when_held().state in RESUMABLE:
                run.set_status(state="queued", queued=time.time(), reason="")
        self._wake.set()

    def stop(self, run_id: str) -> None:
        """End it and keep its best weights. Raises: RunError when it has ended already, or when the disk refuses."""
        self._steer(run_id, "stop", allowed=("queued", "running", *RESUMABLE))

    def discard(self, run_id: str) -> None:
        """Remove it, whatever it is doing. It stays in the trash for an hour: `undo_discard` brings it back.

        Raises: RunError for a run that ships with CNN Lab, or when the disk refuses.
        """
        self.store.get(run_id).say("discard")
        self.store.settle_discarded()
        self._wake.set()

    def undo_discard(self, run_id: str) -> None:
        """Bring a discarded run back.

        Raises: UnknownNameError when it is gone for good; RunError when the disk refuses.
        """
        self.store.restore_discarded(run_id)
        self._wake.set()

    def queue(self) -> list[Run]:
        """The runs that wait, the next one first."""
        waiting = [(run.status(), run) for run in self.store.list() if not run.is_shipped]
        return [run for status, run in sorted(waiting, key=lambda pair: pair[0].queued) if status.state == "queued"]

    def warm_up(self) -> None:
        """Keep a process ready that has its libraries loaded, so that the next run begins at once."""
        self._spare_wanted = True
        self._wake.set()

    def close(self) -> None:
        """Let every run that this manager started store its state and leave, and end the thread."""
        self._closing.set()
        self._wake.set()
        self._thread.join()

    def _steer(self, run_id: str, word: str, allowed: tuple[str, ...]) -> Run:
        run = self.store.get(run_id)
        state = run.status().state
        verb = {"run": "resumed", "pause": "paused", "stop": "stopped"}[word]
        if state not in allowed:
            raise RunError(f"Run {run_id} is {state}; only a run that is {' or '.join(allowed)} can be {verb}.")
        run.say(word)
        with refusals(f"Run {run_id} could not be {verb}"):
            _obey_if_idle(run)
        self._wake.set()
        return run

    # The background thread

    def _loop(self) -> None:
        while not self._closing.is_set():
            try:
                if self._leads():
                    self._look()
                self.trouble = self._relay.trouble if self._relay else ""
            except Exception as error:
                self.trouble = f"The queue can't go on: {error}"
                traceback.print_exc()
            self._wake.wait(SECONDS_BETWEEN_LOOKS)
            self._wake.clear()
        self._let_children_leave()
        self._scheduler_lock.release()

    def _leads(self) -> bool:
        """Whether this manager is the store's scheduler; becomes it when there is none."""
        if not self._scheduler_lock.is_locked:
            try:
                self._scheduler_lock.acquire()
            except Timeout:
                return False
        return True

    def _look(self) -> None:
        """Once around: who has ended, who has a word to obey, who is next."""
        for run_id, child in list(self._children.items()):
            if (exit_code := child.process.poll()) is not None:
                if child.process.stdin:
                    child.process.stdin.close()
                try:
                    _settle(Run(self.store.root / run_id), exit_code, child.queued)
                finally:
                    del self._children[run_id]
        self.store.settle_discarded()
        for run in self.store.list():
            if not run.is_shipped and run.id not in self._children:
                _obey_if_idle(run)
        queue = self.queue()
        waiting = [run for run in queue if run.id not in self._children]
        for run in waiting[: self._room(len(queue) - len(waiting))]:
            self._start(run)
        if self._relay and (waiting or self._spare_wanted):
            self._relay.wake()
        elif self._spare_wanted and self._spare is None and not self._children:
            self._spare = self._new_process()

    def _room(self, begun: int) -> int:
        """How many runs may be started now. begun: those that were, but have not come to training."""
        return self._relay.room(begun) if self._relay else self.slots - len(self._children)

    def _start(self, run: Run) -> None:
        """Hand a run to the cluster, to the spare process, or to a new one."""
        queued = run.status().queued
        try:
            process = self._relay.hand_over(run) if self._relay else self._hand_to_process(run)
        except BrokenPipeError:  # it died just now: the next look starts a new one
            return
        self._children[run.id] = _Child(process, queued)

    def _hand_to_process(self, run: Run) -> subprocess.Popen[bytes]:
        process = self._spare if self._spare and self._spare.poll() is None else self._new_process()
        self._spare = None
        hand_over(run, process)
        return process

    def _new_process(self) -> subprocess.Popen[bytes]:
        """A worker that waits for a run."""
        return start_worker(self.store.root / ".worker.log")

    def _let_children_leave(self) -> None:
        if self._relay:
            self._relay.close(SECONDS_TO_LEAVE)
        children = [child.process for child in self._children.values() if isinstance(child.process, subprocess.Popen)]
        processes = [*children, *([self._spare] if self._spare else [])]
        for process in processes:
            if process.stdin:
                process.stdin.close()
        deadline = time.monotonic() + SECONDS_TO_LEAVE
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue  # it holds its run's lock, and ends by itself


def start_worker(log: Path) -> subprocess.Popen[bytes]:
    """A worker process that waits for the path of a run on its standard input, a pipe; what it prints goes to `log`.

    It has a session of its own, so that Ctrl-C on the program that started it does not reach it. Close the pipe, and it
    stores its run's state and leaves.
    """
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "core.worker"],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=PROJECT,
            start_new_session=True,
        )


def hand_over(run: Run, worker: subprocess.Popen[bytes]) -> None:
    """Let a waiting worker begin with a run. Raises: BrokenPipeError when it has died."""
    assert worker.stdin
    worker.stdin.write(f"{run.path}\n".encode())
    worker.stdin.flush()


def _obey_if_idle(run: Run) -> None:
    """Carry out the word to a run that no process works on; one that is worked on reads it itself."""
    status, word = run.status(), run.word()
    if status.state == "running" or (word, status.state) not in {
        ("pause", "queued"),
        ("stop", "queued"),
        ("stop", "paused"),
        ("stop", "failed"),
        ("stop", "interrupted"),
    }:
        return
    try:
        with run.held(SECONDS_FOR_LOCK):
            state = run.status_when_held().state
            if word == "pause" and state == "queued":
                run.set_status(state="paused", reason="Paused before it began to train.")
            elif word == "stop" and state in ("queued", *RESUMABLE):
                _stop_idle(run, state)
    except (Timeout, FileNotFoundError):  # somebody works on it, or has thrown it away
        return


def _stop_idle(run: Run, state: str) -> None:
    """A run with weights still has its test to take: it goes to the queue for that. Another just ends."""
    if not run.has_weights:
        run.set_status(state="stopped", reason="Stopped before its first epoch was done.", ended=time.time())
    elif state != "queued":
        run.set_status(state="queued", queued=time.time(), reason="")


def _settle(run: Run, exit_code: int, queued: float) -> None:
    """What becomes of a run whose process has ended without writing a state of its own.

    queued: when the run was queued for that process. Where it has been queued once more since, it waits for its turn.
    """
    if not run.path.is_dir():
        return
    try:
        with run.held(SECONDS_FOR_LOCK):
            status = run.status_when_held()
            state = status.state
            if state == "queued" and (exit_code == LOST or status.queued != queued):
                return
            if state == "interrupted" and exit_code == LOST:
                state, reason = after_loss(run, BROKE_OFF)
                run.set_status(state=state, reason=reason, ended=time.time())
                return
            if state in ("interrupted", "queued") and exit_code < 0:
                reason = causes.killed("Its process", -exit_code, f"exit code {exit_code}")
                run.set_status(state="interrupted", reason=reason, ended=time.time())
            elif state == "interrupted" or (state == "queued" and exit_code != 0):
                reason = f"Its process ended with exit code {exit_code}. The end of its log says more."
                run.set_status(state="failed", reason=reason, ended=time.time())
            elif state in ENDED and exit_code < 0:  # it had not come to that
                run.drop_states()
    except (Timeout, FileNotFoundError):  # somebody goes on with it already, or has thrown it away
        return
