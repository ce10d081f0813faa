"""One run learned by several processes: paused, resumed and killed, it comes out as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from core.config import TrainConfig
from core.jobs import PROJECT, JobManager
from core.runs import auditing
from core.training import fit
from core.training.events import Epoch
from tests.waiting import wait_for

pytestmark = pytest.mark.faults

CONFIG = TrainConfig(
    model="cnn", dataset="mnist-mini", width=8, train_size=800, batch_size=50, epochs=8, devices=2, threads=1
)


@pytest.fixture
def manager(store):
    with JobManager(store) as manager:
        yield manager


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The same run, never interrupted."""
    from core.runs import RunStore

    with JobManager(RunStore(tmp_path_factory.mktemp("runs"))) as manager:
        run = manager.store.get(manager.submit(CONFIG))
        wait_for(lambda: run.status().state == "finished", 240)
    return run


def learns(run, step=1):
    """Waits until it has come so far in its training."""
    wait_for(lambda: run.status().state == "running" and run.metrics().steps.get("step", [0])[-1] >= step, 120)


def ranks(pid):
    """The processes that learn for a launching one, the leader first."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    by_rank = {}
    for child in found:
        environment = Path(f"/proc/{child}/environ").read_bytes().decode().split("\0")
        settings = dict(line.split("=", 1) for line in environment if "=" in line)
        if "RANK" in settings:
            by_rank[int(settings["RANK"])] = int(child)
    return [by_rank[rank] for rank in sorted(by_rank)]


def assert_same(run, whole):
    ours, theirs = run.load_weights(), whole.load_weights()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert run.metrics().epochs["val_loss"] == whole.metrics().epochs["val_loss"]
    assert run.test()["accuracy"] == whole.test()["accuracy"]
    assert auditing.audit_run(run) == []


def test_paused_resumed_and_with_a_process_killed_it_gives_the_same_bits(manager, undisturbed):
    run = manager.store.get(manager.submit(CONFIG))
    learns(run, 30)
    manager.pause(run.id)
    wait_for(lambda: run.status().state == "paused", 120)
    paused_at = run.load_state()[0].step
    manager.resume(run.id)
    learns(run, paused_at + 1)
    leader, follower = ranks(manager._children[run.id].process.pid)
    os.kill(follower, signal.SIGKILL)
    wait_for(lambda: run.status().state == "failed", 120)
    died = "Process 2 of the 2 that learned this run together was killed (SIGKILL)"
    wait_for(lambda: died in run.status().reason)  # at first the leader knew only that somebody has gone
    assert not Path(f"/proc/{leader}").exists()
    manager.resume(run.id)
    wait_for(lambda: run.status().state == "finished", 240)
    assert_same(run, undisturbed)


@pytest.mark.parametrize("who", ["leader", "launcher"])
def test_without_its_leader_or_its_launcher_nobody_goes_on(manager, undisturbed, who):
    run = manager.store.get(manager.submit(CONFIG))
    learns(run, 30)
    launcher = manager._children[run.id].process.pid
    processes = ranks(launcher)
    os.kill(processes[0] if who == "leader" else launcher, signal.SIGKILL)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes), 120)
    if who == "leader":
        wait_for(lambda: run.status().state == "failed")
        assert "Process 1 of the 2 that learned this run together was killed (SIGKILL)" in run.status().reason
    else:
        wait_for(lambda: run.status().state == "interrupted")
    manager.resume(run.id)
    wait_for(lambda: run.status().state == "finished", 240)
    assert_same(run, undisturbed)


def test_it_stops_by_hand_and_keeps_its_best(manager):
    run = manager.store.get(manager.submit(CONFIG))
    wait_for(lambda: run.metrics().epochs, 120)
    manager.stop(run.id)
    wait_for(lambda: run.status().state == "stopped", 120)
    assert run.test()["images"] == 2000


def test_on_the_command_line_ctrl_c_stores_the_state(store, environment):
    command = [
        sys.executable,
        "-m",
        "core",
        "train",
        "--devices",
        "2",
        "--epochs",
        "400",
        "--width",
        "8",
        "--batch-size",
        "50",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=PROJECT, env=environment
    ) as process:
        (run,) = wait_for(lambda: [run for run in store.list() if not run.is_shipped], 60)
        wait_for(lambda: run.metrics().epochs, 120)
        process.send_signal(signal.SIGINT)
        printed = process.stdout.read()
        assert process.wait(120) == 130, printed
    assert run.status().state == "interrupted"
    assert run.load_state()[0].step > 0
    assert f"python -m core train --resume {run.id}" in printed
    assert "Traceback" not in printed
    assert "epoch   1" in printed


def test_two_processes_learn_as_well_as_one(undisturbed):
    """Batch statistics of half a batch change the course, though not where it leads."""
    alone = [
        [
            event.val_accuracy
            for event in fit(TrainConfig(**CONFIG.as_dict() | {"devices": 1, "seed": seed}))
            if isinstance(event, Epoch)
        ][-1]
        for seed in range(3)
    ]
    spread = torch.tensor(alone).std()
    assert abs(undisturbed.metrics().epochs["val_accuracy"][-1] - sum(alone) / 3) < 4 * spread + 0.005
