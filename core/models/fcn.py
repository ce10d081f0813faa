"""The fully convolutional network: a CNN whose linear layers are convolutions, and de-convolutions back to every pixel.

Owns: the surgery that turns a CNN into it, and the network for 64x64 ink. Leaves the CNN itself to `cnn.py`.

Source: Long, Shelhamer and Darrell 2015, Fully Convolutional Networks for Semantic Segmentation (arXiv:1411.4038): the
linear layers as convolutions (section 3.1), de-convolutions that start as bilinear interpolation (3.3), and answers of
earlier maps joined to the last one's (4.2).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.errors import CheckpointError, shown
from core.models.cnn import CNN, HIDDEN, Convolutions
from core.models.layers import conv3x3, full_precision
from core.tensors import misfit, without_number

DIGIT_SIDE = 28  # pixels of the images that the CNN was made for
OF_A_CNN = ("normalize", "conv1", "conv2", "norm2", "conv3", "norm3", "fc1", "fc2")  # its layers with weights
WINDOW = DIGIT_SIDE // 8  # rows and columns of its last feature map, which its first linear layer sees


class ConvolutionalCNN(nn.Module):
    """A CNN with its two linear layers reshaped into convolutions: the same numbers, for images of any size.

    forward: float [N, C, H, W] in 0..1 -> logits float32 [N, classes, H // 8 - 2, W // 8 - 2]: of 28x28 pixels the one
    answer of the CNN, of 64x64 a coarse map of 6x6 answers, each for a window of its own.
    """

    def __init__(self, cnn: CNN) -> None:
        super().__init__()
        self.cnn = cnn
        self.fc1 = _as_convolution(cnn.fc1, WINDOW)
        self.fc2 = _as_convolution(cnn.fc2, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits at every place of the CNN's window."""
        x = self.cnn.relu4(self.fc1(self.cnn.features(images)))  # [N, 4w, H/8, W/8] -> [N, 128, H/8 - 2, W/8 - 2]
        return full_precision(self.fc2(x))


class Context(nn.Module):
    """A 3x3 convolution with batch norm whose output is added to its input.

    Each sees one place of its map more in every direction: 8 pixels of the field where the map has an eighth of its
    sides, 4 where it has a quarter.

    forward: float [N, C, H, W] -> the same shape, at least 0 where the input is.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3x3(channels, channels)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """The map, knowing more of what is around it."""
        out: Tensor = x + self.relu(self.norm(self.conv(x))).to(x.dtype)
        return out


class Rise(nn.Module):
    """A de-convolution to twice the sides, joined with an earlier map of that size, then a 3x3 convolution over both.

    forward: float [N, channels_in, H, W] and [N, channels_beside, 2H, 2W] -> [N, channels_out, 2H, 2W], at least 0.
    """

    def __init__(self, channels_in: int, channels_beside: int, channels_out: int) -> None:
        super().__init__()
        self.up = deconvolution(channels_in, channels_out, 2)
        self.conv = conv3x3(channels_out + channels_beside, channels_out)
        self.norm = nn.BatchNorm2d(channels_out)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor, beside: Tensor) -> Tensor:
        """The finer map."""
        raised = self.up(x)
        out: Tensor = self.relu(self.norm(self.conv(torch.cat((raised, beside.to(raised.dtype)), dim=1))))
        return out


class FCN(Convolutions):
    """The CNN's layers, its linear layers as convolutions, and de-convolutions with the earlier maps beside them.

    forward: images float [N, C, H, W] in 0..1 -> logits float32 [N, num_classes, H, W].

    The layers up to `fc1` have the names and sizes of a CNN of the same width for 28x28 images, so that its weights
    fit; `fc2` gives a coarse answer at every eighth pixel, which the finer maps improve.
    """

    def __init__(self, in_shape: tuple[int, int, int], num_classes: int, width: int) -> None:
        channels = in_shape[0]
        super().__init__(channels, width)
        self.fc1 = nn.Conv2d(4 * width, HIDDEN, WINDOW, padding=WINDOW // 2)
        self.relu4 = nn.ReLU()
        self.context = nn.Sequential(Context(HIDDEN), Context(HIDDEN))
        self.beside = nn.Sequential(Context(2 * width), Context(2 * width))  # small digits are lost in the next pooling
        self.rise1 = Rise(HIDDEN, 2 * width, 2 * width)
        self.rise2 = Rise(2 * width, self.conv1.out_channels, width)
        self.ink = nn.Conv2d(channels, num_classes, 3, padding=1)
        self.fc2 = nn.Conv2d(HIDDEN, num_classes, 1)
        self.up_fc2 = deconvolution(num_classes, num_classes, 4)
        self.up_score = deconvolution(num_classes, num_classes, 2)
        self.score = nn.Conv2d(width, num_classes, 1)

    def features(self, images: Tensor) -> Tensor:
        """The last feature map, after its activation: float [N, w, H / 2, W / 2], at least 0; H, W multiples of 8."""
        return self._coarse_and_fine(self.normalize(images))[1]

    def _coarse_and_fine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The map behind the coarse answer, [N, 128, H / 8, W / 8], and the finest one, [N, w, H / 2, W / 2]."""
        half, quarter, eighth = self.maps(x)
        coarse = self.context(self.relu4(self.fc1(eighth)))  # [N, 128, H / 8, W / 8]
        return coarse, self.rise2(self.rise1(coarse, self.beside(quarter)), half)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of every pixel."""
        x = self.normalize(images)
        height, width = x.shape[2:]
        x = functional.pad(x, (0, -width % 8, 0, -height % 8))  # to multiples of 8
        coarse, fine = self._coarse_and_fine(x)
        half = self.score(fine) + self.up_fc2(self.fc2(coarse))  # [N, classes, H / 2, W / 2]
        return full_precision(self.up_score(half) + self.ink(x))[:, :, :height, :width]


def fcn(in_shape: tuple[int, int, int], num_classes: int, *, width: int) -> FCN:
    """The registered model "fcn"."""
    return FCN(in_shape, num_classes, width)


def deconvolution(channels_in: int, channels_out: int, times: int) -> nn.ConvTranspose2d:
    """A transposed convolution to so many times the sides, [N, channels_in, H, W] -> [N, channels_out, times H, ...].

    It starts as bilinear interpolation of each channel by itself; channels that there are too many of start empty.
    """
    up = nn.ConvTranspose2d(channels_in, channels_out, 2 * times, stride=times, padding=times // 2, bias=False)
    ramp = 1 - (torch.arange(2 * times) + 0.5 - times).abs() / times  # weights by distance
    with torch.no_grad():
        up.weight.zero_()
        for channel in range(min(channels_in, channels_out)):
            up.weight[channel, channel] = ramp[:, None] * ramp
    return up


@torch.no_grad()
def take_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Let an FCN begin with the weights of a CNN that knows digits: all of them; the background gets none.

    weights: the state_dict of a CNN of the same width for 28x28 images.

    Raises: CheckpointError when they are not.
    """
    own = model.state_dict()
    if name := without_number(weights):
        raise CheckpointError(f"An FCN can't begin with these weights: {shown(name)} holds NaN or infinity.")
    given = {name: value for name, value in weights.items() if name.partition(".")[0] not in ("fc1", "fc2")}
    try:
        given["fc1.weight"] = weights["fc1.weight"].reshape(own["fc1.weight"].shape)
        given["fc1.bias"] = weights["fc1.bias"]
        for name in ("fc2.weight", "fc2.bias"):
            digits = weights[name].reshape(len(weights[name]), *own[name].shape[1:])
            given[name] = torch.cat((digits, torch.zeros_like(own[name][len(digits) :])))
    except (RuntimeError, KeyError, TypeError) as error:
        raise CheckpointError(f"An FCN can't begin with these weights: {error}. Take a CNN of its width.") from None
    if wrong := misfit({name: own[name] for name in own if name.partition(".")[0] in OF_A_CNN}, given):
        raise CheckpointError(f"An FCN can't begin with these weights: {wrong}. Take a CNN of its width.")
    model.load_state_dict(given, strict=False)


def _as_convolution(linear: nn.Linear, side: int) -> nn.Conv2d:
    """The convolution with a window of `side` x `side` that gives what the linear layer gives for one window."""
    channels = linear.in_features // side**2
    conv = nn.Conv2d(channels, linear.out_features, side)
    with torch.no_grad():
        conv.weight.copy_(linear.weight.view(-1, channels, side, side))
        conv.bias.copy_(linear.bias)  # type: ignore[union-attr]
    return conv
