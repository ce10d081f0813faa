"""The guided tour: a guess, then what the runs say, whatever that is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core import models
from core.config import TrainConfig
from core.explain.faithfulness import Faithfulness
from pages.ui import state, tour
from tests.made import answered, segmented
from tests.pages.conftest import button, text_of


@pytest.fixture
def make(tmp_path):
    """Makes a reference run of which so many of 1,000 answers are right."""
    return lambda model, dataset, right, **more: answered(tmp_path / "shipped", model, dataset, right, **more)


def guess(app, option):
    """Guess an option of the experiment that is shown, and ask for the result."""
    (question,) = app.radio
    question.set_value(option).run()
    button(app, "Show the result").click().run()
    assert not app.exception
    return app


def links(app):
    """The links of a page: label and query string."""
    return {link.proto.label: link.proto.query_string for link in app.get("page_link")}


def verdict(app):
    return [box.value for box in (*app.success, *app.info) if box.value.startswith("You guessed")]


def assert_verdict(app, number, guessed, right):
    """The guess is held against what is right, in words."""
    options = tour.EXPERIMENTS[number].options
    if guessed == right:
        assert verdict(app) == [f"You guessed **{options[guessed]}**, and so it came out."]
    else:
        assert verdict(app) == [
            f"You guessed **{options[guessed]}**. It came out otherwise: **{options[right]}**.",
        ]


@pytest.mark.parametrize("number", tour.EXPERIMENTS)
def test_without_runs_it_says_what_to_train_and_leads_to_the_filled_form(open_page, number):
    app = open_page("home", experiment=str(number))
    assert f"Experiment {number}:" in text_of(app)
    assert "This experiment needs" in text_of(app)
    assert not app.radio
    to_train = [query for label, query in links(app).items() if label.startswith("Train ")]
    assert to_train
    assert all("model=" in query and "-mini" in query and "recipe=quick" in query for query in to_train)


def test_the_result_waits_for_a_guess(open_page, make):
    first_pair(make, 900, 950, 600, 850)
    app = open_page("home")
    assert button(app, "Show the result").disabled
    app.radio[0].set_value("digits").run()
    assert not button(app, "Show the result").disabled
    assert "points (95 %" not in text_of(app)


def first_pair(make, mlp_digits, cnn_digits, mlp_photos, cnn_photos):
    for seed in range(3):
        spread = (0, 1, -1)[seed]
        make("mlp", "mnist", mlp_digits + spread, seed=seed)
        make("cnn", "mnist", cnn_digits + spread, seed=seed)
        make("mlp", "cifar10", mlp_photos + spread, seed=seed)
        make("cnn", "cifar10", cnn_photos + spread, seed=seed)


@pytest.mark.parametrize(("figures", "right"), [
    ((900, 950, 600, 850), "photos"),
    ((800, 950, 600, 610), "digits"),
    ((900, 920, 800, 820), "alike"),
    ((900, 850, 600, 500), "nowhere"),
])  # fmt: skip
def test_where_the_cnn_gains_is_computed_from_the_runs(open_page, make, figures, right):
    first_pair(make, *figures)
    app = guess(open_page("home"), "photos")
    assert_verdict(app, 1, "photos", right)
    mlp, cnn = figures[0] / 1000, figures[1] / 1000
    assert f"| MNIST | {mlp:.2%} | {cnn:.2%} | {(cnn - mlp) * 100:+.2f} |" in text_of(app)
    assert "with 3 seeds" in text_of(app)


@pytest.mark.parametrize(("convnet", "resnet", "right"), [(850, 930, "resnet"), (930, 850, "convnet"),
                                                           (900, 903, "same")])  # fmt: skip
def test_skip_connections_are_judged_by_a_test_and_one_training_is_called_one(open_page, make, convnet, resnet, right):
    make("convnet", "cifar10", convnet)
    make("resnet", "cifar10", resnet)
    app = guess(open_page("home", experiment="2"), "same")
    assert_verdict(app, 2, "same", right)
    assert ("not distinguishable" in text_of(app)) == (right == "same")
    assert "one training of each" in text_of(app)
    assert "75.37% without and 82.21% with skip connections" in text_of(app)
    assert ("a gap larger than here" in text_of(app)) == (right == "same")
    (query,) = [query for label, query in links(app).items() if "their curves" in label]
    assert query == "runs=ref-cifar10-convnet-fast-0&runs=ref-cifar10-resnet-fast-0"


def field(share):
    """A scene with a 3 of 100 pixels, that share of them called so."""
    label = np.full((1, 64, 64), 10, np.uint8)
    label[0, :10, :10] = 3
    prediction = label.copy()
    prediction[0, :10, :10].flat[round(share * 100) :] = 5
    return prediction, label


@pytest.mark.parametrize(("share", "right"), [(0.4, "half"), (0.6, "most"), (0.8, "nearly"), (0.95, "all")])
def test_how_many_pixels_are_right_is_counted(open_page, tmp_path, share, right):
    run = segmented(tmp_path / "shipped", *field(share))
    app = guess(open_page("home", experiment="3"), "half")
    assert_verdict(app, 3, "half", right)
    text = text_of(app)
    assert f"**{share:.1%}** of the pixels of digits" in text
    assert "a network that says background everywhere" in text
    assert "of the pixels of a 3 are called 5" in text
    assert links(app)["Try it yourself: draw digits"] == "scene=1"
    assert [image.alt for element in app.image for image in element.proto.imgs][1].endswith("In truth: 3.")
    assert run.is_shipped


@pytest.mark.parametrize(("deletion", "right"), [(0.2, "faster"), (0.48, "same"), (0.8, "slower")])
def test_a_map_is_put_to_the_test(open_page, store, monkeypatch, deletion, right):
    from pages.ui import cam

    run = store.create(TrainConfig(model="resnet", dataset="cifar10-mini", recipe="quick", width=4))
    torch.manual_seed(0)  # untrained weights may argue for nothing; these do not
    run.save_weights(models.build("resnet", (3, 32, 32), 10, width=4).state_dict(), step=1)
    run.set_status(state="finished", started=1.0)
    monkeypatch.setattr(cam, "faithful", lambda *_: Faithfulness(deletion, 0.5, 0.5, 0.05, 0.5, 0.05))
    app = guess(open_page("home", experiment="4"), "faster")
    assert_verdict(app, 4, "faster", right)
    assert f"**{deletion:.0%}** on average" in text_of(app)
    (query,) = [query for label, query in links(app).items() if "other decisions" in label]
    assert query.startswith(f"models={run.id}&image=")


def test_answers_that_cannot_be_read_are_a_sentence(open_page, make):
    first_pair(make, 900, 950, 600, 850)
    (make("mlp", "mnist", 900, seed=4).path / "predictions.npz").write_bytes(b"short")
    app = guess(open_page("home"), "photos")
    assert any("read" in box.value and "Evaluate it again" in box.value for box in app.info)
    assert not verdict(app)


def test_scenes_that_cannot_be_read_are_a_sentence_before_and_after_the_guess(open_page, tmp_path):
    run = segmented(tmp_path / "shipped", *field(0.9))
    (run.path / "predictions.npz").write_bytes(b"short")
    app = open_page("home", experiment="3")
    assert "Evaluate it again" in text_of(app)
    assert "Evaluate it again" in text_of(guess(app, "all"))
    assert not verdict(app)


def test_the_address_names_the_experiment_and_next_goes_on(open_page, make):
    first_pair(make, 900, 950, 600, 850)
    app = open_page("home")
    assert "experiment" not in app.query_params  # an address that nobody asked for stays short
    guess(app, "photos")
    assert "1 of 4 done" in text_of(app)
    button(app, "Next experiment").click().run()
    assert "Experiment 2:" in text_of(app)
    assert app.query_params["experiment"] == "2"


def test_what_was_guessed_stays_in_the_tab_and_can_be_forgotten(open_page, make):
    first_pair(make, 900, 950, 600, 850)
    app = guess(open_page("home"), "digits")
    app.query_params.clear()
    app.switch_page("segment.py").run()
    app.query_params.clear()
    app.switch_page("home.py").run()
    assert verdict(app)
    button(app, "Guess again").click().run()
    assert not verdict(app)
    assert app.radio[0].value is None
    assert "0 of 4 done" in text_of(app)


def test_next_is_what_is_not_done_yet_and_the_end_is_said(open_page, make):
    first_pair(make, 900, 950, 600, 850)
    app = open_page("home")
    app.session_state[state.GUESSES] = {1: "photos", 2: "same", 4: "same"}
    app.run()
    button(app, "Next experiment").click().run()
    assert "Experiment 3:" in text_of(app)
    app.session_state[state.GUESSES] = {1: "photos", 2: "same", 3: "all", 4: "same"}
    app.session_state[tour.WIDGET] = 1
    app.run()
    assert "That was the whole tour" in text_of(app)
    assert "Next experiment" not in [element.label for element in app.button]


def test_a_linked_experiment_comes_first_and_nonsense_is_the_first_one(open_page):
    app = open_page("home", experiment="3")
    assert "Experiment 3:" in text_of(app)
    assert next(element.value for element in app.header) == "Guided tour"
    for nonsense in ("5", "0", "x", "٣"):
        assert "Experiment 1:" in text_of(open_page("home", experiment=nonsense))
