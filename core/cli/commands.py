"""The commands: each takes the parsed arguments, prints, and returns an exit code."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

from filelock import Timeout

from core import data, runs
from core.cli.figures import headline, in_words
from core.cli.progress import ProgressLine, RunLine
from core.config import TrainConfig
from core.errors import ConfigError, RunError
from core.runs import ENDED, RESUMABLE, Run, RunStore

EXIT_CODES = {"finished": 0, "stopped": 0, "paused": 0, "interrupted": 130}


def train(options: argparse.Namespace) -> int:
    """Train a new run, or go on with one, in this process; Ctrl-C stores its state and leaves."""
    run = _run_to_train(options)
    print(f"Run {run.id}: {run.name}", flush=True)
    if run.config.devices > 1:
        from core.launch import launch

        launch(run, tell=True)
    else:
        _train_here(run)
    return _report(run)


def _train_here(run: Run) -> None:
    line = RunLine(run)
    from core.worker import Control, work

    control = Control(run)
    signal.signal(signal.SIGINT, lambda *_: control.server_has_gone.set())
    signal.signal(signal.SIGTERM, lambda *_: control.server_has_gone.set())
    try:
        work(run, control=control, told=line.tell)
    except Timeout:
        raise RunError(f"Another process works on run {run.id} just now. Pause it first.") from None
    line.close()


def evaluate(options: argparse.Namespace) -> int:
    """Print a run's test figures; opens the sealed test set when that never happened, or when told to.

    Raises: LabError; a RunError for a run that has not ended: these would stay its figures, and its weights would not.
    """
    run = RunStore().get(options.run)
    figures = run.test()
    if figures is None or options.again or options.views != 1:
        from core.evaluation import evaluate as evaluate_split
        from core.loading import load_model

        _refuse_unless_ended(run)
        dataset = data.load(run.config.dataset)
        result = evaluate_split(load_model(run), dataset.test, views=options.views)
        if options.views != 1:
            seen = f"{options.views} views, neither stored nor counted as an opening"
            print(f"accuracy {result.accuracy:.4f}   loss {result.loss:.4f}   {seen}")
            return 0
        with runs.refusals(f"The figures of run {run.id} could not be stored"):
            figures = run.save_test(result, dataset.fingerprint)
    print(in_words(figures))
    return 0


def _refuse_unless_ended(run: Run) -> None:
    state = run.status().state
    if state == "damaged":
        raise RunError(f"{run.status().reason.rstrip('.')}. Put its files back from a backup, or discard it.")
    if state not in ENDED:
        raise RunError(
            f"Run {run.id} is {state}; its test set stays sealed until it is {' or '.join(ENDED)}. "
            "Let it end, or stop it, first."
        )


def list(options: argparse.Namespace) -> int:
    """Print a line for each run."""
    found = RunStore().list()
    if all(run.is_shipped for run in found):
        print("No runs of your own yet. Start one: python -m core train")
    for run in found:
        status = run.status()
        test = run.test()
        accuracy = f"test {headline(test):.4f}" if test else ""
        print(f"{run.id:24} {status.state:12} epoch {status.epoch:4} {accuracy:12} {run.name}")
    return 0


def audit(options: argparse.Namespace) -> int:
    """Print a line for each finding in the files of all runs; exit code 1 when there are any."""
    store, line = RunStore(), ProgressLine()
    findings = runs.audit(store, lambda done, total: line.show(done / total, f"run {done + 1} of {total}"))
    line.close()
    for finding in findings:
        print(f"{finding.run_id:24} {finding.severity}: {finding.sentence}")
    print(runs.in_words(findings, len(store.list())))
    return 1 if findings else 0


def fetch(options: argparse.Namespace) -> int:
    """Download a data set unless it is here already."""
    line = ProgressLine()

    def show(done: int, total: int) -> None:
        line.show(done / max(1, total), f"{done / 1e6:.0f} of {total / 1e6:.0f} MB")

    path = data.fetch(options.name, progress=show)
    line.close()
    print(f"{options.name} is in {path}")
    return 0


def export(options: argparse.Namespace) -> int:
    """Write a run's best network as a checked ONNX file."""
    from core.export import export_onnx

    run = RunStore().get(options.run)
    done = export_onnx(run, Path(options.out or f"{run.id}.onnx"))
    print(f"{done.path}: the same answers to {done.images} images, logits off by {done.largest_difference:.1g} at most")
    return 0


def reference(options: argparse.Namespace) -> int:
    """Train the reference runs that are not there yet; Ctrl-C stores what is under way and leaves."""
    from core import reference as references

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    line = ProgressLine()
    try:
        for one, status in references.make(lambda run: line.show(_share(run), run.name)):
            line.close()
            print(f"{one.id:32} {status.state} {status.reason}", flush=True)
            if status.state != "finished":
                return EXIT_CODES.get(status.state, 2)
    except KeyboardInterrupt:
        line.close()
        print("Cut off. The same command goes on from there.")
        return EXIT_CODES["interrupted"]
    print(references.table())
    return 0


def _share(run: Run) -> float:
    """How much of a run is done, 0..1."""
    return float((run.metrics().steps.get("epoch") or [0.0])[-1]) / run.config.epochs


def bench(options: argparse.Namespace) -> int:
    """Run one benchmark, which prints what it measured."""
    import_module(f"core.bench.{options.what}").main()
    return 0


def _run_to_train(options: argparse.Namespace) -> Run:
    store = RunStore()
    if options.resume:
        run = store.get(options.resume)
        state = run.status().state
        if state not in RESUMABLE:
            raise RunError(f"Run {run.id} is {state}; only a run that is {' or '.join(RESUMABLE)} can be resumed.")
        run.say("run")
        return run
    return store.create(config_of(options), options.name, state="paused")  # not queued: it is trained right here


def config_of(options: argparse.Namespace, **changes: object) -> TrainConfig:
    """The config that the command line asks for, with some knobs changed. Raises: LabError."""
    names = [spec.name for spec in fields(TrainConfig)]
    given = {name: value for name in names if (value := getattr(options, name, None)) is not None} | changes
    if not options.config:
        return TrainConfig.from_dict(given)
    try:
        text = Path(options.config).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The config file can't be read: {error}. Give the path of a JSON file.") from None
    return TrainConfig.from_json(text, **given)


def _report(run: Run) -> int:
    status, test = run.status(), run.test()
    state = status.state
    if state in RESUMABLE and state != "failed":
        print(f"{status.reason} Go on with: python -m core train --resume {run.id}")
    elif status.reason:
        print(f"{state}: {status.reason}", file=sys.stderr if state not in EXIT_CODES else sys.stdout)
    if test:
        print(f"test {in_words(test)}")
    return EXIT_CODES.get(state, 2)
