"""The errors of CNN Lab: one tree, so that a page or a command line catches one class.

    LabError                  anything that a person can do something about
    ├── ConfigError           a knob of a run has a value that it can't have
    ├── UnknownNameError      a model, data set, recipe, run or layer that is not there
    ├── DataError             a data set is missing, damaged or can't be fetched
    ├── RunError              a run can't do what was asked of it
    └── CheckpointError       stored weights or states are damaged or don't fit

A message says what is wrong, what was got, what is allowed and what to do. Pages show the message, never a
traceback; the command line prints it and exits with 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST_SHOWN = 80  # characters of somebody's input that a message repeats


class LabError(Exception):
    """Base of every error that CNN Lab raises on purpose."""


class ConfigError(LabError):
    """A knob of a run has a value that it can't have."""


class UnknownNameError(LabError):
    """A name that is not among the known ones."""


class DataError(LabError):
    """A data set is missing, damaged or can't be fetched."""


class RunError(LabError):
    """A run can't do what was asked of it."""


class CheckpointError(LabError):
    """Stored weights or a stored state are damaged or don't fit the network."""


def shown(value: object) -> str:
    """`repr` of somebody's input, cut to a length that fits in a message."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"


def unknown_name(what: str, got: object, known: Iterable[str]) -> UnknownNameError:
    """The error for a name that is not known: lists the known names and suggests the nearest.

    what: the kind of thing in words, such as "model" or "data set".
    """
    names = list(known)
    near = get_close_matches(str(got)[:LONGEST_SHOWN], names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UnknownNameError(f"There is no {what} {shown(got)}. Known: {', '.join(names) or 'none yet'}.{hint}")
