"""A real Ray cluster of two machines on this one, in a process of its own. Nothing of it is heard outside.

python -m tests.cluster.nodes PORT    starts it, its head on 127.0.0.1:PORT; a CPU a machine. Prints "ready", then
                                      does what stands on its standard input, a word a line: "kill" takes the second
                                      machine away as a power cut would. Its end ends the cluster.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from socket import socket
from typing import Any

from core.jobs import PROJECT

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # the latter: only 127.0.0.1
MACHINE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "node_ip_address": "127.0.0.1"}

TRIES = 3  # Ray gives a machine 30 s to start, which is little on a busy one


class Nodes:
    """The cluster from outside: not there yet, then started, then a machine less."""

    def __init__(self, folder: Path) -> None:
        self.address = f"127.0.0.1:{_free_port()}"
        self.environment = {**QUIET, "CNNLAB_RAY": self.address, "RAY_TMPDIR": str(folder)}
        self._process: subprocess.Popen[str] | None = None

    @property
    def session(self) -> int:
        """The number that all its processes have in common."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Returns when it is there."""
        command = [sys.executable, "-m", "tests.cluster.nodes", self.address.partition(":")[2]]
        environment = {**os.environ, **self.environment}
        for _ in range(TRIES):
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT, env=environment,
                start_new_session=True,
            )  # fmt: skip
            if self._said() == "ready":
                return
            self.close()
        raise AssertionError(f"Ray did not start in {TRIES} tries")

    def kill_one(self) -> None:
        """Take the second machine away; returns when it has gone."""
        assert self._process
        assert self._process.stdin
        self._process.stdin.write("kill\n")
        self._process.stdin.flush()
        assert self._said() == "killed"

    def close(self) -> None:
        """End it."""
        if self._process:
            with self._process as process:
                process.communicate()
            self._process = None

    def _said(self) -> str:
        assert self._process
        assert self._process.stdout
        return self._process.stdout.readline().strip()


@contextlib.contextmanager
def nodes() -> Iterator[Nodes]:
    """A cluster that is not started yet; it ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets have short paths
    found = Nodes(folder)
    try:
        yield found
    finally:
        found.close()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main() -> None:
    from ray.cluster_utils import Cluster

    words = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    head: dict[str, Any] = {"include_dashboard": False, "no_monitor": True, "include_log_monitor": False, **MACHINE}
    cluster = Cluster(initialize_head=True, head_node_args={**head, "gcs_server_port": int(sys.argv[1])})
    second = cluster.add_node(**MACHINE)
    print("ready", file=words, flush=True)
    for _ in sys.stdin:
        cluster.remove_node(second, allow_graceful=False)
        print("killed", file=words, flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
