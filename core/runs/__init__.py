"""The run store: the only code that knows a run's files.

    places.py    what an id looks like, and the folders that have one
    status.py    where a run stands: its state, and the words that change it
    meta.py      a person's words about a run
    refusing.py  refusals: what a disk or a lock refuses, as an error of ours
    results.py   the one evaluation on the sealed test set
    run.py       Run: one folder, and everything that can be asked of it
    store.py     RunStore: making, finding and discarding runs
    auditing.py  audit: whether the files of all runs are whole and agree with each other
    checks.py    what has to hold in the folder of a run

Leaves to `core.checkpoints` the weights and states, to `core.metrics` the curves, to `core.jobs` when a run is started.
"""

from core.names import clean_name
from core.runs.auditing import Finding, audit, in_words
from core.runs.meta import Meta, clean_tags
from core.runs.places import RUN_ID, SHIPPED
from core.runs.refusing import refusals
from core.runs.run import Run
from core.runs.status import ENDED, LIVE, RESUMABLE, STATES, WORDS, Status
from core.runs.store import RunStore

__all__ = [
    "ENDED",
    "LIVE",
    "RESUMABLE",
    "RUN_ID",
    "SHIPPED",
    "STATES",
    "WORDS",
    "Finding",
    "Meta",
    "Run",
    "RunStore",
    "Status",
    "audit",
    "clean_name",
    "clean_tags",
    "in_words",
    "refusals",
]
