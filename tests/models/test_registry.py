"""The registry: names in order, facts without torch, and a clear answer to everything that can't be built."""

import subprocess
import sys
from pathlib import Path

import pytest

import core
from core import models
from core.errors import ConfigError, UnknownNameError


def test_names_are_listed_from_the_simplest_to_the_deepest():
    assert models.names()[:5] == ["mlp", "cnn", "convnet", "resnet", "speednet"]


def test_the_list_that_a_caller_gets_is_its_own():
    models.names().clear()
    assert models.names()


@pytest.mark.parametrize(
    ("name", "title", "width"),
    [
        ("mlp", "MLP", 512),
        ("cnn", "CNN", 32),
        ("convnet", "ConvNet", 32),
        ("resnet", "ResNet", 32),
        ("speednet", "SpeedNet", 64),
    ],
)
def test_describe_tells_title_and_default_width(name, title, width):
    info = models.describe(name)
    assert (info.name, info.title, info.width) == (name, title, width)


@pytest.mark.parametrize("name", models.names())
def test_every_description_is_one_sentence_and_allows_its_own_default(name):
    info = models.describe(name)
    assert info.summary[0].isupper()
    assert info.summary.index(".") == len(info.summary) - 1
    assert info.widths[0] <= info.width <= info.widths[1]


def test_listing_and_describing_models_does_not_import_torch():
    code = "import sys; from core.models import *; [describe(n) for n in names()]; print('torch' in sys.modules)"
    root = Path(core.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_a_name_can_be_registered_only_once():
    before = models.describe("cnn")
    with pytest.raises(ValueError, match="already a model 'cnn'"):
        models.register("cnn", title="Another", summary="Something else.", width=8, widths=(1, 9), family="mlp")
    assert models.describe("cnn") is before


@pytest.mark.parametrize("ask", [models.describe, lambda name: models.build(name, (1, 28, 28), 10)])
@pytest.mark.parametrize("name", ["resnt", "", None, ["cnn"]])
def test_an_unknown_name_lists_the_known_ones(ask, name):
    with pytest.raises(UnknownNameError, match="Known: mlp, cnn, convnet, resnet"):
        ask(name)


def test_a_misspelt_name_gets_the_nearest_suggested():
    with pytest.raises(UnknownNameError, match=r"Did you mean 'resnet'\?"):
        models.describe("resnt")


@pytest.mark.parametrize(
    ("in_shape", "named"),
    [
        ((1, 28), "expected the three numbers"),
        ("28x28", "expected the three numbers"),
        (None, "expected the three numbers"),
        ((0, 28, 28), r"channels, is 0, allowed is a whole number from 1 to 4"),
        ((5, 28, 28), r"channels, is 5, allowed is a whole number from 1 to 4"),
        ((3, 7, 32), r"height in pixels, is 7, allowed is a whole number from 8 to 256"),
        ((3, 32, 257), r"width in pixels, is 257, allowed is a whole number from 8 to 256"),
        ((3, 32.0, 32), r"height in pixels, is 32.0"),
        ((True, 32, 32), r"channels, is True"),
    ],
)
def test_a_shape_that_cannot_be_is_refused_with_what_is_allowed(in_shape, named):
    with pytest.raises(ConfigError, match=named):
        models.build("cnn", in_shape, 10)


@pytest.mark.parametrize("num_classes", [1, 0, -3, 1001, 10.0, "10", None, True])
def test_a_number_of_classes_that_cannot_be_is_refused(num_classes):
    with pytest.raises(ConfigError, match=r"num_classes is .*, allowed is a whole number from 2 to 1000"):
        models.build("mlp", (1, 28, 28), num_classes)


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("width", [0, -1, 10**6, 16.0, "16", True])
def test_a_width_that_cannot_be_is_refused(name, width):
    low, high = models.describe(name).widths
    with pytest.raises(ConfigError, match=rf"width of '{name}' is .*from {low} to {high}"):
        models.build(name, (1, 28, 28), 10, width=width)


@pytest.mark.parametrize("silu", ["false", 1, None])
def test_silu_is_true_or_false_and_nothing_that_passes_for_it(silu):
    with pytest.raises(ConfigError, match=r"silu of 'resnet' is .*, expected true or false"):
        models.build("resnet", (1, 28, 28), 10, silu=silu)


def test_an_unknown_option_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"no option 'depth'. Known: width, silu"):
        models.build("resnet", (1, 28, 28), 10, width=16, depth=50)
