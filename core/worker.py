"""The process of one run: takes the run's lock, trains, writes what `fit` tells, opens the test set once at the end.

Owns: turning events into files, and every way a run can end into a status. Leaves learning to `core.training`.

    python -m core.worker            waits for the path of a run's folder on its standard input, then works on it;
                                     the end of that input means that the server has gone: checkpoint and leave
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import Timeout

from core import causes, machine, training
from core import data as datasets
from core.errors import LabError, RunError
from core.evaluation import Evaluation, evaluate
from core.loading import load_model
from core.models.cost import cost_of
from core.runs import ENDED, RESUMABLE, Run, RunStore
from core.training.device import choose_device, choose_precision, missed_gpus, use_threads

if TYPE_CHECKING:
    from torch import Tensor

    from core.config import TrainConfig

SECONDS_FOR_LOCK = 5.0  # somebody who looks whether a run is alive holds its lock for a moment
STARTABLE = ("queued", *RESUMABLE)
PAUSING = ("pause", "discard")
Fit = Callable[..., Iterator[training.Event]]
LEAVING = ("pause", "leave")


class LostError(Exception):
    """The place where a run computed is gone. state: what becomes of the run meanwhile; reason: why, a sentence."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.end = training.End(state, reason)


class Place:
    """Where a run computes: this process, unless a subclass says otherwise. Any of it may raise LostError."""

    def facts(self, config: TrainConfig) -> dict[str, Any]:
        """Device, precision, threads and what else of the place belongs into the run's status.

        Raises: ConfigError for a device that is not there.
        """
        device = choose_device(config.device)
        threads = use_threads(config.threads, config.devices)
        return {
            "device": device.type,
            "precision": choose_precision(config.precision, device),
            "threads": threads,
            "warning": missed_gpus(config.device, device),
        }

    def memory_mb(self) -> int:
        """The most memory that the run has taken there so far."""
        return machine.peak_memory_mb()

    def test(self, run: Run) -> tuple[Evaluation, str]:
        """The figures of a run's best weights on the test set, and the test set's hash."""
        data = datasets.load(run.config.dataset)
        return evaluate(load_model(run), data.test), data.fingerprint


HERE = Place()


class Control:
    """What a run is told: the last word in its folder, unless its server has gone.

    pipe: file descriptor whose other end the server holds and never writes to; -1 for a run without a server.
    """

    def __init__(self, run: Run, pipe: int = -1) -> None:
        self._run = run
        self._pipe = pipe
        self._path = run.path / "control.json"
        self._seen = -1
        self._word = "run"
        self.server_has_gone = threading.Event()

    def __call__(self) -> str:
        """The word for `fit`; reads the file only when it changed."""
        if self._pipe >= 0 and _has_ended(self._pipe):
            self.server_has_gone.set()
        if self.server_has_gone.is_set():
            return "leave"
        try:
            changed = self._path.stat().st_mtime_ns
        except OSError:
            return self._word
        if changed != self._seen:
            self._seen, self._word = changed, self._run.word()
        return "pause" if self._word in PAUSING else self._word


def work(
    run: Run,
    *,
    control: Control | None = None,
    told: Callable[[training.Event], None] | None = None,
    fit: Fit | None = None,
    place: Place = HERE,
) -> str:
    """Train a run to its end, or until it is told to leave; returns the state that it ended in.

    control: who steers it, else the run's own control file. told: called with every event, after it is stored.
    fit: what learns and tells, called as `core.training.fit` is, and that if nothing else is said. place: where it
    does so.

    Raises: filelock.Timeout when another process works on the run; RunError when the disk refuses even to write down
    how it ended: it then is found interrupted.
    """
    control = control or Control(run)
    with run.held(SECONDS_FOR_LOCK):
        status = run.status_when_held()
        if status.state not in STARTABLE or control() in LEAVING:  # it stays where it was, in the queue say
            return status.state
        return _leave(run, _train_and_test(run, control, told, fit or training.fit, place), place)


def _train_and_test(
    run: Run, control: Control, told: Callable[[training.Event], None] | None, fit: Fit, place: Place
) -> training.End:
    """Train and open the test set; whatever goes wrong becomes an end with its cause."""
    try:
        started = run.status_when_held().started or time.time()
        run.set_status(state="running", started=started, reason="", warning="", metrics_sha256="")
        end = _train(run, control, told, fit, place)
        if end.state in ENDED:
            _open_test_set(run, place)
    except LostError as lost:
        return lost.end
    except LabError as error:
        return training.End("failed", str(error))
    except Exception as error:
        with contextlib.suppress(Exception):  # its log may be on the disk that refuses, or memory too short to print it
            traceback.print_exc()
        return training.End("failed", causes.in_words(error))
    return end


def _leave(run: Run, end: training.End, place: Place) -> str:
    """Write down how it ended; returns the state."""
    try:
        _write_end(run, end, place)
    except (OSError, MemoryError) as error:
        end = training.End("failed", causes.in_words(error))
        try:
            _write_end(run, end, place)  # once more, for a disk that refused once
        except OSError:
            raise RunError(end.reason) from None
    if end.state in ENDED:  # only now: killed before, it can still go on from its last state
        with contextlib.suppress(OSError):  # they stay, and do no harm
            run.drop_states()
    return end.state


def _write_end(run: Run, end: training.End, place: Place) -> None:
    metrics = "" if end.state == "failed" else run.metrics_sha256()  # its last line may be torn
    memory_mb = place.memory_mb()
    run.set_status(state=end.state, reason=end.reason, ended=time.time(), memory_mb=memory_mb, metrics_sha256=metrics)


def _train(
    run: Run, control: Control, told: Callable[[training.Event], None] | None, fit: Fit, place: Place
) -> training.End:
    """Iterate `fit` and store what it tells."""
    config = run.config
    stored = run.load_state()
    state, metrics_bytes, warning = stored or (None, 0, "")
    run.cut_metrics(metrics_bytes)
    facts = {"warning": "", "node": "", **place.facts(config)}
    facts["warning"] = " ".join(said for said in (warning, facts["warning"]) if said)
    info = datasets.describe(config.dataset)
    size = cost_of(config.model, info.image_shape, len(info.classes), config.width)
    run.set_status(
        **facts,
        **{"parameters": size.parameters, "multiply_adds": size.multiply_adds},
    )
    end = training.End("failed", "The training ended without a word.")
    weights = _weights_to_begin_with(run) if state is None else None
    done = run.step_of_weights()
    for event in fit(config, state=state, weights=weights, control=control, catch_up=done):
        _store(run, event, place)
        if told:
            told(event)
        if isinstance(event, training.End):
            end = event
    return end


def _weights_to_begin_with(run: Run) -> dict[str, Tensor] | None:
    """Those of the run that its config names, None where it names none. Raises: LabError when they are not there."""
    beginning = run.config.init_from
    return RunStore(run.path.parent).get(beginning).load_weights() if beginning else None


def _store(run: Run, event: training.Event, place: Place) -> None:
    """Write one event to where it belongs."""
    if isinstance(event, training.State):
        run.save_state(event)
    elif isinstance(event, training.Weights):
        run.save_weights(event.tensors, event.step)
    elif not (isinstance(event, training.End) and event.state in RESUMABLE):  # a resume would cut it off again
        run.append(event)
    if isinstance(event, training.Epoch):
        known = {"epoch": event.epoch, "seconds": event.seconds, "cpu_seconds": event.cpu_seconds}
        run.set_status(**known, memory_mb=place.memory_mb())


def _open_test_set(run: Run, place: Place) -> None:
    """Evaluate the best weights on the test set, once; a run that has no weights yet has nothing to test."""
    if run.test() is None and run.has_weights:
        run.save_test(*place.test(run))


def _has_ended(pipe: int) -> bool:
    """Whether nobody holds the other end any more. Does not wait, and asks in time that no step notices."""
    can_be_read, _, _ = select.select([pipe], [], [], 0)
    return bool(can_be_read) and not os.read(pipe, 1)


def main() -> int:
    """Wait for a run on the standard input, and work on it."""
    path = _first_line()
    if not path:
        return 0  # a spare process whose server has gone
    run = Run(Path(path))
    _print_into(run.path / "log.txt")
    try:
        if _devices(run) > 1:
            from core.launch import launch

            launch(run, server=sys.stdin.fileno())
        else:
            work(run, control=Control(run, sys.stdin.fileno()))
    except Timeout:
        print(f"Another process works on run {run.id}.", file=sys.stderr)
        return 1
    return 0


def _devices(run: Run) -> int:
    """How many processes are to learn it; 1 where its config can't be read, of which `work` then makes a cause."""
    config = run.config_or_none
    return config.devices if config else 1


def _print_into(path: Path) -> None:
    """Send everything that this process prints from now on to a file."""
    with path.open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())


def _first_line() -> str:
    """The first line of the standard input, read byte by byte so that nothing behind it is swallowed."""
    line = b""
    while (letter := os.read(sys.stdin.fileno(), 1)) not in (b"", b"\n"):
        line += letter
    return line.decode()


if __name__ == "__main__":
    sys.exit(main())
