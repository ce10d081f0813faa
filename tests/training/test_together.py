"""Several processes that learn one network: what they compute, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from core.config import TrainConfig
from core.errors import ConfigError
from core.jobs import PROJECT
from core.training.device import choose_device, use_threads
from core.training.team import Team
from tests.training.one_step import CONFIGS


def test_two_processes_have_the_gradients_and_figures_of_one_on_the_same_batch(tmp_path):
    out = tmp_path / "found.json"
    words = ["--standalone", "--nproc-per-node", "2", "-m", "tests.training.one_step", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *words],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(out.read_text())
    assert set(found) == {config.model for config in CONFIGS}
    for figures in found.values():
        assert figures["parameters"] >= 6
        assert figures["gradients"] < 1e-5
        assert figures["figures"] < 1e-5


@pytest.mark.parametrize(("size", "count"), [(1, 5), (2, 25), (3, 2), (4, 1000)])
def test_every_row_is_in_one_share(size, count):
    rows = [row for rank in range(size) for row in range(count)[Team(rank, size).share(count)]]
    assert rows == list(range(count))


def test_a_batch_too_small_to_share_is_refused():
    with pytest.raises(ConfigError, match="4 devices share a batch"):
        TrainConfig(batch_size=6, devices=4)


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto", 1, 2) == torch.device("cuda", 1)
    assert choose_device("cpu", 3, 4) == torch.device("cpu")
    with pytest.raises(ConfigError, match="devices is 3, but this machine has 2 of cuda"):
        choose_device("cuda", 0, 3)


def test_processes_share_the_cores(monkeypatch):
    before = torch.get_num_threads()
    try:
        alone = use_threads(0)
        assert use_threads(0, processes=2) == max(1, alone // 2)
        assert use_threads(0, processes=1000) == 1
    finally:
        torch.set_num_threads(before)
