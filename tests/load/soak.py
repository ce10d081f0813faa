"""Many short runs and a fault a minute, in the real server: a command, not a test.

    python -m tests.load.soak [--minutes 30] [--seed 0] [--every 60]

Runs follow each other through the server's queue, in a store of its own. Every minute one of the faults in
`tests.load.faults` happens, chosen by chance. At the end every run is resumed until it has ended, and then all files
are audited: nothing may be lost and nothing may disagree. Prints what happened when, and counts of faults, runs,
resumes, findings and the server's memory; exits with 1 where something is wrong. The same seed chooses the same faults,
though not the same moments.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter

from core.config import TrainConfig
from core.runs import ENDED, RESUMABLE, Finding, RunStore
from core.runs.auditing import audit_run
from tests.load.faults import FAULTS, LEAVES_BEHIND, World

MINUTES, EVERY = 30.0, 60.0
AHEAD = 2  # runs that learn or wait, at least
SECONDS_TO_END = 1200.0  # for all that is left at the end
SHORT = {"dataset": "mnist-mini", "train_size": 400, "batch_size": 20, "threads": 1}
KINDS = ({"model": "mlp", "width": 16, "epochs": 900}, {"model": "cnn", "width": 8, "epochs": 250})


def main() -> int:
    """Let it run, and print what came of it."""
    options = _options()
    chance = random.Random(f"moments of {options.seed}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, World(RunStore(folder)) as world:
        _happen(world, chance, options)
        world.note("no more faults; every run is resumed until it has ended")
        stuck = _end_all(world)
        explained, findings = sort_out(_audit(world.store), world.harmed)
        _tell(world, stuck, explained, findings)
    return 1 if findings or stuck else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=float, default=EVERY, help="seconds between two faults")
    return parser.parse_args()


def _happen(world: World, chance: random.Random, options: argparse.Namespace) -> None:
    """A fault at some moment of each minute, until the time is over; runs enough all the while."""
    end, faults = time.monotonic() + 60 * options.minutes, _shuffled(random.Random(options.seed))
    while time.monotonic() < end:
        next_one = time.monotonic() + options.every
        _rest(world, chance, chance.uniform(0, options.every / 2))
        world.suffer(next(faults), chance)
        _rest(world, chance, next_one - time.monotonic())


def _shuffled(chance: random.Random):
    """The faults in an order of chance, each once before any comes again, for ever."""
    while True:
        yield from chance.sample(list(FAULTS), k=len(FAULTS))


def _rest(world: World, chance: random.Random, seconds: float) -> None:
    """Let time pass, and queue a run where too few are ahead."""
    end = time.monotonic() + seconds
    while True:
        if len(world.live()) < AHEAD:
            world.store.create(TrainConfig(**SHORT, **chance.choice(KINDS), seed=chance.randint(0, 9)))
        if time.monotonic() >= end:
            return
        time.sleep(0.5)


def _end_all(world: World) -> list[str]:
    """Resume whatever can be, until all has ended; what had not in time, in words."""
    end = time.monotonic() + SECONDS_TO_END
    while left := [run for run in world.runs() if run.status().state not in ENDED]:
        if time.monotonic() > end:
            return [f"{run.id} is {run.status().state}: {run.status().reason}" for run in left]
        for run in left:
            if run.status().state in RESUMABLE and not run.is_held():
                world.press(run, "Resume")
        time.sleep(1.0)
    return []


def _audit(store: RunStore) -> list[Finding]:
    return [finding for run in store.list() if not run.is_shipped for finding in audit_run(run)]


def sort_out(findings: list[Finding], harmed: dict[str, set[str]]) -> tuple[list[Finding], list[Finding]]:
    """Those that a fault in that very run accounts for, and the others. harmed: the faults of each run."""
    explained = [finding for finding in findings if _is_explained(finding, harmed.get(finding.run_id, set()))]
    return explained, [finding for finding in findings if finding not in explained]


def _is_explained(finding: Finding, faults: set[str]) -> bool:
    return finding.severity == "loose end" and any(
        words in finding.sentence for fault in faults for words in LEAVES_BEHIND.get(fault, ())
    )


def _tell(world: World, stuck: list[str], explained: list[Finding], findings: list[Finding]) -> None:
    states = Counter(run.status().state for run in world.runs())
    print("\nfaults:", _counts(world.done), "| came too late:", _counts(world.missed))
    print(f"runs: {len(world.runs())} ({_counts(states)}) | resumed {world.resumes} times")
    print("server's memory, MB, at the first and the last look at each server:", world.memory_in_words())
    for finding in explained:
        print(f"accounted for by a fault: {finding.run_id}: {finding.sentence}")
    for line in [*stuck, *(f"{found.run_id}: {found.severity}: {found.sentence}" for found in findings)]:
        print("WRONG:", line)
    print(f"audit: {len(explained)} findings are accounted for, {len(findings)} are not; {len(stuck)} runs did not end")


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items())) or "none"


if __name__ == "__main__":
    sys.exit(main())
