"""The processes of a machine of the cluster that learn a run together: none waits for one that has gone, none stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.jobs import PROJECT
from tests.waiting import wait_for

BEGIN = """
from core.cluster.together import team
from core.config import TrainConfig
from core.training.team import Word
config = TrainConfig(model="mlp", dataset="mnist-mini", width=16, devices=3, threads=1)
with team(config, 1) as found:
    found.tell(Word.BEGIN)  # the others now wait for this one, in the midst of what all do
    print("begun", flush=True)
    {then}
"""


@pytest.fixture
def begun(environment):
    """Starts a process that leads two others, and does something else when they wait for it."""
    found = []

    def begin(then):
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN.format(then=then)], cwd=PROJECT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        found.append(process)
        assert process.stdout.readline() == "begun\n"
        return process

    yield begin
    for process in found:
        with process:
            process.kill()


def followers(process):
    """The processes that one leads."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def are_gone(pids):
    """Whether none of them does anything any more."""
    stats = [path.read_text() for pid in pids if (path := Path(f"/proc/{pid}/stat")).exists()]
    return all(stat.rpartition(")")[2].split()[0] == "Z" for stat in stats)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc")
def test_one_that_leads_and_fails_alone_ends_at_once_with_its_own_error(begun):
    process = begun("raise RuntimeError('alone')")
    _, said = process.communicate(timeout=60)
    assert said.strip().endswith("RuntimeError: alone")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc")
def test_those_who_follow_one_that_is_killed_end_too(begun):
    process = begun("import time; time.sleep(600)")
    pids = followers(process)
    assert len(pids) == 2
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: are_gone(pids), 30)
