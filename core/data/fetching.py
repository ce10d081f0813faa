"""Getting the file of a data set onto this machine, once, however many ask at the same time.

Owns: the lock, the child process that downloads, its progress, its end when the network stalls, and the one message for
everything that can go wrong. Leaves what is downloaded to `download.py`. Torch-free.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from core.data.catalogue import describe
from core.data.info import DatasetInfo
from core.data.places import location
from core.errors import DataError
from core.files import sync_folder

Progress = Callable[[int, int], None]

PROGRAM = (sys.executable, "-m", "core.data.download")
ROOT = Path(__file__).resolve().parents[2]  # where `core` can be imported from
POLL_SECONDS = 0.2
SLOWEST_BYTES_PER_SECOND = 1000  # below that, CIFAR-10 would take two days
PATIENCE = 3  # windows of `timeout_seconds` without that much mean that nothing will come of it


def fetch(name: str, progress: Progress | None = None, timeout_seconds: float = 20.0) -> Path:
    """Make sure that the file of a data set is on this machine, for scenes of what they are made of; returns its place.

    A file that is there is taken as it is, without a lock or a write, so the folder may be read-only. Otherwise one
    process downloads; the others wait for it, with the same progress.

    progress: called a few times a second with bytes fetched and bytes in all.
    timeout_seconds: how long the server may be silent; three times that without noticeable progress ends it as well.

    Raises: UnknownNameError; DataError when the set can't be fetched, saying why and what to do instead.
    """
    info, path = describe(describe(name).made_of or name), location(name)
    if path.is_file():
        return path
    if info.is_own:
        raise refusal(info, path, "it is not on this machine")
    if info.shipped:
        raise DataError(
            f"The file {path} is missing. It ships with CNN Lab: get it from the project's repository again."
        )
    tell = progress or _silent
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _turn(path, lambda: tell(_arrived(path, info), info.download_bytes)):
            if not path.is_file():  # else another process made it while this one waited
                _make(info, path, tell, timeout_seconds)
    except OSError as error:
        raise refusal(info, path, f"the folder {path.parent} can't be used ({error.strerror or error})") from error
    tell(info.download_bytes, info.download_bytes)
    return path


def refusal(info: DatasetInfo, path: Path, why: str) -> DataError:
    """The error for a data set that can't be had: why, what works without it, and how to help by hand."""
    if info.is_own:
        return DataError(
            f"The data set {info.name} was imported, and its file {path} is not there any more. "
            "Import its pictures again, under the same name."
        )
    return DataError(
        f"{info.title} could not be fetched: {why}. mnist-mini and cifar10-mini ship with CNN Lab and need no network. "
        f"Try again later, or make the file on a machine with a network and put it here: {path}"
    )


def _silent(_done: int, _total: int) -> None:
    """The progress of somebody who doesn't watch."""


@contextmanager
def _turn(path: Path, while_waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a data set's file, calling `while_waiting` a few times a second until it is free."""
    lock = FileLock(path.with_suffix(".lock"))
    while True:
        try:
            lock.acquire(timeout=POLL_SECONDS)
            break
        except Timeout:
            while_waiting()
    try:
        yield
    finally:
        lock.release()


def _make(info: DatasetInfo, path: Path, tell: Progress, timeout_seconds: float) -> None:
    """Download into a folder beside `path`, then put the finished file there in one step. Needs the lock."""
    folder = _download_folder(path, info)
    shutil.rmtree(folder, ignore_errors=True)  # what a killed download left
    try:
        why = _run_child(info, path, tell, timeout_seconds)
        if why:
            raise refusal(info, path, why)
        (folder / path.name).replace(path)
        sync_folder(path.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download_folder(path: Path, info: DatasetInfo) -> Path:
    return path.parent / f".download-{info.name}"


def _arrived(path: Path, info: DatasetInfo) -> int:
    """Compressed bytes fetched so far, by this process or another."""
    try:
        done = sum(file.stat().st_size for file in _download_folder(path, info).rglob("*.gz"))
    except OSError:  # the folder is being cleared
        done = 0
    if path.is_file():  # looked at last: the file is in its place before the folder is cleared
        return info.download_bytes
    return min(done, info.download_bytes)


def _run_child(info: DatasetInfo, path: Path, tell: Progress, timeout_seconds: float) -> str:
    """Run the downloading program to its end or kill it; returns why it failed, empty when it did not."""
    folder = _download_folder(path, info)
    command = [*PROGRAM, info.name, str(folder), str(timeout_seconds)]
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )
        try:
            if _stalls(child, info, path, tell, timeout_seconds):
                return (
                    f"the network is too slow or has stalled (nearly nothing came in {PATIENCE * timeout_seconds:g} s)"
                )
        finally:
            child.kill()
            child.communicate()
        return "" if child.returncode == 0 else _last_words(log, child.returncode)


def _stalls(
    child: subprocess.Popen[bytes], info: DatasetInfo, path: Path, tell: Progress, timeout_seconds: float
) -> bool:
    """Follow the child: True as soon as too little arrives, False when it has ended."""
    pace = _Pace(PATIENCE * timeout_seconds)
    while child.poll() is None:
        try:
            child.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            done = _arrived(path, info)
            tell(done, info.download_bytes)
            fetching = _download_folder(path, info).is_dir() and done < info.download_bytes
            if fetching and pace.too_slow(done, time.monotonic()):
                return True
    return False


class _Pace:
    """Whether enough arrives, looked at in windows of `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.begin: float | None = None
        self.had = 0

    def too_slow(self, done: int, now: float) -> bool:
        """Whether a window has just ended in which too little came; `done` bytes are here at time `now` in seconds."""
        if self.begin is None or now - self.begin < self.seconds:
            self.begin = now if self.begin is None else self.begin
            return False
        slow = done - self.had < SLOWEST_BYTES_PER_SECOND * self.seconds
        self.begin, self.had = now, done
        return slow


def _last_words(log: IO[bytes], code: int) -> str:
    """The cause that the child wrote last, or what its exit code tells."""
    if code < 0:
        return f"the download was killed (signal {-code}), probably for want of memory"
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"the download ended with code {code} and said nothing"
