"""A run that nothing disturbs, and copies of one on which something does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.runs import Run, RunStore
from core.worker import work


@pytest.fixture
def whole(store, request) -> Run:
    """A run of the test file's TINY, undisturbed."""
    run = store.create(request.module.TINY)
    assert work(run) == "finished"
    return run


def copy_of(store: RunStore, template: Run) -> Run:
    """The same run once more, in its own folder."""
    path = Path(shutil.copytree(template.path, store.root / store.new_id()))
    return store.get(path.name)
