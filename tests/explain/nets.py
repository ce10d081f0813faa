"""Networks small enough to follow by hand."""

from __future__ import annotations

import torch
from torch import nn

IMAGE = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])  # [1, 1, 2, 2]


class Averaged(nn.Module):
    """A 1x1 convolution to two channels, ReLU, mean over all places, one linear layer: CAM's own architecture.

    For IMAGE its feature map is [[0, 1], [2, 3]] and [[3, 1], [0, 0]].
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(2, 2)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([1.0, -2.0]).reshape(2, 1, 1, 1))
            self.conv.bias.copy_(torch.tensor([0.0, 3.0]))
            self.fc.weight.copy_(torch.tensor([[4.0, 8.0], [-4.0, 4.0]]))
            self.fc.bias.copy_(torch.tensor([0.5, -0.5]))

    def forward(self, images):
        return self.fc(self.relu(self.conv(images)).mean(dim=(2, 3)))


class Flattened(Averaged):
    """The same feature map, read by a linear layer that knows each place: class 0 has the weights 1 to 8."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 2, bias=False)
        with torch.no_grad():
            self.fc.weight.copy_(torch.arange(1.0, 17.0).reshape(2, 8))

    def forward(self, images):
        return self.fc(self.relu(self.conv(images)).flatten(1))


class Watcher(nn.Module):
    """Says class 1 the more, the brighter what it looks at is, and class 0 otherwise.

    part: the slices of rows and columns that it looks at, or None for the brightest spot, wherever that is.
    """

    def __init__(self, part=None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        self.relu = nn.ReLU()
        self.part = part
        nn.init.ones_(self.conv.weight)

    def forward(self, images):
        seen = self.relu(self.conv(images))
        score = seen[:, 0, *self.part].mean(dim=(1, 2)) if self.part else (seen[:, 0] ** 2).mean(dim=(1, 2))
        return torch.stack((0.3 - score, score - 0.3), dim=1) * 10
