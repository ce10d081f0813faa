"""Many who watch one training: a command, not a test.

    python -m tests.load.viewers [--viewers 1 10 50 200] [--seconds 60] [--threads 1]

Starts the real server and, for each number of viewers, a training of its own that so many sessions watch from its
first seconds on. They keep time as browsers do: each asks again when its interval is over, and waits for the answer.
By turns of ten seconds they watch and rest, so that the training's speed is compared with and without them. Prints the
time from asking to the end of the answer, exceptions, the training's speed, the server's memory, and in words what
breaks. The viewers run on the same machine: what they take of it is printed too, and is part of the slow-down.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tempfile
import time
from dataclasses import dataclass, field
from statistics import mean, median

from websockets.exceptions import ConnectionClosed

from core.config import TrainConfig
from core.runs import Run, RunStore
from tests.browser.app import mortal_server
from tests.load.process import cpu_seconds, memory_mb
from tests.load.table import as_text, mean_and_error, percentile
from tests.load.visitor import Answer, Visitor

VIEWERS, SECONDS = (1, 10, 50, 200), 60.0
TURN, LEAD = 10.0, 1.5  # seconds of watching or resting; at whose beginning the last one's answers still come
MOST_MS, MOST_SLOWER, MOST_MB = 500.0, 0.25, 30.0  # what counts as holding
EPOCHS, WAIT = 4000, 120.0


class Clock:
    """Seconds that pass only while the viewers watch."""

    def __init__(self) -> None:
        self._watching = asyncio.Event()
        self._rested, self._since = 0.0, time.monotonic()

    def now(self) -> float:
        return (time.monotonic() if self._watching.is_set() else self._since) - self._rested

    def watch(self) -> None:
        self._rested += time.monotonic() - self._since
        self._watching.set()

    def rest(self) -> None:
        self._watching.clear()
        self._since = time.monotonic()

    async def wait_until(self, moment: float) -> None:
        while (left := moment - self.now()) > 0 or not self._watching.is_set():
            await self._watching.wait()
            await asyncio.sleep(max(0.0, left))


@dataclass
class Seen:
    """What all viewers of one training have seen while it was measured."""

    answers: list[Answer] = field(default_factory=list)
    asked: int = 0
    lost: list[str] = field(default_factory=list)  # why a viewer had to give up
    is_counted: bool = False

    async def ask(self, session: Visitor, fragment: str) -> Answer:
        """Counted is what was asked in time, whenever its answer comes."""
        is_counted = self.is_counted
        self.asked += is_counted
        answer = await session.tick(fragment)
        if is_counted:
            self.answers.append(answer)
        return answer


@dataclass(frozen=True)
class Measured:
    """One row. alone, watched: images a second, turn by turn. memory: MB after each turn. cores: while watched."""

    viewers: int
    seen: Seen
    intervals: list[float]
    alone: list[float]
    watched: list[float]
    memory: list[float]
    server_cores: float
    viewers_cores: float

    @property
    def slower(self) -> tuple[float, float]:
        """By what share the training is slowed, and the standard error of that."""
        return mean_and_error([1 - watched / alone for watched, alone in zip(self.watched, self.alone, strict=True)])

    @property
    def growth_mb(self) -> float:
        """Growth of the memory in the second half: in the first, what everybody sees is made for the first time."""
        return self.memory[-1] - self.memory[len(self.memory) // 2]

    @property
    def exceptions(self) -> int:
        return sum(answer.exceptions for answer in self.seen.answers)

    def ms(self, share: float) -> float:
        return 1e3 * percentile([answer.seconds for answer in self.seen.answers], share)

    def row(self) -> dict[str, str]:
        slower, error = self.slower
        return {
            "viewers": str(self.viewers),
            "updates": str(len(self.seen.answers)),
            "each every": f"{median(self.intervals or [0.0]):.1f} s",
            "median": f"{self.ms(0.5):.0f} ms",
            "95 %": f"{self.ms(0.95):.0f} ms",
            "most": f"{self.ms(1.0):.0f} ms",
            "exceptions": str(self.exceptions),
            "images/s alone": f"{mean(self.alone):,.0f}",
            "watched": f"{mean(self.watched):,.0f}",
            "slower": f"{slower:.0%} ± {error:.0%}",
            "server MB": f"{self.memory[0]:.0f} -> {self.memory[-1]:.0f}",
            "server, viewers": f"{self.server_cores:.0%}, {self.viewers_cores:.0%} of a core",
        }

    def breaks(self) -> list[str]:
        """What does not hold, in words."""
        found = []
        if not self.ms(0.95) <= MOST_MS:
            found.append(f"95 % of the updates take up to {self.ms(0.95):.0f} ms, over {MOST_MS:.0f} ms")
        if not self.slower[0] <= MOST_SLOWER:
            found.append(f"the training is {self.slower[0]:.0%} slower, over {MOST_SLOWER:.0%}")
        if self.exceptions:
            found.append(f"{self.exceptions} exceptions")
        if unanswered := self.seen.asked - len(self.seen.answers):
            found.append(f"{unanswered} updates had not come at the end")
        if self.seen.lost:
            found.append(f"{len(self.seen.lost)} viewers lost their connection ({self.seen.lost[0]})")
        if self.growth_mb > MOST_MB:
            found.append(f"the server's memory grew by {self.growth_mb:.0f} MB in the second half")
        return found


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        store = RunStore(folder)
        config = TrainConfig(dataset="mnist-mini", epochs=EPOCHS, threads=options.threads)
        with mortal_server(store.root) as (address, process):
            measured = asyncio.run(_measure_all(address, process.pid, store, config, options))
    print(as_text([each.row() for each in measured]))
    for each in measured:
        print(f"{each.viewers} viewers: {'; '.join(each.breaks()) or 'holds'}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, nargs="+", default=VIEWERS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of measuring for each number of viewers")
    parser.add_argument("--threads", type=int, default=1, help="of the training; 0 for all cores")
    return parser.parse_args()


async def _measure_all(
    address: str, server: int, store: RunStore, config: TrainConfig, options: argparse.Namespace
) -> list[Measured]:
    await _warm_up(address)
    return [await _measure(address, server, store, config, viewers, options.seconds) for viewers in options.viewers]


async def _warm_up(address: str) -> None:
    """Open the page as the first visitor, who starts the scheduler, until its forecast is known."""
    async with Visitor(address) as visitor:
        await visitor.go("train")
        end = time.monotonic() + WAIT
        while visitor.timers and time.monotonic() < end:
            fragment, seconds = next(iter(visitor.timers.items()))
            await asyncio.sleep(seconds)
            await visitor.tick(fragment)


async def _measure(
    address: str, server: int, store: RunStore, config: TrainConfig, viewers: int, seconds: float
) -> Measured:
    """Start a training, let the viewers come one after another, measure turn by turn, and throw the training away."""
    run = store.create(config)
    await _until(lambda: bool(run.metrics().steps))
    clock, seen, tasks = Clock(), Seen(), []
    clock.watch()
    sessions = [Visitor(address) for _ in range(viewers)]
    for session in sessions:
        await session.__aenter__()
        await session.go("train", f"run={run.id}")
        tasks.append(asyncio.create_task(_watch(session, clock, seen)))
    server_cpu, own_cpu = cpu_seconds(server), time.process_time()
    alone, watched, memory = await _turns(run, clock, seen, seconds, server)
    took = len(watched) * TURN
    measured = Measured(
        **{"viewers": viewers, "seen": seen, "alone": alone, "watched": watched},
        intervals=[max(session.timers.values()) for session in sessions if session.timers],
        memory=memory,
        server_cores=(cpu_seconds(server) - server_cpu) / took,
        viewers_cores=(time.process_time() - own_cpu) / took,
    )
    for task, session in zip(tasks, sessions, strict=True):
        task.cancel()
        await session.__aexit__()
    run.say("discard")
    await _until(lambda: not run.path.is_dir())
    return measured


async def _watch(session: Visitor, clock: Clock, seen: Seen) -> None:
    """Ask for each fragment again when its time is up, for ever; one answer under way at a time."""
    due = {fragment: clock.now() + seconds for fragment, seconds in session.timers.items()}
    try:
        while due:
            fragment = min(due, key=lambda name: due[name])
            await clock.wait_until(due[fragment])
            answer = await seen.ask(session, fragment)
            if answer.is_whole_page:  # the browser begins all its timers anew
                due = {name: clock.now() + seconds for name, seconds in session.timers.items()}
            else:
                due[fragment] = max(due[fragment] + session.timers[fragment], clock.now())
    except (ConnectionClosed, TimeoutError) as error:
        seen.lost.append(f"{type(error).__name__} {error}".strip())


async def _turns(
    run: Run, clock: Clock, seen: Seen, seconds: float, server: int
) -> tuple[list[float], list[float], list[float]]:
    """Images a second while the viewers rest and while they watch, turn by turn; the server's memory after each."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    memory = []
    for _, watching in itertools.product(range(max(1, round(seconds / TURN / 2))), (False, True)):
        if watching:
            clock.watch()
        else:
            clock.rest()
        seen.is_counted = watching
        await asyncio.sleep(LEAD)
        rates[watching].append(await _images_a_second(run, TURN - LEAD))
        memory.append(memory_mb(server))
    seen.is_counted = False
    clock.rest()
    await asyncio.sleep(LEAD)
    return rates[False], rates[True], memory


async def _images_a_second(run: Run, seconds: float) -> float:
    before, begin = run.metrics().steps["step"][-1], time.perf_counter()
    await asyncio.sleep(seconds)
    steps = run.metrics().steps["step"][-1] - before
    return steps * run.config.batch_size / (time.perf_counter() - begin)


async def _until(condition) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, f"not within {WAIT} s"
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    main()
