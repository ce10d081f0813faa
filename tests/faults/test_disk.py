"""A disk that is full, broken or forbidden at every operation of a training: it fails with words and then goes on."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import subprocess
import sys
from functools import partial

import pytest
import torch

from core import training, worker
from core.config import TrainConfig
from core.errors import RunError
from core.jobs import PROJECT, _settle, hand_over
from core.runs import RESUMABLE, Run, auditing
from core.worker import work
from tests.faults.conftest import copy_of
from tests.faults.disk import Disk

pytestmark = pytest.mark.faults

TINY = TrainConfig(model="mlp", dataset="mnist-mini", width=8, train_size=40, batch_size=20, epochs=2, threads=1)
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)
OPERATIONS_OF_A_RUN = 60  # at least so many, or they were not counted
CAUSE = r"could not be written: .*(No space left|Input/output error|Permission denied).*then resume"
HARMLESS = "left behind by a crash|kept from being used|are left over|marked as running|not marked as running"


@pytest.fixture(autouse=True)
def _checkpoints_at_every_step(monkeypatch):
    monkeypatch.setattr(worker.training, "fit", partial(training.fit, checkpoint_seconds=0.0))


def works_on(run: Run, disk: Disk) -> str:
    """The state that it ended in, or the cause when the disk refused to take even that."""
    with pytest.MonkeyPatch.context() as patch:
        disk.install(patch)
        try:
            return work(run)
        except RunError as error:
            return str(error)


def assert_goes_on_to_the_same_end(run: Run, whole: Run) -> None:
    for finding in auditing.audit_run(run):
        assert finding.severity == "loose end", finding
        assert re.search(HARMLESS, finding.sentence), finding
    stored = run.load_state()
    assert not stored or stored[2] == ""
    assert work(run) == "finished"
    ours, theirs = run.load_weights(), whole.load_weights()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert run.metrics().epochs["val_loss"] == whole.metrics().epochs["val_loss"]
    assert run.test()["confusion"] == whole.test()["confusion"]
    assert auditing.audit_run(run) == []


@pytest.mark.parametrize("offset", range(len(ERRORS)))
def test_an_operation_that_fails_once_fails_the_run_with_its_cause_and_it_goes_on(store, whole, capsys, offset):
    template = store.create(TINY)
    for operation in range(1, 1000):
        code = ERRORS[(operation + offset) % len(ERRORS)]
        run = copy_of(store, template)
        disk = Disk(run.path, operation, lambda code=code: OSError(code, os.strerror(code)), lasting=False)
        state = works_on(run, disk)
        if not disk.has_failed:
            break
        if state == "finished":  # it failed while it tidied up, when all was written
            assert (run.status().state, run.test()["images"]) == ("finished", 2000)
            assert run.load_weights()
            continue
        assert (state, run.status().state) == ("failed", "failed")
        assert re.search(CAUSE, run.status().reason)
        assert_goes_on_to_the_same_end(run, whole)
    assert operation > OPERATIONS_OF_A_RUN


def test_a_disk_that_stays_full_leaves_a_run_that_goes_on_once_there_is_room(store, whole, capsys):
    template = store.create(TINY)
    for operation in range(1, 1000):
        run = copy_of(store, template)
        full = Disk(run.path, operation, lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), lasting=True)
        state = works_on(run, full)
        if not full.has_failed:
            break
        assert state == "finished" or re.search(CAUSE, state)
        if run.status().state == "finished":  # that was the last thing that it could write
            assert run.test()["images"] == 2000
        else:
            assert run.status().state in ("queued", *RESUMABLE)
            assert_goes_on_to_the_same_end(run, whole)
    assert operation > OPERATIONS_OF_A_RUN


def worker_of(run: Run, environment, *command: str, **options) -> int:
    """Let a real worker, started by a command, work on a run; returns its exit code."""
    with subprocess.Popen([sys.executable, *command], stdin=subprocess.PIPE, cwd=PROJECT, env=environment, **options,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:  # fmt: skip
        hand_over(run, child)
        return child.wait(120)


@pytest.mark.parametrize("most_bytes", [2_000, 20_000, 200_000])
def test_a_real_limit_on_the_size_of_files_is_a_cause_in_words(store, environment, most_bytes):
    run = store.create(TrainConfig(model="mlp", dataset="mnist-mini", width=64, epochs=3, threads=1))
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    assert worker_of(run, environment, "-m", "core.worker", preexec_fn=limit) == 0
    assert run.status().state == "failed"
    assert re.search(r"could not be written: .*File too large.*Free some space on the disk", run.status().reason)
    assert [finding.severity for finding in auditing.audit_run(run) if finding.severity == "damage"] == []
    assert work(run) == "finished"
    assert auditing.audit_run(run) == []


WITH_LITTLE_MEMORY = """
import re, resource, sys
from pathlib import Path
from core import worker
kilobytes = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
limit = kilobytes * 1024 + int(sys.argv[1]) * 1_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(worker.main())
"""


@pytest.fixture
def large(store) -> Run:
    """A run whose layers take 67 MB each."""
    return store.create(TrainConfig(model="mlp", dataset="mnist-mini", width=4096, batch_size=5000, threads=1))


@pytest.mark.parametrize("megabytes", [130, 250])
def test_too_little_memory_for_the_network_is_said_as_such(large, environment, megabytes):
    assert worker_of(large, environment, "-c", WITH_LITTLE_MEMORY, str(megabytes)) == 0
    assert large.status().state == "failed"
    assert "too little free memory for this run. Take a smaller batch size or width" in large.status().reason
    assert auditing.audit_run(large) == []


@pytest.mark.parametrize("megabytes", [1, 20, 45, 60])
def test_too_little_memory_even_to_begin_leaves_a_failed_run_with_words(large, environment, megabytes):
    code = worker_of(large, environment, "-c", WITH_LITTLE_MEMORY, str(megabytes))
    _settle(large, code, large.status().queued)  # as the job manager does
    assert large.status().state == "failed"
    assert re.search("too little free memory|memory ran out|end of its log says more", large.status().reason)
    assert auditing.audit_run(large) == []


def test_a_worker_that_the_system_kills_was_probably_out_of_memory(large):
    with large.held():
        large.set_status(state="running")
    _settle(large, -signal.SIGKILL, large.status().queued)
    assert "probably because the machine ran out of memory" in large.status().reason
    assert large.status().state == "interrupted"
