"""How the weights of a network start: whitened first layer, identity filters, fixed scales of the normalisations.

Owns: what is done to a network that was just built, before its first step. Plain random weights are the models' own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from core.models.layers import FirstConv, Normalize

IMAGES_TO_WHITEN = 5000
MOST_PIXELS = 5_200_000  # looked at in all: all of 5,000 images of 32x32, fewer larger ones
MOST_PATCHES = 200_000
EPSILON = 5e-4  # keeps directions with next to no variance from being blown up; from the source


@torch.no_grad()
def whiten_first_layer(model: nn.Module, images: Tensor) -> None:
    """Set the filters of the first convolution so that what they give has equal spread and no correlation; freeze them.

    The filters are the principal directions of the patches that the convolution sees, each divided by the root of its
    variance, followed by the same with the other sign. A model without a FirstConv is left alone.

    images: uint8 [N, C, H, W] in 0..255, from the training set; `IMAGES_TO_WHITEN` are enough.

    Source: Jordan 2024, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU (arXiv:2404.00498), after Page 2018, How to
    Train Your ResNet.
    """
    normalize = next((m for m in model.modules() if isinstance(m, Normalize)), None)
    conv = next((m for m in model.modules() if isinstance(m, FirstConv)), None)
    if conv is None or normalize is None:
        return
    pixels = images.shape[2] * images.shape[3]
    images = images[: max(1, MOST_PIXELS // pixels)]
    step = math.ceil(math.sqrt(len(images) * pixels / MOST_PATCHES))  # patches that far apart: enough, and no more
    rows, columns = conv.kernel_size
    patches = normalize(images.float() / 255).unfold(2, rows, step).unfold(3, columns, step)  # [N, C, H', W', h, w]
    flat = patches.permute(0, 2, 3, 1, 4, 5).flatten(0, 2).flatten(1).double()  # -> [N * H' * W', C * h * w]
    variances, directions = torch.linalg.eigh(flat.T @ flat / len(flat))  # ascending; directions are columns
    filters = (directions / (variances + EPSILON).sqrt()).T.reshape(-1, *conv.weight.shape[1:])
    conv.weight.copy_(torch.cat((filters, -filters)))
    conv.weight.requires_grad_(False)


@torch.no_grad()
def start_as_identity(model: nn.Module) -> None:
    """Let each convolution before a batch norm pass its input on in its first filters; further filters stay random.

    Source: Zagoruyko and Komodakis 2017, DiracNets (arXiv:1706.00388), as used by Jordan 2024 (arXiv:2404.00498).
    """
    for conv in model.modules():
        if isinstance(conv, nn.Conv2d) and conv.bias is None:
            nn.init.dirac_(conv.weight[: conv.in_channels])


def fix_scales(model: nn.Module) -> None:
    """Keep the scales of all batch norms at 1, so that only their biases learn (Jordan 2024, arXiv:2404.00498)."""
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            norm.weight.requires_grad_(False)
