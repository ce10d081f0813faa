"""python -m core sweep: many runs, queued and followed to the end; on a cluster where `CNNLAB_RAY` names one."""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import time

from core import models
from core.bench.table import aligned
from core.cli.commands import EXIT_CODES, config_of
from core.cli.figures import headline
from core.cli.progress import ProgressLine
from core.comparison import Row, rows
from core.config import TrainConfig
from core.errors import ConfigError, unknown_name
from core.jobs import JobManager
from core.runs import LIVE, RESUMABLE, Run, RunStore
from core.summaries import Summaries

SECONDS_BETWEEN_LOOKS = 0.5
MOST_SEEDS = 1000
SEEDS = re.compile(r"(\d{1,10})(?:-(\d{1,10}))?")
HEAD = ("model", "seeds", "test accuracy", "time a run", "state")


def sweep(options: argparse.Namespace) -> int:
    """Queue every model with every seed, follow them, print a table. Called again, it goes on where it was.

    Ctrl-C leaves: what runs here stores its state, what waits stays in the queue.
    """
    configs = plan(options)
    if options.slots < 1:
        raise ConfigError(f"slots is {options.slots}, allowed is a whole number of at least 1.")
    store = RunStore()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with JobManager(store, options.slots) as manager:
        runs = [_queued(manager, config) for config in configs]
        try:
            _follow(manager, runs)
        except KeyboardInterrupt:
            where = "stores its state" if manager.leads else "goes on in the program that has the queue"
            print(f"Cut off. What is under way {where}; the same command goes on from there.")
            return EXIT_CODES["interrupted"]
    known = {summary.id: summary for summary in Summaries(store).all()}
    print(_table(rows([known[run.id] for run in runs if run.id in known], fold=True)))
    return max(EXIT_CODES.get(run.status().state, 2) for run in runs)


def plan(options: argparse.Namespace) -> list[TrainConfig]:
    """The configs of a sweep, model by model. Raises: LabError before anything is queued."""
    names = [name.strip() for name in options.models.split(",") if name.strip()]
    for name in names:
        if name not in models.names():
            raise unknown_name("model", name, models.names())
    if not names:
        raise ConfigError(f"models names none. Known: {', '.join(models.names())}.")
    seeds = seeds_of(options.seeds)
    return [config_of(options, model=name, seed=seed) for name in dict.fromkeys(names) for seed in seeds]


def seeds_of(text: str) -> list[int]:
    """The seeds in "0-4" or "0,2,5-7", each once, in order. Raises: ConfigError."""
    found: dict[int, None] = {}
    for part in text.split(","):
        match = SEEDS.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last - first >= MOST_SEEDS:
            raise ConfigError(
                f"seeds is {text[:80]!r}; write numbers and ranges that rise, such as 0-4 or 0,2,5-7, at most "
                f"{MOST_SEEDS:,} of them."
            )
        found.update(dict.fromkeys(range(first, last + 1)))
    return list(found)


def _queued(manager: JobManager, config: TrainConfig) -> Run:
    """The run of this config that a sweep has made, or a new one; put into the queue unless it has ended."""
    token = f"sweep {json.dumps(config.as_dict(), sort_keys=True)}"
    run = manager.store.get(manager.submit(config, token=token))
    if run.status().state in RESUMABLE:
        manager.resume(run.id)
    return run


def _follow(manager: JobManager, runs: list[Run]) -> None:
    """Show how far they are until none of them is under way any more."""
    line, trouble = ProgressLine(), ""
    open_runs = {run.id: run for run in runs}
    while open_runs:
        for run in [*open_runs.values()]:
            if not manager.works_on(run.id) and run.status().state not in LIVE:
                line.close()
                print(_in_words(open_runs.pop(run.id)), flush=True)
        if manager.trouble != trouble and (trouble := manager.trouble):
            line.close()
            print(trouble, file=sys.stderr, flush=True)
        learning = [run for run in open_runs.values() if run.status().state == "running"]
        shares = [_epoch(run) / run.config.epochs for run in learning]
        done = len(runs) - len(open_runs)
        words = "; ".join(f"{run.config.model} seed {run.config.seed} epoch {_epoch(run):.1f}" for run in learning[:3])
        line.show((done + sum(shares)) / len(runs), f"{done} of {len(runs)} done, {len(learning)} learning  {words}")
        time.sleep(SECONDS_BETWEEN_LOOKS if open_runs else 0)
    line.close()


def _epoch(run: Run) -> float:
    return float((run.metrics().steps.get("epoch") or [0.0])[-1])


def _in_words(run: Run) -> str:
    """One run that is over, on a line."""
    status, test = run.status(), run.test()
    accuracy = f"{headline(test):.2%}" if test else ""
    return f"{run.id}  {run.name:44} {status.state:11} {accuracy:>7} {status.reason}".rstrip()


def _table(found: list[Row]) -> str:
    """The means over seeds, a row for each config."""
    lines = [HEAD]
    for row in found:
        spread = "" if row.test_spread is None else f" ± {row.test_spread:.2%}"
        accuracy = "" if row.test_accuracy is None else f"{row.test_accuracy:.2%}{spread}"
        seconds = "" if row.seconds is None else f"{row.seconds:.1f} s"
        lines.append((row.model, str(len(row.seeds)), accuracy, seconds, row.state))
    return aligned(lines)
