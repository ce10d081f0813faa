"""The logic of the load commands: percentiles, errors, tables, verdicts, and a clock that stands still."""

from __future__ import annotations

import asyncio
import math
import statistics

import pytest

from core.runs import Finding
from tests.load import soak, viewers, visits
from tests.load.faults import FAULTS, LEAVES_BEHIND
from tests.load.table import as_text, mean_and_error, percentile


def test_of_a_hundred_values_the_95th_percentile_is_the_95th():
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.5, 0.95, 1.0)] == [50.0, 95.0, 100.0]
    assert percentile([7.0], 0.95) == 7.0
    assert math.isnan(percentile([], 0.95))


def test_mean_and_standard_error_are_those_of_the_standard_library():
    values = [3.0, 1.0, 4.0, 1.0, 5.0]
    mean, error = mean_and_error(values)
    assert mean == statistics.mean(values)
    assert error == pytest.approx(statistics.stdev(values) / math.sqrt(5))


def test_a_table_has_its_names_first_and_its_columns_right_aligned():
    assert as_text([{"a": "1", "long": "2"}, {"a": "345", "long": "6"}]) == "  a  long\n  1     2\n345     6"


def measured(seconds: list[float], alone: float, watched: float, **changes) -> viewers.Measured:
    seen = viewers.Seen([viewers.Answer(value, 0, False) for value in seconds], asked=len(seconds))
    facts = {"viewers": 50, "seen": seen, "intervals": [4.0], "alone": [alone], "watched": [watched]}
    return viewers.Measured(
        **{**facts, "memory": [250.0, 300.0, 301.0], "server_cores": 0.1, "viewers_cores": 0.1, **changes}
    )


def test_what_breaks_is_said_in_words_and_nothing_is_where_all_holds():
    fine = [0.1] * 95 + [9.0] * 5
    assert measured(fine, 1000.0, 760.0).breaks() == []
    assert measured([*fine, 9.0], 1000.0, 760.0).breaks() == ["95 % of the updates take up to 9000 ms, over 500 ms"]
    assert measured(fine, 1000.0, 740.0).breaks() == ["the training is 26% slower, over 25%"]
    growing = measured(fine, 1000.0, 760.0, memory=[300.0, 300.0, 300.0, 340.0])
    assert growing.breaks() == ["the server's memory grew by 40 MB in the second half"]
    assert len(measured([], 1000.0, 760.0).breaks()) == 1  # no update at all does not hold


def test_the_viewers_clock_stands_still_while_they_rest():
    async def scenario() -> tuple[float, float, bool]:
        clock = viewers.Clock()
        clock.watch()
        clock.rest()
        before = clock.now()
        waiting = asyncio.create_task(clock.wait_until(before + 0.01))
        await asyncio.sleep(0.1)
        while_resting, is_done = clock.now(), waiting.done()
        clock.watch()
        await asyncio.wait_for(waiting, 60)
        assert clock.now() >= before + 0.01
        return before, while_resting, is_done

    before, while_resting, is_done = asyncio.run(scenario())
    assert while_resting == before
    assert not is_done


def test_the_viewers_clock_counts_the_time_of_watching_only(monkeypatch):
    moments = iter([10.0, 11.0, 14.0, 20.0, 25.0])
    monkeypatch.setattr(viewers.time, "monotonic", lambda: next(moments))
    clock = viewers.Clock()  # at 10
    clock.watch()  # from 11
    clock.rest()  # from 14
    begin = clock.now()
    clock.watch()  # from 20
    assert clock.now() - begin == 25.0 - 20.0


def test_visits_hold_only_where_little_memory_and_no_exception_is_left_behind():
    fine, broken = visits.Answer(0.1, 0, True), visits.Answer(0.1, 2, True)
    assert [line.rpartition(": ")[2] for line in visits.verdict(49.0, [fine], 0)] == ["holds"] * 3
    assert [line.rpartition(": ")[2] for line in visits.verdict(51.0, [fine, broken], 1)] == ["BREAKS"] * 3


def test_a_finding_is_accounted_for_by_a_fault_of_its_own_run_and_kind_only():
    aside = Finding("one", "loose end", "state-3.damaged is a checkpoint that was damaged and set aside. It may be")
    lost = Finding("one", "damage", "the checkpoint state-3.safetensors was damaged and set aside")
    elsewhere = Finding("two", "loose end", aside.sentence)
    harmed = {"one": {"byte flipped"}, "two": {"worker killed"}}
    assert soak.sort_out([aside, lost, elsewhere], harmed) == ([aside], [lost, elsewhere])
    assert soak.sort_out([aside], {}) == ([], [aside])


def test_what_faults_leave_behind_is_said_of_faults_that_there_are():
    assert set(LEAVES_BEHIND) <= set(FAULTS)
