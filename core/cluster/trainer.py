"""What is done on a machine of the cluster: get ready, learn and tell, open the test set. Knows nothing of Ray.

Owns: one run's learning in a process of its own there. Nothing is kept on that machine but data sets. Torch is imported
late, so that a machine that lacks it can still say so.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import machine
from core.config import TrainConfig
from core.data.folder import cache_folder
from core.files import sha256, write_bytes

if TYPE_CHECKING:
    from core.cluster.parcels import Parcel
    from core.training import Event

FOLDER = "sent"  # in the folder of data sets of a machine of the cluster


@dataclass(frozen=True)
class Sent:
    """The file of a data set that goes along with a run. name: of the file. size, sha256: of its bytes."""

    name: str
    size: int
    sha256: str


class Trainer:
    """Learns one run. Its methods are called from elsewhere; `say` while `fit` is under way."""

    def __init__(self) -> None:
        self._word = "run"
        self._config: TrainConfig | None = None
        self._threads = 1

    def name(self) -> str:
        """What this machine is called."""
        return socket.gethostname()

    def has(self, sent: Sent) -> bool:
        """Whether these very bytes are here, sent before or by themselves."""
        return _found(sent) is not None

    def get_ready(
        self, knobs: Mapping[str, Any], threads: int, sent: Sent | None, content: bytes | None
    ) -> dict[str, Any]:
        """Take the run's config and its data set; returns what of this machine belongs into the run's status.

        threads: of the processor, for each of its devices. sent: None for a data set that ships; content: None where
        it `has` it.

        Raises: ConfigError for a device that is not here; ImportError for a package that is not installed here.
        """
        if sent is not None:
            if content is not None:
                _place_of(sent).parent.mkdir(parents=True, exist_ok=True)
                write_bytes(_place_of(sent), content)
            os.environ["CNNLAB_DATA"] = str((_found(sent) or _place_of(sent)).parent)
        from core.training.device import choose_device, choose_precision, missed_gpus, use_threads

        self._config = config = TrainConfig.from_dict(knobs)
        device = choose_device(config.device, 0, config.devices)
        self._threads = use_threads(threads)
        return {
            "device": device.type,
            "precision": choose_precision(config.precision, device),
            "threads": threads,
            "warning": missed_gpus(config.device, device),
            "node": self.name(),
            "torch": machine.versions().get("torch", ""),
        }

    def say(self, word: str) -> None:
        """Steer what is under way: "run", "pause", "stop" or "leave"."""
        self._word = word

    def fit(self, state: Parcel | None, weights: bytes | None, catch_up: int) -> Iterator[tuple[int, Event | Parcel]]:
        """Learn, as `core.training.fit` does; yields what it tells, each time with the memory taken so far in MB."""
        from core import training
        from core.cluster.parcels import from_bytes, pack, unpack_event
        from core.cluster.together import team
        from core.training.device import use_threads

        assert self._config
        use_threads(self._threads)
        start = unpack_event(state) if state else None
        assert start is None or isinstance(start, training.State)
        first = from_bytes(weights) if weights else None
        alone = contextlib.nullcontext(None)
        with team(self._config, self._threads) if self._config.devices > 1 else alone as others:
            for event in training.fit(
                self._config, state=start, weights=first, control=self._said, catch_up=catch_up, team=others
            ):
                yield machine.peak_memory_mb(), pack(event)

    def _said(self) -> str:
        return self._word

    def test(self, weights: bytes) -> tuple[int, str, Parcel]:
        """Open the test set, with these weights; returns the memory taken so far in MB, the set's hash, the figures."""
        from core import data
        from core.cluster.parcels import Parcel, from_bytes, pack
        from core.evaluation import evaluate
        from core.loading import network
        from core.training.device import use_threads

        assert self._config
        use_threads(self._threads)
        dataset = data.load(self._config.dataset)
        figures = pack(evaluate(network(self._config, from_bytes(weights)), dataset.test))
        assert isinstance(figures, Parcel)
        return machine.peak_memory_mb(), dataset.fingerprint, figures


def _place_of(sent: Sent) -> Path:
    """Where a file lies that was sent here."""
    return cache_folder() / FOLDER / sent.sha256 / sent.name


def _found(sent: Sent) -> Path | None:
    """The file where it was sent to, or this machine's own if it is the same to the bit."""
    if _place_of(sent).is_file():
        return _place_of(sent)
    own = cache_folder() / sent.name
    is_same = own.is_file() and own.stat().st_size == sent.size and sha256(own) == sent.sha256
    return own if is_same else None
