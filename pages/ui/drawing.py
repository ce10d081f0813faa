"""A network as a picture, a sentence and rows of a table, from its blueprint. No streamlit and no torch here.

Owns: what a drawn network looks like. One step below the other, so that a phone shows it at full size; a bar is as
wide as its maps have pixels a side and as thick as they are many. Two networks that differ in their skip connections
alone have everything else at the same place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from pages.ui.charts import PALETTE

if TYPE_CHECKING:
    from core.models.blueprint import Blueprint, Link, Step

WIDTH, ENLARGED = 384, 1.2  # pixels, about what a phone has; how much larger it is drawn where there is room
TOP, ROW, GAP = 26, 36, 22  # of the head, of a layer, between two blocks
SPINE, LABEL, FIRST, SECOND = 90, 120, 298, 380  # x of the bars' middle, of the words and of the ends of both numbers
NEAREST, LANE, TURN = 30, 9, 8  # pixels from the spine to the innermost arc, between two, of an arc's corners
OF_KIND = {"conv": PALETTE[0], "deconv": PALETTE[2], "linear": PALETTE[3], "skip": PALETTE[1]}  # seen on both themes
COLOURS = {
    "light": {**OF_KIND, "text": "#141312", "faint": "#5F5E5B", "frame": "#F0F1F4", "line": "#7A7772"},
    "dark": {**OF_KIND, "text": "#FAFAFA", "faint": "#B4B5BA", "frame": "#262A35", "line": "#8C8A87"},
}
USUAL = ("normalise", "batch norm", "ReLU", "GELU", "SiLU")  # follow nearly every layer: in the table alone
NAMES = {"image": "image", "linear": "linear layer", "sum": "added", "stack": "put together", "join": "put together"}


def svg(plan: Blueprint, theme: str = "light") -> str:
    """The drawing. theme: "light" or "dark", the page that it lies on."""
    colours, heights = COLOURS[theme], _heights(plan.steps)
    height = heights[-1] + ROW / 2 + GAP + ROW
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' "
        f"width='{WIDTH * ENLARGED:.0f}' height='{height * ENLARGED:.0f}' font-family='system-ui, sans-serif'>",
        _head(colours),
        *_frames(plan.steps, heights, colours),
        *(_straight(link, plan.steps, heights, colours) for link in plan.links if link.target == link.source + 1),
        *_arcs(plan, heights, colours),
        *(_step(plan, place, heights[place], colours) for place in range(len(plan.steps))),
        _totals(plan, height - ROW / 2, colours),
        "</svg>",
    ]
    return "".join(parts)


def _heights(steps: Sequence[Step]) -> list[float]:
    """Where the middle of each step is: layers in rows, what joins maps in the gaps behind blocks."""
    found: list[float] = []
    y, is_gap_free = float(TOP), False
    for place, step in enumerate(steps):
        following = steps[place + 1] if place + 1 < len(steps) else None
        if step.kind in ("sum", "stack", "join"):
            y += 0 if is_gap_free else GAP
            found.append(y - GAP / 2)
            is_gap_free = False
            continue
        found.append(y + ROW / 2)
        is_gap_free = following is not None and following.block != step.block
        y += ROW + (GAP if is_gap_free else 0)
    return found


def _head(colours: dict[str, str]) -> str:
    return _text("parameters", FIRST, 14, colours["faint"], 11, "end") + _text(
        "multiply-adds", SECOND, 14, colours["faint"], 11, "end"
    )


def _totals(plan: Blueprint, y: float, colours: dict[str, str]) -> str:
    line = f"<line x1='{LABEL}' x2='{SECOND}' y1='{y - 14:.0f}' y2='{y - 14:.0f}' stroke='{colours['line']}'/>"
    return line + "".join(
        _text(text, x, y + 5, colours["text"], 13, anchor, "600")
        for text, x, anchor in (
            ("in all", LABEL, "start"),
            (short(plan.parameters), FIRST, "end"),
            (short(plan.multiply_adds), SECOND, "end"),
        )
    )


def _frames(steps: Sequence[Step], heights: Sequence[float], colours: dict[str, str]) -> list[str]:
    """A band behind each block of more than one layer."""
    blocks: dict[str, list[float]] = {}
    for step, height in zip(steps, heights, strict=True):
        if step.block:
            blocks.setdefault(step.block, []).append(height)
    return [
        f"<rect x='{SPINE - NEAREST + 2}' y='{min(found) - ROW / 2:.1f}' width='{WIDTH - SPINE + NEAREST - 2}' "
        f"height='{max(found) - min(found) + ROW:.1f}' rx='8' fill='{colours['frame']}'/>"
        for found in blocks.values()
        if len(found) > 1
    ]


def _step(plan: Blueprint, place: int, y: float, colours: dict[str, str]) -> str:
    """One step: its bar or circle, and its words and numbers."""
    step, then = plan.steps[place], _then(plan, place)
    if step.kind in ("sum", "stack", "join"):
        is_skip = any(link.target == place for link in plan.skips)
        colour = colours["skip" if is_skip else "line"]
        sign = (f"M{SPINE - 4} {y}h8" if step.kind == "sum" else f"M{SPINE - 4} {y - 2.5}h8m-8 5h8") + (
            f"M{SPINE} {y - 4}v8" if step.kind == "sum" else ""
        )
        words = ", ".join(filter(None, ("skip connection" if is_skip else NAMES[step.kind], then)))
        return (
            f"<circle cx='{SPINE}' cy='{y}' r='8' fill='{colours['frame']}' stroke='{colour}' stroke-width='2'/>"
            f"<path d='{sign}' stroke='{colour}' stroke-width='2'/>"
            + _text(words, LABEL, y + 4, colours["text"] if is_skip else colours["faint"], 11)
        )
    numbers = (
        _text(short(step.parameters), FIRST, y - 3, colours["text"], 13, "end")
        + _text(short(step.multiply_adds), SECOND, y - 3, colours["text"], 13, "end")
        if step.name
        else ""
    )
    return (
        _bar(step, plan.steps[0], y, colours)
        + _text(what(step), LABEL, y - 3, colours["text"], 13)
        + _text(", ".join(filter(None, (size(step.shape), then))), LABEL, y + 12, colours["faint"], 11)
        + numbers
    )


def _bar(step: Step, image: Step, y: float, colours: dict[str, str]) -> str:
    """A bar for maps; a row of dots' worth, rounded, for plain numbers."""
    half, thick = _half(step, image), _thickness(step)
    corner = thick / 2 if len(step.shape) == 1 else 2
    shape = f"<rect x='{SPINE - half:.1f}' y='{y - thick / 2:.1f}' width='{2 * half:.1f}' height='{thick:.1f}'"
    dashes = " fill-opacity='0.35' stroke-dasharray='3 2'" if step.kind == "deconv" else ""
    colour = colours["line" if step.kind == "image" else step.kind]
    return f"{shape} rx='{corner:.1f}' fill='{colour}' stroke='{colour}'{dashes}/>"


def _half(step: Step, image: Step) -> float:
    side = step.shape[-1] / max(image.shape[1:]) if len(step.shape) == 3 else 0.0
    return 7 + 19 * side


def _thickness(step: Step) -> float:
    return min(24.0, 4 + 2 * math.log2(step.shape[0])) if len(step.shape) == 3 else 9.0


def _reach(step: Step) -> float:
    """Pixels from the middle of a step to where lines begin and end."""
    return 8.0 if step.kind in ("sum", "stack", "join") else _thickness(step) / 2


def _straight(link: Link, steps: Sequence[Step], heights: Sequence[float], colours: dict[str, str]) -> str:
    begin = heights[link.source] + _reach(steps[link.source])
    end = heights[link.target] - _reach(steps[link.target]) - 1
    return (
        f"<path d='M{SPINE} {begin:.1f}V{end:.1f}' stroke='{colours['line']}' stroke-width='1.5'/>"
        f"<path d='M{SPINE - 4} {end - 5:.1f}L{SPINE} {end:.1f}L{SPINE + 4} {end - 5:.1f}' fill='none' "
        f"stroke='{colours['line']}' stroke-width='1.5'/>"
    )


def _arcs(plan: Blueprint, heights: Sequence[float], colours: dict[str, str]) -> list[str]:
    """What passes over steps, on the left of the spine; a longer one further out than those that it spans."""
    lanes: list[list[Link]] = []
    found = []
    arcs = [link for link in plan.links if link.target > link.source + 1]
    for link in sorted(arcs, key=lambda link: link.target - link.source):
        lane = next((n for n, taken in enumerate(lanes) if not any(_meet(link, t) for t in taken)), len(lanes))
        lanes[lane:] = lanes[lane:] or [[]]
        lanes[lane].append(link)
        found.append(_arc(plan, link, lane, heights, colours))
    return found


def _meet(one: Link, other: Link) -> bool:
    return one.source < other.target and other.source < one.target


def _arc(plan: Blueprint, link: Link, lane: int, heights: Sequence[float], colours: dict[str, str]) -> str:
    is_skip = link in plan.skips
    source, target = plan.steps[link.source], plan.steps[link.target]
    begin, end = heights[link.source] + _reach(source) + 4, heights[link.target]
    x, to = SPINE - NEAREST - LANE * lane, SPINE - (9 if not target.name else _half(target, plan.steps[0]) + 1)
    style = f"fill='none' stroke='{colours['skip' if is_skip else 'line']}' stroke-width='{2.5 if is_skip else 1.5}'"
    return (
        f"<path class='{'skip' if is_skip else 'arc'}' d='M{SPINE} {begin:.1f}H{x + TURN}Q{x} {begin:.1f} {x} "
        f"{begin + TURN:.1f}V{end - TURN:.1f}Q{x} {end:.1f} {x + TURN} {end:.1f}H{to:.1f}' {style}/>"
        f"<path d='M{to - 5:.1f} {end - 4:.1f}L{to:.1f} {end:.1f}L{to - 5:.1f} {end + 4:.1f}' {style}/>"
    )


def _text(text: str, x: float, y: float, colour: str, size: int, anchor: str = "start", weight: str = "400") -> str:
    return (
        f"<text x='{x}' y='{y:.1f}' fill='{colour}' font-size='{size}' text-anchor='{anchor}' font-weight='{weight}'>"
        f"{escape(text)}</text>"
    )


def _then(plan: Blueprint, place: int) -> str:
    """What happens to the output of a step before the next one reads it, the usual left out."""
    words = next((link.by for link in plan.links if link.source == place), ())
    return ", ".join(word for word in words if word not in USUAL)


def what(step: Step) -> str:
    """What a step is, in words: "3x3 convolution"."""
    if step.kind in ("conv", "deconv"):
        return f"{step.window}x{step.window} {'convolution' if step.kind == 'conv' else 'de-convolution'}"
    return NAMES[step.kind]


def size(shape: tuple[int, ...]) -> str:
    """The shape of an output in words: "64 maps of 15x15", "512 numbers"."""
    if len(shape) == 1:
        return f"{shape[0]} numbers"
    return f"{shape[0]} map{'s' if shape[0] > 1 else ''} of {shape[2]}x{shape[1]}"


def short(number: int) -> str:
    """A count in three digits, as it fits a column: "2.16 M", "37.0 k", "312"."""
    rounded = float(f"{number:.3g}")
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rounded >= unit:
            value = rounded / unit
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {letter}"
    return str(number)


def in_words(title: str, plan: Blueprint) -> str:
    """The same as the drawing, for those who can't see it."""
    layers = [step for step in plan.steps if step.name]
    lines = ", ".join(f"{what(step)} to {size(step.shape)}" for step in layers)
    skips = len(plan.skips)
    around = "no skip connection" if not skips else f"{skips} skip connections, each around {_spans(plan)}"
    return (
        f"{title}, drawn from top to bottom: an image of {size(plan.steps[0].shape)} passes {len(layers)} layers: "
        f"{lines}. It has {around}. In all {plan.parameters:,} parameters and {plan.multiply_adds:,} multiply-adds."
    )


def _spans(plan: Blueprint) -> str:
    """How many layers skip connections lead around: "2 layers", "1 or 2 layers"."""
    counts = {len(plan.around(link)) for link in plan.skips}
    return f"{' or '.join(map(str, sorted(counts)))} layer{'' if counts == {1} else 's'}"


def rows(plan: Blueprint) -> list[dict[str, str | int]]:
    """Every layer in numbers, as the rows of a table."""
    found: list[dict[str, str | int]] = []
    for place, step in enumerate(plan.steps):
        if step.name:
            by = next((link.by for link in plan.links if link.source == place), ())
            numbers = {"parameters": step.parameters, "multiply-adds": step.multiply_adds}
            words = {"what": what(step), "gives": size(step.shape), "then": ", ".join(by)}
            found.append({"layer": step.name, **numbers, **words})
    return found
