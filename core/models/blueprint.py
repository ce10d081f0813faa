"""What a network does with one image, step by step and who hands what to whom: for a drawing or a table of it.

Owns: finding that out by letting one image pass, so that it is what the network does and not what somebody wrote about
it. Leaves counting to `cost.py` and drawing to pages. No meta device here: its first use in a process takes a second.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from core.models.cost import multiply_adds_of
from core.models.layers import Normalize
from core.models.registry import build

KINDS: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.ConvTranspose2d, "deconv"),
    (nn.Conv2d, "conv"),
    (nn.Linear, "linear"),
)
JOINS = {"add": "sum", "__add__": "sum", "__radd__": "sum", "cat": "stack"}  # of torch's functions, what each makes
SAID_OF = {
    nn.BatchNorm1d: "batch norm",
    nn.BatchNorm2d: "batch norm",
    nn.ReLU: "ReLU",
    nn.GELU: "GELU",
    nn.SiLU: "SiLU",
    Normalize: "normalise",
}


@dataclass(frozen=True)
class Step:
    """One step of an image through a network.

    kind: "image" the input; "conv", "deconv", "linear" a layer that learns; "sum" maps added to each other; "stack"
    maps one behind the other; "join" put together otherwise.
    name: the layer's path in the model, such as "layer1.0.conv1", and block: of the part that it lies in, "layer1.0";
    both are empty for what is no layer. window: rows and columns of a convolution's filters, 0 elsewhere.
    shape: of its own output for one image, (C, H, W) or (features,).
    parameters: its own, and those of the batch norms behind it. multiply_adds: as in `cost.py`.
    """

    kind: str
    name: str
    block: str
    window: int
    shape: tuple[int, ...]
    parameters: int = 0
    multiply_adds: int = 0


@dataclass(frozen=True)
class Link:
    """The output of step `source` goes into step `target`, both places in the list of steps.

    by: what happens on the way, in words, such as ("batch norm", "ReLU", "2x2 max-pool"). shape: as it arrives.
    """

    source: int
    target: int
    by: tuple[str, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Blueprint:
    """A network: its steps in the order in which an image meets them, the image first, and the links between them.

    A link that passes over steps is what a drawing shows as an arc; a skip connection is such a link into a sum.
    """

    steps: tuple[Step, ...]
    links: tuple[Link, ...]

    @property
    def parameters(self) -> int:
        """Numbers to learn, in all."""
        return sum(step.parameters for step in self.steps)

    @property
    def multiply_adds(self) -> int:
        """Multiplications with their additions for one image, in all."""
        return sum(step.multiply_adds for step in self.steps)

    @cached_property
    def skips(self) -> tuple[Link, ...]:
        """The skip connections: links into a sum around layers that lead from the same source into that sum."""
        return tuple(link for link in self.links if self.steps[link.target].kind == "sum" and self.around(link))

    def around(self, link: Link) -> list[Step]:
        """The layers on other ways from a link's source to its target."""
        before = self._before(link.target)
        return [self.steps[place] for place in sorted(before)
                if self.steps[place].name and link.source in self._before(place)]  # fmt: skip

    def _before(self, place: int) -> set[int]:
        """The steps from which something reaches this one."""
        found: set[int] = set()
        for link in reversed(self.links):  # a link is noted after those that lead to its source
            if link.target == place or link.target in found:
                found.add(link.source)
        return found


@lru_cache(maxsize=64)
def blueprint_of(
    name: str, in_shape: tuple[int, int, int], num_classes: int, width: int, *, silu: bool = False
) -> Blueprint:
    """The blueprint of a registered model, made once.

    Raises: UnknownNameError, ConfigError as `core.models.build` does.
    """
    with torch.random.fork_rng(devices=[]):
        return blueprint(build(name, in_shape, num_classes, width=width, silu=silu), in_shape)


def blueprint(model: nn.Module, in_shape: tuple[int, int, int]) -> Blueprint:
    """The blueprint of a model for one image of shape (C, H, W).

    Mode, buffers, hooks and random state of the model stay as they were.
    """
    trace, was_training = _Trace(in_shape), model.training
    handles = list(trace.follow(model))
    try:
        with torch.no_grad(), trace:
            model.eval()(trace.begin(torch.zeros(1, *in_shape, device=next(model.parameters()).device)))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return Blueprint(tuple(trace.steps), tuple(trace.links))


@dataclass(frozen=True)
class _Trail:
    """Where the numbers of a tensor come from: the last step that they left, and what happened to them since."""

    source: int
    by: tuple[str, ...] = ()


class _Trace(TorchFunctionMode):
    """Follows an image: notes on each tensor its trail, and makes a step wherever a layer is met or trails join."""

    def __init__(self, in_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.steps = [Step("image", "", "", 0, tuple(in_shape))]
        self.links: list[Link] = []

    def begin(self, image: Tensor) -> Tensor:
        """The image, at the beginning of its trail."""
        return _mark(image, _Trail(0))

    def follow(self, model: nn.Module) -> Iterator[RemovableHandle]:
        """Hooks on every layer of the model."""
        for name, module in model.named_modules():
            if not any(module.children()):
                yield module.register_forward_hook(partial(self._met, name))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        """Called by torch in place of each of its functions."""
        out = func(*args, **(kwargs or {}))
        given = _tensors((*args, *(kwargs or {}).values()))
        trails = [trail for tensor in given if (trail := _trail(tensor))]
        if isinstance(out, Tensor) and trails and not any(out is tensor for tensor in given):
            name = getattr(func, "__name__", "")
            if len({trail.source for trail in trails}) > 1:
                self._step(Step(JOINS.get(name, "join"), "", "", 0, tuple(out.shape[1:])), given, out)
            else:
                _mark(out, _further(trails[0], _of_function(name, args, out)))
        return out

    def _met(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        """A layer has given its output: a step if it has filters or weights, else a word on the trail."""
        before = _trail(inputs[0])
        if before is None:
            return
        parameters = sum(parameter.numel() for parameter in module.parameters())
        if kind := next((kind for of, kind in KINDS if isinstance(module, of)), ""):
            multiply_adds = multiply_adds_of(module, inputs[0], out)
            place = (kind, name, name.rpartition(".")[0] or name, _window(module))
            self._step(Step(*place, tuple(out.shape[1:]), parameters, multiply_adds), [inputs[0]], out)
            return
        at = self.steps[before.source]
        self.steps[before.source] = replace(at, parameters=at.parameters + parameters)
        if word := _of_module(module):
            _mark(out, _further(before, word))

    def _step(self, step: Step, given: Iterable[Tensor], out: Tensor) -> None:
        """Note a step and what goes into it; its output begins a trail."""
        for tensor in given:
            if trail := _trail(tensor):
                self.links.append(Link(trail.source, len(self.steps), trail.by, tuple(tensor.shape[1:])))
        self.steps.append(step)
        _mark(out, _Trail(len(self.steps) - 1))


def _mark(tensor: Tensor, trail: _Trail) -> Tensor:
    tensor.cnnlab_trail = trail  # type: ignore[attr-defined]
    return tensor


def _trail(tensor: Tensor) -> _Trail | None:
    return getattr(tensor, "cnnlab_trail", None)


def _further(trail: _Trail, word: str) -> _Trail:
    return replace(trail, by=(*trail.by, word)) if word else trail


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among the arguments of a function, also those inside of its lists."""
    nested = (value if isinstance(value, list | tuple) else (value,) for value in values)
    return [value for value in itertools.chain.from_iterable(nested) if isinstance(value, Tensor)]


def _window(module: nn.Module) -> int:
    size = getattr(module, "kernel_size", 0)
    return int(size[0]) if isinstance(size, tuple) else int(size)


def _of_module(module: nn.Module) -> str:
    """What a layer without filters does, in words; empty where its functions say it, or it does nothing."""
    if isinstance(module, nn.MaxPool2d):
        return f"{module.kernel_size}x{module.kernel_size} max-pool"
    return SAID_OF.get(type(module), "")


FUNCTIONS: dict[str, Callable[[Any, Tensor], str]] = {  # of torch's functions that networks call themselves
    "flatten": lambda args, out: "flatten" if args[0].shape[2:].numel() > 1 else "",  # else each map is a number
    "mean": lambda args, out: "mean of each map" if out.dim() == 2 else "",
    "amax": lambda args, out: "maximum of each map" if out.dim() == 2 else "",
    "avg_pool2d": lambda args, out: "mean of each map" if out.shape[2:].numel() == 1 else f"{args[1]}x{args[1]} mean",
    "pad": lambda args, out: "maps of zeros added" if out.shape[1] > args[0].shape[1] else "",
}


def _of_function(name: str, args: Any, out: Tensor) -> str:  # noqa: ANN401 - whatever the function was given
    return FUNCTIONS[name](args, out) if name in FUNCTIONS else ""
