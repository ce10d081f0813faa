"""TrainConfig: every knob of a run in one place, validated, and to and from JSON.

Owns: which knobs there are, what they mean and what values they may have; forms and command line are made from it.
Leaves to `core.recipes` the value of a knob that nobody set.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from core import data, models, recipes
from core.errors import ConfigError, shown, unknown_name

BY_RECIPE: Any = None  # a knob that nobody set: the recipe, the model or the data set decides

OPTIMIZERS = ("adam", "adamw", "sgd", "muon")
SCHEDULES = ("constant", "linear", "cosine")
PRECISIONS = ("auto", "float32", "bf16")
EXAMPLE = '{"model": "cnn"}'
SMALL_SIDE = 0.75  # of an image's side, in the steps of low resolution
DEVICES = ("auto", "cpu", "cuda", "mps")


def knob(
    words: str,
    *,
    default: Any = BY_RECIPE,  # noqa: ANN401 - the type is the field's own
    low: float = -math.inf,
    high: float = math.inf,
    choices: tuple[str, ...] = (),
) -> Any:  # noqa: ANN401
    """A field with its meaning in words and its allowed values, `low` and `high` included."""
    return field(default=default, metadata={"help": words, "low": low, "high": high, "choices": choices})


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training of one model with one seed. Knobs left out are filled in by the recipe, so none is ever open.

    Raises: ConfigError or UnknownNameError for a value that a knob can't have, naming what is allowed.
    """

    model: str = knob("which network learns", default="cnn")
    dataset: str = knob("what it learns from", default="mnist-mini")
    recipe: str = knob("where the other knobs get their values", default="quick")
    seed: int = knob("makes all random choices of the run repeatable", default=0, low=0, high=2**31 - 1)

    epochs: int = knob("how often it sees every training image, at most", low=1, high=10_000)
    batch_size: int = knob("images in one step of learning", low=2, high=65_536)
    train_size: int = knob("training images used, out of all there are", low=1)
    width: int = knob("how wide its layers are: 1 to 4 times so many filters (MLP: units)", low=1, high=4096)

    whiten: bool = knob("set the first layer's filters so that their outputs are uncorrelated, and keep them")
    identity: bool = knob("let the filters start by passing their input on")
    fixed_scales: bool = knob("keep the scales of the normalisations at 1")

    silu: bool = knob("SiLUs, which are smooth, in the place of ReLUs")

    init_from: str = knob("id of a run of a CNN whose weights an FCN begins with", default="")

    optimizer: str = knob("the rule that turns gradients into steps", choices=OPTIMIZERS)
    learning_rate: float = knob("size of a step at its peak", low=1e-8, high=100.0)
    schedule: str = knob("how the learning rate falls after its warm-up", choices=SCHEDULES)
    warmup: float = knob("share of all steps in which the learning rate rises", low=0.0, high=0.9)
    momentum: float = knob("what is left of a gradient one step later, with sgd and muon", low=0.0, high=0.999)
    weight_decay: float = knob("pull of the weights towards zero", low=0.0, high=10.0)
    label_smoothing: float = knob("share of the target spread over all classes", low=0.0, high=0.9)
    patience: int = knob("epochs without a better validation loss before it stops; 0 never stops early", low=0)

    flip: bool = knob("mirror every image in every second epoch")
    shift: int = knob("move images by up to so many pixels", low=0, high=16)
    cutout: int = knob("blank a square of so many pixels in every image", low=0, high=64)
    rotate: float = knob("turn images by up to so many degrees", low=0.0, high=180.0)
    scale: float = knob("grow or shrink images by up to this share", low=0.0, high=0.5)
    mixup: bool = knob("blend every image with another; right in training is then the class of the stronger one")

    low_resolution: float = knob("share of all epochs that show images at 3/4 of their size", low=0.0, high=1.0)

    precision: str = knob("arithmetic; auto takes bf16 where the processor has it", default="auto", choices=PRECISIONS)
    device: str = knob("where it computes; auto takes a GPU where there is one", default="auto", choices=DEVICES)
    threads: int = knob("processor threads of each process; 0 takes all cores", default=0, low=0, high=1024)
    devices: int = knob("devices that learn it together, each from its share of a batch", default=1, low=1, high=64)

    def __post_init__(self) -> None:
        _check_names(self)
        info = data.describe(self.dataset)
        _check_fit(self, info)
        recipe = recipes.knobs(self.recipe, self.model, info)
        if type(self.train_size) is int:  # a batch that nobody asked for fits into the few images that somebody did
            recipe["batch_size"] = min(recipe["batch_size"], max(2, self.train_size))
        self._fill(**recipe)
        self._fill(train_size=info.train_size, width=models.describe(self.model).width)
        for spec in fields(self):
            object.__setattr__(self, spec.name, _checked(spec, getattr(self, spec.name)))
        _check_sizes(self, info)

    def _fill(self, **values: Any) -> None:  # noqa: ANN401
        """Set the knobs that are still open."""
        for name, value in values.items():
            if getattr(self, name) is BY_RECIPE:
                object.__setattr__(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """Every knob by name, ready for JSON."""
        return asdict(self)

    def work(self, epochs: float) -> float:
        """The arithmetic of the first `epochs` epochs, as so many epochs over images of full size.

        A convolution's work goes with the pixels that it sees.
        """
        small = min(epochs, self.low_resolution * self.epochs)
        return small * SMALL_SIDE**2 + epochs - small

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """The config with these knobs; those left out are filled in.

        Raises: ConfigError for a knob that does not exist, listing those that do.
        """
        known = [spec.name for spec in fields(cls)]
        if extra := [name for name in values if name not in known]:
            raise ConfigError(
                f"A run has no knob {shown(extra[0])}. Known: {', '.join(known)}. Remove it or mend its name."
            )
        return cls(**values)

    @classmethod
    def from_json(cls, text: str, **changes: Any) -> TrainConfig:  # noqa: ANN401 - the fields of TrainConfig
        """The config written in a JSON object, with some knobs changed.

        Raises: ConfigError when the text is no JSON object or a knob in it is wrong.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"This config is not JSON ({error}). Write an object such as {EXAMPLE}.") from None
        if not isinstance(values, dict):
            raise ConfigError(f"A config is a JSON object such as {EXAMPLE}, got {shown(values)}.")
        return cls.from_dict({**values, **changes})


def knob_of(name: str) -> Field[Any]:
    """The field of TrainConfig with this name, with help, low, high and choices in its metadata."""
    return next(spec for spec in fields(TrainConfig) if spec.name == name)


def _check_names(config: TrainConfig) -> None:
    data.describe(config.dataset)  # knows also an imported set that a run learned from and that is gone since
    for what, got, known in (("model", config.model, models.names()), ("recipe", config.recipe, recipes.names())):
        if got not in known:
            raise unknown_name(what, got, known)


def _checked(spec: Field[Any], value: Any) -> Any:  # noqa: ANN401 - any input must get a clear answer
    """`value` as the field's own type.

    Raises: ConfigError when it is of another type or out of range.
    """
    kind = {"str": str, "int": int, "float": float, "bool": bool}[str(spec.type)]
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ConfigError(f"{spec.name} is {shown(value)}, expected {_allowed(spec)}.")
    choices, low, high = (spec.metadata[key] for key in ("choices", "low", "high"))
    in_range = kind in (str, bool) or low <= value <= high  # False for nan
    if not in_range or (choices and value not in choices):
        raise ConfigError(f"{spec.name} is {shown(value)}, allowed is {_allowed(spec)} ({spec.metadata['help']}).")
    return value


def _allowed(spec: Field[Any]) -> str:
    if choices := spec.metadata["choices"]:
        return "one of " + ", ".join(choices)
    if spec.type in ("bool", "str"):
        return {"bool": "true or false", "str": "a name"}[str(spec.type)]
    noun = "a whole number" if spec.type == "int" else "a number"
    low, high = spec.metadata["low"], spec.metadata["high"]
    return f"{noun} of at least {low:g}" if math.isinf(high) else f"{noun} from {low:g} to {high:g}"


def _check_fit(config: TrainConfig, info: data.DatasetInfo) -> None:
    """Whether the network answers what the data set asks."""
    task, wanted = models.describe(config.model).task, "masks" if info.has_masks else "classes"
    if task != wanted:
        what = "a class for every pixel" if info.has_masks else "one class an image"
        raise ConfigError(
            f"{info.name} has {what}, which {config.model!r} does not learn. Take {', '.join(models.names(wanted))}."
        )
    if config.mixup and task == "masks":
        raise ConfigError(f"mixup blends images of one class each, {info.name} has a class a pixel. Turn it off.")
    if config.init_from and task != "masks":
        raise ConfigError(f"init_from is {shown(config.init_from)}, but only an FCN begins with another run's weights.")
    if config.low_resolution and (task == "masks" or not models.describe(config.model).any_size):
        able = [name for name in models.names("classes") if models.describe(name).any_size]
        raise ConfigError(
            f"low_resolution is {shown(config.low_resolution)}, but {config.model!r} learns from images of one size. "
            f"Take 0, or one of {', '.join(able)}."
        )


def _check_sizes(config: TrainConfig, info: data.DatasetInfo) -> None:
    if config.train_size > info.train_size:
        raise ConfigError(
            f"train_size is {config.train_size}, but {info.name} has {info.train_size} training images. "
            f"Take {info.train_size} or fewer."
        )
    low, high = models.describe(config.model).widths
    if not low <= config.width <= high:
        raise ConfigError(f"width is {config.width}, allowed for {config.model} is a number from {low} to {high}.")
    if config.batch_size < 2 * config.devices:
        raise ConfigError(
            f"batch_size is {config.batch_size}, but {config.devices} devices share a batch. "
            f"Take {2 * config.devices} or more."
        )
    if config.batch_size > config.train_size:
        raise ConfigError(
            f"batch_size is {config.batch_size}, but there are {config.train_size} training images. "
            f"Take {config.train_size} or fewer."
        )
