"""A cluster that is none: Ray's place is taken by `fake/ray.py`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core.cluster.connection import Connection
from core.cluster.remote import OnCluster
from core.worker import Control, work
from tests.cluster.fake import ray as fake

FAKE = Path(__file__).parent / "fake"


@pytest.fixture
def ray(monkeypatch):
    """The fake, in place of Ray in this process."""
    fake.reset()
    monkeypatch.setitem(sys.modules, "ray", fake)
    yield fake
    fake.reset()


@pytest.fixture
def on_cluster(ray):
    """Works on a run as the relay process does; returns the state that it ended in."""

    def work_there(run, control=None, told=lambda why: None):
        place = OnCluster(Connection("auto"), run, control or Control(run), told)
        try:
            return work(run, control=control, place=place, fit=place.fit) if place.reserve() else run.status().state
        finally:
            place.close()

    return work_there


@pytest.fixture
def with_fake_ray(monkeypatch):
    """For child processes: CNNLAB_RAY is set, and Ray is the fake."""
    monkeypatch.setenv("PYTHONPATH", str(FAKE))
    monkeypatch.setenv("CNNLAB_RAY", "auto")
