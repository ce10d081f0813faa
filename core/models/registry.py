"""The registry of models: names, what is known about each without torch, and `build`.

Owns: the table and the checks of what a caller asks for. Leaves the networks to their families, which it imports only
when one is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from core.errors import ConfigError, shown, unknown_name

if TYPE_CHECKING:
    from torch import nn

CHANNELS = (1, 4)  # grey to colour with transparency
SIDE = (8, 256)  # pixels; three halvings leave at least one
CLASSES = (2, 1000)


@dataclass(frozen=True)
class ModelInfo:
    """What a form or a table says about a model: `title` and `summary` in words for people.

    width: what the filters of its layers are multiples of, 1 to 4 times (MLP: units of a hidden layer), when nobody
    chooses.
    widths: the least and the greatest width allowed, both included.
    family: the module of `core.models` that builds it.
    task: "classes", it answers for an image; "masks", for every pixel.
    any_size: whether a network that was built for one size of image takes others too.
    """

    name: str
    title: str
    summary: str
    width: int
    widths: tuple[int, int]
    family: str
    task: str = "classes"
    any_size: bool = False


_known: dict[str, ModelInfo] = {}


def register(
    name: str,
    *,
    title: str,
    summary: str,
    width: int,
    widths: tuple[int, int],
    family: str = "",
    task: str = "classes",
    any_size: bool = False,
) -> None:
    """Make a model known: `core.models.<family>` must hold a function `name(in_shape, num_classes, *, width)`.

    family: the module's name, if it is not the model's. The rest is as in ModelInfo.

    Raises: ValueError when the name is taken.
    """
    if name in _known:
        raise ValueError(f"There is already a model {name!r}. Known: {', '.join(_known)}. Take another name.")
    _known[name] = ModelInfo(name, title, summary, width, widths, family or name, task, any_size)


def names(task: str | None = None) -> list[str]:
    """Names of the models, the simplest first; only those of a task ("classes", "masks") if one is given."""
    return [name for name, info in _known.items() if task in (None, info.task)]


def describe(name: str) -> ModelInfo:
    """What is known about a model without building it.

    Raises: UnknownNameError listing the known names.
    """
    if not isinstance(name, str) or name not in _known:
        raise unknown_name("model", name, names())
    return _known[name]


def build(name: str, in_shape: tuple[int, int, int], num_classes: int, **options: object) -> nn.Module:
    """A new network in training mode, on the CPU, with float32 weights.

    It maps images float [N, C, H, W] in 0..1 to logits float32 [N, num_classes], or [N, num_classes, H, W] where its
    task is masks, also under autocast. The weights are drawn from torch's global generator: call `torch.manual_seed`
    first to get the same ones again.

    in_shape: (C, H, W) of one image; C from 1 to 4, H and W from 8 to 256 pixels.
    num_classes: 2 to 1000.
    options: `width`, an int in `describe(name).widths`; None or left out takes the model's default. `silu`, true or
    false: whether SiLUs take the place of its ReLUs.

    Raises: UnknownNameError for the model, ConfigError for anything else.
    """
    info = describe(name)
    shape = _checked_shape(in_shape)
    num_classes = _in_range("num_classes", num_classes, CLASSES)
    width, silu = _checked_options(info, **options)
    family = import_module(f"core.models.{info.family}")
    model = cast("nn.Module", getattr(family, name)(shape, num_classes, width=width))
    if silu:
        import_module("core.models.layers").use_silu(model)
    return model


def _checked_shape(in_shape: object) -> tuple[int, int, int]:
    if not isinstance(in_shape, tuple | list) or len(in_shape) != 3:
        raise ConfigError(
            f"in_shape is {shown(in_shape)}, expected the three numbers (channels, height, width), such as (3, 32, 32)."
        )
    channels, height, width = in_shape
    return (
        _in_range("in_shape[0], the channels,", channels, CHANNELS),
        _in_range("in_shape[1], the height in pixels,", height, SIDE),
        _in_range("in_shape[2], the width in pixels,", width, SIDE),
    )


def _checked_options(
    info: ModelInfo, width: object = None, silu: object = False, **unknown: object
) -> tuple[int, bool]:
    """Width and whether it has SiLUs."""
    for option in unknown:
        raise ConfigError(f"The model {info.name!r} has no option {shown(option)}. Known: width, silu. Leave it out.")
    if type(silu) is not bool:
        raise ConfigError(f"silu of {info.name!r} is {shown(silu)}, expected true or false.")
    return info.width if width is None else _in_range(f"width of {info.name!r}", width, info.widths), silu


def _in_range(what: str, got: object, allowed: tuple[int, int]) -> int:
    low, high = allowed
    if type(got) is not int or not low <= got <= high:
        raise ConfigError(f"{what} is {shown(got)}, allowed is a whole number from {low} to {high}.")
    return got
