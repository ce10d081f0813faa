"""What a network has inside: the filters that meet the image, and the feature maps that it makes of one.

Owns: taking them out, and turning stored pictures into what a network takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.explain.forward import forward
from core.explain.layers import convolutions, resolve


def as_images(pictures: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Pictures uint8 [H, W, C] of one size, as a network takes them: float32 [N, C, H, W] in 0..1."""
    stacked: NDArray[Any] = np.stack(pictures)
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 255


def first_filters(model: nn.Module) -> Tensor:
    """The filters of the first convolution: float32 [K, C, k, k], not scaled; no filter of a network without one."""
    for layer in convolutions(model):
        return model.get_parameter(f"{layer.name}.weight").detach().float()
    return torch.empty(0, 0, 0, 0)


def feature_maps(model: nn.Module, images: Tensor, layer: str | None = None) -> Tensor:
    """What a layer makes of images: float [N, K, h, w]. images, layer: as for `grad_cam`.

    Raises: UnknownNameError, ConfigError as `grad_cam`.
    """
    return forward(model, images, resolve(model, layer)).activations.detach()
