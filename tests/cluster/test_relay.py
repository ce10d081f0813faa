"""The queue, the relay process and a cluster that is none: words obeyed, nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace

import pytest
import torch

from core import relay
from core.config import TrainConfig
from core.jobs import PROJECT, JobManager
from core.launch import launch
from core.worker import work
from tests.killed import left_by_a_killed_server
from tests.waiting import learning, state_of, wait_for

TOGETHER = TrainConfig(
    model="mlp", dataset="mnist-mini", width=16, train_size=800, batch_size=50, epochs=12, devices=2, threads=1
)
LONG = TrainConfig(model="mlp", dataset="mnist-mini", epochs=2000, width=32, threads=1, schedule="constant")


@pytest.fixture
def manager(store, with_fake_ray):
    with JobManager(store) as manager:
        yield manager


def test_several_runs_learn_at_once_and_obey(manager, small):
    first, second = (learning(manager, manager.submit(LONG)) for _ in range(2))
    assert manager.trouble == ""
    wait_for(lambda: first.metrics().epochs)
    manager.pause(first.id)
    wait_for(lambda: first.status().state == "paused")
    told = first.metrics().steps["step"][-1]
    manager.resume(first.id)
    wait_for(lambda: first.metrics().steps["step"][-1] > told)
    manager.stop(first.id)
    manager.discard(second.id)
    wait_for(lambda: first.status().state == "stopped")
    wait_for(lambda: not second.path.exists())
    assert first.test()["images"] == 2000
    assert first.status().node
    third = manager.submit(small)
    wait_for(lambda: state_of(manager, third) == "finished")
    assert manager.warm_up() is None
    assert manager._spare is None  # no process of this machine waits for runs of a cluster


def test_a_run_of_several_devices_pauses_and_resumes_to_the_bits_that_it_has_at_home(manager):
    run = learning(manager, manager.submit(TOGETHER))
    manager.pause(run.id)
    wait_for(lambda: run.status().state == "paused")
    assert run.load_state()[0].step < TOGETHER.epochs * 16
    manager.resume(run.id)
    wait_for(lambda: run.status().state == "finished", 120)
    assert run.status().node
    whole = manager.store.create(TOGETHER, state="paused")
    launch(whole)
    assert whole.status().state == "finished"
    ours, theirs = run.load_weights(), whole.load_weights()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert run.metrics().epochs["val_loss"] == whole.metrics().epochs["val_loss"]


@pytest.mark.faults
def test_a_process_of_several_that_is_killed_ends_the_run_with_its_cause_and_resume_goes_on(manager):
    run = learning(manager, manager.submit(replace(TOGETHER, epochs=2000, schedule="constant")))
    command = ["pgrep", "-P", str(manager._relay._process.pid), "-f", "core.cluster.together"]
    (follower,) = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    os.kill(int(follower), signal.SIGKILL)
    wait_for(lambda: run.status().state == "failed")
    assert "Process 2 of the 2 that learned this run together was killed (SIGKILL)" in run.status().reason
    manager.resume(run.id)
    wait_for(lambda: run.status().state == "running" and run.metrics().epochs)
    manager.stop(run.id)
    wait_for(lambda: run.status().state == "stopped")


@pytest.mark.faults
def test_a_relay_that_dies_is_started_anew_and_its_runs_go_on_to_the_same_bits(manager, monkeypatch):
    monkeypatch.setattr(relay, "SECONDS_BETWEEN_STARTS", 0.0)
    sizes = {"train_size": 1000, "batch_size": 50, "width": 16}
    config = TrainConfig(model="mlp", dataset="mnist-mini", epochs=30, threads=1, **sizes)
    run = learning(manager, manager.submit(config))
    manager.pause(run.id)
    wait_for(lambda: run.status().state == "paused")
    manager.resume(run.id)
    told = run.metrics().steps["step"][-1]
    wait_for(lambda: run.metrics().steps["step"][-1] > told)
    manager._relay._process.send_signal(signal.SIGKILL)
    wait_for(lambda: run.status().lost == 1 or run.status().state == "finished")
    assert run.status().lost == 1
    wait_for(lambda: run.status().state == "finished", 180)
    whole = manager.store.create(config, state="paused")
    assert work(whole) == "finished"
    ours, theirs = run.load_weights(), whole.load_weights()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert run.metrics().epochs["val_loss"] == whole.metrics().epochs["val_loss"]


def test_a_closed_manager_leaves_its_runs_interrupted_with_their_states(store, with_fake_ray):
    with JobManager(store) as manager:
        run = learning(manager, manager.submit(LONG))
    assert run.status().state == "interrupted"
    assert run.load_state()[0].step >= run.metrics().steps["step"][-1]


@pytest.mark.faults
def test_a_killed_server_leaves_no_phantom(store, with_fake_ray, environment):
    run = left_by_a_killed_server(store, LONG, environment)
    assert run.load_state()[0].step >= run.metrics().steps["step"][-1]


def test_while_the_cluster_cannot_be_reached_runs_wait_and_a_sentence_says_why(store, small, monkeypatch, tmp_path):
    monkeypatch.setattr(relay, "SECONDS_BETWEEN_STARTS", 0.0)
    broken = tmp_path / "ray.py"
    broken.write_text("def remote(kind): pass\ndef init(**_): raise ConnectionError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("CNNLAB_RAY", "10.0.0.1:6379")
    with JobManager(store) as manager:
        run_id = manager.submit(small)
        wait_for(lambda: "(10.0.0.1:6379) can't be reached: it does not answer. Queued runs wait" in manager.trouble)
        assert state_of(manager, run_id) == "queued"
        broken.write_text((PROJECT / "tests/cluster/fake/ray.py").read_text())
        wait_for(lambda: state_of(manager, run_id) == "finished")
        assert manager.trouble == ""


def test_without_ray_runs_wait_and_a_sentence_says_what_to_install(store, small, monkeypatch, tmp_path):
    (tmp_path / "ray.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("CNNLAB_RAY", "auto")
    with JobManager(store) as manager:
        run_id = manager.submit(small)
        wait_for(lambda: "Ray is not installed here. Install it" in manager.trouble)
        assert state_of(manager, run_id) == "queued"


def test_only_so_many_runs_wait_for_a_machine_as_it_says(store):
    found = relay.Relay(store.root / "log")
    assert found.room(0) == 0
    found._hear({"room": 3})
    assert [found.room(waiting) for waiting in (0, 1, 3, 5)] == [3, 2, 0, 0]
    found._gone()
    assert found.room(0) == 0
    assert "broke off" in found.trouble
