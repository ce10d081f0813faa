"""The benchmark prints what it measured; what it measures is never asserted."""

from __future__ import annotations

import sys
import types

import numpy as np

from core import data, models
from core.__main__ import main
from core.bench import explain


class OtherCam:
    """As pytorch-grad-cam is called."""

    def __init__(self, model, layers):
        self.model = model

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def __call__(self, images, targets):
        assert len(images) == len(targets)
        self.model(images)
        return np.zeros((len(images), 32, 32))


def test_our_maps_are_timed_beside_the_other_librarys(monkeypatch, capsys):
    targets = types.SimpleNamespace(ClassifierOutputTarget=lambda label: label)
    library = types.SimpleNamespace(GradCAM=OtherCam, utils=types.SimpleNamespace(model_targets=targets))
    monkeypatch.setattr(explain, "_other_library", lambda: library)
    monkeypatch.setattr(data, "available", lambda name: name.endswith("mini"))
    for name, value in {"WIDTH": 4, "IMAGES": 3, "ROUNDS": 1, "INNER": ("relu1",)}.items():
        monkeypatch.setattr(explain, name, value)
    assert main(["bench", "explain"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[-4].split() == ["what", "ours", "s", "pytorch-grad-cam", "s", "ratio"]
    assert [line.split("  ")[0] for line in lines[-3:]][::2] == ["10 classes, last layer", "one class, relu1"]


def test_without_the_other_library_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)  # importing it fails
    assert main(["bench", "explain"]) == 2
    assert "pip install --no-deps grad-cam==1.5.5" in capsys.readouterr().err


def test_the_layers_that_are_timed_are_there():
    network = models.build(explain.MODEL, (3, 32, 32), 10, width=4)
    assert set(explain.INNER) <= set(dict(network.named_modules()))
