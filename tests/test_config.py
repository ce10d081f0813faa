"""TrainConfig: complete, validated, and the same after JSON."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import data, models, recipes
from core.config import TrainConfig
from core.errors import ConfigError, LabError, UnknownNameError


def test_a_config_is_complete_the_moment_it_exists():
    assert None not in TrainConfig(model="resnet", dataset="cifar10").as_dict().values()


def test_json_and_back_gives_an_equal_config():
    config = TrainConfig(model="mlp", dataset="cifar10-mini", recipe="report", seed=7, learning_rate=0.01)
    assert TrainConfig.from_json(json.dumps(config.as_dict())) == config


def test_what_was_set_by_hand_wins_over_the_recipe():
    by_recipe = TrainConfig(model="cnn", recipe="report")
    assert by_recipe.optimizer == "adam"
    assert TrainConfig(model="cnn", recipe="report", optimizer="sgd").optimizer == "sgd"


def test_report_is_the_lab_reports_way():
    report = TrainConfig(model="resnet", dataset="cifar10", recipe="report")
    assert (report.optimizer, report.schedule, report.flip, report.shift) == ("adam", "constant", False, 0)
    assert report.patience > 0


@pytest.mark.parametrize("recipe", recipes.names())
@pytest.mark.parametrize("dataset", ["cifar10", "mnist"])
def test_a_resnet_and_one_without_skips_learn_alike_by_every_recipe(recipe, dataset):
    skips, plain = (TrainConfig(model=model, dataset=dataset, recipe=recipe) for model in ("resnet", "convnet"))
    assert skips == replace(plain, model="resnet")


def test_deep_networks_learn_photos_with_silus_by_fast_and_with_more_filters_by_best_but_report_is_plain():
    fast, best, report = (
        TrainConfig(model="resnet", dataset="cifar10", recipe=recipe) for recipe in ("fast", "best", "report")
    )
    assert (fast.silu, best.silu, report.silu) == (True, True, False)
    assert best.width > fast.width > report.width
    assert TrainConfig(model="resnet", dataset="mnist", recipe="best").width < fast.width


def test_digits_are_never_mirrored_by_a_recipe():
    assert not any(TrainConfig(dataset=name, recipe="quick").flip for name in ("mnist", "mnist-mini"))


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"model": "resnett"}, ["model", "'resnett'", "mlp, cnn, convnet, resnet, speednet", "Did you mean 'resnet'?"]),
        ({"dataset": "imagenet"}, ["data set", "'imagenet'", "mnist-mini"]),
        ({"recipe": "best of all"}, ["recipe", "quick, fast, best, report"]),
        ({"model": None}, ["model", "None"]),
    ],
)
def test_an_unknown_name_lists_the_known_ones(knobs, words):
    with pytest.raises(UnknownNameError) as caught:
        TrainConfig(**knobs)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"batch_size": 0}, ["batch_size", "0", "from 2"]),
        ({"batch_size": 60_000}, ["batch_size", "60000", "5000"]),
        ({"learning_rate": -0.1}, ["learning_rate", "-0.1", "from 1e-08"]),
        ({"learning_rate": float("nan")}, ["learning_rate", "nan"]),
        ({"learning_rate": float("inf")}, ["learning_rate", "inf"]),
        ({"epochs": 2.5}, ["epochs", "2.5", "whole number"]),
        ({"epochs": "3"}, ["epochs", "'3'", "whole number"]),
        ({"flip": 1}, ["flip", "true or false"]),
        ({"optimizer": "lion"}, ["optimizer", "'lion'", "adam, adamw, sgd"]),
        ({"train_size": 10**9}, ["train_size", "mnist-mini", "5000"]),
        ({"width": 100_000}, ["width", "100000"]),
        ({"seed": -1}, ["seed", "-1"]),
    ],
)
def test_a_wrong_value_says_what_it_is_and_what_is_allowed(knobs, words):
    with pytest.raises(ConfigError) as caught:
        TrainConfig(dataset="mnist-mini", **knobs)
    assert all(word in str(caught.value) for word in words), str(caught.value)


NO_CONFIGS = ["", "[]", "{", '"cnn"', "[" * 100_000, '{"learning_rat": 1}', '{"epochs": null, "a": 1}']


@pytest.mark.parametrize("text", NO_CONFIGS)
def test_a_file_that_is_no_config_is_refused_in_words(text):
    with pytest.raises(ConfigError, match=r"JSON|no knob"):
        TrainConfig.from_json(text)


def test_a_long_wrong_value_is_cut_in_the_message():
    with pytest.raises(LabError) as caught:
        TrainConfig(model="x" * 5000)
    assert len(str(caught.value)) < 400


KNOBS = st.sampled_from(["model", "seed", "epochs", "width", "flip", "shift", "x"])
VALUES = st.none() | st.integers() | st.floats() | st.text() | st.booleans() | st.lists(st.integers())


@given(st.dictionaries(KNOBS, VALUES))
def test_any_values_give_a_config_or_one_of_our_errors(knobs):
    try:
        config = TrainConfig.from_dict(knobs)
    except LabError:
        return
    assert TrainConfig.from_dict(config.as_dict()) == config


def test_a_batch_that_nobody_asked_for_fits_into_few_images_and_one_that_somebody_did_is_refused():
    assert TrainConfig(train_size=40, recipe="fast").batch_size == 40
    with pytest.raises(ConfigError, match="batch_size is 50, but there are 40 training images"):
        TrainConfig(train_size=40, batch_size=50)


def test_small_images_are_for_networks_that_take_any_size():
    for knobs in ({"model": "mlp"}, {"model": "cnn"}, {"model": "fcn", "dataset": "mnist-mini-scenes"}):
        with pytest.raises(ConfigError, match=r"low_resolution is 0\.5, but .* Take 0, or one of convnet, resnet"):
            TrainConfig(low_resolution=0.5, **knobs)


def test_work_counts_small_images_by_their_pixels():
    config = TrainConfig(model="resnet", epochs=10, low_resolution=0.4)
    assert [config.work(epochs) for epochs in (0, 2, 4, 10)] == [0, 2 * 9 / 16, 4 * 9 / 16, 4 * 9 / 16 + 6]
    assert replace(config, low_resolution=0.0).work(7.5) == 7.5


def test_a_network_that_does_not_answer_what_the_data_set_asks_is_refused_with_those_that_do():
    with pytest.raises(ConfigError, match=r"mnist-scenes has a class for every pixel, .*'cnn' does not learn\. Take f"):
        TrainConfig(model="cnn", dataset="mnist-scenes")
    with pytest.raises(ConfigError, match=r"mnist has one class an image, which 'fcn' does not learn\. Take mlp, cnn"):
        TrainConfig(model="fcn", dataset="mnist")
    with pytest.raises(ConfigError, match="only an FCN begins with another run's weights"):
        TrainConfig(model="cnn", dataset="mnist", init_from="ref-mnist-cnn-fast-0")
    with pytest.raises(ConfigError, match="mixup blends images of one class each, mnist-scenes has a"):
        TrainConfig(model="fcn", dataset="mnist-scenes", mixup=True)


@pytest.mark.parametrize("recipe", recipes.names())
@pytest.mark.parametrize("dataset", data.names())
def test_every_recipe_makes_a_whole_config_of_every_model_and_data_set(recipe, dataset):
    for model in models.names("masks" if data.describe(dataset).has_masks else "classes"):
        assert None not in TrainConfig(model=model, dataset=dataset, recipe=recipe).as_dict().values()


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_a_small_network_that_learns_photos_for_long_is_kept_from_learning_them_by_heart(model):
    decay = {
        (recipe, name): TrainConfig(model=model, dataset=name, recipe=recipe).weight_decay
        for recipe in ("quick", "fast", "best")
        for name in ("cifar10", "mnist")
    }
    assert decay.pop(("best", "cifar10")) > max(decay.values())


def test_an_mlp_that_learns_photos_for_long_sees_them_blended():
    mixed = {
        (recipe, name): TrainConfig(model="mlp", dataset=name, recipe=recipe).mixup
        for recipe in recipes.names()
        for name in ("cifar10", "mnist")
    }
    assert [place for place, is_mixed in mixed.items() if is_mixed] == [("best", "cifar10")]


def test_a_cnn_that_learns_photos_for_long_sees_them_changed_more():
    fast, best, digits = (
        TrainConfig(model="cnn", dataset=name, recipe=recipe)
        for name, recipe in (("cifar10", "fast"), ("cifar10", "best"), ("mnist", "best"))
    )
    assert best.shift > fast.shift > digits.shift
    assert best.cutout > fast.cutout == digits.cutout == 0
    assert TrainConfig(model="cnn", dataset="cifar10-mini", recipe="best").batch_size < best.batch_size
