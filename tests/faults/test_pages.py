"""What many tabs at once and lost caches do to a run that learns: nothing."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from contextlib import ExitStack

import pytest
import streamlit as st

from core.config import TrainConfig
from core.jobs import JobManager
from core.runs import RunStore
from tests.browser.app import server
from tests.faults.page import train_page
from tests.faults.tab import Tab
from tests.pages.conftest import button, text_of
from tests.waiting import learning, wait_for

pytestmark = pytest.mark.faults

LONG = TrainConfig(model="mlp", dataset="mnist-mini", width=32, epochs=2000, threads=1, schedule="constant")
PROCESSES, THREADS = 5, 4
TABS = 10


def own(store):
    return [run for run in store.list() if not run.is_shipped]


def press_at_once(root, barrier, pressed):
    """A process with a manager in which several threads send the same form at the same moment."""
    ids = []
    config = TrainConfig.from_dict(LONG.as_dict() | {"epochs": 1, "train_size": 400})
    with JobManager(RunStore(root)) as manager:

        def press():
            barrier.wait(60)
            ids.append(manager.submit(config, token="one-form"))

        threads = [threading.Thread(target=press) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    pressed.put(ids)


def test_twenty_presses_at_the_same_moment_in_five_processes_make_one_run(store):
    context = multiprocessing.get_context("spawn")
    barrier, pressed = context.Barrier(PROCESSES * THREADS), context.Queue()
    processes = [context.Process(target=press_at_once, args=(store.root, barrier, pressed)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    ids = [run_id for _ in processes for run_id in pressed.get(timeout=120)]
    for process in processes:
        process.join(60)
    assert len(ids) == PROCESSES * THREADS
    assert len(set(ids)) == 1
    assert [run.id for run in own(store)] == [ids[0]]


def test_ten_tabs_that_press_start_on_the_same_form_of_the_real_app_make_one_run(store):
    with server(store.root) as address, ExitStack() as stack:
        *tabs, late = [stack.enter_context(Tab(address, "train")) for _ in range(TABS + 1)]
        for tab in tabs:
            tab.send_press("Start training")
        for tab in tabs:
            tab.read()
        assert len(own(store)) == 1
        assert not all("already" in tab.words for tab in tabs)
        late.press("Start training")
        assert "already" in late.words
        run = own(store)[0]
        wait_for(lambda: run.metrics().steps)
        assert len(own(store)) == 1


def test_a_cleared_cache_leaves_the_run_learning_and_any_tab_finds_and_pauses_it(store):
    with server(store.root) as address, Tab(address, "train") as first, Tab(address, "train") as second:
        first.press("Start training")
        run = own(store)[0]
        wait_for(lambda: run.metrics().steps)
        for tab in (first, second):
            tab.clear_caches()
            tab.ask()
            told = run.metrics().steps["step"][-1]
            wait_for(lambda told=told: run.metrics().steps["step"][-1] > told)
        with Tab(address, "train", f"run={run.id}") as third:
            assert "running" in third.words
            third.press("Pause")
            wait_for(lambda: run.status().state == "paused")


@pytest.fixture
def modules():
    """Afterwards the modules of this project are those that other tests know."""
    known = {name: module for name, module in sys.modules.items() if is_ours(name)}
    yield known
    for name in [name for name in sys.modules if is_ours(name)]:
        del sys.modules[name]
    sys.modules.update(known)


def is_ours(name: str) -> bool:
    return name.split(".")[0] in ("core", "pages")


def test_modules_dropped_and_caches_cleared_in_mid_run_change_nothing_and_the_page_pauses_it(store, modules):
    with JobManager(store) as manager:
        run = learning(manager, manager.submit(LONG))
        for name in modules:
            del sys.modules[name]
        st.cache_resource.clear()
        st.cache_data.clear()
        with train_page(run.id) as app:
            assert sys.modules["core.jobs"] is not modules["core.jobs"]
            assert " running]" in text_of(app)
            told = run.metrics().steps["step"][-1]
            wait_for(lambda: run.metrics().steps["step"][-1] > told)
            button(app, "Pause").click().run()
            assert not app.exception
            wait_for(lambda: run.status().state == "paused")
        with train_page(run.id) as app:
            button(app, "Resume").click().run()
            wait_for(lambda: run.status().state == "running")
    assert run.status().state == "interrupted"
