"""Whether the object draws a map, or the centre of the picture, where most objects are.

Owns: where maps have their mass, and what becomes of it when the same pictures are shifted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.explain.faithfulness import Progress, energy_inside
from core.explain.maps import explain, grad_cam
from core.explain.scaling import scaled
from core.explain.targets import Targets

SHIFT = 5  # one part of so many of the side that pictures are moved by
DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))  # (down, right)


@dataclass(frozen=True)
class MeanMap:
    """The mean map of many pictures: float32 [H, W] in 0..1, and where its mass lies.

    offset: (down, right) of the picture's centre in pixels, nan where no picture had a map. middle: the share inside
    the middle quarter of the picture, 0.25 for an even map.
    """

    map: Tensor
    offset: tuple[float, float]
    middle: float


@dataclass(frozen=True)
class Following:
    """What maps do when their pictures are shifted: how alike the new map is to the old one, -1..1.

    with_object: to the old map shifted along, with_centre: to the old map as it was; both correlations, the mean over
    pictures and directions. error: the standard error of their difference over pictures. images: how many had a map.
    """

    with_object: float
    with_centre: float
    error: float
    images: int

    @property
    def verdict(self) -> str:
        """ "object" or "centre", whichever is alike by more than two errors; else "unclear"."""
        difference = self.with_object - self.with_centre
        if abs(difference) > 2 * self.error:
            return "object" if difference > 0 else "centre"
        return "unclear"


def mean_map(
    model: nn.Module, images: Tensor, targets: Targets = None, layer: str | None = None, method: str = "grad-cam"
) -> MeanMap:
    """The mean of the maps of pictures, and how far it keeps to the middle. Arguments and errors: as for `grad_cam`."""
    mean = grad_cam(model, images, targets, layer, method).mean(dim=0, keepdim=True)  # [1, H, W]
    down, right = centre_of_mass(mean)[0].tolist()
    height, width = mean.shape[1:]
    middle = torch.zeros(1, height, width, dtype=torch.bool, device=mean.device)
    middle[:, height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    return MeanMap(mean[0].cpu(), (down, right), float(energy_inside(mean, middle)))


def centre_of_mass(maps: Tensor) -> Tensor:
    """Where the mass of maps lies, (down, right) of the picture's centre in pixels: float [N, 2], nan for an empty map.

    maps: float [N, H, W], at least 0.
    """
    mass = maps.sum(dim=(1, 2))
    height, width = maps.shape[1:]
    down = torch.arange(height).to(maps) - (height - 1) / 2
    right = torch.arange(width).to(maps) - (width - 1) / 2
    moments = torch.stack((maps.sum(dim=2) @ down, maps.sum(dim=1) @ right), dim=1)  # [N, 2]
    return moments / mass.unsqueeze(1)


def following(
    model: nn.Module,
    images: Tensor,
    targets: Targets = None,
    layer: str | None = None,
    method: str = "grad-cam",
    progress: Progress | None = None,
) -> Following:
    """Shift pictures a fifth of their side in four directions, edges repeated, and see whether their maps go along.

    images: float [N, C, H, W] in 0..1; the other arguments as for `grad_cam`, targets None being what is predicted
    before the shift. Compared is what both pictures have in common. progress: called with (done, all).

    Raises: as `grad_cam`.
    """
    size = (images.shape[2], images.shape[3])
    found = explain(model, images, targets, layer, method)
    asked = found.logits.argmax(1) if targets is None else targets
    before, distance = scaled(found.raw, size), size[1] // SHIFT
    with_object, with_centre = [], []
    for done, (down, right) in enumerate(DIRECTIONS):
        by = (down * distance, right * distance)
        after = grad_cam(model, shifted(images, *by), asked, layer, method)
        inside = _still_inside(size, by)
        with_object.append(_correlation(after[inside], shifted(before.unsqueeze(1), *by).squeeze(1)[inside]))
        with_centre.append(_correlation(after[inside], before[inside]))
        if progress:
            progress(done + 1, len(DIRECTIONS))
    return _summed_up(torch.stack(with_object).mean(dim=0), torch.stack(with_centre).mean(dim=0))


def shifted(images: Tensor, down: int, right: int) -> Tensor:
    """The same pictures, moved by so many pixels; the edge that is left is repeated. images: float [N, C, H, W]."""
    height, width = images.shape[2:]
    room = max(abs(down), abs(right))
    wide = F.pad(images, (room,) * 4, mode="replicate")
    top, left = room - down, room - right
    return wide[:, :, top : top + height, left : left + width]


def _still_inside(size: tuple[int, int], by: tuple[int, int]) -> tuple[slice, slice, slice]:
    """The part of shifted maps [N, H, W] that shows what the pictures showed before."""
    rows, columns = (slice(max(0, step), side + min(0, step)) for side, step in zip(size, by, strict=True))
    return slice(None), rows, columns


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's, of each pair of maps [N, h, w]: float [N], nan where one of them is even."""
    one, other = (maps.flatten(1) - maps.flatten(1).mean(dim=1, keepdim=True) for maps in (first, second))
    found: Tensor = (one * other).sum(dim=1) / (one.norm(dim=1) * other.norm(dim=1))
    return found


def _summed_up(with_object: Tensor, with_centre: Tensor) -> Following:
    """with_object, with_centre: float [N], nan for a picture without a map."""
    known = with_object.isfinite() & with_centre.isfinite()
    moved, stayed = with_object[known], with_centre[known]
    count = len(moved)
    error = float((moved - stayed).std()) / count**0.5 if count > 1 else float("inf")
    return Following(float(moved.mean()), float(stayed.mean()), error, count)
