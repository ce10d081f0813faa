"""A run on a machine of a cluster that is none: the same run as here, and what becomes of it when things go wrong."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
import torch

from core import data
from core.cluster.connection import Connection
from core.cluster.parcels import pack, unpack_evaluation
from core.cluster.trainer import Trainer
from core.config import TrainConfig
from core.data.own.bringing import bring
from core.errors import RunError
from core.evaluation import Evaluation
from core.jobs import PROJECT
from core.worker import Control, Place, work

MORE = {"model": "mlp", "dataset": "mnist-mini", "width": 16, "train_size": 400, "batch_size": 50, "threads": 1}


class Words(Control):
    """Says what it was given, one word each time it is asked, and the last one for ever."""

    def __init__(self, run, *words):
        super().__init__(run)
        self._words = list(words)

    def __call__(self):
        return self._words.pop(0) if len(self._words) > 1 else self._words[0]


def weights_of(run):
    return {name: value.tolist() for name, value in run.load_weights().items()}


def test_it_is_the_same_run_as_here(store, small, on_cluster, ray):
    there, here = store.create(small), store.create(small)
    assert on_cluster(there) == work(here) == "finished"
    assert weights_of(there) == weights_of(here)
    for measure in ("train_loss", "val_loss", "val_accuracy", "best"):
        assert there.metrics().epochs[measure] == here.metrics().epochs[measure]
    assert {**there.test(), "opened": 0} == {**here.test(), "opened": 0}
    ours, theirs = there.status(), here.status()
    assert (ours.device, ours.precision, ours.threads) == (theirs.device, theirs.precision, theirs.threads)
    assert ours.node
    assert not theirs.node
    assert ours.memory_mb > 0
    assert ray.cluster.killed == 1


def test_the_test_set_is_opened_there(store, small, on_cluster, monkeypatch):
    monkeypatch.setattr(Place, "test", lambda *_: pytest.fail("opened here"))
    assert on_cluster(store.create(small)) == "finished"


def test_what_a_test_set_of_masks_gives_comes_back_as_it_was():
    masks = torch.arange(24, dtype=torch.uint8).reshape(2, 3, 4)
    found = Evaluation(0.5, 1.25, torch.eye(11, dtype=torch.int64), masks, None, masks.flip(0))
    back = unpack_evaluation(pack(found))
    assert (back.accuracy, back.loss, back.probabilities) == (0.5, 1.25, None)
    for name in ("confusion", "predictions", "labels"):
        assert torch.equal(getattr(back, name), getattr(found, name))


def test_paused_there_and_resumed_here_it_ends_with_the_same_bits(store, small, on_cluster):
    run, whole = store.create(small), store.create(small)
    assert on_cluster(run, Words(run, *["run"] * 5, "pause")) == "paused"
    assert run.load_state()[0].step > 0
    assert work(run) == work(whole) == "finished"
    assert not run.status().node
    assert weights_of(run) == weights_of(whole)


def test_a_run_whose_machine_is_lost_goes_back_to_the_head_of_the_queue_and_on_from_its_last_state(
    store, small, on_cluster, ray
):
    run, whole = store.create(small), store.create(small)
    assert on_cluster(run, Words(run, *["run"] * 5, "pause")) == "paused"
    step, queued = run.load_state()[0].step, run.status().queued
    ray.cluster.dies_after = 3
    assert on_cluster(run) == "queued"
    assert run.status().lost == 1
    assert run.status().queued == queued
    assert "has died, or that machine. It goes on from its last checkpoint" in run.status().reason
    assert "its node has died" in run.log_tail()
    assert run.load_state()[0].step == step
    ray.cluster.dies_after = -1
    assert on_cluster(run) == work(whole) == "finished"
    assert weights_of(run) == weights_of(whole)
    steps = run.metrics().steps["step"]
    assert steps == sorted(set(steps))
    assert run.metrics().epochs["val_loss"] == whole.metrics().epochs["val_loss"]


def test_lost_three_times_without_a_new_state_it_fails_and_resume_tries_again(store, small, on_cluster, ray):
    run = store.create(small)
    ray.cluster.dies_after = 1
    assert [on_cluster(run) for _ in range(3)] == ["queued", "queued", "failed"]
    assert "3 times in a row without a new checkpoint" in run.status().reason
    assert on_cluster(run) == "queued"


def test_a_new_state_makes_losses_forgotten(store, small, on_cluster, ray):
    run = store.create(small)
    ray.cluster.dies_after = 1
    assert on_cluster(run) == "queued"
    ray.cluster.dies_after = -1
    assert on_cluster(run, Words(run, *["run"] * 5, "pause")) == "paused"
    assert run.status().lost == 0


def test_what_goes_wrong_there_is_told_as_if_it_went_wrong_here(store, on_cluster, monkeypatch):
    run = store.create(TrainConfig(**MORE, device="cuda" if not torch.cuda.is_available() else "mps"))
    assert on_cluster(run) == "failed"
    assert "this machine offers" in run.status().reason
    monkeypatch.setattr(Trainer, "get_ready", lambda *_: __import__("torch_that_is_not_there"))
    run = store.create(TrainConfig(**MORE))
    assert on_cluster(run) == "failed"
    assert "a package is missing (No module named 'torch_that_is_not_there')" in run.status().reason


def test_a_process_of_several_that_does_not_start_there_is_told(store, on_cluster, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    run = store.create(TrainConfig(**MORE, devices=2))
    assert on_cluster(run) == "failed"
    assert run.status().reason.startswith("Process 2 of the 2 that learned this run together ended with exit code 1")


def test_another_torch_there_is_said(store, small, on_cluster, monkeypatch):
    monkeypatch.setattr("core.cluster.remote.versions", lambda: {"torch": "2.0"})
    run = store.create(small)
    assert on_cluster(run) == "finished"
    assert "here is 2.0: figures may differ" in run.status().warning


@pytest.fixture
def imported(monkeypatch, tmp_path):
    """The name of a data set of noise, here and in no other folder of data sets."""
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "here"))
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "noise.npz", images=rng.integers(0, 256, (60, 8, 8), np.uint8), labels=np.arange(60) % 2)
    return bring(tmp_path / "noise.npz").info.name


def test_a_data_set_that_does_not_ship_goes_along_once_a_machine(ray, imported, monkeypatch, tmp_path):
    cluster = Connection("auto")
    sent, ref = cluster.parcel(imported)
    assert cluster.parcel(imported) == (sent, ref)
    config = TrainConfig(model="mlp", dataset=imported, epochs=1, width=8, batch_size=8, threads=1)
    fingerprint = data.load(imported).fingerprint
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "there"))
    assert not Trainer().has(sent)
    trainer = Trainer()
    trainer.get_ready(config.as_dict(), 1, sent, ref.value)
    assert data.load(imported).fingerprint == fingerprint
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "there"))  # another process of that machine
    assert Trainer().has(sent)
    Trainer().get_ready(config.as_dict(), 1, sent, None)
    assert data.load(imported).fingerprint == fingerprint


def test_a_machine_that_has_the_very_file_by_itself_is_sent_nothing(imported, store, on_cluster, tmp_path):
    config = TrainConfig(model="mlp", dataset=imported, epochs=1, width=8, batch_size=8, threads=1)
    run = store.create(config)
    assert on_cluster(run) == "finished"
    assert run.test()["data_sha256"] == data.load(imported).fingerprint
    assert not list((tmp_path / "here").glob("sent"))


def test_another_file_of_the_same_name_is_not_taken_for_the_set(ray, imported, monkeypatch, tmp_path):
    sent, _ = Connection("auto").parcel(imported)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / sent.name).write_bytes(b"x" * sent.size)
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "there"))
    assert not Trainer().has(sent)


def test_a_data_set_that_is_not_here_is_a_sentence(store, on_cluster, monkeypatch, tmp_path):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    monkeypatch.setattr("core.data.fetch", lambda name: data.load(name, download=False))
    run = store.create(TrainConfig(model="mlp", dataset="mnist", epochs=1))
    assert on_cluster(run) == "failed"
    assert "MNIST could not be fetched" in run.status().reason


@pytest.mark.parametrize(
    ("knobs", "machines", "asked"),
    [
        ({"threads": 3}, [{"CPU": 1.0}, {"CPU": 4.0}], {"num_cpus": 3, "num_gpus": 0}),
        ({"threads": 0}, [{"CPU": 1.0}, {"CPU": 4.0}], {"num_cpus": 2, "num_gpus": 0}),
        ({"threads": 0}, [{"CPU": 1.0}], {"num_cpus": 1, "num_gpus": 0}),
        ({"threads": 0}, [{"CPU": 8.0}, {"CPU": 8.0, "GPU": 4.0}], {"num_cpus": 2, "num_gpus": 1}),
        ({"device": "cpu", "threads": 1}, [{"CPU": 8.0, "GPU": 4.0}], {"num_cpus": 1, "num_gpus": 0}),
        ({"devices": 3, "threads": 2}, [{"CPU": 4.0}], {"num_cpus": 6, "num_gpus": 0}),
        ({"devices": 2, "threads": 0}, [{"CPU": 3.0}], {"num_cpus": 2, "num_gpus": 0}),
        ({"devices": 4, "threads": 0}, [{"CPU": 16.0, "GPU": 4.0}], {"num_cpus": 8, "num_gpus": 4}),
        ({"devices": 4, "threads": 0}, [{"CPU": 64.0}, {"CPU": 4.0, "GPU": 4.0}], {"num_cpus": 4, "num_gpus": 4}),
    ],
)
def test_what_a_run_asks_for(ray, knobs, machines, asked):
    ray.cluster.machines = machines
    cluster = Connection("auto")
    cluster.reserve(cluster.needs(TrainConfig(**{**MORE, **knobs})))
    assert {name: ray.cluster.asked[0][name] for name in asked} == asked
    assert ray.cluster.asked[0]["max_restarts"] == 0


@pytest.mark.parametrize(
    ("free", "machines", "room"),
    [
        ({"CPU": 5.0}, [{"CPU": 4.0}] * 2, 5),
        ({"CPU": 0.0}, [{"CPU": 4.0}] * 2, 1),
        ({}, [], 1),
        ({"CPU": 500.0}, [{"CPU": 500.0}], 16),
        ({"CPU": 9.0, "GPU": 2.0}, [{"CPU": 16.0, "GPU": 4.0}], 2),
    ],
)
def test_as_many_runs_ask_at_once_as_may_find_a_machine_and_never_none(ray, free, machines, room):
    ray.cluster.free, ray.cluster.machines = free, machines
    assert Connection("auto").room() == room


def test_a_run_that_no_machine_can_take_waits_with_a_sentence_and_may_be_paused(store, on_cluster, ray):
    run, told = store.create(TrainConfig(**{**MORE, "threads": 16}), "mine"), []
    ray.cluster.full = True
    assert on_cluster(run, Words(run, *["run"] * 3, "pause"), told.append) == "queued"  # the manager obeys the word
    wanted = "“mine” waits: it asks for 16 CPUs on one machine, and none of the cluster has that much. Start a larger"
    assert wanted in told[0]
    assert told[-1] == ""
    assert ray.cluster.killed == 1


def test_a_server_that_leaves_while_a_machine_gets_ready_leaves_the_run_interrupted(
    store, on_cluster, ray, monkeypatch
):
    run = store.create(TrainConfig(**MORE))
    control = Control(run)

    def hang(*_):
        ray.cluster.full = True
        control.server_has_gone.set()

    monkeypatch.setattr(Trainer, "get_ready", hang)
    assert on_cluster(run, control) == "interrupted"


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (
            ConnectionError("Could not find any running Ray instance."),
            "none that takes us runs on this machine. Queued runs wait",
        ),
        (
            RuntimeError("Version mismatch:\n  Ray: 2.0\n  3.0"),
            "Version mismatch: Ray: 2.0 3.0. Queued runs wait for it.",
        ),
    ],
)
def test_without_a_cluster_that_takes_us_a_sentence_says_why(ray, monkeypatch, raised, said):
    def refuse(**_):
        raise raised

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(RunError, match=rf"CNNLAB_RAY names \(auto\) can't be reached: {said}"):
        Connection("auto")


def test_without_ray_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RunError, match=r"Ray is not installed here. Install it \(pip install \"ray==2.60.0\"\)"):
        Connection("auto")


def test_each_machine_gets_the_program_and_usage_is_told_to_nobody(ray):
    Connection("10.0.0.1:6379")
    options = ray.cluster.options
    assert options["address"] == "10.0.0.1:6379"
    assert options["runtime_env"]["py_modules"] == [str(PROJECT / "core")]
    assert not options["log_to_driver"]
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
