"""What a disk or a lock refuses, as an error of ours: pages and the command line catch no other.

Owns: that one door. Leaves the words to `core.causes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core import causes
from core.errors import RunError


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Let an OSError or filelock.Timeout in here become a RunError. what: begins its sentence, "It could not …"."""
    try:
        yield
    except OSError as error:  # filelock.Timeout is one
        raise RunError(causes.refused(what, error)) from None
