"""The small convolutional network: three convolutions with pooling, then two linear layers.

Owns: the network that becomes fully convolutional when its linear layers are reshaped into convolutions.
"""

from __future__ import annotations

from torch import Tensor, nn

from core.models.layers import FirstConv, MaxPool2x2, Normalize, conv3x3, flat, full_precision, hidden_linear

HIDDEN = 128  # units between the feature map and the classes


class Convolutions(nn.Module):
    """The three convolutions with their pooling, which a CNN and the FCN made of it have in common."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.normalize = Normalize(channels)
        self.conv1 = FirstConv(channels, 3, bias_later=True)
        self.pool1 = MaxPool2x2()
        self.relu1 = nn.ReLU()
        self.conv2 = conv3x3(self.conv1.out_channels, 2 * width)
        self.pool2 = MaxPool2x2()
        self.norm2 = nn.BatchNorm2d(2 * width)
        self.relu2 = nn.ReLU()
        self.conv3 = conv3x3(2 * width, 4 * width)
        self.pool3 = MaxPool2x2()
        self.norm3 = nn.BatchNorm2d(4 * width)
        self.relu3 = nn.ReLU()

    def maps(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The three maps of normalised images float [N, C, H, W], each at least 0.

        They are [N, 18C, H // 2, W // 2], [N, 2w, H // 4, W // 4] and [N, 4w, H // 8, W // 8].
        """
        half = self.relu1(self.conv1.add_bias(self.pool1(self.conv1(x))))
        quarter = self.relu2(self.norm2(self.pool2(self.conv2(half))))
        return half, quarter, self.relu3(self.norm3(self.pool3(self.conv3(quarter))))


class CNN(Convolutions):
    """Three times 3x3 convolution, 2x2 max-pool and ReLU, the last two with batch norm; then two linear layers.

    Pooling comes before the normalisation: the same maxima, and a quarter of the pixels to normalise.

    forward: images float [N, C, H, W] in 0..1 -> logits float32 [N, num_classes]. The filters are 18C, 2w and 4w for
    width w. `fc1` reads the last feature map in the order channel, row, column, whatever the memory format, so that
    `fc1.weight.view(128, 4w, H // 8, W // 8)` is the equal convolution.
    """

    def __init__(self, in_shape: tuple[int, int, int], num_classes: int, width: int) -> None:
        channels, height, breadth = in_shape
        super().__init__(channels, width)
        self.fc1 = hidden_linear(4 * width * (height // 8) * (breadth // 8), HIDDEN)
        self.relu4 = nn.ReLU()
        self.fc2 = nn.Linear(HIDDEN, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """The last feature map: float [N, 4w, H // 8, W // 8], at least 0."""
        return self.maps(self.normalize(images))[2]

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = flat(self.features(images))  # [N, 4w, H / 8, W / 8] -> [N, 4w * H / 8 * W / 8]
        x = self.relu4(self.fc1(x))
        return full_precision(self.fc2(x))


def cnn(in_shape: tuple[int, int, int], num_classes: int, *, width: int) -> CNN:
    """The registered model "cnn"."""
    return CNN(in_shape, num_classes, width)
