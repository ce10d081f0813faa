"""The Segment page without a browser: empty, with a network, with hostile ink; what it works out, against oracles."""

from __future__ import annotations

import re
import shutil

import cv2
import numpy as np
import pytest
import streamlit as st
import torch
from torch import nn
from torch.nn import functional

from core import models
from core.config import TrainConfig
from core.errors import DataError
from core.worker import work
from pages.ui import canvas, field, state, words
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


class LeftIsThree(nn.Module):
    """Calls ink in the left half of a field a 3, other ink a 5. forward: [N, 1, 64, 64] -> [N, 11, 64, 64]."""

    def forward(self, images):
        labels = torch.where(torch.arange(64) < 32, 3, 5)
        return sure(torch.where(images[:, 0] > 0.5, labels, 10), 11).permute(0, 3, 1, 2)


class TopIsThree(nn.Module):
    """Calls an image a 3 whose ink begins in the top half, others a 5. forward: [N, 1, 28, 28] -> [N, 10]."""

    def forward(self, images):
        first = (images[:, 0].amax(2) > 0.2).int().argmax(1)  # [N, 1, 28, 28] -> [N]
        return sure(torch.where(first < 14, 3, 5), 10)


def sure(labels, classes):
    """Logits of these classes, a last dimension more, without a doubt."""
    return 50.0 * functional.one_hot(labels, classes)


@pytest.fixture
def known_networks(network, trained, monkeypatch):
    """Networks in place of those two of which it is known what they read where."""
    known = {network.id: LeftIsThree(), trained.id: TopIsThree()}
    monkeypatch.setattr(field, "network", lambda run: known[run.id])
    return network, trained


def test_ink_is_read_the_others_are_asked_and_the_drawing_is_moved_around(open_page, known_networks):
    app = open_page("segment")
    app.session_state[state.INK] = stroke()  # in the left half, from the top half on
    app.run()
    assert "The field is empty" not in text_of(app)
    button(app, "Ask the MLP and the CNN").click().run()
    assert not app.exception
    network, other = known_networks
    assert app.dataframe[0].value.to_numpy().tolist() == [
        [other.name, "3 (100%)", "3 (100%)"],
        ["this FCN", "3, where they stand", ""],
    ]
    button(app, "Move the drawing around").click().run()
    assert not app.exception
    assert "still reads **3**" in text_of(app)
    captions = [image.caption for strip in app.get("image") for image in strip.proto.imgs]
    assert captions == [f"{words.md(network.name)}: 44% of 81 places", f"{words.md(other.name)}: 78% of 81 places"]
    app.run()
    assert "still reads **3**" in text_of(app), "it stays while the drawing does"
    app.session_state[state.INK] = stroke()[::-1].copy()
    app.run()
    assert "still reads" not in text_of(app), "of another drawing it says nothing"


def test_of_each_network_the_most_accurate_is_asked_not_the_newest(open_page, trained, store):
    weak = store.get(shutil.copytree(trained.path, store.root / "20990101-000000-weak").name)
    metrics = weak.path / "metrics.jsonl"
    metrics.write_text(re.sub(r'"val_accuracy": [\d.]+', '"val_accuracy": 0.01', metrics.read_text()))
    open_page("segment")
    assert store.list()[0].id == weak.id
    assert [run.id for run in field.classifiers()] == [trained.id]


def test_what_is_read_at_81_places_is_told_of_the_place_where_it_was_read(known_networks):
    network, other = known_networks
    right = {run.name: grid for run, grid in field.shift_test(network, stroke(), 3)}
    left_half = [x < 32 for x in field.PLACES]  # in the middle both halves of the ink are read apart
    assert right[network.name].tolist() == [left_half] * 9
    in_top_half = [y - 17 < 32 for y in field.PLACES]  # the stroke begins 17 or 18 pixels above its middle
    assert right[other.name].tolist() == [[is_in] * 9 for is_in in in_top_half]


def test_an_opinion_is_of_the_squeezed_field_and_of_the_centred_ink(known_networks):
    ink = np.zeros((64, 64), np.uint8)
    ink[40:60, 6:10] = 255  # begins in the bottom half; centred, 4 pixels below the top
    (opinion,) = field.opinions(ink)
    assert opinion.run.id == known_networks[1].id
    assert (opinion.squeezed, opinion.centred) == ((5, 1.0), (3, 1.0))


def test_a_network_of_the_reports_kind_comes_with_its_explanation(open_page, store):
    run = store.create(TrainConfig(model="fcn", dataset="mnist-everywhere", **SMALL), "as in the report")
    run.set_status(state="finished")
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
