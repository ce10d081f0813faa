"""Eigen-CAM: the strongest pattern of a feature map, which asks for no class and no gradient.

Owns: the projection, and its sign, which the definition leaves open.
"""

from __future__ import annotations

import torch
from torch import Tensor


def eigen_cam(activations: Tensor) -> Tensor:
    """Each place's K numbers, centred over places, projected on their first principal component.

    activations: float [N, K, h, w]. Returns float [N, h, w], signed so that it rises where the activations do.

    Source: Muhammad and Yeasin 2020, Eigen-CAM (arXiv:2008.00299), equations 4 and 5; centred as in pytorch-grad-cam.
    """
    rows = activations.flatten(2).transpose(1, 2).double()  # [N, K, h, w] -> [N, h * w, K]
    rows = rows - rows.mean(dim=1, keepdim=True)
    component = torch.linalg.eigh(rows.transpose(1, 2) @ rows).eigenvectors[:, :, -1:]  # [N, K, 1]
    projected = (rows @ component).squeeze(2)  # [N, h * w]
    strength = rows.sum(dim=2)
    sign = torch.where((projected * strength).sum(dim=1, keepdim=True) < 0, -1.0, 1.0)
    maps: Tensor = (sign * projected).reshape(len(activations), *activations.shape[2:])
    return maps.to(activations.dtype)
