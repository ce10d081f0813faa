"""The audit of a store: whether every run's files are whole and agree with each other. It only reads.

Owns: what a finding is, and looking again where a run was being written meanwhile. The checks are in
`core.runs.checks`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.runs import checks
from core.runs.run import Run
from core.runs.store import RunStore

MOST_LOOKS = 6  # at a run that changes while one looks
SECONDS_BETWEEN_LOOKS = 0.3
Stamp = dict[str, tuple[int, int, int]]


@dataclass(frozen=True)
class Finding:
    """What is wrong with a run, in a sentence that ends with what to do.

    severity: "damage" where something is lost or can't be trusted, "loose end" where nothing is.
    """

    run_id: str
    severity: str
    sentence: str


def audit(store: RunStore, told: Callable[[int, int], None] | None = None) -> list[Finding]:
    """All findings in the runs of a store, own and shipped; empty when all is well.

    told: called before each run with how many are done and how many there are.
    """
    findings, runs = [], store.list()
    for done, run in enumerate(runs):
        if told:
            told(done, len(runs))
        findings += audit_run(run)
    return findings


def in_words(findings: list[Finding], runs: int) -> str:
    """A sentence of counts. runs: how many were looked at."""
    number = "1 run" if runs == 1 else f"{runs} runs"
    if not findings:
        return f"All is well with {number}: every file is whole, and they agree with each other."
    ids = {finding.run_id for finding in findings}
    damage = sum(finding.severity == checks.DAMAGE for finding in findings)
    return f"Damage: {damage}, loose ends: {len(findings) - damage}, in {len(ids)} of {number}."


def audit_run(run: Run) -> list[Finding]:
    """The findings in one run. While it is written only what every one of several looks has found counts."""
    before, found = _stamp(run.path), _look(run)
    for _ in range(MOST_LOOKS - 1):
        if not found or (_stamp(run.path) == before and not checks.is_held(run)):
            break
        time.sleep(SECONDS_BETWEEN_LOOKS)
        before, again = _stamp(run.path), _look(run)
        found = [finding for finding in found if finding in again]
    return found


def _look(run: Run) -> list[Finding]:
    """One look, by a Run that has read nothing yet. A run that was discarded meanwhile has no findings."""
    try:
        found = [Finding(run.id, severity, sentence) for severity, sentence in checks.look(Run(run.path))]
    except OSError as error:
        found = [Finding(run.id, checks.DAMAGE, f"its files can't be read ({error}). Let CNN Lab read its folder.")]
    return found if run.path.is_dir() else []


def _stamp(folder: Path) -> Stamp:
    """Equal as long as no file of a folder changed."""
    stamp: Stamp = {}
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):  # gone since it was listed
            facts = path.lstat()
            stamp[path.name] = facts.st_ino, facts.st_mtime_ns, facts.st_size
    return stamp
