"""The Segment page without a browser: empty, with a network, with hostile ink; what it works out, against oracles."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import streamlit as st

from core.config import TrainConfig
from core.errors import DataError
from core.worker import work
from pages.ui import canvas, field, state
from tests.pages.conftest import button, text_of

SMALL = {"train_size": 100, "batch_size": 20, "epochs": 1, "width": 8, "threads": 1}


@pytest.fixture
def network(store):
    """A run of an FCN that has learned next to nothing."""
    run = store.create(TrainConfig(model="fcn", dataset="mnist-mini-scenes", **SMALL), "little FCN")
    assert work(run) == "finished"
    return run


def stroke():
    ink = np.zeros((64, 64), np.uint8)
    cv2.line(ink, (30, 12), (30, 44), 255, 4)
    return ink


def test_without_a_network_it_says_how_to_get_one_and_the_canvas_is_there(open_page):
    app = open_page("segment")
    assert "Train one" in text_of(app)
    assert button(app, "Random scene").disabled


def test_an_empty_field_says_so(open_page, network):
    assert "The field is empty" in text_of(open_page("segment"))


def test_a_random_scene_is_shown_with_its_truth_and_stands_in_the_address(open_page, network):
    app = open_page("segment")
    button(app, "Random scene").click().run()
    assert not app.exception
    assert "Intersection over union" in text_of(app)
    seed = app.query_params["scene"][0]
    again = text_of(open_page("segment", scene=seed))
    assert f"Random scene {int(seed):,}" in again


@pytest.mark.parametrize("seed", ["-1", "abc", "9" * 30, "<b>", ""])
def test_an_address_of_no_scene_is_an_empty_field(open_page, network, seed):
    assert "The field is empty" in text_of(open_page("segment", scene=seed))


@pytest.mark.parametrize(
    "payload", [{"drawn": 5}, {"drawn": {"ink": "A" * 10, "number": 1, "version": 0, "pixel": None}}]
)
def test_what_no_canvas_says_is_refused_in_words(open_page, network, monkeypatch, payload):
    read = canvas.read

    def hostile(key, version):
        st.session_state["hostile"] = payload
        return read("hostile", version)

    monkeypatch.setattr(canvas, "read", hostile)
    app = open_page("segment")
    assert "The canvas sent" in text_of(app).replace("\\", "")


def test_ink_is_read_and_the_others_are_asked(open_page, network, trained):
    app = open_page("segment")
    app.session_state[state.INK] = stroke()
    app.run()
    assert "The field is empty" not in text_of(app)
    button(app, "Ask the MLP and the CNN").click().run()
    assert not app.exception
    table = app.dataframe[0].value
    assert table["network"].tolist() == [trained.name, "this FCN"]
    button(app, "Move the drawing around").click().run()
    assert not app.exception


def test_a_network_of_the_reports_kind_comes_with_its_explanation(open_page, store):
    pytest.importorskip("torch")
    run = store.create(TrainConfig(model="fcn", dataset="mnist-everywhere", **SMALL), "as in the report")
    run.set_status(state="finished")
    import torch

    from core import models

    torch.manual_seed(0)
    run.save_weights(models.build("fcn", (1, 64, 64), 11, width=8).state_dict(), 1)
    app = open_page("segment")
    app.session_state[state.INK] = stroke()
    app.run()
    assert "the lab report's did" in text_of(app)
    assert "of the black pixels" in text_of(app)


def test_damaged_weights_are_a_sentence(open_page, network):
    (network.path / "model.safetensors").write_bytes(b"\x00" * 100)
    app = open_page("segment")
    app.session_state[state.INK] = stroke()
    app.run()
    assert not app.exception
    assert app.error


# What it works out


def test_iou_of_a_scene_by_hand():
    truth, labels = np.full((64, 64), 10, np.uint8), np.full((64, 64), 10, np.uint8)
    truth[:10, :10], labels[:10, :5] = 3, 3  # half of it found
    truth[20:30, :10], labels[20:30, :10] = 7, 7
    assert field.scene_iou(labels, truth) == pytest.approx((0.5 + 1) / 2)


def test_the_same_seed_makes_the_same_scene():
    (first, truth), (again, same) = field.scene(7), field.scene(7)
    assert np.array_equal(first, again)
    assert np.array_equal(truth, same)
    assert not np.array_equal(first, field.scene(8)[0])


def test_an_upload_without_ink_is_refused_and_one_with_ink_is_fitted():
    def png(pixels):
        return cv2.imencode(".png", pixels)[1].tobytes()

    with pytest.raises(DataError, match="no ink"):
        field.ink_of_upload(png(np.full((40, 40), 200, np.uint8)))
    paper = np.full((120, 60), 255, np.uint8)
    paper[20:100, 25:35] = 0
    ink = field.ink_of_upload(png(paper))
    assert ink.shape == (64, 64)
    assert ink[32, 31] == 255


def test_only_networks_with_weights_are_offered(store, network, trained):
    store.create(TrainConfig(model="fcn", dataset="mnist-mini-scenes", **SMALL), "not trained")
    assert [run.id for run in field.segmenters()] == [network.id]
    assert [run.id for run in field.classifiers()] == [trained.id]
