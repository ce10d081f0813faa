"""The Grad-CAM page without a browser: every state, what is asked, what is said, and what it is drawn from."""

from __future__ import annotations

import dataclasses
import io
import json
import time

import cv2
import numpy as np
import pytest
import streamlit as st
from PIL import Image

from core import checkpoints, data
from core.data.pictures import labels
from core.explain import Following, Stage
from core.explain.faithfulness import Faithfulness
from core.files import write_json
from pages.ui import cam, further, gallery, overlay, said, verdicts, words
from tests.load.explain import make_networks
from tests.pages.conftest import button, text_of

SMALL = {"mlp": 16, "resnet": 4, "cnn": 4, "convnet": 4}


@pytest.fixture(autouse=True)
def _only_the_mini_set(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(cam, "MOST_OF_A_CLASS", 4)
    monkeypatch.setattr(further, "OF_A_CLASS", 5)


@pytest.fixture
def networks(store):
    """A run of each model, by model."""
    make_networks(store, widths=SMALL)
    return {run.config.model: run for run in store.list()}


def add_answers(run, wrong=()):
    """Give a run answers to the test images of the mini set: right but for these places."""
    truth = data.load("cifar10-mini").test.labels.numpy().astype(np.uint8)
    prediction = truth.copy()
    prediction[list(wrong)] = (truth[list(wrong)] + 1) % 10
    probability = np.full((len(truth), 10), 0.05, np.float16)
    probability[np.arange(len(truth)), prediction] = np.linspace(0.5, 0.9, len(truth))
    np.savez(run.path / "predictions.npz", prediction=prediction, label=truth, probability=probability)
    write_json(run.path / "test.json", {"accuracy": 0.9, "opened": [1.0], "data_sha256": "same"})


def test_without_a_network_it_says_how_to_get_one(open_page):
    assert "Train one on" in text_of(open_page("gradcam"))


def test_a_run_without_weights_or_for_other_pictures_is_not_offered(open_page, networks, make_run):
    (networks["cnn"].path / checkpoints.WEIGHTS).unlink()
    make_run("finished", "digits")
    options = open_page("gradcam").multiselect(key="gradcam-networks").options
    assert [option.split()[0] for option in options] == ["convnet", "resnet", "mlp"]


def test_convnet_and_resnet_stand_side_by_side_first(open_page, networks):
    app = open_page("gradcam", judge="false")
    text = text_of(app)
    assert text.index("convnet on cifar10\\-mini") < text.index("resnet on cifar10\\-mini")
    assert len(app.image) == 2
    assert "7 x 7 places" in text
    assert "test image" in text


def test_side_by_side_first_stand_two_of_the_same_recipe(open_page, store):
    make_networks(store, widths={"resnet": 4, "convnet": 4}, recipe="quick")
    make_networks(store, widths={"resnet": 4}, recipe="best")
    open_page("gradcam", judge="false")
    assert [run.config.recipe for run in store.list()].count("best") == 1
    assert [(each.model, each.run.config.recipe) for each in cam.first_choice(cam.offered())] == [
        ("convnet", "quick"),
        ("resnet", "quick"),
    ]


def test_networks_of_one_name_are_told_apart(open_page, store):
    make_networks(store, widths={"cnn": 4})
    make_networks(store, widths={"cnn": 8})
    runs = [run.id for run in store.list()]
    app = open_page("gradcam", judge="false", models=runs)
    assert len(app.image) == 2
    assert all(run_id in " ".join(app.multiselect(key="gradcam-networks").options) for run_id in runs)


def test_a_link_to_a_run_without_weights_says_so_and_shows_the_others(open_page, networks, store):
    bare = store.create(networks["cnn"].config)
    app = open_page("gradcam", models=[networks["cnn"].id, bare.id], judge="false")
    assert words.md(bare.id) in app.error[0].value
    assert "a run on photographs whose weights are here" in app.error[0].value
    assert app.multiselect(key="gradcam-networks").value == [networks["cnn"].id]
    assert "".join(app.query_params["models"]) == networks["cnn"].id


def test_every_map_has_its_verdict_in_words_and_numbers(open_page, networks):
    text = text_of(open_page("gradcam", models=networks["cnn"].id))
    assert "Deletion 0." in text or "Nothing argues" in text
    assert ("explains the decision" in text) or ("no better than chance here" in text) or ("othing argues" in text)


def test_random_image_shows_another_picture_that_passes_the_filters(open_page, networks):
    app = open_page("gradcam", judge="false", of="ship")
    seen = set()
    for _ in range(4):
        button(app, "Random image").click().run()
        assert not app.exception
        seen.add(int("".join(app.query_params["image"])))
        assert "ship" in text_of(app).split("test image ")[1].split("**")[0]
    assert len(seen) > 1
    assert all(labels("cifar10")[place] == data.describe("cifar10").classes.index("ship") for place in seen)


def test_a_link_brings_back_networks_picture_class_method_and_layer(open_page, networks):
    place = str(list(labels("cifar10"))[5])
    query = {"models": networks["cnn"].id, "image": place, "why": "frog", "rather": "cat", "method": "HiResCAM"}
    app = open_page("gradcam", **query, **{"layer-of-3": "2", "judge": "false", "view": "as it is"})
    text = text_of(app)
    assert f"test image {place}" in text
    assert "Why frog rather than cat: HiResCAM at conv2, 8 x 8 places" in text
    assert len(app.image) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"models": "<script>"},
        {"image": "99999999999999999999"},
        {"image": "-1"},
        {"image": "nonsense"},
        {"why": "unicorn"},
        {"layer-of-16": "99"},
        {"method": "nope"},
        {"opacity": "7"},
        {"further": "nope"},
        {"show": "only wrong"},
    ],
)
def test_a_link_to_nothing_is_the_page_as_it_opens(open_page, networks, query):
    assert len(open_page("gradcam", judge="false", **query).image) == 2


def test_another_class_and_another_layer_give_another_map(open_page, networks):
    app = open_page("gradcam", models=networks["cnn"].id, judge="false", why="cat")
    maps = [last_map()]
    app.selectbox(key="why").set_value("ship").run()
    maps.append(last_map())
    app.slider(key="layer-of-3").set_value(1).run()
    maps.append(last_map())
    assert "Why ship: Grad-CAM at conv1, 16 x 16 places" in text_of(app)
    assert not np.array_equal(maps[0], maps[1])
    assert maps[1].shape == (4, 4)
    assert maps[2].shape == (16, 16)


def last_map():
    """The raw map that was worked out last."""
    return list(cam._kept()["looks"]._made.values())[-1].raw.numpy()


def test_an_mlp_gets_a_plain_sentence_and_a_map_of_its_pixels(open_page, networks):
    text = text_of(open_page("gradcam", models=networks["mlp"].id, judge="false"))
    assert "no convolution, so no feature map to weigh" in text


def test_a_network_whose_weights_are_damaged_says_so_and_the_others_are_shown(open_page, networks):
    path = networks["resnet"].path / checkpoints.WEIGHTS
    path.write_bytes(path.read_bytes()[:-9])
    app = open_page("gradcam", judge="false")
    assert len(app.image) == 1
    assert any("resnet" in error.value for error in app.error)


def test_nothing_picked_and_nothing_passing_say_what_to_do(open_page, networks):
    app = open_page("gradcam", judge="false")
    app.multiselect(key="gradcam-networks").set_value([]).run()
    assert "Pick a network" in text_of(app)
    add_answers(networks["convnet"])
    text = text_of(open_page("gradcam", judge="false", show="only wrong"))
    assert "No picture passes" in text


def test_filters_show_what_the_stored_answers_say(open_page, networks):
    add_answers(networks["convnet"], wrong=(3, 7, 11))
    add_answers(networks["resnet"], wrong=(7,))
    official = list(labels("cifar10"))
    app = open_page("gradcam", judge="false", show="only wrong")
    assert app.dataframe[1].value["image"].tolist() == [official[place] for place in (3, 7, 11)]
    app = open_page("gradcam", judge="false", show="most confident errors")
    assert app.dataframe[1].value["image"].tolist() == [official[place] for place in (11, 7, 3)]
    app = open_page("gradcam", judge="false", show="where two disagree")
    assert app.dataframe[1].value["image"].tolist() == [official[place] for place in (3, 11)]


def test_a_persons_own_picture_is_read_cropped_and_explained(open_page, networks):
    app = open_page("gradcam", judge="false", why="the true one")
    file = io.BytesIO()
    Image.fromarray(np.full((40, 90, 3), 200, np.uint8)).save(file, "JPEG")
    app.file_uploader[0].set_value(("cat.gif", file.getvalue(), "image/gif")).run()
    assert not app.exception
    assert "your own picture" in text_of(app)
    assert "90 x 40 pixels" in text_of(app)
    assert "Nobody has said what is on your own picture" in text_of(app)
    button(app, "Random image").click().run()
    assert "test image" in text_of(app)


def test_a_file_that_is_no_picture_is_refused_in_words_and_the_page_goes_on(open_page, networks):
    app = open_page("gradcam", judge="false")
    app.file_uploader[0].set_value(("cat.png", b"<svg/>", "image/png")).run()
    assert not app.exception
    assert "neither a PNG nor a JPEG" in text_of(app).replace("\\", "")
    assert "test image" in text_of(app)


@pytest.mark.parametrize("model", ["cnn", "mlp"])
@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("All methods", "none of them is the whole truth"),
        ("A whole class", "test images of that class"),
        ("Object or centre?", "in the middle quarter"),
        ("Shuffled weights", "depend on what was learned"),
        ("Inside a network", ""),
    ],
)
def test_every_closer_look_is_drawn(open_page, networks, section, words, model):
    app = open_page("gradcam", models=networks[model].id, judge="false", further=section)
    assert words in text_of(app)
    if section == "Inside a network":
        assert ("54 filters" in text_of(app)) == (model == "cnn")
        assert ("neither filters nor feature maps" in text_of(app)) == (model == "mlp")


def test_what_was_worked_out_once_is_kept(open_page, networks, monkeypatch):
    app = open_page("gradcam", models=networks["cnn"].id)

    def refuse(*arguments, **options):
        raise AssertionError("worked out again")

    monkeypatch.setattr(cam, "_look", refuse)
    monkeypatch.setattr(cam, "curves", refuse)
    monkeypatch.setattr(cam.explain, "randomised", refuse)
    app.slider(key="opacity").set_value(0.9).run()
    assert not app.exception


def faithful(deletion, spread=0.05):
    return Faithfulness(deletion, 0.6, 0.4, spread, 0.5, 0.05)


def seen_as(label, answer, rather=None):
    probabilities = np.zeros(10, np.float32)
    probabilities[answer] = 1.0
    return cam.Look(None, "", probabilities, None, label, rather, "grad-cam", None)


def test_a_verdict_is_given_only_where_deletion_beats_chance_by_more_than_its_spread():
    assert verdicts.in_words(seen_as(3, 3), faithful(0.34))[0] == "explains the decision"
    assert verdicts.in_words(seen_as(3, 3), faithful(0.36))[0] == "no better than chance here"
    assert verdicts.in_words(seen_as(4, 3), faithful(0.1))[0] == "explains this class"
    assert verdicts.in_words(seen_as(3, 3, 5), faithful(0.1))[0] == "explains this class"


class PressedError(Exception):
    """Stands for Streamlit's own sign that somebody has pressed something."""


def test_verdicts_wait_until_the_browser_has_drawn_and_a_press_meanwhile_is_obeyed(monkeypatch):
    def pressed():
        raise PressedError

    monkeypatch.setattr(verdicts, "_obey_a_press", pressed)
    place = st.empty()
    with pytest.raises(PressedError):
        verdicts._progress(place, "", sent=time.monotonic())(0, 3)
    verdicts._progress(place, "", sent=time.monotonic() - verdicts.SECONDS_TO_DRAW)(0, 3)  # the time is over


def test_the_lessons_are_put_in_words():
    assert "**the object** draws" in further.centre_in_words("A", Following(0.9, 0.1, 0.1, 9))
    assert "**the place in the picture** draws" in further.centre_in_words("A", Following(0.1, 0.9, 0.1, 9))
    assert "can't be told" in further.centre_in_words("A", Following(0.5, 0.5, 0.1, 9))
    stages = [Stage("fc", 0.9, False), Stage("conv", 0.7, True)]
    assert "**hardly depend on what was learned**" in further.shuffled_in_words("A", stages)


def test_the_class_held_against_is_the_next_likely_or_left_out_where_it_is_the_same():
    logits = np.array([0.0, 3.0, 2.0, 1.0])
    assert cam._pair(logits, None, cam.NEXT) == (1, 2)
    assert cam._pair(logits, 2, cam.NEXT) == (2, 1)
    assert cam._pair(logits, 3, 0) == (3, 0)
    assert cam._pair(logits, None, 1) == (1, None)


def test_a_crop_is_the_square_that_was_asked_for():
    whole = np.zeros((64, 128, 3), np.uint8)
    whole[:, 64:] = 255
    assert gallery.cropped(whole, 1.0, 0.0, 0.5).max() == 0
    assert gallery.cropped(whole, 1.0, 1.0, 0.5).min() == 255
    assert 100 < gallery.cropped(whole, 1.0, 0.5, 0.5).mean() < 155
    assert gallery.cropped(whole[:1, :1], 4.0, 0.5, 0.5).shape == (32, 32, 3)


def test_the_colours_grow_lighter_all_the_way_so_that_nobody_needs_to_tell_hues():
    colours = overlay.coloured(np.linspace(0, 1, 64, dtype=np.float32).reshape(1, -1))
    light = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)[0, :, 0].astype(int)
    assert (np.diff(light) >= 0).all()
    assert light[-1] - light[0] > 150


def test_pictures_are_put_side_by_side_and_come_back_from_their_png():
    panel = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    strip = overlay.strip([panel, panel])
    assert strip.shape == (8, 16 + overlay.GAP, 4)
    back = cv2.imdecode(np.frombuffer(overlay.png(strip), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(back[:, :8, 2::-1], panel)
    assert (back[:, 8 : 8 + overlay.GAP, 3] == 0).all()
    assert overlay.grid([panel] * 5, 2).shape == (24 + 2 * overlay.GAP, 16 + overlay.GAP, 4)
    assert overlay.figure([("Ä name", strip), ("b", strip[:, :9])]).shape == (2 * 44, 16 + overlay.GAP, 3)
    assert np.array_equal(overlay.blended(panel, np.zeros((8, 8), np.float32), 0.0), panel)


def test_the_numbers_that_are_taken_along_are_json(networks):
    run = networks["cnn"]
    network = cam._network(run)
    picture = np.zeros((32, 32, 3), np.uint8)
    found = cam.look(network, picture, cam.Question(2, None, 1.0, "grad-cam"))
    written = json.loads(json.dumps(said.numbers_of(found)))
    assert written["run"] == run.id
    assert sum(written["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
    assert len(written["map_before_scaling"]) == 4


def test_the_figure_that_may_be_exported_holds_no_pictures_until_it_is(open_page, networks, monkeypatch):
    offered = {}
    monkeypatch.setattr(further, "download", lambda label, made, *_, **__: offered.update({label: made}))
    open_page("gradcam", judge="false")
    made = offered["Export figure"]
    assert bytes_of_arrays([cell.cell_contents for cell in made.__closure__]) < 20_000  # the picture itself has 3,072
    assert made().startswith(b"\x89PNG")


def bytes_of_arrays(thing):
    """Bytes of all arrays in lists, tuples, dictionaries and dataclasses."""
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if isinstance(thing, dict):
        return bytes_of_arrays(list(thing.values()))
    if isinstance(thing, list | tuple):
        return sum(bytes_of_arrays(each) for each in thing)
    return bytes_of_arrays([*vars(thing).values()]) if dataclasses.is_dataclass(thing) else 0
