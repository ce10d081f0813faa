"""A person's words about a run, and what of them is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LONGEST_NAME = 100  # characters of a run's name that are kept
MOST_TAGS = 20


@dataclass(frozen=True)
class Meta:
    """A person's words about a run. hidden: whether tables leave it out."""

    name: str = ""
    tags: tuple[str, ...] = ()
    hidden: bool = False


def clean_name(name: str) -> str:
    """A name as it is kept: printable, on one line, at most 100 characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())[:LONGEST_NAME].rstrip()


def clean_tags(tags: Iterable[object]) -> tuple[str, ...]:
    """Tags as they are kept: cleaned like names, each once, in order, at most 20."""
    cleaned = (clean_name(str(tag)) for tag in tags)
    return tuple(dict.fromkeys(tag for tag in cleaned if tag))[:MOST_TAGS]
