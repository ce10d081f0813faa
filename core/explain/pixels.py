"""Maps of the image itself, for any network: occlusion, and the gradient at the pixels.

Owns: what needs no feature map.
"""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.explain.forward import twin
from core.explain.targets import Targets, weights

PATCHES = 4  # patches that fit side by side; they move by half their side
PASS = 256  # covered images that go through the network at once


def occlusion(model: nn.Module, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    """How far the score falls, on average over the patches that hide a place behind the image's mean colour.

    images: float [N, C, H, W]. Returns the map float [N, 8, 8], above 0 where the score needs the place, and the logits
    of the whole images.

    Source: Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks (arXiv:1311.2901), section 4.2.
    """
    own, patches = twin(model), _patches(*images.shape[2:]).to(images)
    with torch.inference_mode(False), torch.no_grad():
        logits = own(images)
        weighting = weights(targets, logits)
        whole = (logits * weighting).flatten(1).sum(1)  # [N]
        grey = images.mean(dim=(2, 3), keepdim=True)
        falls = []
        for some in torch.split(patches, max(1, PASS // len(images))):
            hidden = some.unsqueeze(1).unsqueeze(1)  # [P, 1, 1, H, W]
            covered = (images * (1 - hidden) + grey * hidden).flatten(0, 1)  # [P, N, C, H, W] -> [P * N, C, H, W]
            scores = (own(covered).unflatten(0, (len(some), -1)) * weighting).flatten(2).sum(2)
            falls.append(whole - scores)  # [P, N]
        means = torch.einsum("pn,phw->nhw", torch.cat(falls), patches) / patches.sum(0)
        return F.adaptive_avg_pool2d(means, 2 * PATCHES), logits  # even within each half of a patch


def gradient(model: nn.Module, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    """The size of the score's gradient at each pixel, the greatest over the channels: float [N, H, W], and the logits.

    images: float [N, C, H, W].

    Source: Simonyan et al. 2014, Deep Inside Convolutional Networks (arXiv:1312.6034), section 3.1.
    """
    own = twin(model)
    with torch.inference_mode(False), torch.enable_grad():
        leaf = images.detach().clone().requires_grad_()
        logits = own(leaf)
        (slope,) = torch.autograd.grad(logits, leaf, weights(targets, logits))
    return slope.abs().amax(dim=1), logits.detach()


def _patches(height: int, width: int) -> Tensor:
    """The patches, 1 where they cover: float32 [P, height, width]; together they cover every pixel."""
    places = list(product(_ranges(height), _ranges(width)))
    masks = torch.zeros(len(places), height, width)
    for mask, (rows, columns) in zip(masks, places, strict=True):
        mask[rows, columns] = 1.0
    return masks


def _ranges(side: int) -> list[slice]:
    patch = max(1, side // PATCHES)
    starts = [*range(0, side - patch, max(1, patch // 2)), side - patch]
    return [slice(start, start + patch) for start in starts]
