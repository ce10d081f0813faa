"""Tensors on their way from one machine to another: as bytes in the safetensors format, with their numbers beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.evaluation import Evaluation
from core.training import Event, State, Weights

if TYPE_CHECKING:
    from torch import Tensor

Numbers = dict[str, int | float]


@dataclass(frozen=True)
class Parcel:
    """Something with tensors. kind: "state", "weights" or "evaluation". numbers: what it holds beside tensors."""

    kind: str
    tensors: bytes
    numbers: Numbers


def pack(content: Event | Evaluation) -> Event | Parcel:
    """An event without tensors as it is, anything else as a parcel."""
    if isinstance(content, State):
        return Parcel("state", as_bytes(content.tensors), content.counters)
    if isinstance(content, Weights):
        return Parcel("weights", as_bytes(content.tensors), {"step": content.step})
    if isinstance(content, Evaluation):
        tensors = {name: value for name, value in vars(content).items() if name not in ("accuracy", "loss")}
        known = {name: value for name, value in tensors.items() if value is not None}
        return Parcel("evaluation", as_bytes(known), {"accuracy": content.accuracy, "loss": content.loss})
    return content


def unpack_event(parcel: Event | Parcel) -> Event:
    """The event that was packed."""
    if not isinstance(parcel, Parcel):
        return parcel
    tensors = from_bytes(parcel.tensors)
    return State(tensors, parcel.numbers) if parcel.kind == "state" else Weights(int(parcel.numbers["step"]), tensors)


def unpack_evaluation(parcel: Parcel) -> Evaluation:
    """The evaluation that was packed."""
    tensors: dict[str, Tensor | None] = {"probabilities": None, **from_bytes(parcel.tensors)}
    return Evaluation(**parcel.numbers, **tensors)  # type: ignore[arg-type]


def as_bytes(tensors: dict[str, Tensor]) -> bytes:
    """Tensors on the CPU in the safetensors format."""
    from safetensors.torch import save

    return bytes(save({name: value.contiguous() for name, value in tensors.items()}))


def from_bytes(content: bytes) -> dict[str, Tensor]:
    """The tensors of `as_bytes`: copies, on the CPU."""
    from safetensors.torch import load

    return dict(load(content))
