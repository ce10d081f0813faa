"""Figures against hand arithmetic and against Plotly's own schema."""

from __future__ import annotations

import json
import re

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.metrics import Metrics, MetricsReader
from pages.ui import charts
from pages.ui.charts import Curve, View, best_epoch, figure, in_words, plain
from pages.ui.series import smooth, thin
from tests.pages.conftest import events

KINDS = ("loss", "accuracy", "lr", "speed")


@pytest.fixture
def curve(tmp_path):
    """Five epochs of eight steps, half a second each; the best epoch is the fourth."""

    def make(run_id="a", label="a", epochs=5):
        path = tmp_path / f"{run_id}.jsonl"
        path.write_text("".join(f"{json.dumps(line)}\n" for line in events(epochs)))
        return Curve(run_id, label, MetricsReader(path).read())

    return make


def trace(drawn, name):
    return next(each for each in drawn["data"] if each["name"] == name and each.get("showlegend", True))


@given(arrays.arrays(np.float64, st.integers(2, 4000), elements=st.floats(allow_infinity=False)), st.integers(20, 300))
def test_thinning_keeps_first_last_least_greatest_and_the_best_and_no_more_than_asked(values, most):
    best = len(values) // 3
    places = thin(values, most, keep=(best,))
    assert len(places) <= max(most, 0)
    assert (np.diff(places) > 0).all()
    assert {0, len(values) - 1, best} <= set(places.tolist())
    if not np.isnan(values).all():
        assert np.nanmin(values[places]) == np.nanmin(values)
        assert np.nanmax(values[places]) == np.nanmax(values)


def test_a_growing_curve_keeps_the_points_that_it_has_while_a_stretch_stays_as_long():
    values = np.random.default_rng(0).normal(size=2100)
    before, after = thin(values[:2000], 1500), thin(values, 1500)
    assert set(before[before < 1990].tolist()) <= set(after.tolist())


def test_smoothing_is_the_unbiased_moving_average():
    # by hand, strength 0.5: 4; (0.5*4*0.5 + 0.5*2) / 0.75 = 8/3; ((0.5*(0.5*4*0.5+0.5*2)) + 0.5*0) / 0.875 = 8/7
    assert smooth(np.array([4.0, 2.0, 0.0]), 0.5) == pytest.approx([4, 8 / 3, 8 / 7])


def test_smoothing_leaves_a_constant_alone_and_passes_over_a_gap():
    assert smooth(np.full(50, 3.0), 0.9) == pytest.approx(np.full(50, 3.0))
    assert smooth(np.array([2.0, np.nan, 2.0]), 0.9) == pytest.approx([2, 2, 2])


def test_no_smoothing_changes_nothing():
    values = np.array([1.0, np.nan, 3.0])
    assert smooth(values, 0.0) is values


@pytest.mark.parametrize(
    ("axis", "training", "validation"),
    [("step", [1, 40], [8, 40]), ("epoch", [0.125, 5], [1, 5]), ("time", [0.5, 20], [4, 20])],
)
def test_x_is_steps_epochs_or_seconds_for_both_lines(curve, axis, training, validation):
    drawn = figure("loss", [curve()], View(x=axis, smoothing=0))
    assert trace(drawn, "training")["x"][[0, -1]].tolist() == training
    assert trace(drawn, "validation")["x"][[0, -1]].tolist() == validation


def test_a_long_training_is_drawn_in_minutes():
    seconds = {"seconds": [60.0, 1200.0], "loss": [1.0, 2.0]}
    drawn = figure("loss", [Curve("long", "long", Metrics(1, seconds, {}))], View(x="time"))
    assert drawn["data"][0]["x"].tolist() == [1.0, 20.0]
    assert "minutes" in drawn["layout"]["xaxis"]["title"]["text"]


def test_the_star_is_at_the_epoch_of_the_lowest_validation_loss_on_loss_and_accuracy(curve):
    assert best_epoch(curve().metrics.epochs) == 3
    for kind, value in (("loss", 0.25), ("accuracy", 1 - 0.25 / 4)):
        drawn = figure(kind, [curve()], View())
        star = next(each for each in drawn["data"] if each.get("marker", {}).get("symbol") == "star")
        assert (star["x"].tolist(), star["y"].tolist()) == ([4], [value])
        assert "epoch 4" in drawn["layout"]["annotations"][0]["text"]


def test_on_a_log_axis_the_words_stand_where_the_star_stands(curve):
    note = figure("loss", [curve()], View(log=True))["layout"]["annotations"][0]
    assert note["y"] == pytest.approx(np.log10(0.25))


def test_training_is_dashed_validation_solid_and_no_two_runs_differ_by_colour_alone(curve):
    drawn = figure("accuracy", [curve(str(n), f"run {n}") for n in range(8)], View())
    training = [each for each in drawn["data"] if each["name"].endswith("training") and each.get("opacity") is None]
    validation = [each for each in drawn["data"] if each["mode"] == "lines+markers"]
    assert len({each["line"]["dash"] for each in training}) == len({each["line"]["color"] for each in training}) == 8
    assert len({each["marker"]["symbol"] for each in validation}) == 8
    assert all("dash" not in each["line"] for each in validation)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", charts.X_AXES)
def test_plotly_itself_accepts_every_figure(curve, kind, axis):
    go.Figure(figure(kind, [curve(), curve("b", "b", 0), curve("c", "<b>c</b>", 1)], View(x=axis, log=True)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_metrics_has_an_empty_figure_and_words(kind):
    nothing = Curve("none", "none", Metrics())
    go.Figure(figure(kind, [nothing], View()))
    assert in_words(kind, [nothing])


def test_no_trace_has_more_than_1500_points():
    numbers = list(np.random.default_rng(0).normal(size=6000))
    steps = dict.fromkeys(("step", "epoch", "seconds", "loss", "accuracy", "lr", "images_per_second"), numbers)
    epochs = dict.fromkeys(("step", "epoch", "seconds", "val_loss", "val_accuracy"), numbers)
    for kind in KINDS:
        drawn = figure(kind, [Curve("many", "many", Metrics(1, steps, epochs))], View())
        assert max(len(each["x"]) for each in drawn["data"]) <= 1500


def test_a_figure_is_made_once_for_all_and_again_when_the_run_has_grown(curve):
    assert figure("loss", [curve()], View()) is figure("loss", [curve()], View())
    assert figure("loss", [curve(epochs=5)], View()) is not figure("loss", [curve(epochs=4)], View())


def test_a_name_is_no_html_in_plotly(curve):
    assert plain("<a href='x'>&") == "&lt;a href='x'&gt;&amp;"
    drawn = figure("loss", [curve(label="<b>x</b>"), curve("b")], View())
    assert not [each for each in drawn["data"] if re.search("<b>", each["name"])]


def test_the_words_name_the_values_that_the_chart_shows(curve):
    words = in_words("accuracy", [curve(), curve("b")])
    assert "75.0% after the first" in words
    assert "62.5% after the last" in words
    assert "93.8% at the best epoch (4)" in words
    assert "1 other run " in words
