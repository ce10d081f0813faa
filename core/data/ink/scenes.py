"""Scenes: 64x64 fields with several digits by chance, and the class of every pixel.

Owns: what a scene is (SceneSpec) and making whole batches of them. Leaves which digits to `dataset.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import RandomState
from numpy.typing import NDArray
from torch import Tensor

from core.data.ink import pens, skeletons, templates

SIDE, BACKGROUND = 64, 10  # pixels of a field; the class of its black pixels
MNIST_HEIGHT = 20.0  # pixels of the ink of an MNIST digit, which is size 1
TRIALS = 12  # layouts, of which the one with the least overlap is taken
INK = 64  # from this value, of 255, before noise, a pixel belongs to its digit
COARSE = 17  # points a side at which a bend is worked out
WAVES = 3  # of which a bend is made


@dataclass(frozen=True)
class SceneSpec:
    """What scenes are made of. All ranges hold both ends.

    many: chance of one digit in a scene, of two, and so on. size: 1 is MNIST's own, 20 pixels high. largest: the most
    that it can be in a scene of one digit, of two, and so on. degrees: of rotation, each way. slant: shear, each way.
    stretch: width for the same height. pen: width in pixels. bend: pixels that points stray in long waves.
    brightness: of a scene's ink, 0..1. noise: standard deviation on every pixel, 0..1, of a third of the scenes.
    border: how far, in pixels, the middle of a digit stays away from the edge at least.
    images, skeletons: share of the digits that are MNIST's own ink and MNIST's lines drawn again by a pen; the rest are
    habits of `templates`. everywhere: every pixel has the class of the scene's one digit, as in the lab report.
    """

    many: tuple[float, ...] = (0.3, 0.25, 0.2, 0.15, 0.1)
    size: tuple[float, float] = (0.5, 2.8)
    largest: tuple[float, ...] = (2.8, 1.7, 1.3, 1.1, 1.0)  # so that they have room
    degrees: float = 18.0
    slant: float = 0.3
    stretch: tuple[float, float] = (0.75, 1.25)
    pen: tuple[float, float] = (1.3, 6.5)
    bend: float = 1.2
    brightness: tuple[float, float] = (0.6, 1.0)
    noise: float = 0.06
    border: float = 5.0
    images: float = 0.5
    skeletons: float = 0.25
    everywhere: bool = False

    @property
    def most(self) -> int:
        """Digits in a scene at most."""
        return len(self.many)


USUAL = SceneSpec()
CROWDED = replace(USUAL, many=(0.2,) * 5, largest=(2.8, 2.0, 1.7, 1.5, 1.4))  # more to learn from a field
TESTING = replace(USUAL, size=(0.5, 1.8), images=0.6, skeletons=0.4)  # MNIST digits only
PLAIN = replace(
    USUAL, many=(1.0,), size=(1.0, 1.0), degrees=0.0, slant=0.0, stretch=(1.0, 1.0), pen=(1.0, 1.0), bend=0.0
)
AS_IT_IS = replace(PLAIN, brightness=(1.0, 1.0), noise=0.0, border=14.0, images=1.0, skeletons=0.0)
EVERYWHERE = replace(AS_IT_IS, everywhere=True)


@dataclass(frozen=True)
class SceneMaker:
    """Makes scenes of given digits.

    images: uint8 [N, 28, 28]. labels: uint8 [N]. Digits that a pen draws again are among the first `skeletons`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    spec: SceneSpec
    skeletons: int

    def scenes(
        self, count: int, chance: RandomState, *, places: NDArray[np.float32] | None = None, in_order: bool = False
    ) -> tuple[Tensor, Tensor]:
        """So many scenes by chance: images uint8 [count, 1, 64, 64], labels int64 [count, 64, 64].

        places: middles of the digits, float32 [count, most, 2], x and y in pixels, else by chance. in_order: take the
        digits as they come instead of by chance.
        """
        plan = _plan(self.spec, count, chance, places)
        which = np.arange(len(plan.scene)) if in_order else chance.randint(len(self.labels), size=len(plan.scene))
        ink, labels = self._drawn(plan, which, chance)  # uint8 [D, 64, 64], [D]
        layers = torch.zeros(count * self.spec.most, SIDE, SIDE, dtype=torch.uint8)
        layers[torch.from_numpy(plan.scene * self.spec.most + plan.place)] = ink
        strongest, front = layers.view(count, self.spec.most, SIDE, SIDE).max(1)  # [count, 64, 64]
        classes = torch.zeros(count, self.spec.most, dtype=torch.long)
        classes[torch.from_numpy(plan.scene), torch.from_numpy(plan.place)] = labels
        if self.spec.everywhere:
            masks = classes[:, 0, None, None].expand(-1, SIDE, SIDE).clone()
        else:
            masks = classes.gather(1, front.flatten(1)).view_as(front)
            masks[strongest < INK] = BACKGROUND
        return _exposed(strongest, self.spec, chance)[:, None], masks

    def _drawn(self, plan: _Plan, which: NDArray[np.int64], chance: RandomState) -> tuple[Tensor, Tensor]:
        """Every digit of the plan on a field of its own: uint8 [D, 64, 64], and its class int64 [D]."""
        total = len(plan.scene)
        kind = chance.rand(total)
        as_image = kind < self.spec.images
        as_lines = ~as_image & (kind < self.spec.images + self.spec.skeletons)
        if as_lines.any():  # thinning all digits takes a second
            which[as_lines] = which[as_lines] % len(self._lines)
        labels = np.where(as_image | as_lines, self.labels[which], chance.randint(10, size=total)).astype(np.int64)
        ink = torch.empty(total, SIDE, SIDE, dtype=torch.uint8)
        ink[torch.from_numpy(as_image)] = _warped(self.images[which[as_image]], plan.part(as_image))
        for place in np.flatnonzero(~as_image):
            strokes = self._lines[which[place]] if as_lines[place] else templates.written(int(labels[place]), chance)
            ink[place] = torch.from_numpy(pens.draw(plan.onto_field(strokes, place), float(plan.pen[place]), SIDE))
        return ink, torch.from_numpy(labels)

    @cached_property
    def _lines(self) -> list[list[NDArray[np.float32]]]:
        thin = skeletons.thinned(self.images[: self.skeletons])
        return [list(skeletons.lines(skeleton) / MNIST_HEIGHT) for skeleton in thin]


@dataclass(frozen=True)
class _Plan:
    """Where and how D digits stand on their fields.

    scene, place: int64 [D], the scene and the digit's number in it. centre: float32 [D, 2], x and y. matrix: float32
    [D, 2, 2], from heights of the digit to pixels. pen: float32 [D], pixels. waves: float32 [D, WAVES, 2, 4], for x and
    y of each bend its frequencies, phase and height.
    """

    scene: NDArray[np.int64]
    place: NDArray[np.int64]
    centre: NDArray[np.float32]
    matrix: NDArray[np.float32]
    pen: NDArray[np.float32]
    waves: NDArray[np.float32]

    def part(self, chosen: NDArray[np.bool_]) -> _Plan:
        """The plan of some of the digits."""
        return _Plan(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def onto_field(self, strokes: list[NDArray[np.float32]], digit: np.int64) -> list[NDArray[np.float32]]:
        """Strokes float32 [P, 2] in heights of the digit, from its middle, as pixels of the field."""
        points = np.concatenate(strokes) @ self.matrix[digit].T + self.centre[digit]  # [P, 2], of all strokes
        waves = self.waves[digit]  # [WAVES, 2, 4]
        angle = waves[:, :, :2] @ points.T + waves[:, :, 2:3]  # [WAVES, 2, P]
        moved = (points + (np.sin(angle) * waves[:, :, 3:]).sum(0).T).astype(np.float32)
        ends = np.cumsum([len(stroke) for stroke in strokes])
        return [moved[end - len(stroke) : end] for stroke, end in zip(strokes, ends, strict=True)]


def _plan(spec: SceneSpec, count: int, chance: RandomState, places: NDArray[np.float32] | None) -> _Plan:
    many = chance.choice(spec.most, size=count, p=np.array(spec.many) / sum(spec.many)) + 1
    scene, place = np.nonzero(np.arange(spec.most) < many[:, None])
    total = len(scene)
    low, high = spec.size[0], np.minimum(spec.size[1], np.array(spec.largest)[many - 1])[scene]
    size = np.exp(chance.uniform(np.log(low), np.log(high)))
    height = size * MNIST_HEIGHT
    angle = np.radians(chance.uniform(-spec.degrees, spec.degrees, total))
    slant, stretch = chance.uniform(-spec.slant, spec.slant, total), chance.uniform(*spec.stretch, total)
    cos, sin = np.cos(angle), np.sin(angle)
    upright = np.array([[stretch, slant], [np.zeros(total), np.ones(total)]])  # [2, 2, D]
    turn = np.array([[cos, -sin], [sin, cos]])
    matrix = np.einsum("ijd,jkd->dik", turn, upright) * height[:, None, None]
    widest = np.clip(0.28 * height, spec.pen[0], spec.pen[1])
    return _Plan(
        scene=scene,
        place=place,
        centre=(_centres(spec, many, size, chance) if places is None else places)[scene, place].astype(np.float32),
        matrix=matrix.astype(np.float32),
        pen=chance.uniform(spec.pen[0], widest).astype(np.float32),
        waves=_waves(total, size, spec.bend, chance),
    )


def _centres(
    spec: SceneSpec, many: NDArray[np.int64], size: NDArray[np.float64], chance: RandomState
) -> NDArray[np.float32]:
    """Middles of the digits, float32 [count, most, 2]: of some layouts by chance the one where they overlap least."""
    count = len(many)
    there = np.arange(spec.most) < many[:, None]  # [count, most]
    radius = np.zeros((count, spec.most))
    radius[there] = size * MNIST_HEIGHT / 2
    at = chance.uniform(spec.border, SIDE - 1 - spec.border, (count, TRIALS, spec.most, 2))
    apart = np.hypot(*np.moveaxis(at[:, :, :, None] - at[:, :, None], -1, 0))  # [count, TRIALS, most, most]
    both = (there[:, :, None] & there[:, None]) & ~np.eye(spec.most, dtype=bool)  # [count, most, most]
    overlap = np.where(both, radius[:, :, None] + radius[:, None], 0)[:, None] - apart
    worst = np.where(both[:, None], overlap, -np.inf).max((2, 3))  # [count, TRIALS]
    best = np.where(many > 1, worst.argmin(1), 0)
    return at[np.arange(count), best].astype(np.float32)


def _waves(total: int, size: NDArray[np.float64], bend: float, chance: RandomState) -> NDArray[np.float32]:
    """Long waves in both directions, none shorter than two thirds of the digit: float32 [D, WAVES, 2, 4]."""
    waves = np.empty((total, WAVES, 2, 4))
    longest = np.pi / (0.5 * MNIST_HEIGHT * size)[:, None, None, None]
    waves[..., :2] = chance.uniform(-1, 1, (total, WAVES, 2, 2)) * longest
    waves[..., 2] = chance.uniform(0, 2 * np.pi, (total, WAVES, 2))
    waves[..., 3] = chance.uniform(0, bend / WAVES, (total, WAVES, 2)) * size[:, None, None]
    return waves.astype(np.float32)


def _warped(images: NDArray[np.uint8], plan: _Plan) -> Tensor:
    """MNIST digits uint8 [D, 28, 28] as they stand on their fields: uint8 [D, 64, 64]."""
    side = images.shape[1]
    axis = torch.linspace(0, SIDE - 1, COARSE)
    field = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).view(-1, 2)  # [COARSE * COARSE, 2], x and y
    away = field - torch.from_numpy(plan.centre)[:, None]  # [D, COARSE * COARSE, 2]
    waves = torch.from_numpy(plan.waves)[:, :, None]  # [D, WAVES, 1, 2, 4]
    angle = (waves[..., :2] * field[:, None]).sum(-1) + waves[..., 2]  # [D, WAVES, COARSE * COARSE, 2]
    away = away - (torch.sin(angle) * waves[..., 3]).sum(1)
    back = torch.linalg.inv(torch.from_numpy(plan.matrix)) * (MNIST_HEIGHT * 2 / side)  # [-1, 1] is the whole image
    grid = (away @ back.transpose(1, 2)).view(-1, COARSE, COARSE, 2).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, (SIDE, SIDE), mode="bilinear", align_corners=True).permute(0, 2, 3, 1)
    ink = torch.from_numpy(images)[:, None].float()
    seen = F.grid_sample(ink, grid, align_corners=False)[:, 0]
    thicker = torch.from_numpy(plan.pen > 4.5)
    seen[thicker] = F.max_pool2d(seen[thicker][:, None], 3, 1, 1)[:, 0]
    return seen.round_().to(torch.uint8)


def _exposed(ink: Tensor, spec: SceneSpec, chance: RandomState) -> Tensor:
    """Ink uint8 [N, 64, 64] as bright as chance wants it, some of it noisy: uint8 [N, 64, 64]."""
    count = len(ink)
    brightness = torch.from_numpy(chance.uniform(*spec.brightness, count).astype(np.float32))
    noise = chance.uniform(0, spec.noise, count) * (chance.rand(count) < 1 / 3) * 255
    generator = torch.Generator().manual_seed(int(chance.randint(2**31)))
    noisy = torch.from_numpy(np.flatnonzero(noise))
    shown = ink * brightness[:, None, None]
    if len(noisy):
        spread = torch.from_numpy(noise.astype(np.float32))[noisy, None, None]
        shown[noisy] += torch.randn(len(noisy), SIDE, SIDE, generator=generator) * spread
    return shown.clamp_(0, 255).round_().to(torch.uint8)
