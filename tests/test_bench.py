"""The benchmarks print what they measured; what they measure is never asserted."""

import re
from importlib import import_module

import pytest

from core.__main__ import BENCHMARKS, main
from core.bench import forecast
from core.bench.table import aligned


def test_a_table_is_flush_left_first_and_flush_right_after():
    assert aligned([("a", "b"), ("long", "10"), ("x", "2000")]) == "a        b\nlong    10\nx     2000"


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_on_the_command_line_is_there(name):
    assert callable(import_module(f"core.bench.{name}").main)


def test_an_unknown_benchmark_is_refused(capsys):
    with pytest.raises(SystemExit) as left:
        main(["bench", "speed"])
    assert left.value.code == 2
    assert "forecast" in capsys.readouterr().err


def test_the_forecast_is_printed_beside_what_the_run_took(monkeypatch, capsys, small):
    monkeypatch.setattr(forecast, "cases", lambda: [small])
    assert main(["bench", "forecast"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0].split()[:2] == ["run", "forecast"]
    assert re.search(r"mlp on mnist-mini, seed 0 +[\d.]+ +[\d.]+ +[+-]\d+%", lines[1])
