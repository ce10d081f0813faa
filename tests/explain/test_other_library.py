"""Our maps against pytorch-grad-cam's, before it resizes and scales them. Skipped where that is not installed."""

from __future__ import annotations

import warnings

import pytest
import torch

from core import explain, models
from core.data.vision import import_torchvision

SHARED = {
    "grad-cam": "GradCAM",
    "grad-cam++": "GradCAMPlusPlus",
    "hirescam": "HiResCAM",
    "layercam": "LayerCAM",
    "eigen-cam": "EigenCAM",
}


@pytest.fixture(scope="module")
def other():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that it brings along
        import_torchvision()
        return pytest.importorskip(
            "pytorch_grad_cam", reason="pip install --no-deps grad-cam==1.5.5", exc_type=ImportError
        )


def theirs(other, method, model, layer, images, label):
    """Its map before the ReLU, resizing and scaling: [N, h, w]."""
    found = []

    class Kept(getattr(other, SHARED[method])):
        def get_cam_image(self, *arguments, **options):
            found.append(super().get_cam_image(*arguments, **options))
            return found[-1]

    target = other.utils.model_targets.ClassifierOutputTarget(label)
    with Kept(model, [model.get_submodule(layer)]) as cam:
        cam(images, [target] * len(images))
    return torch.from_numpy(found[0]).double()


@pytest.mark.parametrize("method", SHARED)
@pytest.mark.parametrize("name", ["cnn", "convnet", "resnet", "speednet"])
def test_our_maps_are_those_of_pytorch_grad_cam(other, name, method):
    torch.manual_seed(0)
    model, images = models.build(name, (3, 32, 32), 10, width=8).double().eval(), torch.rand(3, 3, 32, 32).double()
    with torch.no_grad():  # it adds 1e-6 to a denominator of Grad-CAM++, which has to be little beside it
        list(model.parameters())[-2].mul_(1e5)
    layers = explain.convolutions(model)
    for layer in (layers[1].after, layers[-1].after):
        expected = theirs(other, method, model, layer, images, 3)
        found = explain.explain(model, images, 3, layer, method).raw
        scale = float(expected.abs().max())
        difference = (found - expected).abs().amax(dim=(1, 2))
        if method == "eigen-cam":  # whose sign is a matter of taste
            difference = torch.minimum(difference, (found + expected).abs().amax(dim=(1, 2)))
        assert float(difference.max()) < 1e-5 * scale
