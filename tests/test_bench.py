"""The benchmarks print what they measured; what they measure is never asserted."""

import os
import re
import subprocess
from dataclasses import replace
from functools import partial
from importlib import import_module
from itertools import accumulate, cycle
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from core import data, models, training
from core.__main__ import BENCHMARKS, main
from core.bench import (
    ablation,
    compiled,
    devices,
    forecast,
    gradients,
    lesson,
    scaling,
    scenes,
    steps,
    surgery,
    train,
    waiting,
)
from core.bench.outcome import Outcome, learned
from core.bench.table import aligned
from core.config import TrainConfig
from core.errors import LabError
from core.models.conv import Conv3x3
from core.training.learner import Learner


def test_a_table_is_flush_left_first_and_flush_right_after():
    assert aligned([("a", "b"), ("long", "10"), ("x", "2000")]) == "a        b\nlong    10\nx     2000"


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_on_the_command_line_is_there(name):
    assert callable(import_module(f"core.bench.{name}").main)


def test_an_unknown_benchmark_is_refused(capsys):
    with pytest.raises(SystemExit) as left:
        main(["bench", "speed"])
    assert left.value.code == 2
    assert "forecast" in capsys.readouterr().err


def test_the_forecast_is_printed_beside_what_the_run_took(monkeypatch, capsys, small):
    monkeypatch.setattr(forecast, "cases", lambda: [small])
    assert main(["bench", "forecast"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0].split()[:2] == ["run", "forecast"]
    assert re.search(r"mlp on mnist-mini, quick, seed 0 +[\d.]+ +[\d.]+ +[+-]\d+%", lines[1])


def test_our_step_is_printed_beside_the_plain_one(monkeypatch, capsys):
    monkeypatch.setattr(models, "names", lambda task=None: ["mlp"] if task == "classes" else ["mlp", "fcn"])
    for name, value in {"ROUNDS": 1, "SECONDS": 0.05, "WORKERS": (0,), "BATCH_SIZE": 64}.items():
        monkeypatch.setattr(train, name, value)
    monkeypatch.setattr(data, "available", lambda name: name.endswith("mini"))
    with monkeypatch.context() as patch:
        patch.setattr(train, "TrainConfig", partial(TrainConfig, width=16))
        patch.setattr(train, "products", lambda precision, seconds: 1e9)
        assert main(["bench", "train"]) == 0
    *_, head, row = capsys.readouterr().out.strip().splitlines()
    assert head.split()[:3] == ["model", "ours", "images/s"]
    ours, plain, ratio = (float(cell.replace(",", "")) for cell in row.split()[1:4])
    assert ratio == pytest.approx(ours / plain, abs=0.1)
    multiply_adds = 3072 * 16 + 2 * 16 * 16 + 16 * 10
    assert int(row.split()[6].rstrip("%")) == pytest.approx(100 * 3 * ours * multiply_adds / 1e9, abs=0.6)


def test_the_rate_of_bare_products_counts_their_multiply_adds(monkeypatch):
    made = []
    monkeypatch.setattr(torch, "mm", lambda a, b, out: made.append(a.shape))
    monkeypatch.setattr(steps.time, "perf_counter", lambda: float(len(made)))  # a second each
    assert steps.products("float32", 5.0) == 2048**3
    assert set(made) == {(2048, 2048)}


def test_a_compiled_step_is_printed_beside_the_plain_one(monkeypatch, capsys):
    monkeypatch.setattr(models, "names", lambda task=None: ["mlp"])
    for name, value in {"ROUNDS": 2, "SECONDS": 0.02, "BATCH_SIZE": 64}.items():
        monkeypatch.setattr(compiled, name, value)
    monkeypatch.setattr(data, "available", lambda name: name.endswith("mini"))
    asked = []
    monkeypatch.setattr("torch.nn.Module.compile", lambda network: asked.append(network))
    monkeypatch.setattr(compiled, "TrainConfig", partial(TrainConfig, width=16))
    assert main(["bench", "compiled"]) == 0
    *_, head, row = capsys.readouterr().out.strip().splitlines()
    assert head.split()[-4:] == ["ratio", "s", "to", "compile"]
    plain, faster, ratio = (float(cell.replace(",", "")) for cell in row.split()[1:4])
    assert ratio == pytest.approx(faster / plain, abs=0.01)
    assert len(asked) == 1


def test_a_step_with_maps_side_by_side_is_printed_beside_one_of_plain_convolutions(monkeypatch, capsys):
    for name, value in {"ROUNDS": 2, "SECONDS": 0.02, "MODELS": ("cnn",)}.items():
        monkeypatch.setattr(gradients, name, value)
    monkeypatch.setattr(data, "available", lambda name: name.endswith("mini"))
    monkeypatch.setattr(gradients, "TrainConfig", partial(TrainConfig, width=8, batch_size=64))
    made = []
    monkeypatch.setattr(gradients, "steps_of", lambda learner: made.append(learner) or steps.steps_of(learner))
    assert main(["bench", "gradients"]) == 0
    *_, head, row = capsys.readouterr().out.strip().splitlines()
    assert head.split()[:2] == ["model", "images"]
    assert row.split()[:2] == ["cnn", "whole"]
    plain, ours, ratio = (float(cell.replace(",", "")) for cell in row.split()[2:])
    assert ratio == pytest.approx(ours / plain, abs=0.02)
    assert [type(learner.model.conv3) for learner in made] == [nn.Conv2d, Conv3x3]


def test_several_processes_are_printed_beside_one(monkeypatch, capsys):
    asked = []

    def learn(config):
        asked.append(config)
        return {1: 100.0, 2: 150.0}[config.devices], 0.5 + config.seed / 100

    monkeypatch.setattr(devices, "_learn", learn)
    monkeypatch.setattr(devices.machine, "describe", lambda: SimpleNamespace(cores=2))
    monkeypatch.setattr(data, "available", lambda name: name.endswith("mini"))
    assert main(["bench", "devices"]) == 0
    row = capsys.readouterr().out.strip().splitlines()[-1].split()
    assert row[:4] == ["resnet", "100", "150", "1.50"]
    assert row[4:] == ["51.00%", "±", "1.00%"] * 2
    assert [config.devices for config in asked[:4]] == [1, 2, 1, 2]
    assert [config.seed for config in asked[:4]] == [0, 0, 1, 1]


def test_threads_that_spin_are_printed_beside_those_that_sleep_alone_and_beside_a_busy_process(monkeypatch, capsys):
    asked = []

    def measure(config):
        children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True)
        is_busy = "while True: pass" in children.stdout
        asked.append((config.model, os.environ["GOMP_SPINCOUNT"], is_busy))
        return {"epoch_seconds": config.train_size / (20 if is_busy else 100)}

    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    monkeypatch.setattr(waiting, "measure_in_child", measure)
    monkeypatch.setattr(waiting, "MODELS", ("mlp",))
    monkeypatch.setattr(waiting, "TURNS", 1)
    assert main(["bench", "waiting"]) == 0
    assert asked == [("mlp", rounds, is_busy) for rounds in ("0", "2000", "300000") for is_busy in (False, True)]
    assert capsys.readouterr().out.strip().splitlines()[-1].split() == ["mlp", "300,000", "100", "20"]
    assert os.environ["GOMP_SPINCOUNT"] == "7"


def test_what_grows_is_printed_with_time_and_memory(monkeypatch, capsys):
    figures = {"epoch_seconds": 2.0, "start_seconds": 1.0, "memory_mb": 500}
    asked = []
    monkeypatch.setattr(scaling, "measure_in_child", lambda config: asked.append(config) or figures)
    monkeypatch.setattr(data, "available", lambda name: name.endswith("mini"))
    assert main(["bench", "scaling"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == len(asked) + 2
    assert {config.batch_size for config in asked} == {32, 128, 256, 512}
    assert lines[-1].split() == ["train_size", "2,000", "2.0", "1,000", "1.0", "500"]


def test_each_ingredient_is_left_out_once_and_judged_against_the_spread_of_three_seeds(monkeypatch, capsys):
    monkeypatch.setattr(data, "available", lambda name: name.endswith("mini"))
    monkeypatch.setattr(ablation, "EPOCHS", {"cnn": 1})
    monkeypatch.setattr(ablation, "WITHOUT", {"shifted images": {"shift": 0}})
    asked = []

    def learned(config):
        asked.append(config)
        return Outcome(0.5 + 0.1 * config.seed if config.shift else 0.4, 1, 7.0)

    monkeypatch.setattr(ablation, "learned", learned)
    assert main(["bench", "ablation"]) == 0
    *_, whole, without = capsys.readouterr().out.strip().splitlines()
    assert "spread 10.00 points" in whole
    assert "50.00%" in whole
    assert "without shifted images" in without
    assert "-10.00 points" in without
    assert [(config.seed, config.shift > 0) for config in asked] == [(0, True), (1, True), (2, True), (0, False)]


def test_every_ingredient_of_the_ablation_is_in_the_recipe_that_it_is_taken_from():
    recipes = [TrainConfig(model=model, dataset="cifar10", recipe="fast").as_dict() for model in ablation.EPOCHS]
    for off in ablation.WITHOUT.values():
        assert any(whole[knob] != value for whole in recipes for knob, value in off.items())


def test_an_ingredient_that_a_recipe_does_not_have_is_not_left_out_of_it(monkeypatch, capsys):
    monkeypatch.setattr(ablation, "EPOCHS", {"cnn": 1})
    monkeypatch.setattr(ablation, "WITHOUT", {"weight decay": {"weight_decay": 0.0}})
    monkeypatch.setattr(ablation, "train", lambda config, **off: Outcome(0.5, 1, 1.0))
    ablation.main()
    assert "weight decay" not in capsys.readouterr().out


def test_the_surgery_is_compared_over_seeds_with_the_same_scenes(monkeypatch, capsys, store):
    with pytest.raises(LabError, match=r"no CNN with weights.*: python -m core train --model cnn"):
        surgery.main()
    cnn = store.create(TrainConfig(model="cnn", dataset="mnist"))
    cnn.save_weights(models.build("cnn", (1, 28, 28), 10).state_dict(), 1)
    asked = []

    def fit(config, *, weights, checkpoint_seconds):
        asked.append((config.seed, config.init_from, weights is not None))
        yield training.Epoch(9, 1, 7.0, 1.0, 0.5, 1.0, 0.9, True, None, 0.75)

    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(surgery, "EPOCHS", 1)
    assert main(["bench", "surgery"]) == 0
    assert asked == [(seed, run, bool(run)) for seed in (0, 1, 2) for run in ("", cnn.id)]
    assert capsys.readouterr().out.count("75.0%") == 12  # each as soon as it is known, and all together


def test_the_share_of_making_scenes_is_that_of_their_time_in_a_steps(monkeypatch, capsys):
    monkeypatch.setattr(data, "available", lambda name: name.endswith("mini"))
    monkeypatch.setattr(scenes, "STEPS", 3)
    monkeypatch.setattr(scenes, "TrainConfig", partial(TrainConfig, width=4, batch_size=4))
    clock = accumulate(cycle((0.0, 0.001, 0.008)))  # 1 ms of making scenes, 8 ms of a step, over and over
    monkeypatch.setattr(scenes, "time", SimpleNamespace(perf_counter=clock.__next__))
    assert main(["bench", "scenes"]) == 0
    head, _, row = capsys.readouterr().out.strip().splitlines()
    assert head == "mnist-mini-scenes, batch of 4, median of 3 steps"
    assert re.findall(r"[\d.]+", row) == ["8.0", "1.0", "12.5"]


def test_the_lesson_says_how_far_apart_they_are_or_that_it_can_not_be_told():
    assert lesson.in_words([0.80, 0.81, 0.80], [0.70, 0.71, 0.72]).startswith(
        "ResNet against ConvNet over 3 seeds: +9.3"
    )
    assert "not distinguishable with 3 seeds" in lesson.in_words([0.80, 0.70, 0.90], [0.79, 0.73, 0.85])


def test_the_lesson_trains_both_networks_with_each_seed_in_every_case(monkeypatch, capsys):
    asked = []

    def learned(config, kind):
        asked.append((kind, config.model, config.seed, config.recipe, config.identity, config.width))
        return Outcome(0.8 if config.model == "resnet" else 0.7 + config.seed / 100, 9, 60.0)

    monkeypatch.setattr(lesson, "learned", learned)
    assert main(["bench", "lesson"]) == 0
    cases = [(Learner, False), (Learner, True), (lesson.Unnormalized, False)]
    runs = [(model, seed) for model in ("resnet", "convnet") for seed in (0, 1, 2)]
    assert sorted(map(str, asked)) == sorted(
        str((kind, *run, "report", identity, lesson.WIDTH)) for kind, identity in cases for run in runs
    )
    assert capsys.readouterr().out.count("over 3 seeds: +9.0 points") == len(cases)


def test_without_normalisation_a_network_keeps_its_filters_and_only_adds_biases(small):
    config = TrainConfig(model="convnet", dataset=small.dataset, recipe="report", width=4)
    whole = data.load(config.dataset)
    with_norms, without = (kind(config, whole).model for kind in (Learner, lesson.Unnormalized))
    filters = {name for name, tensor in with_norms.named_parameters() if tensor.ndim > 1}
    assert {name for name, tensor in without.named_parameters() if tensor.ndim > 1} == filters
    for name in filters:
        assert torch.equal(without.get_parameter(name), with_norms.get_parameter(name))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in without.modules())
    assert sum(isinstance(module, lesson.Bias) for module in without.modules()) == 15
    images = torch.rand(2, *whole.train.images.shape[1:])
    assert without.train()(images).allclose(without.eval()(images))  # no statistics of the batch
    bias = lesson.Bias(2)
    bias.bias.data = torch.tensor([1.0, -2.0])
    assert bias(torch.zeros(1, 2, 1, 3).bfloat16()).tolist() == [[[[1.0] * 3], [[-2.0] * 3]]]


def test_a_training_without_files_is_that_of_the_learner_that_was_asked_for(small):
    seen = []

    class Watched(Learner):
        def validate(self):
            seen.append(super().validate())
            return seen[-1]

    one = learned(small, Watched)
    best = min(seen, key=lambda result: result.loss)
    assert (one.accuracy, one.epochs, one.state) == (best.accuracy, len(seen), "finished")
    assert one.accuracy > 0.2  # ten classes


def test_a_training_without_files_that_diverges_at_once_has_the_accuracy_of_guessing(small):
    one = learned(replace(small, learning_rate=100.0, optimizer="sgd", batch_size=10))
    assert (one.accuracy, one.epochs, one.state) == (0.1, 0, "diverged")


def test_the_lesson_says_which_runs_diverged(monkeypatch, capsys):
    monkeypatch.setattr(lesson, "learned", lambda config, kind: Outcome(0.1, 0, 0.0, "diverged"))
    lesson.main()
    assert capsys.readouterr().out.count("0 epochs, diverged") == 18
