"""As much of Ray as `core.cluster` calls, in place of it: what a machine is asked is done at once, in the same process.

Put this folder on PYTHONPATH, and a process that says `import ray` gets this.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class RuntimeEnvSetupError(RayError):
    pass


exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError, RuntimeEnvSetupError=RuntimeEnvSetupError)
cluster = SimpleNamespace()  # what tests set: how it is, and what happened


def reset() -> None:
    cluster.full = False  # no machine has room
    cluster.dies_after = -1  # so many events of a training its machine goes away
    cluster.machines = [{"CPU": 1.0}, {"CPU": 4.0}]
    cluster.free = {"CPU": 5.0}
    cluster.asked = []  # the options of each actor
    cluster.killed = 0


reset()


class Ref:
    """The promise of a value: there already."""

    def __init__(self, make: Callable[[], Any]) -> None:
        try:
            self.value, self.error = make(), None
        except Exception as error:
            self.value, self.error = None, RayTaskError(error)


class Stream:
    """What a generator gives, one Ref after another."""

    def __init__(self, values: Iterator[Any]) -> None:
        self._values = values
        self._given = 0

    def __next__(self) -> Ref:
        if self._given == cluster.dies_after:
            ref = Ref(lambda: None)
            ref.error = RayError("The actor died because its node has died.")
            return ref
        self._given += 1
        ref = Ref(lambda: next(self._values))
        if isinstance(getattr(ref.error, "cause", None), StopIteration):
            raise StopIteration
        return ref


class Method:
    def __init__(self, method: Callable[..., Any], streams: bool = False) -> None:
        self._method, self._streams = method, streams

    def options(self, num_returns: str) -> Method:
        return Method(self._method, streams=num_returns == "streaming")

    def remote(self, *arguments: Any) -> Ref | Stream:
        values = [each.value if isinstance(each, Ref) else each for each in arguments]
        return Stream(self._method(*values)) if self._streams else Ref(lambda: self._method(*values))


class Actor:
    def __init__(self, one: object) -> None:
        self._one = one

    def __getattr__(self, name: str) -> Method:
        return Method(getattr(self._one, name))


class Class:
    def __init__(self, kind: type) -> None:
        self._kind = kind

    def options(self, **options: Any) -> Class:
        cluster.asked.append(options)
        return self

    def remote(self) -> Actor:
        return Actor(self._kind())


def init(**options: Any) -> None:
    cluster.options = options


def remote(kind: type) -> Class:
    return Class(kind)


def nodes() -> list[dict[str, Any]]:
    return [{"Alive": True, "Resources": resources} for resources in cluster.machines]


def available_resources() -> dict[str, float]:
    return cluster.free


def put(value: Any) -> Ref:
    return Ref(lambda: value)


def wait(refs: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
    if cluster.full:
        time.sleep(min(timeout, 0.01))
        return [], refs
    return refs, []


def get(ref: Ref) -> Any:
    if ref.error is not None:
        raise ref.error
    return ref.value


def kill(actor: Actor) -> None:
    cluster.killed += 1
