"""The queue with real child processes: words obeyed, nothing lost, nothing twice."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import torch

from core import jobs
from core.config import TrainConfig
from core.errors import RunError
from core.jobs import JobManager
from core.runs import RunStore
from core.worker import work
from tests.killed import left_by_a_killed_server
from tests.waiting import learning, state_of, wait_for

LONG = TrainConfig(model="mlp", dataset="mnist-mini", epochs=400, width=32, threads=1, schedule="constant")


@pytest.fixture
def manager(store):
    with JobManager(store) as manager:
        yield manager


def test_a_run_goes_through_pause_resume_stop_and_keeps_its_best(manager):
    run = learning(manager, manager.submit(LONG))
    wait_for(lambda: run.metrics().epochs)
    manager.pause(run.id)
    wait_for(lambda: run.status().state == "paused")
    steps = run.metrics().steps["step"]
    assert list(run.path.glob("state-*.safetensors"))
    manager.resume(run.id)
    wait_for(lambda: run.metrics().steps["step"][-1] > steps[-1] + 50)
    after = run.metrics().steps["step"]
    assert after == sorted(set(after))
    manager.stop(run.id)
    wait_for(lambda: run.status().state == "stopped")
    assert run.test()["images"] == 2000
    assert run.load_weights()


def test_runs_train_one_after_another_and_a_waiting_one_can_be_paused_stopped_and_discarded(manager, small):
    first = learning(manager, manager.submit(LONG))
    ids = [manager.submit(small) for _ in range(3)]
    assert [run.id for run in manager.queue()] == ids
    manager.pause(ids[0])
    manager.stop(ids[1])
    manager.discard(ids[2])
    assert [state_of(manager, run_id) for run_id in ids[:2]] == ["paused", "stopped"]
    assert not (manager.store.root / ids[2]).exists()
    assert manager.queue() == []
    assert first.status().state == "running"
    manager.discard(first.id)
    assert first.id not in [run.id for run in manager.store.list()]
    wait_for(lambda: not first.path.exists())
    manager.undo_discard(first.id)
    assert state_of(manager, first.id) == "paused"


def test_a_killed_worker_leaves_an_interrupted_run_that_resumes_to_the_same_bits(manager):
    config = TrainConfig(model="mlp", dataset="mnist-mini", epochs=25, width=16, threads=1)
    run = learning(manager, manager.submit(config))
    manager.pause(run.id)
    wait_for(lambda: run.status().state == "paused")
    manager.resume(run.id)
    told = run.metrics().steps["step"][-1]
    wait_for(lambda: run.metrics().steps["step"][-1] > told)
    manager._children[run.id].process.send_signal(signal.SIGKILL)
    wait_for(lambda: "killed" in run.status().reason)
    assert run.status().state == "interrupted"
    assert "probably because the machine ran out of memory" in run.status().reason
    manager.resume(run.id)
    wait_for(lambda: run.status().state == "finished")
    whole = manager.store.create(config, state="paused")
    assert work(whole) == "finished"
    ours, theirs = run.load_weights(), whole.load_weights()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert run.metrics().epochs["val_loss"] == whole.metrics().epochs["val_loss"]


@pytest.mark.parametrize("exit_code", [1, -signal.SIGKILL])
def test_resume_pressed_before_the_death_of_its_process_was_noticed_is_not_lost(store, exit_code, monkeypatch):
    monkeypatch.setattr(JobManager, "_loop", lambda manager: None)
    dead = subprocess.Popen(
        [sys.executable, "-c", f"import os; os.kill(os.getpid(), {-exit_code})" if exit_code < 0 else "exit(1)"]
    )
    with JobManager(store) as manager:
        run = store.create(LONG)
        manager._children[run.id] = jobs._Child(dead, run.status().queued)
        with run.held():
            run.set_status(state="running")  # its lock is free now: it is interrupted
        manager.resume(run.id)
        dead.wait()
        monkeypatch.setattr(manager, "_start", lambda run: None)
        manager._look()
    assert run.status().state == "queued"


def test_closing_the_manager_stores_what_runs_and_keeps_the_queue(store, small):
    with JobManager(store) as manager:
        run = learning(manager, manager.submit(LONG))
        waiting = manager.submit(small)
    assert run.status().state == "interrupted"
    assert run.load_state()
    assert store.get(waiting).status().state == "queued"
    with JobManager(store) as manager:
        wait_for(lambda: state_of(manager, waiting) == "finished")
        assert state_of(manager, run.id) == "interrupted"


def test_a_killed_server_leaves_no_phantom(store, environment):
    run = left_by_a_killed_server(store, LONG, environment)
    assert run.load_state()[0].step >= run.metrics().steps["step"][-1]


def test_a_second_manager_queues_steers_and_takes_over(store, small):
    first, second = JobManager(store), JobManager(store)
    try:
        run = learning(first, second.submit(LONG))
        second.pause(run.id)
        wait_for(lambda: run.status().state == "paused")
        first.close()
        other = second.submit(small)
        wait_for(lambda: state_of(second, other) == "finished")
    finally:
        first.close()
        second.close()


def test_a_spare_process_takes_the_next_run(manager, small):
    manager.warm_up()
    spare = wait_for(lambda: manager._spare)
    run_id = manager.submit(small)
    wait_for(lambda: manager._children.get(run_id))
    assert manager._children[run_id].process is spare
    wait_for(lambda: state_of(manager, run_id) == "finished")


def test_a_run_that_cannot_train_fails_with_its_cause(manager, small, monkeypatch, tmp_path):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    (tmp_path / "mnist.safetensors").write_bytes(b"cut short")
    run_id = manager.submit(TrainConfig(model="mlp", dataset="mnist", epochs=1))
    wait_for(lambda: state_of(manager, run_id) == "failed")
    assert "mnist.safetensors" in manager.store.get(run_id).status().reason
    other = manager.submit(small)
    wait_for(lambda: state_of(manager, other) == "finished")


CAN = {"pause": "queued or running", "resume": "paused or interrupted", "stop": "queued or running"}


@pytest.mark.parametrize(("word", "can"), CAN.items())
def test_what_a_finished_run_cannot_do_is_said(manager, store, small, word, can):
    run = store.create(small)
    with run.held():
        run.set_status(state="finished")
    with pytest.raises(RunError, match=f"is finished; only a run that is {can}"):
        getattr(manager, word)(run.id)


def test_ten_presses_in_ten_managers_make_one_run(store, small):
    managers = [JobManager(RunStore(store.root)) for _ in range(3)]
    try:
        ids = {manager.submit(small, token="form-0") for manager in managers for _ in range(4)}
    finally:
        for manager in managers:
            manager.close()
    assert len(ids) == 1
    assert len([run for run in store.list() if not run.is_shipped]) == 1
