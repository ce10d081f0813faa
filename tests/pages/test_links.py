"""Links from page to page: what a link names is shown, whatever the tab has shown before."""

from __future__ import annotations

import pytest

from core.config import TrainConfig
from pages.ui import form
from tests.pages.conftest import button, text_of


def follow(app, page, **query):
    """Go to a page by a link with these parameters, as the browser does."""
    app.query_params.clear()
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(f"{page}.py").run()
    assert not app.exception
    return app


def chosen_run(app):
    return next(box.value for box in app.selectbox if box.label == "Run")


def test_open_shows_its_run_though_another_was_looked_at_before(open_page, make_run):
    one, other = make_run(name="one"), make_run(name="other")
    app = open_page("train", run=one.id)
    assert chosen_run(app) == one.id
    follow(follow(app, "home"), "train", run=other.id)
    assert chosen_run(app) == other.id
    follow(follow(app, "home"), "train")
    assert chosen_run(app) == other.id  # the menu names no run, so the tab remembers


def test_picked_rows_of_a_link_win_over_those_picked_before(open_page, make_run):
    one, other = make_run(name="one"), make_run(name="other")
    app = open_page("compare", runs=one.id, fold="false")
    follow(follow(app, "home"), "compare", runs=other.id, fold="false")
    assert app.query_params["runs"] == other.id


def test_what_a_page_changes_itself_stays(open_page, make_run):
    one, other = make_run(name="one"), make_run(name="other")
    app = open_page("train", run=one.id)
    next(box for box in app.selectbox if box.label == "Run").set_value(other.id).run()
    app.run()
    assert chosen_run(app) == other.id


def test_runs_of_one_name_and_minute_can_be_told_apart_in_lists_and_each_can_be_picked(open_page, make_run):
    runs = [make_run(name="twins") for _ in range(3)]
    app = open_page("train", run=runs[0].id)
    box = next(box for box in app.selectbox if box.label == "Run")
    assert len(set(box.options)) == len(box.options)
    for run in runs:
        label = next(label for label in box.options if label.endswith(f"({run.id[-4:]})"))
        box.select(label).run()
        box = next(box for box in app.selectbox if box.label == "Run")
        assert (box.value, app.query_params["run"]) == (run.id, run.id)
    others = next(box for box in app.multiselect if box.label == "Compare with")
    assert len(set(others.options)) == len(others.options)


def form_of(app):
    labels = ("Model", "Data set", "Recipe")
    return {box.label: box.value for box in app.selectbox if box.label in labels}


def test_a_link_fills_the_form_once(open_page, store):
    app = open_page("train", model="resnet", dataset="cifar10-mini", recipe="report", seeds="0-2")
    assert form_of(app) == {"Model": "resnet", "Data set": "cifar10-mini", "Recipe": "report"}
    assert next(box.value for box in app.text_input if box.label == "Seeds") == "0-2"
    assert not {"model", "dataset", "recipe", "seeds"} & set(app.query_params)
    next(box for box in app.selectbox if box.label == "Recipe").set_value("quick").run()
    button(app, "Start training").click().run()
    assert not app.exception
    made = [run.config for run in store.list()]
    assert sorted(made, key=lambda config: config.seed) == [
        TrainConfig(model="resnet", dataset="cifar10-mini", recipe="quick", seed=seed) for seed in range(3)
    ]


def test_a_link_with_a_part_of_the_form_leaves_the_rest(open_page):
    assert form_of(open_page("train", model="mlp")) == {"Model": "mlp", "Data set": "mnist-mini", "Recipe": "quick"}


@pytest.mark.parametrize("sent", ["vgg", "<b>", "a" * 5000])
def test_a_link_to_what_nobody_knows_says_so(open_page, sent):
    app = open_page("train", model=sent, recipe="fast")
    assert form_of(app)["Recipe"] == "fast"
    assert form_of(app)["Model"] == "cnn"
    assert "which is not among mlp, cnn" in text_of(app).replace("\\", "")


def test_a_filled_form_follows_its_recipe_again(open_page):
    app = open_page("train")
    app.session_state[form.state.CHANGED_KNOBS] = {"epochs": 3}
    follow(follow(app, "home"), "train", model="mlp", recipe="fast")
    assert not app.session_state[form.state.CHANGED_KNOBS]
