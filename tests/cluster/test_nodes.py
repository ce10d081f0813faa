"""A real Ray cluster: a queue that waits for it, runs on two machines, one of which goes away."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from core import relay
from core.config import TrainConfig
from core.errors import RunError
from core.jobs import PROJECT, JobManager
from core.worker import work
from tests.cluster.nodes import nodes
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(
    find_spec("ray") is None and not os.environ.get("CI"), reason="needs Ray: pip install -r tests/requirements.txt"
)

SECONDS = 180.0
SIZES = {"train_size": 2000, "batch_size": 100, "epochs": 20}  # 5 to 20 s on one processor
CONFIG = TrainConfig(model="cnn", dataset="mnist-mini", threads=1, **SIZES)


@pytest.fixture
def cluster(monkeypatch):
    with nodes() as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(relay, "SECONDS_BETWEEN_STARTS", 1.0)
        yield found


def trainers(cluster) -> list[int]:
    """The processes in which runs learn on the machines of this cluster."""
    command = ["pgrep", "-s", str(cluster.session), "-f", "^ray::Trainer"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def learning_on(run) -> bool:
    return run.status().state == "running" and bool(run.metrics().steps)


@pytest.mark.faults
def test_runs_wait_for_the_cluster_learn_at_once_and_outlive_a_machine(store, cluster):
    with JobManager(store) as manager:
        runs = [store.get(manager.submit(CONFIG)) for _ in range(2)]
        wait_for(lambda: "it does not answer. Queued runs wait for it" in manager.trouble, SECONDS)
        assert [run.status().state for run in runs] == ["queued", "queued"]
        cluster.start()
        wait_for(lambda: all(learning_on(run) for run in runs), SECONDS)
        assert manager.trouble == ""
        for run in runs:  # so that a state of each has arrived
            manager.pause(run.id)
        wait_for(lambda: all(run.status().state == "paused" for run in runs), SECONDS)
        states = [run.load_state()[0].step for run in runs]
        for run in runs:
            manager.resume(run.id)
        wait_for(
            lambda: all(run.metrics().steps["step"][-1] > at for run, at in zip(runs, states, strict=True)), SECONDS
        )
        cluster.kill_one()
        lost = wait_for(lambda: next((run for run in runs if run.status().lost), None), SECONDS)
        other = next(run for run in runs if run is not lost)
        assert lost.status().lost == 1
        assert lost.load_state()[0].step in states
        with contextlib.suppress(RunError):  # on a quick machine it has finished
            manager.stop(other.id)
        wait_for(lambda: other.status().state in ("stopped", "finished"), SECONDS)  # there is room on what is left
        wait_for(lambda: lost.status().state == "finished", SECONDS)
    whole = store.create(CONFIG, state="paused")
    assert work(whole) == "finished"
    assert all(torch.equal(value, whole.load_weights()[name]) for name, value in lost.load_weights().items())
    assert lost.metrics().epochs["val_loss"] == whole.metrics().epochs["val_loss"]
    assert other.test()["images"] == lost.test()["images"] == 2000


SERVER = """
import sys, time
from core.config import TrainConfig
from core.jobs import JobManager
from core.runs import RunStore
print(JobManager(RunStore()).submit(TrainConfig.from_json(sys.argv[1])), flush=True)
time.sleep(600)
"""


@pytest.mark.faults
def test_a_killed_server_and_a_head_that_goes_away_leave_nothing_running_and_nothing_lost(store, cluster):
    cluster.start()
    command = [sys.executable, "-c", SERVER, json.dumps(CONFIG.as_dict())]
    environment = {**os.environ, "CNNLAB_RUNS": str(store.root)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT, env=environment) as server:
        run = store.get(server.stdout.readline().strip())
        wait_for(lambda: learning_on(run), SECONDS)
        assert trainers(cluster)
        server.send_signal(signal.SIGKILL)
    wait_for(lambda: run.status().state == "interrupted", SECONDS)
    assert run.load_state()[0].step >= run.metrics().steps["step"][-1]
    wait_for(lambda: not trainers(cluster), SECONDS)
    with JobManager(store) as manager:
        manager.resume(run.id)
        told = run.load_state()[0].step
        wait_for(lambda: learning_on(run) and run.metrics().steps["step"][-1] > told, SECONDS)
        cluster.close()
        wait_for(lambda: run.status().lost == 1, SECONDS)
        assert run.status().state == "queued"
        wait_for(lambda: "broke off" in manager.trouble or "does not answer" in manager.trouble, SECONDS)
    assert Path(run.path / "manifest.json").is_file()
