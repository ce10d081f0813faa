"""A worker that dies before any one of its file operations: whatever it leaves behind, the run goes on from there."""

from __future__ import annotations

import multiprocessing
import signal

import pytest

from core.config import TrainConfig
from core.jobs import _settle
from core.runs import Run
from tests.faults.conftest import copy_of
from tests.faults.test_kills import assert_alike, assert_nothing_lost_or_twice, files_of
from tests.faults.worker import work_until

pytestmark = pytest.mark.faults

TINY = TrainConfig(model="mlp", dataset="mnist-mini", width=8, train_size=40, batch_size=40, epochs=2, threads=1)
OPERATIONS_OF_A_RUN, OPERATIONS_OF_A_PAUSE = 30, 10  # at least so many, or they were not counted


@pytest.fixture(scope="module")
def processes():
    """Processes that begin with torch loaded, and what it loads late: forked from one that did nothing else."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.worker", "torch._dynamo"])
    return context


def lives(processes, run: Run, *words: int) -> int:
    """Work on a run in a process of its own; returns its exit code."""
    process = processes.Process(target=work_until, args=(str(run.path), *words))
    process.start()
    process.join(60)
    return process.exitcode


def dies_and_finishes(processes, run: Run, whole: Run, *words: int) -> bool:
    """Lets a run die at an operation and then go on to its end; returns whether there was that operation at all."""
    died = lives(processes, run, *words) == -signal.SIGKILL
    if died:
        _settle(run, -signal.SIGKILL, run.status().queued)
        assert not (run.load_state() or ("", 0, ""))[2], "a checkpoint was damaged"
    assert lives(processes, run, 0) == 0
    assert (run.status().state, run.status().warning) == ("finished", "")
    assert_alike(run, whole)
    assert_nothing_lost_or_twice(run)
    assert files_of(run) == files_of(whole)
    return died


def test_a_run_that_dies_before_any_one_of_its_file_operations_ends_as_if_it_had_not(processes, store, whole):
    template = store.create(TINY)
    operation = 1
    while dies_and_finishes(processes, copy_of(store, template), whole, operation):
        operation += 1
    assert operation > OPERATIONS_OF_A_RUN


def test_one_that_dies_while_it_is_paused_where_it_was_just_resumed_keeps_its_only_state(processes, store, whole):
    template = store.create(TINY)
    assert lives(processes, template, 0, 0) == 0
    assert len(list(template.path.glob("state-*"))) == 1
    operation = 1
    while dies_and_finishes(processes, copy_of(store, template), whole, operation, 0):
        operation += 1
    assert operation > OPERATIONS_OF_A_PAUSE
