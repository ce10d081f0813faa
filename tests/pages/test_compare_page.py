"""The Compare page: every state of a store, what is picked, what is said of a difference, and what is taken along."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from core.answers import Answers, answers_of
from core.comparison import rows
from core.config import TrainConfig
from core.files import write_json
from core.runs import STATES, places
from core.statistics import Difference, Interval, calibration
from core.summaries import Summaries
from core.tables import as_csv
from pages.ui import bands, charts, differ, reliability, report, table, words
from tests.pages.conftest import button, events, text_of


@pytest.fixture
def tested(make_run):
    """Makes a finished run with answers of which so many of 1,000 are right."""

    def make(right, name="", seed=0, digest="same"):
        run = make_run("finished", name, parameters=5, multiply_adds=7)
        label = np.zeros(1000, np.uint8)
        prediction = np.random.default_rng(seed).permutation((np.arange(1000) >= right).astype(np.uint8))
        probability = np.full((1000, 10), 0.1, np.float16)
        np.savez(run.path / "predictions.npz", prediction=prediction, label=label, probability=probability)
        figures = {"accuracy": right / 1000, "loss": 1, "images": 1000, "opened": [1.0], "data_sha256": digest}
        write_json(run.path / "test.json", figures)
        return run

    return make


def test_an_empty_store_says_what_to_do_next(open_page):
    assert "No runs yet" in text_of(open_page("compare"))


@pytest.mark.parametrize("state", [state for state in STATES if state != "damaged"])
def test_a_run_in_every_state_has_its_row(open_page, make_run, state):
    make_run(state, "mine")
    frame = open_page("compare").dataframe[0].value
    assert frame["run"].tolist() == ["mine"]
    assert frame["state"].tolist() == ["interrupted" if state == "running" else state]


@pytest.mark.parametrize("file", ["config.json", "status.json", "metrics.jsonl", "test.json", "predictions.npz"])
def test_a_damaged_run_never_breaks_the_page(open_page, tested, file):
    one, other = tested(900, "one"), tested(800, "other")
    (one.path / file).write_bytes(b"\x00{")
    app = open_page("compare", runs=one.id, fold="false")
    assert len(app.dataframe[0].value) == 2
    open_page("compare", runs=[one.id, other.id], fold="false")


def test_the_address_picks_rows_and_their_difference_is_put_in_words(open_page, tested):
    good, bad = tested(930, "good", 1), tested(850, "bad", 2)
    text = text_of(open_page("compare", runs=[bad.id, good.id], fold="false"))
    assert "**good** is **better** than **bad** by 8.0 points (95 %:" in text
    assert "McNemar" in text
    assert "opened once" in text


def test_runs_that_answered_different_images_are_not_compared(open_page, tested):
    one, other = tested(930, "one"), tested(850, "other", digest="another")
    text = text_of(open_page("compare", runs=[one.id, other.id], fold="false"))
    assert "tested on different images" in text


def test_one_picked_row_asks_for_another(open_page, tested):
    text = text_of(open_page("compare", runs=tested(930, "one").id))
    assert "Pick two rows" in text


def test_nothing_picked_says_what_picking_does(open_page, tested):
    tested(930)
    assert "Pick one row or more" in text_of(open_page("compare"))


def test_folded_seeds_are_one_row(open_page, tested):
    for right in (900, 910, 920):
        tested(right)
    frame = open_page("compare").dataframe[0].value
    assert len(frame) == 1
    assert frame["seeds"].tolist() == ["0"]  # the same seed three times counts once
    assert len(open_page("compare", fold="false").dataframe[0].value) == 3


def test_hidden_runs_are_shown_only_when_asked_for(open_page, make_run):
    make_run(name="seen")
    make_run(name="unseen").hide(True)
    app = open_page("compare", fold="false")
    assert app.dataframe[0].value["run"].tolist() == ["seen"]
    app.toggle(key="hidden").set_value(True).run()
    assert sorted(app.dataframe[0].value["run"]) == ["seen", "unseen"]


def test_filters_that_nothing_passes_say_so(open_page, store, make_run):
    make_run("finished")
    store.create(TrainConfig(model="cnn")).hide(True)
    app = open_page("compare")
    app.multiselect(key="state").select("finished").run()
    assert app.dataframe[0].value["state"].tolist() == ["finished"]
    app.multiselect(key="model").select("cnn").run()
    assert not app.exception
    assert not app.dataframe
    assert "No run passes these filters" in text_of(app)
    app.toggle(key="hidden").set_value(True).run()
    assert app.dataframe[0].value["model"].tolist() == ["cnn"]


def test_the_address_brings_back_the_filters(open_page, make_run):
    make_run("finished", "done")
    make_run("failed", "broken")
    make_run(name="unseen").hide(True)
    assert open_page("compare", fold="false", state="failed").dataframe[0].value["run"].tolist() == ["broken"]
    shown = open_page("compare", fold="false", state="finished", hidden="true").dataframe[0].value["run"]
    assert sorted(shown) == ["done", "unseen"]
    assert len(open_page("compare", fold="false", state="nonsense").dataframe[0].value) == 2


NAMES = ["<b>bold</b>", "a, b; c", "=SUM(A1)", "\u202eright to left", "x" * 4000, "| bar | `code` |"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_is_shown_and_exported_as_text(open_page, store, tested, name):
    first, second = tested(900, name, 1), tested(905, "other", 2)
    app = open_page("compare", runs=[first.id, second.id], fold="false")
    assert "<b>bold" not in text_of(app)
    exported = table.as_text(rows(Summaries(store).all(), fold=False))
    read = list(csv.reader(io.StringIO(as_csv(exported))))
    assert len(read) == 3
    assert not any(cell.startswith(("=", "@")) for row in read for cell in row)


def test_a_verdict_names_the_better_first_and_says_when_there_is_none():
    clear = Difference(-0.014, Interval(-0.019, -0.009), "seeds", None)
    assert words.verdict("ConvNet", "ResNet", clear, 3) == (
        "**ResNet** is **better** than **ConvNet** by 1.4 points (95 %: 0.9 to 1.9), with 3 seeds."
    )
    open_ = Difference(0.002, Interval(-0.004, 0.008), "seeds", None)
    assert "**not distinguishable** with 3 seeds: they differ by 0.2 points (95 %: -0.4 to 0.8)" in words.verdict(
        "A", "B", open_, 3
    )


def test_a_band_lies_between_the_worst_and_the_best_seed(make_run):
    runs = [make_run(epochs=epochs) for epochs in (3, 5)]
    curves = tuple(charts.Curve(run.id, "x", run.metrics()) for run in runs)
    figure = bands.figure("loss", [bands.Band("both", curves)], charts.View())
    band, training, validation = figure["data"]
    losses = np.stack([run.metrics().epochs["val_loss"][:3] for run in runs])
    assert validation["y"].tolist() == pytest.approx(losses.mean(axis=0).tolist())
    assert band["y"].tolist() == pytest.approx([*losses.max(axis=0), *losses.min(axis=0)[::-1]])
    assert training["line"]["dash"] != "solid"
    alone = bands.figure("loss", [bands.Band("one", curves[:1])], charts.View())
    assert len(alone["data"]) == 2
    last = losses[:, -1].mean()
    assert f"both: {last:.3f} after 3 epochs" in bands.in_words("loss", [bands.Band("both", curves)])


def test_every_column_of_the_table_has_its_numbers_its_text_and_its_drawing(store, tested):
    tested(900, "one")
    found = rows(Summaries(store).all(), fold=False)
    head, line = table.as_text(found)
    assert len(head) == len(line) == len(table.COLUMNS) - 1
    assert dict(zip(head, line, strict=True))["test accuracy"] == "90.00%"
    assert dict(zip(head, line, strict=True))["95 % interval"] == "87.98 to 91.71"  # Wilson, 900 of 1,000
    assert set(table.drawing()) == set(table.frame(found).columns)
    assert "1 row" in table.in_words(found)


def test_the_table_can_be_taken_along(open_page, tested):
    tested(900)
    labels = [element.label for element in open_page("compare").get("download_button")]
    assert labels == ["Export CSV", "Export Markdown", "Export LaTeX"]


def test_a_report_holds_table_figures_and_configs_and_no_name_breaks_out_of_it():
    name = "</script><script>alert(1)</script>"
    figure = {"data": [{"x": np.arange(2.0), "name": name}], "layout": {}}
    verdict = words.verdict(name, "other", Difference(0.1, Interval(0.05, 0.15), "seeds", None), 3, report.bold)
    text = report.html([["run"], [name]], [verdict], {"Loss": (figure, name)}, {name: {"config": {"model": name}}})
    own = text.replace(report.LIBRARY.read_text(encoding="utf-8"), "")
    assert "is <b>better</b> than <b>other</b> by 10.0 points (95 %: 5.0 to 15.0), with 3 seeds.</li>" in own
    assert "alert(1)</script>" not in own
    assert own.count("<script") == own.count("</script>") == 3
    figures = json.loads(own.partition("id='figures'>")[2].partition("</script>")[0])
    assert figures["figure0"]["data"][0] == {"x": [0.0, 1.0], "name": name}
    assert "http" not in own


def test_a_run_of_5000_epochs_is_drawn_with_few_points_and_its_extremes(open_page, tested):
    run = tested(900, "long")
    lines = events(5_000, steps=1)
    (run.path / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    open_page("compare", runs=run.id, fold="false")
    curve = charts.Curve(run.id, "long", run.metrics())
    figure = bands.figure("loss", [bands.Band("long", (curve, curve))], charts.View("epoch"))
    for trace in figure["data"]:
        assert len(trace["x"]) == len(trace["y"]) <= 1_500
        assert max(trace["x"]) == 5_000
    losses = [line["val_loss"] for line in lines if line["event"] == "epoch"]
    validation = figure["data"][-1]
    assert {min(losses), max(losses), losses[-1]} <= set(validation["y"].tolist())


def test_the_report_of_picked_rows_is_offered(open_page, tested):
    labels = [element.label for element in open_page("compare", runs=tested(900).id).get("download_button")]
    assert labels[-1] == "Export report"


def subjects_of(store):
    return [differ.Subject(row, answers_of(store.get(row.runs[0]))) for row in rows(Summaries(store).all(), fold=False)]


def test_confusion_by_hand_in_counts_shares_and_as_a_difference(store, tested):
    tested(930, "good", 1)
    tested(850, "bad", 2)
    good, bad = sorted(subjects_of(store), key=lambda subject: -subject.row.test_accuracy)
    # All images are zeros; wrong answers say one.
    assert differ.confusion(good, bad, differ.COUNTS)[0, :2].tolist() == [930, 70]
    assert differ.confusion(good, bad, differ.DIFFERENCE)[0, :2].tolist() == [80, -80]
    assert differ.confusion(good, bad, differ.BY_TRUTH)[0, :2].tolist() == [0.93, 0.07]
    assert differ.confusion(good, bad, differ.BY_ANSWER)[0, :2].tolist() == [1.0, 1.0]
    assert differ.confusion(good, bad, differ.BY_ANSWER)[1:].sum() == 0
    table = differ.by_class([good, bad], list("0123456789"))
    assert table.loc["0"].tolist() == [0.93, 0.85]
    assert table.loc["1":].isna().all().all()
    only = differ.only_first_right(good.answers, bad.answers)
    assert (good.answers.right[only] & ~bad.answers.right[only]).all()
    assert len(only) == (good.answers.right & ~bad.answers.right).sum()
    assert len(differ.behind(good.answers, 0, 1)) == len(differ.surest_errors(good.answers)) == 70


def test_the_surest_answers_come_first():
    probability = np.array([[0.6, 0.4], [0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], np.float32)
    answers = Answers(probability.argmax(1).astype(np.uint8), probability, np.array([1, 1, 1, 1], np.uint8), "")
    assert differ.surest_errors(answers).tolist() == [1, 2, 0]


def test_a_picked_run_shows_its_classes_its_confusion_and_its_surest_errors(open_page, trained):
    app = open_page("compare", runs=trained.id)
    text = text_of(app)
    assert "Accuracy by class" in text
    wrong = 2000 - round(trained.test()["accuracy"] * 2000)
    assert f"the surest errors of {words.md(trained.name)}**: {wrong:,} images" in text
    confusion = app.dataframe[2].value
    assert confusion.to_numpy().tolist() == trained.test()["confusion"]


def test_pictures_are_enlarged_pixel_by_pixel():
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = differ.enlarged(picture)
    assert large.shape == (112, 112, 3)
    assert np.array_equal(large[::56, ::56], picture)


def test_the_reliability_diagram_leaves_empty_bins_out_and_says_how_far_off_a_network_is():
    found = calibration(np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, True, True, False]), bins=10)
    figure = reliability.figure({"<b>net</b>": found})
    diagonal, line = figure["data"]
    assert (diagonal["x"], diagonal["y"]) == ([0, 1], [0, 1])
    assert (line["x"].tolist(), line["y"].tolist()) == (pytest.approx([0.55, 0.95]), [0.5, 1.0])
    assert line["name"] == "&lt;b&gt;net&lt;/b&gt;"
    assert "5.0% off on average" in reliability.in_words({"net": found})


def test_a_deleted_run_is_gone_and_undo_brings_it_back(open_page, store, make_run):
    run = make_run(name="precious")
    make_run(name="other")
    app = open_page("compare", runs=run.id, fold="false")
    app.button(key="delete").click().run()
    assert app.dataframe[0].value["run"].tolist() == ["other"]
    button(app, "Undo").click().run()
    assert not app.exception
    assert sorted(app.dataframe[0].value["run"]) == ["other", "precious"]
    assert store.get(run.id).status().state == "finished"


def test_hiding_takes_a_run_out_of_the_table(open_page, store, make_run):
    run = make_run(name="boring")
    make_run(name="other")
    app = open_page("compare", runs=run.id, fold="false")
    app.button(key="hide").click().run()
    assert app.dataframe[0].value["run"].tolist() == ["other"]
    assert store.get(run.id).meta().hidden


def test_a_picked_run_is_renamed_and_tagged(open_page, store, make_run):
    run = make_run(name="first")
    app = open_page("compare", runs=run.id, fold="false")
    app.text_input(key=f"compare-name-{run.id}").set_value("second")
    button(app, "Save the name").click().run()
    assert app.dataframe[0].value["run"].tolist() == ["second"]
    next(box for box in app.multiselect if box.label == "Tags").set_value(["lecture"])
    button(app, "Save the tags").click().run()
    assert not app.exception
    assert app.dataframe[0].value["tags"].tolist() == ["lecture"]
    assert run.meta().tags == ("lecture",)


def test_a_run_that_ships_can_not_be_put_in_order(open_page, trained):
    places.SHIPPED.mkdir()
    trained.path.rename(places.SHIPPED / "ref-cnn")
    app = open_page("compare", runs="ref-cnn")
    assert "stay as they are" in text_of(app)
    assert "Delete" not in [element.label for element in app.button]


def test_a_p_value_is_put_in_words():
    assert words.chances(0.031) == "3.1 of 100 such tests"
    assert words.chances(1e-80) == "fewer than 1 of 10,000 such tests"


def test_the_address_brings_back_the_cell(open_page, trained):
    text = text_of(open_page("compare", runs=trained.id, cell="3-5"))
    assert "**3, answered 5**" in text.replace("\\", "")


@pytest.mark.parametrize("cell", ["", "3", "3-10", "-1-2", "3-5-7", "<b>", "9" * 500 + "-1"])
def test_an_address_of_no_cell_is_none(open_page, trained, cell):
    assert differ.linked_cell(cell, list("0123456789")) is None
    assert "surest errors" in text_of(open_page("compare", runs=trained.id, cell=cell))
