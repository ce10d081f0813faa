"""What a network said of a picture and what its map is of, in words and in numbers. Draws nothing.

Owns: those sentences. Leaves whether a map can be believed to `verdicts`.
"""

from __future__ import annotations

from typing import Any

from core import explain
from pages.ui import cam, words
from pages.ui.cam import Look
from pages.ui.gallery import Shown


def answer_in_words(seen: Look, shown: Shown) -> str:
    """What the network says, and whether that is right."""
    name, sure = cam.classes()[seen.answer], seen.probabilities[seen.answer]
    verdict = "" if shown.truth is None else ", which is right" if seen.answer == shown.truth else ", which is wrong"
    return f"{words.bold(seen.network.label)} says **{name}** ({sure:.0%}){verdict}"


def asked_in_words(seen: Look) -> str:
    """The class that was asked about, and against which."""
    names = cam.classes()
    against = "" if seen.rather is None else f" rather than {names[seen.rather]}"
    return f"why {names[seen.label]}{against}"


def how_in_words(seen: Look) -> str:
    """What the map is of."""
    method, (height, width) = explain.METHODS[seen.method], seen.raw.shape
    if seen.layer:
        how = f"{method.title} at {words.md(seen.layer.name)}, {width} x {height} places"
    elif seen.network.model == "mlp" and seen.method == "gradient":
        how = "no convolution, so no feature map to weigh: shown is how strongly the class reacts to each pixel"
    else:
        how = f"{method.title}, {width} x {height} places"
    asked = f"{asked_in_words(seen)[0].upper()}{asked_in_words(seen)[1:]}"
    empty = " **Nothing argues for this class.**" if seen.is_empty else ""
    return f"{asked}: {how}.{empty}"


def in_words(seen: Look, shown: Shown) -> str:
    """What a strip shows, for those who can't see it."""
    if seen.is_empty:
        return f"{shown.title}; the map is empty: nothing argues for this class."
    values = seen.shown(3, smooth=False)
    row, column = divmod(int(values.argmax()), 3)
    spot = ("upper", "middle", "lower")[row], ("left", "centre", "right")[column]
    return f"{shown.title}, its map ({asked_in_words(seen)}), and the map over it; it is brightest {spot[0]} {spot[1]}."


def most_likely(seen: Look) -> str:
    """The network's answer and how sure it is, in short."""
    return f"{seen.network.label} {cam.classes()[seen.answer]} {seen.probabilities[seen.answer]:.0%}"


def numbers_of(seen: Look) -> dict[str, Any]:
    """What one network said, to take along."""
    return {
        "run": seen.network.run.id,
        "name": seen.network.label,
        "asked": asked_in_words(seen),
        "method": seen.method,
        "layer": seen.layer.after if seen.layer else None,
        "probabilities": dict(zip(cam.classes(), map(float, seen.probabilities), strict=True)),
        "map_before_scaling": seen.raw.tolist(),
    }
