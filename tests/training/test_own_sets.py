"""Every recipe makes sense of a person's own set, however small, large or many-classed it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core import data, models, recipes, training
from core.config import TrainConfig
from core.data.own import shelf
from core.data.own.bringing import bring
from tests import own

SMALLEST, USUAL, LARGE = 14, 140, 45_000


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A set that was imported, and the folder that it is in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNLAB_DATA", str(tmp_path_factory.mktemp("data")))
        yield bring(own.npz(**own.arrays(100, size=(16, 16))), "Shapes", side=16).info


@pytest.fixture
def known(shapes, monkeypatch):
    """Makes a set known that has as many training images, of such a shape, as a test wants."""

    def make(train_size, image_shape=(1, 28, 28)):
        info = replace(shapes, train_size=train_size, image_shape=image_shape)
        monkeypatch.setattr(shelf, "find", lambda name: info)
        return info

    return make


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 256, 256)])
@pytest.mark.parametrize("size", [SMALLEST, USUAL, LARGE])
@pytest.mark.parametrize("recipe", recipes.names())
def test_every_recipe_makes_a_whole_config_for_every_network(known, size, shape, recipe):
    info = known(size, shape)
    for model in models.names("classes"):
        config = TrainConfig(model=model, dataset=info.name, recipe=recipe)
        assert None not in config.as_dict().values()
        assert config.batch_size <= config.train_size <= size
        assert not config.flip  # nobody knows whether mirrored they mean the same
        assert (config.rotate, config.scale) == (0, 0)
        assert config.shift <= shape[1] // 4
        assert config.cutout == 0
        if recipe != "report":
            assert config.epochs * (config.train_size // config.batch_size) >= recipes.LEAST_STEPS[recipe]


def test_small_sets_get_small_batches_and_many_epochs(known):
    small = TrainConfig(dataset=known(USUAL).name)
    assert (small.batch_size, small.epochs) == (35, 50)
    large = TrainConfig(dataset=known(LARGE).name)
    assert large.batch_size == 128
    assert large.epochs <= 8


def test_larger_images_are_shown_less_often_in_a_quick_run(known):
    sides = (32, 64, 128)
    sizes = [TrainConfig(model="resnet", dataset=known(LARGE, (3, side, side)).name).train_size for side in sides]
    assert sizes == [8000, 2000, 500]


def test_known_sets_keep_their_recipes():
    quick = TrainConfig(dataset="cifar10-mini")
    assert (quick.batch_size, quick.epochs, quick.flip, quick.shift) == (128, 8, True, 2)
    fast = TrainConfig(model="resnet", dataset="mnist-mini", recipe="fast")
    assert (fast.batch_size, fast.epochs, fast.rotate) == (250, 15, 8.0)
    assert TrainConfig(dataset="cifar10-mini", recipe="report").batch_size == 128
    quick, fast = (TrainConfig(model="speednet", dataset="cifar10", recipe=recipe) for recipe in ("quick", "fast"))
    assert (quick.epochs, quick.cutout, quick.low_resolution, quick.momentum) == (3, 0, 0.6, 0.6)
    assert (fast.epochs, fast.batch_size, fast.cutout, fast.momentum) == (22, 250, 8, 0.6)


def test_of_pictures_that_nobody_knows_speednet_blanks_and_shrinks_none(known):
    fast = TrainConfig(model="speednet", dataset=known(LARGE, (3, 32, 32)).name, recipe="fast")
    assert (fast.cutout, fast.low_resolution, fast.flip, fast.momentum) == (0, 0.0, False, 0.6)


def test_pictures_that_nobody_knows_are_not_blended(known):
    assert TrainConfig(model="mlp", dataset="cifar10", recipe="best").mixup
    assert not TrainConfig(model="mlp", dataset=known(LARGE, (3, 32, 32)).name, recipe="best").mixup


@pytest.mark.parametrize("model", models.names("classes"))
def test_a_quick_run_learns_a_hundred_pictures_of_each_class(shapes, model, monkeypatch):
    """By brightness alone they can be told apart, as any network finds."""
    monkeypatch.setattr(shelf, "find", lambda name: shapes)
    width = max(8, models.describe(model).widths[0])
    config = TrainConfig(model=model, dataset=shapes.name, width=width, threads=1, epochs=10)
    *_, last = [event for event in training.fit(config) if isinstance(event, training.Epoch)]
    assert last.val_accuracy >= 0.9


def test_the_set_of_this_test_is_what_it_says(shapes):
    assert (shapes.train_size, shapes.val_size, shapes.test_size) == (140, 20, 40)
    assert data.load(shapes.name).train.images.shape == (140, 1, 16, 16)
