"""Visits that come and go: a command, not a test.

    python -m tests.load.visits [--visits 500] [--together 4]

Starts the real server, and lets so many sessions open every page in turn and leave. Prints how long each page took, how
many exceptions were seen, and the server's memory: after the first visit, by which libraries and networks are loaded;
before the counted ones, after 150 others, when all threads have their memory and the 128 sessions are there that
Streamlit keeps for two minutes in case they come back; at the end; and when those are given up.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from websockets.exceptions import ConnectionClosed

from tests.browser.app import mortal_server
from tests.load.process import memory_mb
from tests.load.table import as_text, percentile
from tests.load.visitor import Answer, Visitor

PAGES = ("", "train", "compare", "segment", "gradcam")
VISITS, TOGETHER, WARM_UP = 500, 4, 150
SECONDS_TO_FORGET = 125.0  # after which Streamlit gives up a session that left
LAST_VISITS = 3  # a session is only given up when another one comes
MOST_MB = 50.0


def main() -> None:
    """Visit, and print."""
    options = _options()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        mortal_server(Path(folder)) as (address, process),
    ):
        asyncio.run(_visits(address, 1, 1, Visits()))
        memory, seen = {"first": memory_mb(process.pid)}, Visits()
        asyncio.run(_visits(address, WARM_UP, options.together, Visits()))
        memory["before"] = memory_mb(process.pid)
        asyncio.run(_visits(address, options.visits, options.together, seen))
        memory["at their end"] = memory_mb(process.pid)
        time.sleep(options.forget)
        asyncio.run(_visits(address, LAST_VISITS, 1, seen))
        memory["given up"] = memory_mb(process.pid)
    print(as_text([_row(page, seen.answers) for page in PAGES]))
    print("server's memory:", ", ".join(f"{when} {value:.0f} MB" for when, value in memory.items()))
    grown = memory["given up"] - memory["before"]
    print("\n".join(verdict(grown, [answer for _, answer in seen.answers], len(seen.lost))))
    print("\n".join(sorted(set(seen.lost))))


@dataclass
class Visits:
    """What was seen: each page's answer, and why visits ended before their time."""

    answers: list[tuple[str, Answer]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def verdict(grown_mb: float, answers: list[Answer], lost: int) -> list[str]:
    """Whether it holds, in words."""
    exceptions = sum(answer.exceptions for answer in answers)
    return [
        f"memory grew by {grown_mb:.0f} MB; at most {MOST_MB:.0f} MB: {_holds(grown_mb <= MOST_MB)}",
        f"{exceptions} exceptions on {len(answers)} pages: {_holds(exceptions == 0)}",
        f"{lost} visits ended before their time: {_holds(lost == 0)}",
    ]


def _holds(is_so: bool) -> str:
    return "holds" if is_so else "BREAKS"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=VISITS)
    parser.add_argument("--together", type=int, default=TOGETHER, help="visits at the same time")
    parser.add_argument("--forget", type=float, default=SECONDS_TO_FORGET, help="seconds to wait at the end")
    return parser.parse_args()


async def _visits(address: str, visits: int, together: int, seen: Visits) -> None:
    """So many visits, so many of them at the same time."""
    left = iter(range(visits))

    async def one_after_another() -> None:
        for _ in left:
            await _visit(address, seen)

    await asyncio.gather(*(one_after_another() for _ in range(together)))


async def _visit(address: str, seen: Visits) -> None:
    try:
        async with Visitor(address) as visitor:
            for page in PAGES:
                seen.answers.append((page, await visitor.go(page)))
    except (OSError, TimeoutError, ConnectionClosed) as error:
        seen.lost.append(f"{type(error).__name__}: {error}")


def _row(page: str, answers: list[tuple[str, Answer]]) -> dict[str, str]:
    found = [answer for each, answer in answers if each == page]
    seconds = [answer.seconds for answer in found]
    return {
        "page": page or "home",
        "visits": str(len(found)),
        "median": f"{percentile(seconds, 0.5) * 1e3:.0f} ms",
        "95 %": f"{percentile(seconds, 0.95) * 1e3:.0f} ms",
        "exceptions": str(sum(answer.exceptions for answer in found)),
    }


if __name__ == "__main__":
    main()
