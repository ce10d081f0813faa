"""One run learned by several processes of a machine of the cluster: the one that streams leads, the others follow.

Owns: those others, from their start to their end. Leaves what is learned to `core.training`.

    python -m core.cluster.together CONFIG THREADS    one of those others. CONFIG: the run's knobs in JSON. Its standard
                                                      output says "here" once it may meet the rest, its standard input
                                                      gives it the port for that, and ends when the first has gone
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
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

    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(_Other(rank, config, threads)) for rank in range(1, config.devices)]
        if not all(other.is_here() for other in others):
            raise RunError(_who_died(others) or "A process that was to learn this run with others did not start.")
        port = str(_free_port())
        for other in others:
            other.meet(port)
        os.environ.update(_meeting(config, 0), MASTER_PORT=port)
        try:
            found = training.Team.join()
            stack.callback(found.part)
            yield found
        except RuntimeError:
            if died := _who_died(others):
                raise RunError(died) from None
            raise
        with contextlib.suppress(RuntimeError):  # only where all went well: nobody else would hear it
            found.tell(Word.LEAVE)


class _Other:
    """One of the processes that follow, until the block ends: at once after an error, else when it has left."""

    def __init__(self, rank: int, config: TrainConfig, threads: int) -> None:
        command = [sys.executable, "-m", "core.cluster.together", json.dumps(config.as_dict()), str(threads)]
        self._place, self._of = rank + 1, config.devices
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            command, env={**os.environ, **_meeting(config, rank)}, cwd=PACKAGE, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
        )  # fmt: skip

    def __enter__(self) -> _Other:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None or self.exit_code(SECONDS_TO_END) is None:
            self._process.kill()
        with self._log, contextlib.suppress(BrokenPipeError), self._process:
            pass

    def is_here(self) -> bool:
        """Wait until it may meet the rest; False when it has ended instead."""
        assert self._process.stdout
        return any(line.strip() == HERE for line in self._process.stdout)

    def meet(self, port: str) -> None:
        """Let it meet the rest there."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # it has ended: then the others do not meet
            print(port, file=self._process.stdin, flush=True)

    def exit_code(self, seconds: float) -> int | None:
        """How it has ended, negative for a signal; None when it has not within so many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(max(0.0, seconds))
        return None

    def words(self) -> str:
        """The last line of what it said of its end."""
        self._log.seek(0)
        return ["", *self._log.read().strip().splitlines()][-1]

    def death(self) -> str:
        """What became of it, as a sentence."""
        said = self.words()
        return causes.lost_member(self._place, self._of, self._process.returncode, said and f"It said: {said}")


def _who_died(others: list[_Other]) -> str:
    """Which of them did not end well, rather one that did so by itself than for want of another; "" if none did."""
    deadline = time.monotonic() + SECONDS_TO_END
    ended = [other for other in others if other.exit_code(deadline - time.monotonic())]
    by_itself = [other for other in ended if not causes.tells_of_a_lost_process(other.words())]
    return next((other.death() for other in by_itself or ended), "")


def _meeting(config: TrainConfig, rank: int) -> dict[str, str]:
    """What PyTorch reads of the environment to let them meet, but for the port."""
    return {"MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": str(config.devices), "RANK": str(rank)}


def _free_port() -> int:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main() -> None:
    """Meet the others, and do as the first says."""
    from core import training
    from core.training.device import use_threads

    config = TrainConfig.from_json(sys.argv[1])
    words = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nobody reads what else is printed there
    print(HERE, file=words, flush=True)
    if not (port := sys.stdin.readline().strip()):
        return
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    os.environ["MASTER_PORT"] = port
    found = training.Team.join()
    use_threads(int(sys.argv[2]))
    training.follow(config, found)


def _end_with_the_first() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    code = 1
    try:
        main()
        code = 0
    except Exception:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)  # what keeps the gradients in step holds threads, which now and then abort a process that winds down
