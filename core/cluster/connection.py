"""The cluster itself: connecting to it, what a run needs of it, and what goes along with a run.

Owns: everything that Ray is asked for. Ray is optional, so it is imported only here, and late. A process connects once:
Ray ends it when the machine goes away that it connected through.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import threading
import time
from pathlib import Path
from typing import Any

from core import data
from core.cluster.trainer import Sent, Trainer
from core.config import TrainConfig
from core.errors import RunError

CORE = Path(__file__).resolve().parents[1]
MOST_AT_ONCE = 16  # runs that ask for a machine
CPUS = 2  # of a run whose config leaves the number of threads open
WITH_A_GPU = ("auto", "cuda")  # devices of a config that take a GPU where the cluster has any
SECONDS_BETWEEN_LOOKS = 1.0  # at what machines there are
Needs = dict[str, int]  # "CPU" and "GPU": how many of each
NO_ANSWER = "it does not answer"
LONGEST_WHY = 300  # characters of Ray's own words
INSTALL = 'pip install "ray==2.60.0"'


class Connection:
    """A cluster that this process is connected to."""

    def __init__(self, address: str) -> None:
        """Connect to the cluster at this address, "auto" for the one that this machine belongs to.

        Waits for ever when the cluster does not answer. Each machine there gets the `core` of this one.

        Raises: RunError when Ray is not installed, or the cluster does not take us.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported
        try:
            import ray
        except ImportError:
            raise RunError(
                f"CNNLAB_RAY is set, but Ray is not installed here. Install it ({INSTALL}), or start CNN Lab without "
                "CNNLAB_RAY to train on this machine."
            ) from None
        try:
            ray.init(
                address=address,
                namespace="cnnlab",
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"py_modules": [str(CORE)], "excludes": ["__pycache__"]},
            )
        except ConnectionError:
            why = "none that takes us runs on this machine" if address == "auto" else NO_ANSWER
            raise RunError(unreachable(address, why)) from None
        except (RuntimeError, ValueError) as error:
            raise RunError(unreachable(address, " ".join(str(error).split())[:LONGEST_WHY])) from error
        self.ray: Any = ray
        self._looked = -math.inf
        self._machines: list[dict[str, float]] = []
        self._trainer = ray.remote(Trainer)
        self._sent: dict[tuple[Path, int], tuple[Sent, Any]] = {}
        self._lock = threading.Lock()

    def needs(self, config: TrainConfig) -> Needs:
        """What a run asks one machine for, for all its devices together."""
        machines = self.machines()
        has_gpus = config.device in WITH_A_GPU and any(there.get("GPU") for there in machines)
        fit = [there for there in machines if not has_gpus or there.get("GPU", 0.0) >= config.devices]
        most = max((there.get("CPU", 0.0) for there in fit), default=0.0)
        cpus = config.threads or max(1, min(CPUS, int(most) // config.devices))
        each = {"CPU": cpus, "GPU": 1} if has_gpus else {"CPU": cpus}
        return {kind: number * config.devices for kind, number in each.items()}

    def machines(self) -> list[dict[str, float]]:
        """What each machine that is there has in all, as of a moment ago."""
        now = time.monotonic()
        if now - self._looked > SECONDS_BETWEEN_LOOKS:
            self._looked = now
            self._machines = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        return self._machines

    def room(self) -> int:
        """How many runs may ask for a machine at once: as many as may find one, and one that waits, so that none of
        those in the queue overtakes another.
        """
        free = self.ray.available_resources()
        kind = "GPU" if any(there.get("GPU") for there in self.machines()) else "CPU"
        return max(1, min(MOST_AT_ONCE, int(free.get(kind, 0))))

    def too_large(self, needs: Needs) -> str:
        """Why no machine will ever have room, as the end of a sentence; empty when one may."""
        if any(all(there.get(kind, 0) >= number for kind, number in needs.items()) for there in self.machines()):
            return ""
        wanted = " and ".join(f"{number} {kind}{'s' if number > 1 else ''}" for kind, number in needs.items())
        return f"it asks for {wanted} on one machine, and none of the cluster has that much"

    def reserve(self, needs: Needs) -> Any:  # noqa: ANN401 - Ray's handle of an actor
        """A Trainer on a machine that has room; Ray queues it until there is one."""
        options = {"num_cpus": needs["CPU"], "num_gpus": needs.get("GPU", 0)}
        return self._trainer.options(**options, max_restarts=0, max_concurrency=2).remote()

    def parcel(self, dataset: str) -> tuple[Sent, Any] | None:
        """The data set's file, to be sent along once a machine: what it is, and where Ray has it.

        So a run learns from the same images wherever it computes. None for a set that ships with `core`.

        Raises: DataError when it is not here, and can't be fetched.
        """
        if data.describe(dataset).shipped:
            return None
        path = data.fetch(dataset)
        key = path, path.stat().st_mtime_ns
        with self._lock:
            if key not in self._sent:
                content = path.read_bytes()
                sent = Sent(path.name, len(content), hashlib.sha256(content).hexdigest())
                self._sent[key] = sent, self.ray.put(content)
            return self._sent[key]


def unreachable(address: str, why: str) -> str:
    """The sentence for a cluster that is not there, or does not take us."""
    return (
        f"The cluster that CNNLAB_RAY names ({address}) can't be reached: {why.rstrip('.')}. Queued runs wait for it. "
        "Start it (ray start), or start CNN Lab without CNNLAB_RAY to train on this machine. What Ray said is in "
        ".cluster.log in the folder of runs."
    )
