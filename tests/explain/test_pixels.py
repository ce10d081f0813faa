"""Maps of the image itself against networks that are known to read one part of it."""

from __future__ import annotations

import torch
from torch import nn

from core import explain
from core.explain.pixels import _patches


class Corner(nn.Module):
    """Its first logit is the sum of the lower right 8x8 pixels, its second minus twice that."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images):
        score = self.scale * images[:, :, -8:, -8:].sum(dim=(1, 2, 3))
        return torch.stack((score, -2 * score), dim=1)


def test_occlusion_finds_the_pixels_that_the_score_needs():
    images = torch.zeros(2, 3, 32, 32)
    images[:, :, -8:, -8:] = 1.0
    raw = explain.explain(Corner(), images, 0, method="occlusion").raw
    assert raw.shape == (2, 8, 8)
    mean = 1 / 16  # of the image, which stands where the patch hides it
    assert torch.allclose(raw[0, -1, -1], torch.tensor(3 * 64 * (1 - mean)))  # only the last patch covers the corner
    assert not raw[:, :5, :5].any()
    assert not explain.grad_cam(Corner(), images, 1, method="occlusion").any()  # nothing there argues for the other


def test_patches_cover_every_pixel_of_any_size():
    for size in ((32, 32), (28, 28), (9, 13), (64, 64)):
        assert (_patches(*size).sum(dim=0) > 0).all()


def test_the_input_gradient_is_the_size_of_the_slope():
    raw = explain.explain(Corner(), torch.rand(2, 3, 32, 32), 1, method="gradient").raw
    expected = torch.zeros(2, 32, 32)
    expected[:, -8:, -8:] = 2.0
    assert torch.equal(raw, expected)
