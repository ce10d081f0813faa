"""The pieces that the families share: normalisation, convolutions, pooling, the hidden linear layer, float32 logits.

Owns: how an image enters a network, how weights start, how logits leave. Leaves the order of layers to the families.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.errors import DataError
from core.models.conv import Conv3x3

STATISTICS = {  # per channel, over the training images in 0..1
    1: ((0.1307,), (0.3081,)),  # MNIST
    3: ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),  # CIFAR-10
}


class Normalize(nn.Module):
    """Images float [N, C, H, W] in 0..1 to the same shape with about zero mean and unit spread in each channel.

    Mean and spread are MNIST's for one channel, CIFAR-10's for three, else 0.5 and 0.25. They are buffers float32
    [1, C, 1, 1], so a stored network carries its own.

    Raises: DataError, when called, for bytes, another number of channels or a single image without its batch.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        mean, std = STATISTICS.get(channels, ((0.5,) * channels, (0.25,) * channels))
        self.register_buffer("mean", torch.tensor(mean).view(1, channels, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, channels, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """The images, shifted and scaled."""
        channels = self.mean.shape[1]
        # Grey images would broadcast to colour and bytes would pass as numbers up to 255: both wrong without a sound.
        if images.dim() != 4 or images.shape[1] != channels or not images.is_floating_point():
            raise DataError(
                f"The network got {images.dtype} of shape {list(images.shape)}, expected floats in 0..1 of shape "
                f"[N, {channels}, H, W]. Turn bytes into floats with images.float() / 255."
            )
        return (images - self.mean) / self.std


def conv3x3(channels_in: int, channels_out: int) -> Conv3x3:
    """A 3x3 convolution [N, channels_in, H, W] -> [N, channels_out, H, W].

    Weights: normal with variance 2 / fan-in. No bias, since the batch norm that follows has one.

    Source: He et al. 2015, Delving Deep into Rectifiers (arXiv:1502.01852), equation 10.
    """
    conv = Conv3x3(channels_in, channels_out)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv


class FirstConv(nn.Conv2d):
    """The layer that meets the image: every k x k patch to 2 k k C numbers, twice as many as it has.

    forward: float [N, C, H, W] -> [N, 2 k k C, H', W'], the same sides for an odd k, one less for an even one. A class
    of its own, so that `core.training.start` finds it: with its filters whitened it keeps all of the patch, once with
    each sign for the ReLU or GELU that follows.

    bias_later: leave the bias to `add_bias`, which a network calls behind its pooling.
    """

    def __init__(self, channels: int, size: int, *, bias_later: bool = False) -> None:
        padding = size // 2 if size % 2 else 0
        super().__init__(channels, 2 * size * size * channels, size, padding=padding)
        self.bias_later = bias_later
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """The map of each filter."""
        maps: Tensor = self._conv_forward(x, self.weight, None if self.bias_later else self.bias)
        return maps

    def add_bias(self, x: Tensor) -> Tensor:
        """Maps [N, 2 k k C, H, W], in any arithmetic, and each filter's bias.

        A bias moves all places of a map alike, so it may as well be added to the greatest of them. Where the filters
        are frozen nothing before the pooling then needs a gradient.
        """
        bias: Tensor = self.bias  # type: ignore[assignment]
        return x + bias.view(-1, 1, 1).to(x.dtype)


class MaxPool2x2(nn.MaxPool2d):
    """The greatest of every 2x2 places; of an odd side the last place is left out.

    forward: float [N, C, H, W] -> [N, C, H // 2, W // 2]. Where nobody asks for a gradient, it need not note which of
    the four was the greatest, and the maxima of rows and of columns take a third to nine tenths of the time.
    """

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, x: Tensor) -> Tensor:
        """The pooled maps."""
        if x.requires_grad:
            noted: Tensor = super().forward(x)
            return noted
        height, width = (side // 2 * 2 for side in x.shape[2:])
        rows = torch.maximum(x[:, :, 0:height:2], x[:, :, 1:height:2])  # -> [N, C, H // 2, W]
        places: Tensor = torch.maximum(rows[..., 0:width:2], rows[..., 1:width:2])
        return places


def hidden_linear(features_in: int, features_out: int) -> nn.Linear:
    """A linear layer [N, features_in] -> [N, features_out] that feeds a ReLU: weights as in `conv3x3`, biases zero.

    A network's last layer keeps PyTorch's own smaller weights instead, so that the first predictions are near uniform.
    """
    linear = nn.Linear(features_in, features_out)
    nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
    nn.init.zeros_(linear.bias)
    return linear


def flat(maps: Tensor) -> Tensor:
    """Maps [N, C, H, W] as rows [N, C * H * W], in the order channel, row, column whatever the memory format.

    The gradients come back channels_last, as the maps are. In the order of the rows they made every layer before meet
    both formats: a step of the CNN took 8 % longer.
    """
    if maps.requires_grad:
        maps.register_hook(lambda gradient: gradient.contiguous(memory_format=torch.channels_last))  # type: ignore[no-untyped-call]
    return torch.flatten(maps, 1)


def use_silu(model: nn.Module) -> None:
    """Put a SiLU, x times the sigmoid of x, in the place of every ReLU; the parameters stay.

    Source: Elfwing, Uchibe and Doya 2017, Sigmoid-Weighted Linear Units (arXiv:1702.03118).
    """
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.SiLU())


def full_precision(logits: Tensor) -> Tensor:
    """The logits in float32 where autocast left fewer bits, since a softmax needs them; wider ones stay as they are."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
