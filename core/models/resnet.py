"""ResNet and ConvNet: sixteen convolutions in eight blocks, with or without the connections that skip a block.

Owns: the pair that shows what skip connections do: one class, one flag, the same parameters in the same order.

Source: He et al. 2016, Deep Residual Learning for Image Recognition (arXiv:1512.03385), the CIFAR-10 network with
shortcuts of option A, which have no parameters.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models.layers import Normalize, conv3x3, full_precision


class Shortcut(nn.Module):
    """The way around a block: average pooling 2x2 where the block halves the map, zeros for the channels it adds.

    forward: float [N, channels_in, H, W] -> [N, channels_out, H / stride, W / stride], sides rounded up.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.new_channels = channels_out - channels_in

    def forward(self, x: Tensor) -> Tensor:
        """The input, made as large as the block's output."""
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        if self.new_channels:
            x = F.pad(x, (0, 0, 0, 0, 0, self.new_channels))
        return x


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm; the first may halve the map. With `skip`, the input is added to the output.

    forward: float [N, channels_in, H, W] -> [N, channels_out, H / stride, W / stride], at least 0, sides rounded up.
    Nothing is done in place, so that a hook on any module sees what the module gave, and may ask for its gradient.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, skip: bool) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels_in, channels_out, stride)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.relu1 = nn.ReLU()
        self.conv2 = conv3x3(channels_out, channels_out)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.shortcut = Shortcut(channels_in, channels_out, stride) if skip else None
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """The block's feature map."""
        y = self.relu1(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.shortcut is not None:
            y = y + self.shortcut(x).to(y.dtype)  # under autocast a float32 image would widen every sum after it
        out: Tensor = self.relu2(y)
        return out


class ResNet(nn.Module):
    """Eight blocks in three stages of w, 2w and 4w filters, global average pooling, one linear layer.

    forward: images float [N, C, H, W] in 0..1 -> logits float32 [N, num_classes]. Stages 2 and 3 begin by halving the
    map, so the last one is 8x8 for images of 32x32 and 7x7 for 28x28.

    skip: whether blocks add their input to their output. The parameters are the same either way: names, shapes and,
    with the same seed, values.
    """

    def __init__(self, in_shape: tuple[int, int, int], num_classes: int, width: int, *, skip: bool) -> None:
        super().__init__()
        channels = in_shape[0]
        self.normalize = Normalize(channels)
        self.layer1 = _stage(3, channels, width, 1, skip)
        self.layer2 = _stage(3, width, 2 * width, 2, skip)
        self.layer3 = _stage(2, 2 * width, 4 * width, 2, skip)
        self.fc = nn.Linear(4 * width, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """The last feature map, after its activation: float [N, 4w, H / 4, W / 4], at least 0, sides rounded up."""
        x = self.layer1(self.normalize(images))  # [N, C, H, W] -> [N, w, H, W]
        x = self.layer2(x)  # -> [N, 2w, H / 2, W / 2]
        last: Tensor = self.layer3(x)  # -> [N, 4w, H / 4, W / 4]
        return last

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = torch.mean(self.features(images), dim=(2, 3))  # [N, 4w, H / 4, W / 4] -> [N, 4w]
        return full_precision(self.fc(x))


def resnet(in_shape: tuple[int, int, int], num_classes: int, *, width: int) -> ResNet:
    """The registered model "resnet"."""
    return ResNet(in_shape, num_classes, width, skip=True)


def convnet(in_shape: tuple[int, int, int], num_classes: int, *, width: int) -> ResNet:
    """The registered model "convnet": the ResNet without its skip connections."""
    return ResNet(in_shape, num_classes, width, skip=False)


def _stage(blocks: int, channels_in: int, channels_out: int, stride: int, skip: bool) -> nn.Sequential:
    """Blocks with `channels_out` filters; the first has the stride and takes the stage before it."""
    first = Block(channels_in, channels_out, stride, skip)
    return nn.Sequential(first, *(Block(channels_out, channels_out, 1, skip) for _ in range(blocks - 1)))
