"""ResNet and ConvNet: sixteen convolutions, with or without the connections that skip two at a time.

Owns: the pair that shows what skip connections do: one class, one flag, the same parameters in the same order.

Source: He et al. 2016, Deep Residual Learning for Image Recognition (arXiv:1512.03385), with shortcuts of option A,
which have no parameters. The 2x2 first layer, pooling soon after it and before the normalisation are from Jordan 2024,
94% on CIFAR-10 in 3.29 Seconds on a Single GPU (arXiv:2404.00498): they save most of the arithmetic.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from core.models.layers import FirstConv, MaxPool2x2, Normalize, conv3x3, full_precision

BLOCKS = (2, 4, 1)  # in the stages of w, 2w and 4w filters


class Shortcut(nn.Module):
    """The way around a block: average pooling 2x2 where the block halves the map, zeros for the channels it adds.

    forward: float [N, channels_in, H, W] -> [N, channels_out, H', W'], half the sides, rounded down, where it halves.
    """

    def __init__(self, channels_in: int, channels_out: int, halve: bool) -> None:
        super().__init__()
        self.halve = halve
        self.new_channels = channels_out - channels_in

    def forward(self, x: Tensor) -> Tensor:
        """The input, made as large as the block's output."""
        if self.halve:
            x = F.avg_pool2d(x, 2)
        if self.new_channels:
            x = F.pad(x, (0, 0, 0, 0, 0, self.new_channels))
        return x


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm; the first may halve the map. With `skip`, the input is added to the output.

    forward: float [N, channels_in, H, W] -> [N, channels_out, H', W']; half the sides, rounded down, where it
    halves the map. Nothing is done in place, so that a hook on any module sees what the module gave, and may ask for
    its gradient.
    """

    def __init__(self, channels_in: int, channels_out: int, halve: bool, skip: bool) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels_in, channels_out)
        self.pool = MaxPool2x2() if halve else nn.Identity()
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.relu1 = nn.ReLU()
        self.conv2 = conv3x3(channels_out, channels_out)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.shortcut = Shortcut(channels_in, channels_out, halve) if skip else None
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """The block's feature map."""
        y = self.relu1(self.norm1(self.pool(self.conv1(x))))
        y = self.norm2(self.conv2(y))
        if self.shortcut is not None:
            y = y + self.shortcut(x).to(y.dtype)  # under autocast a float32 map would widen every sum after it
        out: Tensor = self.relu2(y)
        return out


class ResNet(nn.Module):
    """Two convolutions, seven blocks in three stages of w, 2w and 4w filters, global average pooling, one linear layer.

    forward: images float [N, C, H, W] in 0..1 -> logits float32 [N, num_classes]. The map is halved after the second
    convolution and at the start of the second stage, so the last one is 7x7 for images of 32x32 and 6x6 for 28x28.

    skip: whether blocks add their input to their output. The parameters are the same either way: names, shapes and,
    with the same seed, values.
    """

    def __init__(self, in_shape: tuple[int, int, int], num_classes: int, width: int, *, skip: bool) -> None:
        super().__init__()
        self.normalize = Normalize(in_shape[0])
        self.conv1 = FirstConv(in_shape[0], 2)
        self.relu1 = nn.ReLU()
        self.conv2 = conv3x3(self.conv1.out_channels, width)
        self.pool = MaxPool2x2()
        self.norm2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        self.layer1 = _stage(BLOCKS[0], width, width, False, skip)
        self.layer2 = _stage(BLOCKS[1], width, 2 * width, True, skip)
        self.layer3 = _stage(BLOCKS[2], 2 * width, 4 * width, False, skip)
        self.fc = nn.Linear(4 * width, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """The last feature map, after its activation: float [N, 4w, (H - 1) // 4, (W - 1) // 4]."""
        x = self.relu1(self.conv1(self.normalize(images)))  # [N, C, H, W] -> [N, 8C, H - 1, W - 1]
        x = self.relu2(self.norm2(self.pool(self.conv2(x))))  # -> [N, w, (H - 1) // 2, (W - 1) // 2]
        x = self.layer2(self.layer1(x))  # -> [N, 2w, (H - 1) // 4, (W - 1) // 4]
        last: Tensor = self.layer3(x)  # -> [N, 4w, (H - 1) // 4, (W - 1) // 4]
        return last

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch of images."""
        maps = self.features(images)
        x = F.avg_pool2d(maps, maps.shape[2:]).flatten(1)  # [N, 4w, H', W'] -> [N, 4w]; its gradients keep the layout
        return full_precision(self.fc(x))


def resnet(in_shape: tuple[int, int, int], num_classes: int, *, width: int) -> ResNet:
    """The registered model "resnet"."""
    return ResNet(in_shape, num_classes, width, skip=True)


def convnet(in_shape: tuple[int, int, int], num_classes: int, *, width: int) -> ResNet:
    """The registered model "convnet": the ResNet without its skip connections."""
    return ResNet(in_shape, num_classes, width, skip=False)


def _stage(blocks: int, channels_in: int, channels_out: int, halve: bool, skip: bool) -> nn.Sequential:
    """Blocks with `channels_out` filters; the first takes the stage before it, and may halve the map."""
    first = Block(channels_in, channels_out, halve, skip)
    return nn.Sequential(first, *(Block(channels_out, channels_out, False, skip) for _ in range(blocks - 1)))
