"""One run's machine in the cluster, as the place where `core.worker` lets it compute.

Owns: waiting for a machine with room, steering what it does, and which errors mean that it is lost. Leaves the run's
folder to `core.worker`, the learning to `trainer.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from core.cluster.connection import Connection
from core.cluster.parcels import as_bytes, pack, unpack_evaluation, unpack_event
from core.errors import RunError
from core.machine import versions
from core.relay import after_loss
from core.training import Event, State
from core.worker import LEAVING, STARTABLE, Control, LostError, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from core.config import TrainConfig
    from core.evaluation import Evaluation
    from core.runs import Run

SECONDS_BETWEEN_WORDS = 0.2


class OnCluster(Place):
    """A machine of the cluster, for one run. Close it."""

    def __init__(self, cluster: Connection, run: Run, control: Control, told: Callable[[str], None]) -> None:
        """told: called with a sentence while no machine can take the run, with "" when that is over."""
        self._cluster = cluster
        self._ray = cluster.ray
        self._run = run
        self._control = control
        self._told = told
        self._trainer: Any = None
        self._threads = 1
        self._node = "the cluster"
        self._memory_mb = 0

    def close(self) -> None:
        """End what runs there."""
        self._told("")
        if self._trainer is not None:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.kill(self._trainer)

    def reserve(self) -> bool:
        """Wait for a machine with room; False when the run is wanted no more, as it is paused or stopped meanwhile."""
        needs = self._cluster.needs(self._run.config)
        self._threads = needs["CPU"] // self._run.config.devices
        self._trainer = self._cluster.reserve(needs)
        name = self._trainer.name.remote()
        while not self._ready(name, SECONDS_BETWEEN_WORDS):
            if self._control() in LEAVING or self._run.status().state not in STARTABLE:
                return False
            why = self._cluster.too_large(needs)
            self._told(why and f"The run “{self._run.name}” waits: {why}. Start a larger machine, or discard it.")
        self._told("")
        with contextlib.suppress(self._ray.exceptions.RayError):  # the next call says so too, and then it is the run's
            self._node = self._ray.get(name)
        return True

    def facts(self, config: TrainConfig) -> dict[str, Any]:
        """Device, precision, threads and name of the machine, as the status has them."""
        with self._understood():
            sent, content = self._cluster.parcel(config.dataset) or (None, None)
            if sent and self._ray.get(self._wait(self._trainer.has.remote(sent))):
                content = None
            asked = self._trainer.get_ready.remote(config.as_dict(), self._threads, sent, content)
            facts: dict[str, Any] = self._ray.get(self._wait(asked))
        here, there = versions().get("torch", ""), facts.pop("torch")
        if there != here:
            differs = f"On {self._node} it computes with torch {there}, here is {here}: "
            facts["warning"] = f"{differs}figures may differ in their last digits. {facts['warning']}".strip()
        return facts

    def fit(
        self,
        config: TrainConfig,
        *,
        state: State | None,
        weights: Mapping[str, Tensor] | None,
        control: Callable[[], str],
        catch_up: int,
    ) -> Iterator[Event]:
        """As `core.training.fit`, on that machine."""
        with self._understood():
            start, first = pack(state) if state else None, as_bytes(dict(weights)) if weights else None
            self._trainer.say.remote(said := control())  # heard before its first step
            stream = self._trainer.fit.options(num_returns="streaming").remote(start, first, catch_up)
            while True:
                if (word := control()) != said:
                    said = word
                    self._trainer.say.remote(word)
                if not self._ready(stream, SECONDS_BETWEEN_WORDS):
                    continue
                item = next(stream, None)
                if item is None:
                    return
                self._memory_mb, parcel = self._ray.get(item)
                yield (event := unpack_event(parcel))
                if isinstance(event, State) and self._run.status_when_held().lost:  # it is stored now
                    self._run.set_status(lost=0)

    def test(self, run: Run) -> tuple[Evaluation, str]:
        """The figures on the test set at the best weights, computed there."""
        with self._understood():
            asked = self._trainer.test.remote(as_bytes(run.load_weights()))
            self._memory_mb, fingerprint, figures = self._ray.get(self._wait(asked))
            return unpack_evaluation(figures), fingerprint

    def memory_mb(self) -> int:
        """The most memory that its process there has held, as far as it told."""
        return self._memory_mb

    def _ready(self, awaited: Any, seconds: float) -> bool:  # noqa: ANN401 - Ray's
        ready, _ = self._ray.wait([awaited], timeout=seconds)
        return bool(ready)

    def _wait(self, awaited: Any) -> Any:  # noqa: ANN401 - Ray's
        """Wait for an answer. Raises: LostError when the server leaves meanwhile: it then is done once more."""
        while not self._ready(awaited, SECONDS_BETWEEN_WORDS):
            if self._control.server_has_gone.is_set():
                raise LostError("interrupted", "The program that started it has gone.")
        return awaited

    @contextlib.contextmanager
    def _understood(self) -> Iterator[None]:
        """Ray's errors in here become ours: the run's own error there, or LostError."""
        errors = self._ray.exceptions
        try:
            yield
        except errors.RayTaskError as error:
            self._log(error)
            raise _own(error.cause, self._node) from None
        except errors.RuntimeEnvSetupError as error:
            self._log(error)
            raise RunError(f"{self._node} can't take the program: {error}") from None
        except errors.RayError as error:
            self._log(error)
            if "creation task" in str(error):  # the program does not even start there
                why = str(error).strip().splitlines()[-1]
                raise RunError(f"The program does not start on a machine of the cluster: {why}") from None
            cause = f"The process on {self._node} that trained it has died, or that machine."
            raise LostError(*after_loss(self._run, cause)) from None

    def _log(self, error: Exception) -> None:
        """Keep all that Ray says of it with the run."""
        with contextlib.suppress(OSError), (self._run.path / "log.txt").open("a", encoding="utf-8") as log:
            print(error, file=log)


def _own(cause: BaseException, node: str) -> Exception:
    """What happened on that machine, as if it had happened here."""
    if isinstance(cause, ImportError):
        return RunError(f"On {node} a package is missing ({cause}). Install there what requirements.txt names.")
    return cause if isinstance(cause, Exception) else RunError(f"It was ended on {node}: {cause!r}")
