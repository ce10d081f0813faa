"""The benchmark of energy: which digit is asked about, and a map whose energy is known."""

import pytest
import torch
from torch import nn

from core.bench import energy
from core.explain import Region, grad_cam


def field(*digits):
    """4x4 background with one row of each digit."""
    labels = torch.full((4, 4), energy.BACKGROUND)
    for row, (digit, pixels) in enumerate(digits):
        labels[row, :pixels] = digit
    return labels


def test_the_digit_with_most_pixels_is_asked_about():
    labels, masks = energy.largest_digits(torch.stack([field((3, 2), (7, 4)), field((0, 1))]))
    assert labels.tolist() == [7, 0]
    assert masks.sum(dim=(1, 2)).tolist() == [4, 1]
    assert masks[0, 1].all()


class Ink(nn.Module):
    """Says of every pixel that it is of each class as much as it is bright."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 11, 1, bias=False)
        nn.init.ones_(self.conv.weight)

    def forward(self, images):
        return self.conv(images)


def test_a_network_that_looks_at_ink_only_has_as_much_energy_inside_as_there_is_ink():
    fields = field((3, 2), (7, 4)).unsqueeze(0)
    images = torch.where(fields == energy.BACKGROUND, 0.0, 1.0).unsqueeze(1)
    labels, masks = energy.largest_digits(fields)
    inside = energy.energies(Ink().eval(), images, labels, masks, "hirescam", "conv")
    map_of_region = grad_cam(Ink().eval(), images, Region(masks[0], 7), "conv", "hirescam")
    assert map_of_region[0][~masks[0]].sum() == 0  # HiResCAM weighs each place by its own gradient: 0 outside
    assert inside.tolist() == [1.0]
    spread = energy.energies(Ink().eval(), images, labels, masks, "grad-cam", "conv")
    assert spread.item() == pytest.approx(4 / 6)  # Grad-CAM weighs all places alike: the ink of both digits
