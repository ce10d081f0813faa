"""The server killed again and again: no run only seems to run, the queue keeps its order, and all of it is done."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import torch

from core.config import TrainConfig
from core.files import read_json
from core.jobs import PROJECT, JobManager, hand_over, start_worker
from core.runs import RunStore
from tests.browser.app import mortal_server, server
from tests.faults.tab import Tab
from tests.waiting import state_of, wait_for

pytestmark = pytest.mark.faults

LONG = TrainConfig(model="mlp", dataset="mnist-mini", width=8, train_size=200, batch_size=20, epochs=400, threads=1)
KILLS = 10
HAS_GONE = "The program that started it has gone."
SCRIPT = (
    "import time; from core.jobs import JobManager; from core.runs import RunStore\n"
    "manager = JobManager(RunStore()); print('looks after its store', flush=True); time.sleep(600)"
)


@contextmanager
def server_that_is_killed(environment):
    """A process with a manager of the store; SIGKILL at the end of the block."""
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, cwd=PROJECT, env=environment) as it:
        try:
            assert it.stdout.readline()
            yield
        finally:
            it.kill()


def wait_until_left_alone(run):
    """Until no process works on a run any more."""
    wait_for(lambda: run.status().state != "running" and not run.is_held())


def killed_at_its_start(environment, chance):
    with server_that_is_killed(environment):
        time.sleep(chance.uniform(0, 2.5))


def killed_in_mid_run(environment, chance, run):
    before = run.status().seconds
    with server_that_is_killed(environment):
        wait_for(lambda: run.status().state == "running" and run.status().seconds > before)
        time.sleep(chance.uniform(0, 0.5))


def assert_stored_and_gone(run):
    """Its process noticed that the server has gone, stored what it had, and left."""
    assert (run.status().state, run.status().reason) == ("interrupted", HAS_GONE)
    told = run.metrics().steps.get("step", [0])  # it may have begun just now
    assert run.load_state()[0].step >= told[-1]


def test_ten_kills_leave_no_phantom_and_the_queue_in_order_and_all_runs_are_done_in_the_end(store, environment):
    chance = random.Random("kills of servers")
    with JobManager(store, slots=0) as onlooker:  # starts nothing
        order = [onlooker.submit(LONG) for _ in range(4)]
    for number in range(KILLS):
        first = store.get(order[0])
        if number % 2:
            killed_at_its_start(environment, chance)
        else:
            killed_in_mid_run(environment, chance, first)
        wait_until_left_alone(first)
        with JobManager(store, slots=0) as onlooker:
            assert "running" not in [state_of(onlooker, run_id) for run_id in order]
            waiting = [run.id for run in onlooker.queue()]
            if number % 2 and waiting == order:
                continue  # the run had not begun
            assert waiting == order[1:]
            assert_stored_and_gone(first)
            onlooker.resume(first.id)
            order = [*waiting, first.id]
    with JobManager(store) as manager:
        wait_for(lambda: all(state_of(manager, run_id) == "finished" for run_id in order), 900)
    ended = [store.get(run_id).status().ended for run_id in order]
    assert ended == sorted(ended)
    weights = [store.get(run_id).load_weights() for run_id in order]  # of one config, interrupted at other steps
    assert all(torch.equal(each[name], weights[0][name]) for each in weights for name in each)


def test_the_real_app_killed_in_mid_run_leaves_a_run_that_its_page_resumes(store):
    with mortal_server(store.root) as (address, process), Tab(address, "train") as tab:
        tab.press("Start training")
        run = next(run for run in store.list() if not run.is_shipped)
        wait_for(lambda: run.metrics().steps)
        process.kill()
        wait_until_left_alone(run)
    assert_stored_and_gone(run)
    steps = run.load_state()[0].step
    with server(store.root) as address, Tab(address, "train", f"run={run.id}") as tab:
        assert "interrupted" in tab.words
        tab.press("Resume")
        wait_for(lambda: run.status().state == "running" and run.metrics().steps["step"][-1] > steps)
        tab.ask()
        tab.press("Pause")
        wait_for(lambda: run.status().state == "paused")


def test_a_worker_whose_server_goes_before_it_began_leaves_the_run_in_the_queue(store, small):
    run = store.create(small)
    worker = start_worker(store.root / ".worker.log")
    hand_over(run, worker)
    worker.stdin.close()
    assert worker.wait(60) == 0
    assert run.status().state == "queued"
    assert not run.metrics().steps


def test_server_and_worker_killed_together_leave_no_phantom(store):
    run = store.create(LONG)
    worker = start_worker(store.root / ".worker.log")
    hand_over(run, worker)
    wait_for(lambda: run.metrics().steps)
    worker.kill()
    worker.communicate()
    assert read_json(run.path / "status.json")["state"] == "running"  # nobody was left to write anything else
    fresh = RunStore(store.root)
    assert fresh.get(run.id).status().state == "interrupted"
    with JobManager(fresh, slots=0) as manager:
        assert manager.queue() == []
        manager.resume(run.id)
        assert [waiting.id for waiting in manager.queue()] == [run.id]
