"""One run learned by several processes of a machine of the cluster: the one that streams leads, the others follow.

Owns: those others, from their start to their end. Leaves what is learned to `core.training`.

    python -m core.cluster.together CONFIG THREADS    one of those others. CONFIG: the run's knobs in JSON. Its standard
                                                      output says "here" once it is about to meet the rest
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from core import causes
from core.config import TrainConfig
from core.errors import RunError

if TYPE_CHECKING:
    from core.training import Team

HERE = "here"
SECONDS_TO_END = 5.0
PACKAGE = Path(__file__).resolve().parents[2]  # the folder that `core` lies in


@contextlib.contextmanager
def team(config: TrainConfig, threads: int) -> Iterator[Team]:
    """Start the processes that follow this one, and meet them; they end with the block.

    threads: of each process.

    Raises: RunError when one of them dies.
    """
    from core import training
    from core.training.team import Word

    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(config.devices)}
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(_Other(rank, config, threads, meeting)) for rank in range(1, config.devices)]
        if not all(other.is_here() for other in others):
            raise RunError(_who_died(others))
        os.environ.update(meeting, RANK="0")
        found = training.Team.join()
        try:
            yield found
        except RuntimeError:
            if died := _who_died(others):
                raise RunError(died) from None
            raise
        finally:
            with contextlib.suppress(RuntimeError):  # somebody has gone already
                found.tell(Word.LEAVE)
            found.part()


class _Other:
    """One of the processes that follow, until the block ends."""

    def __init__(self, rank: int, config: TrainConfig, threads: int, meeting: dict[str, str]) -> None:
        path = os.pathsep.join(filter(None, (str(PACKAGE), os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-m", "core.cluster.together", json.dumps(config.as_dict()), str(threads)]
        environment = {**os.environ, **meeting, "RANK": str(rank), "PYTHONPATH": path}
        self._place, self._of = rank + 1, config.devices
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log, text=True
        )

    def __enter__(self) -> _Other:
        return self

    def __exit__(self, *_: object) -> None:
        if self.exit_code() is None:
            self._process.kill()
        with self._log, self._process:
            pass

    def is_here(self) -> bool:
        """Wait until it is about to meet the rest; False when it has ended instead."""
        assert self._process.stdout
        return self._process.stdout.readline().strip() == HERE

    def exit_code(self) -> int | None:
        """How it has ended, negative for a signal; None when it has not within some seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(SECONDS_TO_END)
        return None

    def death(self, exit_code: int) -> str:
        """What became of it, as a sentence."""
        self._log.seek(0)
        words = self._log.read().strip().splitlines()
        return causes.lost_member(self._place, self._of, exit_code, f"It said: {words[-1]}" if words else "")


def _who_died(others: list[_Other]) -> str:
    """Which of them did not end well, one that a signal ended before those that could not go on without it; or ""."""
    ended = [(code, other) for other in others if (code := other.exit_code())]
    code, other = min(ended, key=lambda one: one[0], default=(0, None))
    return other.death(code) if other else ""


def _free_port() -> int:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main() -> None:
    """Meet the others, and do as the first says."""
    from core import training
    from core.training.device import use_threads

    config = TrainConfig.from_json(sys.argv[1])
    print(HERE, flush=True)
    found = training.Team.join()
    use_threads(int(sys.argv[2]))
    training.follow(config, found)
    found.part()


if __name__ == "__main__":
    main()
    os._exit(0)  # what keeps the gradients in step holds threads, which now and then abort a process that winds down
