"""The command line: one message and exit code 2 for what is wrong; runs that the page sees too."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from core.__main__ import main
from core.cli import commands
from core.jobs import PROJECT
from tests.made import segmented

QUICK = ["--model", "mlp", "--dataset", "mnist-mini", "--width", "16", "--train-size", "400", "--batch-size", "50",
         "--epochs", "2", "--threads", "1"]  # fmt: skip


def test_train_list_and_evaluate(store, capsys):
    assert main(["train", *QUICK, "--name", "by hand", "--no-flip"]) == 0
    out = capsys.readouterr().out
    run = next(run for run in store.list() if not run.is_shipped)
    assert run.id in out
    assert "All 2 epochs done." in out
    assert f"test accuracy {run.test()['accuracy']:.4f}" in out
    assert main(["list"]) == 0
    assert re.search(rf"{run.id}\s+finished\s+epoch\s+2 test 0\.\d+ +by hand", capsys.readouterr().out)
    assert main(["evaluate", run.id]) == 0
    assert capsys.readouterr().out.endswith(" 2000 test images, opened once\n")
    assert main(["evaluate", run.id, "--views", "2"]) == 0
    assert "2 views, neither stored nor counted" in capsys.readouterr().out
    assert main(["evaluate", run.id, "--again"]) == 0
    assert len(run.test()["opened"]) == 2


@pytest.mark.parametrize("more", [[], ["--again"], ["--views", "2"]])
def test_the_test_set_of_a_run_that_has_not_ended_stays_sealed(paused, capsys, more):
    assert paused.has_weights
    assert main(["evaluate", paused.id, *more]) == 2
    assert re.search("is paused; its test set stays sealed until .* Let it end, or stop it", capsys.readouterr().err)
    assert paused.test() is None


def test_a_damaged_run_is_not_evaluated(trained, capsys):
    (trained.path / "status.json").write_text("{")
    assert main(["evaluate", trained.id, "--again"]) == 2
    assert "can't be read" in (said := capsys.readouterr().err)
    assert said.endswith("Put its files back from a backup, or discard it.\n")


def test_of_scenes_every_command_prints_the_iou(store, capsys):
    digits = np.zeros((2, 64, 64), np.uint8)
    run = segmented(store.root, digits, digits)
    assert commands._report(run) == 0
    assert capsys.readouterr().out == "test IoU 0.2500   accuracy 1.0000   loss 1.0000   2 test images, opened once\n"
    assert main(["evaluate", run.id]) == 0
    assert "IoU 0.2500   accuracy 1.0000" in capsys.readouterr().out
    assert main(["list"]) == 0
    assert "test 0.2500" in capsys.readouterr().out


def test_an_empty_store_says_how_to_start(capsys):
    assert main(["list"]) == 0
    assert "python -m core train" in capsys.readouterr().out


def test_a_config_file_is_taken_and_the_command_line_wins(store, tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model": "mlp", "width": 16, "train_size": 400, "batch_size": 50, "epochs": 9}))
    assert main(["train", "--config", str(path), "--epochs", "1"]) == 0
    run = next(run for run in store.list() if not run.is_shipped)
    assert (run.config.epochs, run.config.width) == (1, 16)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--model", "nope"], "There is no model 'nope'. Known: mlp"),
        (["train", "--dataset", "nope"], "There is no data set 'nope'. Known: mnist"),
        (["train", "--recipe", "nope"], "There is no recipe 'nope'. Known: quick"),
        (["train", "--batch-size", "0"], "batch_size is 0, allowed is a whole number from 2"),
        (["train", "--batch-size", "6000"], "but there are 5000 training images"),
        (["train", "--learning-rate", "-1"], "learning_rate is -1.0, allowed is"),
        (["train", "--config", "/nowhere.json"], "The config file can't be read"),
        (["train", "--resume", "../x"], "'../x' is not the id of a run"),
        (["evaluate", ""], "'' is not the id of a run"),
        (["evaluate", "x" * 4096], "is not the id of a run"),
        (["evaluate", "<script>"], "'<script>' is not the id of a run"),
        (["evaluate", "20260101-000000-aaaa"], "There is no run 20260101-000000-aaaa"),
        (["fetch", "imagenet"], "There is no data set 'imagenet'"),
    ],
)
def test_bad_input_is_one_clear_message_and_exit_code_2(store, capsys, arguments, words):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert len(printed.err) < 500
    assert [run for run in store.list() if not run.is_shipped] == []


def test_a_cut_data_cache_is_one_clear_message(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    (tmp_path / "mnist.safetensors").write_bytes(b"\x10\x00")
    assert main(["train", "--dataset", "mnist", "--model", "mlp"]) == 2
    assert str(tmp_path / "mnist.safetensors") in capsys.readouterr().err


def test_ctrl_c_in_a_benchmark_is_one_line_and_no_traceback(capsys, monkeypatch):
    def pressed() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("core.bench.waiting.main", pressed)
    assert main(["bench", "waiting"]) == 130
    assert capsys.readouterr().err == "Cut off.\n"


def test_a_config_file_with_an_extra_knob_names_it(tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text('{"modle": "cnn"}')
    assert main(["train", "--config", str(path)]) == 2
    assert "no knob 'modle'" in capsys.readouterr().err


def test_ctrl_c_stores_the_state_and_says_how_to_go_on(store, environment):
    command = [sys.executable, "-m", "core", "train", *QUICK, "--epochs", "5000"]
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL) as process:  # fmt: skip
        run = store.get(process.stdout.readline().split()[1].rstrip(":"))
        end = time.monotonic() + 60
        while not run.metrics().steps and time.monotonic() < end:
            time.sleep(0.05)
        assert run.status().state == "running"  # an empty standard input does not stop it
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 130
    assert f"python -m core train --resume {run.id}" in rest
    assert run.status().state == "interrupted"
    assert run.load_state()
