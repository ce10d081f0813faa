"""Maps of what a network's answer is made of: one function for all methods, in batches.

Owns: the way from a network, images and a target to a map. Leaves formulas to the families, hooks to `forward`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.errors import DataError
from core.explain import cams, pixels
from core.explain.catalogue import describe
from core.explain.eigen import eigen_cam
from core.explain.forward import Forward, forward
from core.explain.layers import resolve
from core.explain.scaling import scaled
from core.explain.targets import Targets, in_batches, weights

BATCH = 64  # images at once: enough to fill two cores, small enough for their caches
GRADIENT_METHODS = {
    "grad-cam": cams.grad_cam,
    "grad-cam++": cams.grad_cam_plus_plus,
    "hirescam": cams.hires_cam,
    "layercam": cams.layer_cam,
}
PIXEL_METHODS = {"occlusion": pixels.occlusion, "gradient": pixels.gradient}


@dataclass(frozen=True)
class Explanation:
    """What N images gave. raw: float [N, h, w] at the layer's resolution, signed, not scaled. logits: [N, C, ...]."""

    raw: Tensor
    logits: Tensor


def grad_cam(
    model: nn.Module, images: Tensor, targets: Targets = None, layer: str | None = None, method: str = "grad-cam"
) -> Tensor:
    """What argues for the target in each image: float [N, H, W] in 0..1 at the images' size, on the images' device.

    images: float [N, C, H, W] in 0..1. targets: None for the predicted class, a class, one for each image, a `Versus`
    (one class rather than another) or, for a segmentation, a `Region`. layer: the path of a module with a feature map,
    such as a convolution; by default the last feature map, after its activation. method: one of `METHODS`.

    A map that is 0 everywhere says that nothing argues for the target. Mode, hooks, gradients and buffers of the model
    stay as they are; it computes in evaluation mode, and other threads may use it meanwhile.

    Raises: UnknownNameError for a method or a layer that is not there; ConfigError for a target that does not fit, or a
    network without a convolution; DataError for images that do not fit.
    """
    height, width = _checked(images).shape[2:]
    return scaled(explain(model, images, targets, layer, method).raw, (height, width))


def explain(
    model: nn.Module, images: Tensor, targets: Targets = None, layer: str | None = None, method: str = "grad-cam"
) -> Explanation:
    """As `grad_cam`, but the map as the method defines it before its ReLU, with the logits of the same pass."""
    info = describe(method)
    path = resolve(model, layer) if info.reads_layer else ""
    asked = in_batches(targets, len(images), BATCH)
    found = [
        _one_batch(model, batch, target, path, method)
        for batch, target in zip(_batches(model, images), asked, strict=True)
    ]
    raw, logits = (torch.cat(parts).to(images.device) for parts in zip(*found, strict=True))
    return Explanation(raw, logits)


def explain_all(model: nn.Module, images: Tensor, layer: str | None = None, method: str = "grad-cam") -> Tensor:
    """The map of every class from one forward pass: float [N, C, h, w], as `explain` gives it for each.

    Where the head is an average over all places and one linear layer, no backward pass is needed either.

    Raises: as `grad_cam`; ConfigError for a segmentation.
    """
    if not describe(method).reads_layer:
        classes = explain(model, images[:1], None, None, method).logits.shape[1]
        maps = [explain(model, images, label, None, method).raw for label in range(classes)]
        return torch.stack(maps, dim=1)
    path = resolve(model, layer)
    parts = [_every_class(forward(model, batch, path), method) for batch in _batches(model, images)]
    return torch.cat(parts).to(images.device)


def _one_batch(model: nn.Module, images: Tensor, targets: Targets, path: str, method: str) -> tuple[Tensor, Tensor]:
    if method in PIXEL_METHODS:
        return PIXEL_METHODS[method](model, images, targets)
    seen = forward(model, images, path)
    return _weighed(seen, weights(targets, seen.logits), method), seen.logits.detach()


def _every_class(seen: Forward, method: str) -> Tensor:
    """Maps float [N, C, h, w] of one batch."""
    classes = seen.logits.shape[1]
    if seen.head is not None and method in ("grad-cam", "hirescam"):  # the same where the gradient is even
        places = seen.activations.shape[2] * seen.activations.shape[3]
        weight = seen.head.weight.detach() / places  # [C, K]
        return torch.einsum("ck,nkhw->nchw", weight, seen.activations.detach())
    maps = [_weighed(seen, weights(label, seen.logits), method) for label in range(classes)]
    return torch.stack(maps, dim=1)


def _weighed(seen: Forward, weighting: Tensor, method: str) -> Tensor:
    activations = seen.activations.detach()
    if method == "eigen-cam":
        return eigen_cam(activations)
    return GRADIENT_METHODS[method](activations, _gradient(seen, weighting))


def _gradient(seen: Forward, weighting: Tensor) -> Tensor:
    """Of the score with respect to the activations: float [N, K, h, w], or [N, K, 1, 1] where it is even.

    Source: Zhou et al. 2016, Learning Deep Features for Discriminative Localization (arXiv:1512.04150): with a head of
    average pooling and a linear layer, the gradient is that layer's weight over the number of places.
    """
    if seen.head is not None:
        places = seen.activations.shape[2] * seen.activations.shape[3]
        return (weighting @ seen.head.weight.detach() / places).unsqueeze(-1).unsqueeze(-1)
    (gradient,) = torch.autograd.grad(seen.logits, seen.activations, weighting, retain_graph=True)
    return gradient


def _batches(model: nn.Module, images: Tensor) -> Iterator[Tensor]:
    """Batches on the model's device, in the memory format in which convolutions are fastest."""
    device = next(model.parameters()).device
    for batch in torch.split(_checked(images), BATCH):
        yield batch.to(device).contiguous(memory_format=torch.channels_last)


def _checked(images: Tensor) -> Tensor:
    if images.dim() != 4 or not len(images) or not images.is_floating_point():
        raise DataError(
            f"The images are {images.dtype} of shape {list(images.shape)}, expected floats in 0..1 of shape "
            "[N, C, H, W] with at least one image. Turn bytes into floats with images.float() / 255."
        )
    return images
