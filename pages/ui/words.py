"""Numbers, times and states in words."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable

from core.config import TrainConfig
from core.runs import Run, Status
from core.statistics import Difference

BADGES = {  # state: icon, colour, what it means
    "queued": ("schedule", "gray", "waits for its turn"),
    "running": ("play_arrow", "blue", "is learning now"),
    "paused": ("pause", "orange", "stored its state and left; Resume goes on exactly from there"),
    "interrupted": ("power_off", "orange", "lost its process; Resume goes on from its last checkpoint"),
    "finished": ("check", "green", "did all that it was to do"),
    "stopped": ("stop", "gray", "was stopped by hand; its best weights are kept"),
    "failed": ("error", "red", "could not go on; the reason stands below"),
    "diverged": ("trending_up", "red", "its loss is no longer a number; a smaller learning rate helps"),
    "damaged": ("broken_image", "red", "has files that can't be read"),
}

JOINER = "\u2060"  # has no width and breaks no line
MADE_LIVE = re.compile(r"(?<=[:@])(?=\S)|(?<=www)(?=\.)|(?<=[-<>~])(?=[-=>])", re.IGNORECASE)  # http://, a@b, www., ->


def badge(status: Status) -> tuple[str, str, str, str]:
    """Label, icon, colour and tooltip for a run's state."""
    icon, colour, meaning = BADGES[status.state]
    return status.state, f":material/{icon}:", colour, f"This run {meaning}."


def duration(seconds: float) -> str:
    """Seconds as a person says them: "8 s", "3 min 20 s", "2 h 5 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def memory(megabytes: float) -> str:
    """Megabytes, as gigabytes from one up."""
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def count(number: float) -> str:
    """A large number in three digits: "7.6 million"."""
    for size, word in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if number >= size:
            return f"{number / size:.3g}{word}"
    return f"{number:.0f}"


def plural(number: int, noun: str) -> str:
    """ "1 row", "2 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def bold(text: str) -> str:
    """Somebody's text inside Markdown, in bold."""
    return f"**{md(text)}**"


def verdict(first: str, second: str, found: Difference, seeds: int, bold: Callable[[str], str] = bold) -> str:
    """Whether one of two networks is better, in words, with the interval in points.

    seeds: of the one that has fewer. bold: how a text stands out, Markdown if nothing else is said.
    """
    better, worse, sign = (first, second, 1) if found.value >= 0 else (second, first, -1)
    low, high = sorted((sign * found.interval.low * 100, sign * found.interval.high * 100))
    of = f"with {plural(seeds, 'seed')}" if found.over == "seeds" else "on these test images"
    places = 1 if max(abs(low), abs(high)) >= 0.5 else 2  # else a small difference seems to be none
    points = f"{abs(found.value) * 100:.{places}f} points (95 %: {low:.{places}f} to {high:.{places}f})"
    if found.is_distinguishable:
        return f"{bold(better)} is {bold('better')} than {bold(worse)} by {points}, {of}."
    return f"{bold(first)} and {bold(second)} are {bold('not distinguishable')} {of}: they differ by {points}."


def chances(p: float) -> str:
    """A p value in words: "3 of 100 such tests"."""
    return "fewer than 1 of 10,000 such tests" if p < 1e-4 else f"{p * 100:.2g} of 100 such tests"


def when(moment: float) -> str:
    """A time on this machine's clock; the date only where it is another day."""
    local = time.localtime(moment)
    today = local[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%d %b %H:%M", local)


def md(text: str) -> str:
    """Somebody's text inside Markdown, shown as it is.

    Backslashes keep it from being parsed. What the browser makes links, icons and arrows of after that gets a joiner,
    which nobody sees, between its letters.
    """
    text = MADE_LIVE.sub(JOINER, text)
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()<>#+-.!|~$:&^=" else letter for letter in text)


def labels(runs: Iterable[Run]) -> dict[str, str]:
    """Runs in a list, by id: name, state and when it was made; where two would read the same, the end of the id too."""
    plain = {run.id: _label(run) for run in runs}
    times = Counter(plain.values())
    return {run_id: f"{text} ({run_id[-4:]})" if times[text] > 1 else text for run_id, text in plain.items()}


def _label(run: Run) -> str:
    status = run.status()
    return f"{run.name} · {status.state} · {when(status.created)}" if status.created else f"{run.name} · {status.state}"


def difference(config: TrainConfig, other: TrainConfig) -> dict[str, tuple[object, object]]:
    """The knobs in which two configs differ: {name: (config's, other's)}."""
    mine, theirs = config.as_dict(), other.as_dict()
    return {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}
