"""python -m core sweep: many runs, each once, however often it is called."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from core.__main__ import main
from core.cli import sweep
from core.cli.sweep import seeds_of
from core.errors import ConfigError
from core.jobs import PROJECT, JobManager
from core.worker import work
from tests.waiting import wait_for

SIZES = ["--train-size", "400", "--batch-size", "50", "--width", "16", "--threads", "1"]
SMALL = ["sweep", "--models", "mlp, speednet", "--seeds", "0-1", "--epochs", "1", *SIZES]
ONE = [*SMALL, "--models", "mlp", "--seeds", "0"]


@pytest.fixture
def in_thread(monkeypatch):
    """Runs are worked on one after another, in the manager's own thread."""

    class InThread(JobManager):
        def _start(self, run):
            work(run)

    monkeypatch.setattr(sweep, "JobManager", InThread)


@pytest.fixture
def ctrl_c_is_heeded():
    """Also where the tests are a shell's background job: that ignores Ctrl-C, and what it starts would do so too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def own(store):
    return [run for run in store.list() if not run.is_shipped]


def test_every_model_is_trained_with_every_seed_once_and_their_means_are_a_table(store, in_thread, capsys):
    assert main(SMALL) == 0
    first, ids = capsys.readouterr().out, {run.id for run in own(store)}
    assert sorted((run.config.model, run.config.seed) for run in own(store)) == [
        *(("mlp", 0), ("mlp", 1)),
        *(("speednet", 0), ("speednet", 1)),
    ]
    accuracies = [run.test()["accuracy"] for run in own(store) if run.config.model == "mlp"]
    mean, half = sum(accuracies) / 2, abs(accuracies[0] - accuracies[1]) / 2**0.5
    head, mlp, speednet = first.splitlines()[-3:]
    assert head.split() == ["model", "seeds", "test", "accuracy", "time", "a", "run", "state"]
    assert mlp.split()[:5] == ["mlp", "2", f"{mean:.2%}", "±", f"{half:.2%}"]
    assert speednet.startswith("speednet      2")
    assert main(SMALL) == 0
    assert capsys.readouterr().out.splitlines()[-2] == mlp
    assert {run.id for run in own(store)} == ids


def test_called_again_it_goes_on_with_what_was_left(store, in_thread, capsys):
    assert main(ONE) == 0
    (run,) = own(store)
    with run.held():
        run.set_status(state="interrupted")
    assert main(ONE) == 0
    assert own(store) == [run]
    assert run.status().state == "finished"


def test_a_run_that_fails_is_told_and_the_exit_code_says_so(store, in_thread, capsys, monkeypatch):
    monkeypatch.setattr("core.worker._train", lambda *_: 1 / 0)
    assert main(ONE) == 2
    assert "failed" in capsys.readouterr().out


@pytest.mark.parametrize(("text", "seeds"), [("0-4", [0, 1, 2, 3, 4]), ("0, 2,5-6,2", [0, 2, 5, 6]), ("7", [7])])
def test_seeds_are_numbers_and_ranges(text, seeds):
    assert seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["4-0", "", "a", "0-", "1,,2", "-1", "0-5000", "1" * 40])
def test_seeds_that_are_none_are_refused_with_an_example(text):
    with pytest.raises(ConfigError, match="such as 0-4 or 0,2,5-7"):
        seeds_of(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seeds", "4-0"], "seeds is '4-0'"),
        (["--models", "mlp,cnm"], "There is no model 'cnm'. Known: mlp, cnn"),
        (["--models", ","], "models names none. Known: mlp"),
        (["--models", "fcn"], "does not learn"),
        (["--slots", "0"], "slots is 0"),
        (["--epochs", "0"], "epochs is 0"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_queued(store, capsys, words, said):
    assert main(["sweep", *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1
    assert not own(store)


def test_what_keeps_the_queue_from_its_work_is_told_once(store, in_thread, capsys, monkeypatch):
    class Waiting(JobManager):
        looks = 0

        def _look(self):
            self.looks += 1
            if self.looks < 3:
                raise OSError("the cluster sleeps")
            for run in self.queue():
                work(run)

    monkeypatch.setattr(sweep, "JobManager", Waiting)
    monkeypatch.setattr("traceback.print_exc", lambda: None)
    assert main(ONE) == 0
    assert capsys.readouterr().err.count("the cluster sleeps") == 1


@pytest.mark.faults
def test_ctrl_c_leaves_with_states_stored_and_the_queue_kept(store, environment, ctrl_c_is_heeded):
    long = ["--models", "mlp", "--seeds", "0-1", "--epochs", "500", "--width", "32", "--threads", "1"]
    command = [sys.executable, "-m", "core", "sweep", *long]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT, env=environment) as process:
        wait_for(lambda: any(run.metrics().steps for run in own(store)))
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "What is under way stores its state; the same command goes on from there" in told
    first, second = sorted(own(store), key=lambda run: run.config.seed)
    assert (first.status().state, second.status().state) == ("interrupted", "queued")
    assert first.load_state()
