"""GPUs that the driver shows and torch can't use: why, in a sentence, and what becomes of the run."""

import pytest
import torch

from core import machine
from core.config import TrainConfig
from core.errors import ConfigError
from core.training import gpus
from core.training.device import choose_device, missed_gpus
from core.worker import work

PROCESSOR = torch.device("cpu")


@pytest.fixture
def one_gpu(monkeypatch):
    """A machine whose driver shows one GPU, compute capability 8.6, and a torch that fits: each test takes one away."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "gpus", lambda: 1)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 6))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A Graphics Card")
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80", "sm_90", "sm_120", "compute_120"])
    return monkeypatch


def refuse_to_start():
    """As torch does when the driver is too old."""
    raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040). Please update it.\nMore.")


def test_a_torch_that_fits_has_nothing_to_say(one_gpu):
    assert gpus.unusable() == ""
    assert choose_device("auto") == torch.device("cuda")


def test_a_machine_without_a_gpu_has_nothing_to_say(one_gpu):
    one_gpu.setattr(machine, "gpus", lambda: 0)
    one_gpu.setattr(torch.version, "cuda", None)
    assert gpus.unusable() == ""


def test_a_build_without_cuda_says_so(one_gpu):
    one_gpu.setattr(torch.version, "cuda", None)
    assert gpus.unusable().startswith("This machine has 1 NVIDIA GPU, but torch ")
    assert "can't use it: it is a build without CUDA. Install one with it." in gpus.unusable()


def test_a_driver_that_is_too_old_says_what_torch_was_told(one_gpu):
    one_gpu.setattr(machine, "gpus", lambda: 2)
    one_gpu.setattr(torch.cuda, "is_available", lambda: False)
    one_gpu.setattr(torch.cuda, "init", refuse_to_start)
    said = gpus.unusable()
    assert "has 2 NVIDIA GPUs" in said
    assert "a driver for CUDA 13.0" in said
    assert "«The NVIDIA driver on your system is too old (found version 11040)»" in said
    assert "More." not in said


def test_gpus_that_this_process_is_not_let_at_are_no_matter_of_the_driver(one_gpu):
    one_gpu.setattr(torch.cuda, "is_available", lambda: False)
    one_gpu.setattr(torch.cuda, "init", lambda: None)
    said = gpus.unusable()
    assert "«No CUDA GPUs are available». See whether the driver works (nvidia-smi), whether CUDA_VISIBLE" in said
    assert "Update the driver" not in said


def test_a_run_on_the_processor_wakes_no_gpu(one_gpu):
    one_gpu.setattr(torch.cuda, "is_available", lambda: pytest.fail("asked"))
    assert choose_device("cpu") == PROCESSOR


@pytest.mark.parametrize(
    ("capability", "fits"),
    [((8, 0), True), ((8, 9), True), ((12, 1), True), ((13, 0), True), ((7, 0), False), ((10, 0), False)],
)
def test_a_gpu_needs_code_of_its_major_version_or_portable_code_that_is_older(one_gpu, capability, fits):
    one_gpu.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert (gpus.unusable() == "") == fits
    assert choose_device("auto").type == ("cuda" if fits else "cpu")
    if not fits:
        assert f"A Graphics Card is sm_{capability[0]}{capability[1]}" in gpus.unusable()


@pytest.mark.parametrize("hidden", ["", "-1", "NoDevFiles"])
def test_gpus_that_are_hidden_on_purpose_are_not_missed(one_gpu, hidden):
    one_gpu.setattr(torch.version, "cuda", None)
    one_gpu.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert gpus.unusable() == ""


def test_asking_for_the_gpu_by_name_is_refused_with_the_cause(one_gpu):
    one_gpu.setattr(torch.version, "cuda", None)
    with pytest.raises(ConfigError, match=r"this machine offers cpu.* build without CUDA"):
        choose_device("cuda")


def test_only_a_run_that_may_take_any_device_misses_the_gpu(one_gpu):
    one_gpu.setattr(torch.version, "cuda", None)
    assert missed_gpus("auto", PROCESSOR).startswith("It trains on the processor. This machine has 1 NVIDIA GPU")
    assert missed_gpus("cpu", PROCESSOR) == ""


def test_a_run_trains_on_the_processor_and_its_status_says_why(one_gpu, store):
    one_gpu.setattr(torch.version, "cuda", None)
    run = store.create(TrainConfig(model="mlp", dataset="mnist-mini", epochs=1, train_size=128))
    assert work(run) == "finished"
    assert run.status().device == "cpu"
    assert "build without CUDA" in run.status().warning
