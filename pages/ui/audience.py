"""Many who watch: how often each of them looks, and what they share. No streamlit here.

Owns: how many tabs watch, what a look costs, the pace that follows, and the metrics of a run that all of them see.
Alone, a tab looks at its page's usual pace. The looks of all tabs together may take a fixed share of one core; where
they would take more, every tab waits longer, so that a class that watches does not slow down what it watches.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.metrics import Metrics
from core.runs import Run

SHARE = 0.15  # of one core, for the looks of all tabs
FASTEST = 0.5  # seconds between two looks, the first rung; each further one is twice as long
STAY = 1.5  # a pace is kept until one that is so many times slower than needed would be faster: each change redraws all
CHANGE = 0.25  # seconds between two tabs that change their pace: were they to do so all at once, they would wait long
SPREAD = 0.25  # share of the pace by which tabs differ, so that those that were opened at once do not look at once
AROUND = 2.0  # what a look costs the server, as a multiple of its own part: Streamlit works before and behind it
FIRST_GUESS = 0.015  # seconds of a look, until some were measured
WEIGHT = 0.05  # of the newest look in the mean
GRACE = 10.0  # seconds, beyond two of its looks, after which a tab that says nothing is gone
KEPT = 60.0  # seconds that metrics are held on to


def rung(viewers: int, seconds: float, before: float = FASTEST) -> float:
    """Seconds between two looks of each of so many tabs. seconds: of a core for a look; before: the rung up to now."""
    needed = viewers * seconds / SHARE
    return min(max(before, _at_least(needed)), _at_least(STAY * needed))


def _at_least(seconds: float) -> float:
    """The fastest rung that is no faster than this."""
    return FASTEST * 2.0 ** math.ceil(math.log2(max(1.0, seconds / FASTEST)))


class Audience:
    """The tabs that watch; safe to ask from several threads. All of it can be rebuilt: they look again and again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rung = FASTEST
        self._seconds = FIRST_GUESS
        self._until: dict[float, float] = {}  # tab: when it counts as gone
        self._next_change = 0.0  # when a tab may change its pace again
        self._told: dict[Path, tuple[float, Metrics]] = {}  # when it was read, and what

    def pace(self, tab: float, usual: float, before: float | None = None) -> float:
        """Note that a tab looks now, and say after how many seconds it is to look again.

        tab: a number in 0..1 that no other tab has. usual: the seconds where few watch. before: the pace up to now,
        which it may have to keep for a while; None for a tab whose whole page is drawn anyway.
        """
        now = self._clock()
        with self._lock:
            self._until = {each: until for each, until in self._until.items() if until > now and each != tab}
            self._rung = rung(len(self._until) + 1, self._seconds, self._rung)
            every = usual if self._rung <= usual else round(self._rung * (1 + SPREAD * tab), 2)
            if before is not None and not self._may_change(before, every, now):
                every = before
            self._until[tab] = now + 2 * every + GRACE
        return every

    def _may_change(self, before: float, every: float, now: float) -> bool:
        """Whether it is a tab's turn to go from one pace to another; then it is nobody else's for a moment."""
        if before == every or now < self._next_change:
            return False
        self._next_change = now + CHANGE
        return True

    @contextmanager
    def look(self) -> Iterator[None]:
        """Measure the look that is taken inside, by this thread's processor time; one that raises does not count."""
        begin = time.thread_time()
        yield
        self.took(time.thread_time() - begin)

    def took(self, seconds: float) -> None:
        """Note what a look took of a core, without what is around it."""
        with self._lock:
            self._seconds += WEIGHT * (AROUND * seconds - self._seconds)

    def metrics(self, run: Run, every: float | None) -> Metrics:
        """What a run has told, the same for all who watch: at most half of the time between two looks old.

        So a tab that watches alone sees the newest at each look, and figures of many are made for all of them at once.
        every: seconds between two looks; None for the newest.
        """
        now = self._clock()
        with self._lock:
            when, told = self._told.get(run.path, (-math.inf, None))
        if told is not None and every is not None and now - when < every / 2:
            return told
        told = run.metrics()
        with self._lock:
            self._told = {path: known for path, known in self._told.items() if now - known[0] < KEPT}
            self._told[run.path] = now, told
        return told


here = Audience()
