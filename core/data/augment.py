"""Random changes of whole batches of images, the same whenever (seed, epoch, step) are the same.

Owns: the random numbers of a step, and flip, shift, cutout, rotation, scale, mixup and size on tensors, on any device.
Nothing is drawn from a global generator, so a training that resumes meets the same batches. Leaves to the caller when
to use what, and turning uint8 into floats.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from core.errors import ConfigError, shown

MASK64 = 2**64 - 1


@dataclass(frozen=True)
class Augmentation:
    """Which changes a batch goes through, in this order: flip; turn, scale and shift; cutout.

    flip: mirror every second image, by chance. shift: move by up to so many pixels each way; the gap is filled by
    reflection. cutout: blank a square of so many pixels. rotate: turn by up to so many degrees each way. scale: grow or
    shrink by up to this share. With rotate or scale the shift is part of the same warp, and gaps are black.

    Called with images uint8 [N, C, H, W] in 0..255 and a generator on the same device, it returns uint8 [N, C, H, W],
    channels_last. The input is not changed; without any change to make it is returned as it is.

    Raises: ConfigError for a value that a knob can't have.
    """

    flip: bool = False
    shift: int = 0
    cutout: int = 0
    rotate: float = 0.0
    scale: float = 0.0

    def __post_init__(self) -> None:
        _check_pixels("shift", self.shift)
        _check_pixels("cutout", self.cutout)
        if not 0 <= self.rotate <= 180:
            raise ConfigError(f"rotate is {shown(self.rotate)}, allowed is a number of degrees from 0 to 180.")
        if not 0 <= self.scale < 1:
            raise ConfigError(f"scale is {shown(self.scale)}, allowed is a share from 0 to below 1, such as 0.1.")

    def __call__(self, images: Tensor, generator: Generator, mirrored: Tensor | None = None) -> Tensor:
        """Apply the changes to a batch; see the class.

        mirrored: bool [N], which images the flip mirrors; without it chance decides.
        """
        flip = mirrored if self.flip and mirrored is not None else self.flip
        if self.rotate or self.scale:
            images = flip_shift(images, generator, flip, 0) if self.flip else images
            turned = affine(images.float().div_(255), generator, self.rotate, self.scale, self.shift)
            images = _channels_last(turned.mul_(255).round_().to(torch.uint8))
        elif self.flip or self.shift:
            images = flip_shift(images, generator, flip, self.shift)
        return cutout(images, generator, self.cutout) if self.cutout else images


def step_generator(seed: int, epoch: int, step: int, device: str = "cpu", stream: int = 0) -> Generator:
    """The random numbers of one step: a new generator on `device` whose seed is mixed from the four whole numbers.

    Neighbouring steps, epochs, seeds and streams get unrelated numbers. stream: tells apart the uses of one step.

    Source: the SplitMix64 mixer of Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.
    """
    mixed = 0
    for number in (seed, epoch, step, stream):
        mixed = _splitmix64(mixed ^ (number & MASK64))
    return torch.Generator(device).manual_seed(mixed ^ mixed >> 32)  # torch's CPU generator takes only the low 32 bits


def flip_shift(images: Tensor, generator: Generator, flip: bool | Tensor, shift: int) -> Tensor:
    """Mirror images left to right, and move each by up to `shift` whole pixels each way.

    images: any dtype [N, C, H, W]. flip: whether an image is mirrored with probability one half, or bool [N], which
    are. What moves in from outside is the image's reflection about its outermost pixels.

    Returns the same dtype [N, C, H, W], channels_last, new memory.
    """
    count, _, height, width = images.shape
    rows = _moved(count, height, shift, generator, images.device)  # [N, H]
    columns = _moved(count, width, shift, generator, images.device)  # [N, W]
    if flip is True:
        flip = torch.rand(count, generator=generator, device=images.device) < 0.5
    if flip is not False:
        columns = torch.where(flip[:, None], columns.flip(1), columns)
    return _gather(images, rows, columns)


def mixup(images: Tensor, shares: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Blend each image with another of the batch, by a share of its own, and what they show by the same.

    images: float [N, C, H, W]. shares: float [N, K], of each class in an image. An image keeps one half to all of
    itself, every share as likely as another.

    Returns the same shapes and dtypes, new memory.

    Source: Zhang et al. 2017, mixup: Beyond Empirical Risk Minimization (arXiv:1710.09412), with alpha 1.
    """
    own = torch.rand(len(images), 1, generator=generator, device=images.device) / 2 + 0.5
    other = torch.randperm(len(images), generator=generator, device=images.device)
    return torch.lerp(images[other], images, own[:, :, None, None]), torch.lerp(shares[other], shares, own)


def cutout(images: Tensor, generator: Generator, size: int) -> Tensor:
    """Blank a square of `size` x `size` pixels in each image, in the mean colour of the batch.

    The centre falls on any pixel with the same probability, so that a square may reach over the edge.

    images: uint8 in 0..255 or float [N, C, H, W].

    Returns the same dtype [N, C, H, W], channels_last, new memory.

    Source: DeVries and Taylor 2017, arXiv 1708.04552, who blank normalised images with 0, which is the mean.
    """
    count, channels, height, width = images.shape
    device = images.device
    rows = _square(count, height, size, generator, device)  # [N, S]
    columns = _square(count, width, size, generator, device)  # [N, S]
    first = torch.arange(count, device=device)[:, None, None] * (height * width)
    covered = (first + rows[:, :, None] * width + columns[:, None, :]).view(-1)  # [N, S, S] -> [N * S * S]
    pixels = (
        images.permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format).view(-1, channels)
    )  # [N * H * W, C]
    mean = pixels.float().mean(0)
    colour = mean if images.is_floating_point() else mean.round()
    pixels[covered] = colour.to(images.dtype)
    return pixels.view(count, height, width, channels).permute(0, 3, 1, 2)


def affine(images: Tensor, generator: Generator, degrees: float, scale: float, shift: float) -> Tensor:
    """Turn, scale and move each image a little, at random; black moves in from outside.

    images: float32 [N, C, H, W] in 0..1. degrees: at most so far, each way. scale: sizes from 1 - scale to 1 + scale.
    shift: pixels at most, each way, whole or not.

    Returns float32 [N, C, H, W] in 0..1.
    """
    draws = torch.rand(4, len(images), generator=generator, device=images.device) * 2 - 1  # [4, N] in -1..1
    return warp(images, draws[0] * degrees, 1 + draws[1] * scale, draws[2] * shift, draws[3] * shift)


def warp(images: Tensor, degrees: Tensor, size: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Turn each image anticlockwise about its centre, resize it, then move it; bilinear, black outside.

    images: float32 [N, C, H, W]. degrees, size (1 leaves it), right and down (pixels): float32 [N].

    Returns float32 [N, C, H, W].
    """
    height, width = images.shape[2:]
    cos, sin = (
        function(torch.deg2rad(degrees))[:, None] / size[:, None] for function in (torch.cos, torch.sin)
    )  # [N, 1]
    x, y = (torch.arange(n, device=images.device) - (n - 1) / 2 for n in (width, height))  # pixels from the centre
    x, y = x - right[:, None], y - down[:, None]  # [N, W], [N, H]
    # From a pixel of the result back to the place in the image that it shows; grid_sample counts each side as 2.
    grid = torch.stack(
        (
            (cos * x)[:, None, :] - (sin * y)[:, :, None],
            (sin * x)[:, None, :] + (cos * y)[:, :, None],
        ),
        dim=3,
    ) * torch.tensor([2 / width, 2 / height], device=images.device)  # [N, H, W, 2]; affine_grid takes ten times as long
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def shrink(images: Tensor, share: float) -> Tensor:
    """Images whose sides are `share` of the given ones', rounded; each pixel is a mean of those that it covers.

    images: float [N, C, H, W]. share: above 0, at most 1.

    Returns the same dtype [N, C, H', W'].
    """
    sides = [round(side * share) for side in images.shape[2:]]
    return F.interpolate(images, sides, mode="bilinear", antialias=True, align_corners=False)


def _moved(count: int, size: int, shift: int, generator: Generator, device: torch.device) -> Tensor:
    """Which of `size` pixels each place of the moved images shows: int64 [count, size], reflected into range."""
    moves = torch.randint(-shift, shift + 1, (count, 1), generator=generator, device=device)
    period = max(1, 2 * (size - 1))
    place = (torch.arange(size, device=device) - moves).remainder(period)  # [count, size]
    return torch.minimum(place, period - place) if size > 1 else torch.zeros_like(place)


def _gather(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Images whose pixel (y, x) is the given images' pixel (rows[n, y], columns[n, x]); [N, C, H, W], channels_last.

    Whole rows are gathered first, then bytes within each: twice as fast as gathering single pixels.
    """
    count, channels, height, width = images.shape
    lines = images.permute(0, 2, 3, 1).reshape(count * height, width * channels)  # [N, C, H, W] -> [N * H, W * C]
    first = torch.arange(count, device=images.device)[:, None] * height
    lines = lines.index_select(0, (first + rows).view(-1)).view(count, height, width * channels)
    places = columns[:, :, None] * channels + torch.arange(channels, device=images.device)  # [N, W, C]
    moved = lines.gather(2, places.view(count, 1, -1).expand_as(lines))
    return moved.view(count, height, width, channels).permute(0, 3, 1, 2)


def _square(count: int, side: int, size: int, generator: Generator, device: torch.device) -> Tensor:
    """The `size` pixels around a random one of `side`, int64 [count, size]; outside is named as the edge."""
    centre = torch.randint(0, side, (count, 1), generator=generator, device=device)
    return (centre - size // 2 + torch.arange(size, device=device)).clamp(0, side - 1)


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


def _splitmix64(number: int) -> int:
    """64 bits that look unrelated for neighbouring whole numbers."""
    number = (number + 0x9E3779B97F4A7C15) & MASK64
    number = ((number ^ number >> 30) * 0xBF58476D1CE4E5B9) & MASK64
    number = ((number ^ number >> 27) * 0x94D049BB133111EB) & MASK64
    return number ^ number >> 31


def _check_pixels(name: str, value: object) -> None:
    if type(value) is not int or value < 0:
        raise ConfigError(f"{name} is {shown(value)}, allowed is a whole number of pixels from 0.")
