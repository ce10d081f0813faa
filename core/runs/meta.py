"""A person's words about a run, and what of them is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.names import clean_name

MOST_TAGS = 20


@dataclass(frozen=True)
class Meta:
    """A person's words about a run. hidden: whether tables leave it out."""

    name: str = ""
    tags: tuple[str, ...] = ()
    hidden: bool = False


def clean_tags(tags: Iterable[object]) -> tuple[str, ...]:
    """Tags as they are kept: cleaned like names, each once, in order, at most 20."""
    cleaned = (clean_name(str(tag)) for tag in tags)
    return tuple(dict.fromkeys(tag for tag in cleaned if tag))[:MOST_TAGS]
