"""SpeedNet: seven convolutions, built for the shortest time to 94 % on CIFAR-10.

Owns: the network whose shape spends its arithmetic where it pays: wide filters on small maps.

Source: Jordan 2024, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU (arXiv:2404.00498).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.models.layers import FirstConv, MaxPool2x2, Normalize, conv3x3, full_precision

GROUPS = (1, 4, 4)  # times the width: filters of each group


class Group(nn.Module):
    """Two 3x3 convolutions with batch norm and GELU, a 2x2 max-pool after the first.

    forward: float [N, channels_in, H, W] -> [N, channels_out, H // 2, W // 2], at least -0.17; a map of one pixel a
    side stays as it is.
    """

    def __init__(self, channels_in: int, channels_out: int, side: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels_in, channels_out)
        self.pool = MaxPool2x2() if side > 1 else nn.Identity()
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.gelu1 = nn.GELU()
        self.conv2 = conv3x3(channels_out, channels_out)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.gelu2 = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """The group's feature map."""
        x = self.gelu1(self.norm1(self.pool(self.conv1(x))))
        last: Tensor = self.gelu2(self.norm2(self.conv2(x)))
        return last


class SpeedNet(nn.Module):
    """A 2x2 convolution, three groups of w, 4w and 4w filters, global max-pooling and one linear layer.

    forward: images float [N, C, H, W] in 0..1 -> logits float32 [N, num_classes].
    """

    def __init__(self, in_shape: tuple[int, int, int], num_classes: int, width: int) -> None:
        super().__init__()
        channels, *sides = in_shape
        self.normalize = Normalize(channels)
        self.conv1 = FirstConv(channels, 2)
        self.gelu1 = nn.GELU()
        self.groups = nn.Sequential()
        filters, side = self.conv1.out_channels, min(sides) - 1
        for factor in GROUPS:
            self.groups.append(Group(filters, factor * width, side))
            filters, side = factor * width, side // 2
        self.fc = nn.Linear(filters, num_classes)
        with torch.no_grad():
            self.fc.weight.mul_(0.5)  # the maxima of a map are about twice its mean, and first answers should be open

    def features(self, images: Tensor) -> Tensor:
        """The last feature map, after its GELU: float [N, 4w, H', W'], at least -0.17; [N, 4w, 3, 3] for 32x32."""
        last: Tensor = self.groups(self.gelu1(self.conv1(self.normalize(images))))
        return last

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = torch.amax(self.features(images), dim=(2, 3))  # [N, 4w, H', W'] -> [N, 4w]
        return full_precision(self.fc(x))


def speednet(in_shape: tuple[int, int, int], num_classes: int, *, width: int) -> SpeedNet:
    """The registered model "speednet"."""
    return SpeedNet(in_shape, num_classes, width)
