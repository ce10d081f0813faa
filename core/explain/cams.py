"""Class activation maps: four ways to weigh a feature map by the gradient of a score.

Owns: the four formulas. Each takes activations float [N, K, h, w] and the gradient of the score with respect to them,
float [N, K, h, w], or [N, K, 1, 1] where it is the same at every place, and gives a map float [N, h, w]: above 0 what
argues for the score, below 0 what argues against it.
"""

from __future__ import annotations

import torch
from torch import Tensor


def grad_cam(activations: Tensor, gradient: Tensor) -> Tensor:
    """Channels weighted by the mean of their gradient.

    Source: Selvaraju et al. 2017, Grad-CAM (arXiv:1610.02391), equations 1 and 2 before the ReLU.
    """
    return torch.einsum("nk,nkhw->nhw", gradient.mean(dim=(2, 3)), activations)


def grad_cam_plus_plus(activations: Tensor, gradient: Tensor) -> Tensor:
    """Channels weighted by their positive gradients, each place by its own share.

    Source: Chattopadhyay et al. 2018, Grad-CAM++ (arXiv:1710.11063), equation 19, divided through by the squared
    gradient: share = 1 / (2 + gradient * sum of activations); weights by equation 7.
    """
    denominator = 2 + gradient * activations.sum(dim=(2, 3), keepdim=True)
    share = torch.where(denominator != 0, denominator, torch.ones_like(denominator)).reciprocal()
    weights = (gradient.relu() * share).expand_as(activations).sum(dim=(2, 3))
    return torch.einsum("nk,nkhw->nhw", weights, activations)


def hires_cam(activations: Tensor, gradient: Tensor) -> Tensor:
    """Every place of every channel weighted by its own gradient.

    Source: Draelos and Carin 2020, HiResCAM (arXiv:2011.08891), equation 4.
    """
    return (gradient * activations).sum(dim=1)


def layer_cam(activations: Tensor, gradient: Tensor) -> Tensor:
    """Every place of every channel weighted by its own gradient where that is positive.

    Source: Jiang et al. 2021, LayerCAM (IEEE TIP 30, doi:10.1109/TIP.2021.3089943), equations 6 and 7.
    """
    return (gradient.relu() * activations).sum(dim=1)
