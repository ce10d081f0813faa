"""Export to ONNX: every network gives the same answers there, for any number of images, or nothing is written."""

from __future__ import annotations

import pytest
import torch

from core import data, export, load_model, models
from core.__main__ import main
from core.config import TrainConfig
from core.errors import CheckpointError, LabError, RunError
from core.worker import work


@pytest.fixture
def run(store):
    def trained(model, dataset=None):
        dataset = dataset or {"classes": "cifar10-mini", "masks": "mnist-mini-scenes"}[models.describe(model).task]
        narrow = models.describe(model).widths[0]
        config = TrainConfig(
            model=model, dataset=dataset, epochs=1, width=narrow, train_size=200, batch_size=50, threads=1
        )
        made = store.create(config)
        assert work(made) == "finished"
        return made

    return trained


@pytest.mark.parametrize("model", models.names())
def test_the_file_gives_the_answers_of_the_network_for_any_number_of_images(run, model, tmp_path):
    import onnxruntime

    made = run(model)
    done = export.export_onnx(made, tmp_path / "net.onnx")
    assert done.largest_difference < 1e-4
    session = onnxruntime.InferenceSession(str(done.path), providers=["CPUExecutionProvider"])
    for count in (1, 3, 70):
        images = data.load(made.config.dataset).val.images[:count].float() / 255
        (theirs,) = session.run(None, {"images": images.contiguous().numpy()})
        with torch.inference_mode():
            torch.testing.assert_close(torch.from_numpy(theirs), load_model(made)(images), atol=1e-4, rtol=1e-4)


def test_a_file_that_would_answer_otherwise_is_not_left_behind(run, tmp_path, monkeypatch):
    made, write = run("mlp"), export._write

    def other(model, images, path):
        with torch.no_grad():
            model.fc4.bias.add_(0.5)
        write(model, images, path)
        with torch.no_grad():
            model.fc4.bias.sub_(0.5)

    monkeypatch.setattr(export, "_write", other)
    with pytest.raises(RunError, match="answers otherwise"):
        export.export_onnx(made, tmp_path / "net.onnx")
    assert not list(tmp_path.glob("*.onnx*"))


def test_without_the_packages_a_sentence_says_what_to_install(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(LabError, match=r"needs onnxscript\. Install: pip install onnx onnxscript onnxruntime"):
        export.export_onnx(trained, tmp_path / "net.onnx")


def test_a_run_without_weights_can_not_be_exported(store, small, tmp_path):
    with pytest.raises(CheckpointError, match="no weights yet"):
        export.export_onnx(store.create(small), tmp_path / "net.onnx")


def test_the_command_writes_where_it_is_told(trained, tmp_path, capsys):
    assert main(["export", trained.id, "--out", str(tmp_path / "net.onnx")]) == 0
    assert (tmp_path / "net.onnx").stat().st_size > 10_000
    assert "the same answers to 256 images" in capsys.readouterr().out
    assert main(["export", "20261123-194059-k3f9"]) == 2
