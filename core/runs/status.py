"""Where a run stands: its state, and the words that change it."""

from __future__ import annotations

from dataclasses import dataclass

LIVE = ("queued", "running")
RESUMABLE = ("paused", "interrupted", "failed")
ENDED = ("finished", "stopped", "diverged")
STATES = (*LIVE, *RESUMABLE, *ENDED, "damaged")
WORDS = ("run", "pause", "stop", "discard")


@dataclass(frozen=True)
class Status:
    """Where a run stands. Times are seconds since 1970, 0 for not yet; `reason` is a sentence for a person.

    seconds: of training; cpu_seconds: what it took of the processor's threads meanwhile, added up.
    metrics_sha256: of metrics.jsonl as the run left it, "" while it may still grow.
    parameters, multiply_adds: of its network, the latter for one image; 0 until it was built.
    node: the machine of a cluster that computes it, "" for this one. lost: how often in a row such a machine was lost
    without a new checkpoint.
    """

    state: str
    created: float = 0.0
    queued: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    epoch: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    reason: str = ""
    warning: str = ""
    device: str = ""
    precision: str = ""
    threads: int = 0
    memory_mb: int = 0
    metrics_sha256: str = ""
    parameters: int = 0
    multiply_adds: int = 0
    node: str = ""
    lost: int = 0
