"""What can happen to runs and their server while all goes on: the faults of `tests.load.soak`.

Owns: the world in which they happen (a store, the real server, which is started again when it was killed) and each
fault. Buttons are pressed on the real page.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from core.checkpoints import read_manifest
from core.jobs import PROJECT
from core.runs import LIVE, Run, RunStore
from tests.browser.app import mortal_server
from tests.faults.tab import Tab
from tests.load.process import memory_mb

PATIENCE = 120.0  # seconds for anything to come about
EARLY = 0.5  # share of a run up to which it is a target: it shall not end meanwhile
TINY = 200  # bytes that a file may have on a disk that is full


class TooLateError(Exception):
    """The run ended, or was not there, before the fault could happen."""


class World:
    """A store, the server that trains its runs, and what has happened so far. A context manager."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.begin = time.monotonic()
        self.done: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.resumes = 0
        self.harmed: dict[str, set[str]] = {}
        self.memory: list[list[float]] = []  # of each server, at each look

    def __enter__(self) -> World:
        self.start_server()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_server()

    def start_server(self) -> None:
        """Start it, and open a page, by which its scheduler begins."""
        self._server = mortal_server(self.store.root)
        self.address, self.process = self._server.__enter__()
        with Tab(self.address, "train"):
            self.memory.append([memory_mb(self.process.pid)])

    def kill_server(self) -> None:
        self.look_at_memory()
        self._server.__exit__(None, None, None)

    def look_at_memory(self) -> None:
        self.memory[-1].append(memory_mb(self.process.pid))

    def memory_in_words(self) -> str:
        self.look_at_memory()
        return ", ".join(f"{looks[0]:.0f} -> {looks[-1]:.0f}" for looks in self.memory)

    def note(self, sentence: str) -> None:
        """A line with the time."""
        print(f"{time.monotonic() - self.begin:7.1f} s  {sentence}", flush=True)

    def runs(self) -> list[Run]:
        return [run for run in self.store.list() if not run.is_shipped]

    def live(self) -> list[Run]:
        return [run for run in self.runs() if run.status().state in LIVE]

    def suffer(self, fault: str, chance: random.Random) -> None:
        """Let a fault happen to the run that learns now."""
        try:
            run = self.target()
            self.harmed.setdefault(run.id, set()).add(fault)
            FAULTS[fault](self, run, chance)
        except TooLateError as error:
            self.missed[fault] += 1
            self.note(f"{fault}: too late: {error}")
        else:
            self.done[fault] += 1
            self.note(f"{fault}: {run.id} is {run.status().state}. {run.status().reason}")
        self.look_at_memory()

    def target(self) -> Run:
        """A run that learns and has most of it before it. Raises: TooLateError when none comes."""
        return _within(PATIENCE, "no run learns", lambda: next(filter(_is_early, self.runs()), None))

    def press(self, run: Run, label: str) -> bool:
        """Press a button of a run's page; whether it could be pressed."""
        with Tab(self.address, "train", f"run={run.id}") as tab:
            if label not in tab.buttons:
                return False
            tab.press(label)
        self.resumes += label == "Resume"
        return True

    def wait_for(self, run: Run, *states: str) -> None:
        """Raises: TooLateError when it does not come to one of these states, or ended otherwise."""
        _within(PATIENCE, f"{run.id} never was {' or '.join(states)}", lambda: run.status().state in states)

    def interrupt(self, run: Run) -> None:
        """Pause it. Raises: TooLateError."""
        if not self.press(run, "Pause"):
            raise TooLateError(f"{run.id} is {run.status().state}")
        self.wait_for(run, "paused")


def _is_early(run: Run) -> bool:
    epochs = run.metrics().steps.get("epoch") or [0.0]
    return run.status().state == "running" and 0 < epochs[-1] < EARLY * run.config.epochs


def _within(seconds: float, otherwise: str, condition: Callable):
    """What the condition answers as soon as that is true. Raises: TooLateError."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise TooLateError(otherwise)
        time.sleep(0.05)
    return found


def _holder(run: Run) -> int:
    """The process that works on a run: the one that has its lock open and is no server. Raises: TooLateError."""
    lock = run.path / "lock"
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_worker = b"core.worker" in (folder / "cmdline").read_bytes()
            if is_worker and any(link.readlink() == lock for link in (folder / "fd").iterdir()):
                return int(folder.name)
        except OSError:  # it ended, or is somebody else's
            continue
    raise TooLateError(f"nobody works on {run.id}")


def kill_worker(world: World, run: Run, chance: random.Random) -> None:
    os.kill(_holder(run), signal.SIGKILL)
    world.wait_for(run, "interrupted")
    world.press(run, "Resume")


def kill_server(world: World, run: Run, chance: random.Random) -> None:
    world.kill_server()
    world.wait_for(run, "interrupted", "finished")
    world.start_server()
    if run.status().state == "interrupted":
        world.press(run, "Resume")


def pause_and_resume(world: World, run: Run, chance: random.Random) -> None:
    world.interrupt(run)
    time.sleep(chance.uniform(0, 3))
    world.press(run, "Resume")


def stop(world: World, run: Run, chance: random.Random) -> None:
    if not world.press(run, "Stop"):
        raise TooLateError(f"{run.id} is {run.status().state}")
    world.wait_for(run, "stopped", "finished")


def discard_and_undo(world: World, run: Run, chance: random.Random) -> None:
    with Tab(world.address, "train", f"run={run.id}") as tab:
        tab.press("Discard")
        _within(PATIENCE, f"{run.id} was not moved away", lambda: not run.path.is_dir())
        tab.ask()
        tab.press("Undo")
    _within(PATIENCE, f"{run.id} did not come back", run.path.is_dir)
    world.press(run, "Resume")


def flip_a_byte(world: World, run: Run, chance: random.Random) -> None:
    """In the newest of two states: the run goes on from the one before."""
    world.interrupt(run)
    world.press(run, "Resume")
    steps = run.metrics().steps["step"][-1]
    _within(PATIENCE, f"{run.id} did not go on", lambda: (run.metrics().steps.get("step") or [0])[-1] > steps)
    world.interrupt(run)
    manifest = read_manifest(run.path)
    if "previous" not in manifest:
        raise TooLateError(f"{run.id} has one state only")
    path = run.path / manifest["current"]["file"]
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    world.press(run, "Resume")


def full_disk(world: World, run: Run, chance: random.Random) -> None:
    """For some seconds no file of its process may become longer than a few bytes."""
    pid = _holder(run)
    try:
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (TINY, resource.RLIM_INFINITY))
        time.sleep(chance.uniform(1, 4))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    except ProcessLookupError:
        pass  # it has left meanwhile, as it may
    world.wait_for(run, "failed", "interrupted", "finished", "stopped")
    world.press(run, "Resume")


def command_line(world: World, run: Run, chance: random.Random) -> None:
    """Paused on the page, resumed on the command line, paused on the page again."""
    world.interrupt(run)
    command = [sys.executable, "-m", "core", "train", "--resume", run.id]
    environment = {**os.environ, "CNNLAB_RUNS": str(world.store.root)}
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL) as process:
        world.wait_for(run, "running", "finished")
        time.sleep(chance.uniform(0, 3))
        world.press(run, "Pause")
        process.wait(PATIENCE)
    world.wait_for(run, "paused", "finished")
    world.press(run, "Resume")


FAULTS: dict[str, Callable[[World, Run, random.Random], None]] = {
    "worker killed": kill_worker,
    "server killed": kill_server,
    "paused and resumed": pause_and_resume,
    "stopped": stop,
    "discarded and brought back": discard_and_undo,
    "byte flipped": flip_a_byte,
    "disk full": full_disk,
    "on the command line": command_line,
}
LEAVES_BEHIND = {  # words of findings that are no surprise after a fault
    "worker killed": ("was left behind by a crash", "a crash kept from being used"),
    "byte flipped": ("was damaged and set aside",),
    "disk full": ("was left behind by a crash", "a crash kept from being used"),
}
