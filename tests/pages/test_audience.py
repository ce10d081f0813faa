"""How often each of many viewers looks, and what they share."""

from __future__ import annotations

import itertools
import random

import pytest
import streamlit as st

from core.training import Step
from pages.ui import audience, plot
from pages.ui.audience import CHANGE, FASTEST, GRACE, SHARE, SPREAD, Audience, rung
from tests.load.table import percentile
from tests.pages.conftest import button


class Hand:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Hand()


@pytest.fixture
def many(clock):
    return Audience(clock)


@pytest.mark.parametrize("viewers", [1, 3, 10, 50, 200, 1000])
@pytest.mark.parametrize("before", [0.5, 4.0, 256.0])
def test_all_looks_together_take_no_more_than_their_share_and_not_much_less(viewers, before):
    seconds = 0.011
    every = rung(viewers, seconds, before)
    assert viewers * seconds / every <= SHARE
    assert every == FASTEST or viewers * seconds / every > SHARE / 3


def test_the_paces_in_numbers():
    assert [rung(viewers, 0.011) for viewers in (1, 10, 50, 200)] == [0.5, 1.0, 4.0, 16.0]


def test_a_pace_stays_where_it_is_while_one_viewer_more_or_less_comes_and_goes():
    for viewers in range(1, 300):
        every = FASTEST
        found = []
        for each in [viewers, viewers + 1] * 3:
            every = rung(each, 0.011, every)
            found.append(every)
        assert len(set(found[1:])) == 1


@pytest.mark.parametrize("usual", [0.5, 1.0, 2.0, 5.0])
def test_who_watches_alone_looks_at_the_usual_pace(many, usual):
    assert {many.pace(0.9, usual) for _ in range(50)} == {usual}


def test_many_wait_longer_and_each_a_little_differently(many):
    tabs = [number / 50 for number in range(50)]
    for tab in tabs:
        many.pace(tab, 0.5)
    paces = [many.pace(tab, 0.5) for tab in tabs]
    slowest = rung(50, audience.FIRST_GUESS)
    assert min(paces) == slowest > 0.5
    assert slowest * (1 + 0.9 * SPREAD) < max(paces) <= slowest * (1 + SPREAD)
    assert len(set(paces)) == 50


def test_tabs_change_their_pace_one_after_another_and_one_whose_page_is_drawn_anyway_at_once(many, clock):
    tabs = [number / 40 for number in range(40)]
    paces = {tab: many.pace(tab, 0.5) for tab in tabs}
    slow = rung(40, audience.FIRST_GUESS)
    early = [tab for tab in tabs if paces[tab] < slow]
    assert len(early) > 10
    moments = []
    for _ in range(1000):
        for tab in early:
            if (pace := many.pace(tab, 0.5, paces[tab])) != paces[tab]:
                paces[tab] = pace
                moments.append(clock.now)
        clock.now += CHANGE / 3
    assert min(paces.values()) >= slow
    assert min(later - sooner for sooner, later in itertools.pairwise(moments)) >= CHANGE
    assert many.pace(0.987, 0.5) >= slow


def test_who_watches_alone_changes_the_pace_whenever_it_is_due(many, clock):
    for before, usual in ((0.5, 1.0), (1.0, 2.0), (2.0, 5.0)):
        clock.now += 0.5
        assert many.pace(0.9, usual, before) == usual


def test_a_pace_that_is_usual_anyway_is_the_same_for_all(many):
    assert {many.pace(number / 50, 300.0) for number in range(50)} == {300.0}


def test_those_who_left_are_forgotten_and_the_others_look_at_the_usual_pace_again(many, clock):
    for number in range(200):
        many.pace(number / 200, 0.5)
    assert many.pace(0.001, 0.5) > 5
    clock.now += GRACE + 2 * many.pace(0.999, 0.5) + 1
    many.pace(0.001, 0.5)
    assert many.pace(0.001, 0.5) == 0.5


def test_a_look_that_costs_more_makes_many_wait_longer(many):
    for number in range(20):
        many.pace(number / 20, 0.5)
    before = many.pace(0.0, 0.5)
    for _ in range(200):
        many.took(0.1)
    assert many.pace(0.0, 0.5) > 4 * before


def test_a_look_is_measured_by_the_time_that_its_thread_computes(many, monkeypatch):
    times = iter([2.0, 2.25])
    monkeypatch.setattr(audience.time, "thread_time", lambda: next(times))
    took = []
    monkeypatch.setattr(many, "took", took.append)
    with many.look():
        pass
    assert took == [0.25]


def test_viewers_who_all_came_at_once_soon_look_one_after_the_other():
    """Simulated: the server answers one look at a time, each in 11 ms; 50 tabs begin within one second."""
    chance, many, cost = random.Random(0), Audience(Hand()), 0.011
    tabs = [chance.random() for _ in range(50)]
    for tab in tabs:
        many.pace(tab, 0.5)
    looks = sorted(itertools.chain.from_iterable(_moments(chance.random(), many.pace(tab, 0.5)) for tab in tabs))
    free, waits = 0.0, []
    for moment in looks:
        free = max(free, moment) + cost
        waits.append(free - moment)
    assert percentile(waits[len(waits) // 2 :], 0.95) < 0.1


def _moments(begin: float, every: float) -> list[float]:
    return [begin + number * every for number in range(40)]


def test_metrics_are_read_once_for_all_who_look_within_half_an_interval(many, clock, make_run):
    run = make_run("running")
    first = many.metrics(run, 8.0)
    run.append(Step(99, 3.0, 9.0, 0.5, 0.5, 0.1, 100.0))
    clock.now += 3.9
    assert many.metrics(run, 8.0) is first
    clock.now += 0.2
    assert many.metrics(run, 8.0).steps["step"][-1] == 99


def test_a_tab_alone_sees_the_newest_metrics_at_each_look_and_so_does_every_tab_when_nothing_is_live(
    many, clock, make_run
):
    run = make_run("running")
    for step in range(90, 99):
        run.append(Step(step, 3.0, 9.0, 0.5, 0.5, 0.1, 100.0))
        assert many.metrics(run, 0.5).steps["step"][-1] == step
        clock.now += 0.5
    run.append(Step(99, 3.0, 9.0, 0.5, 0.5, 0.1, 100.0))
    assert many.metrics(run, None).steps["step"][-1] == 99


def test_metrics_that_nobody_looks_at_are_not_held_on_to(many, clock, make_run):
    runs = [make_run("running") for _ in range(3)]
    for run in runs:
        many.metrics(run, 1.0)
        clock.now += audience.KEPT + 1
    assert list(many._told) == [runs[-1].path]


def test_the_train_page_looks_at_its_usual_pace_alone_and_less_often_where_many_watch(open_page, make_run, monkeypatch):
    paces, fragment = [], st.fragment

    def noted(made=None, *, run_every=None):
        if made:  # not as a decorator of a module's function
            paces.append(run_every)
        return fragment(made, run_every=run_every)

    monkeypatch.setattr(st, "fragment", noted)
    run = make_run("running")
    with run.held():
        open_page("train", run=run.id)
        assert paces[-1] == 0.5
        for number in range(200):
            audience.here.pace(number / 200, 0.5)
        open_page("train", run=run.id)
    assert paces[-1] >= rung(200, audience.FIRST_GUESS) > 5


def test_two_tabs_that_watch_one_run_get_the_same_charts_made_once(open_page, make_run, monkeypatch):
    made = []
    encode = plot._encoded
    monkeypatch.setattr(plot, "_encoded", lambda figure, alt: made.append(alt) or encode(figure, alt))
    run = make_run("running")
    with run.held():
        open_page("train", run=run.id)
        assert len(made) == 4
        open_page("train", run=run.id)
        assert len(made) == 4
        run.append(Step(99, 3.0, 9.0, 0.5, 0.5, 0.1, 100.0))
        button(open_page("train", run=run.id), "Pause")
    assert len(made) > 4
