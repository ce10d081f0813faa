"""A person's words as a name: what of them is kept, wherever they name a run, a data set or a class."""

from __future__ import annotations

LONGEST_NAME = 100  # characters that are kept


def clean_name(name: str, longest: int = LONGEST_NAME) -> str:
    """A name as it is kept: printable, on one line, at most `longest` characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())[:longest].rstrip()
