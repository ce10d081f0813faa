"""The FCN: the surgery keeps every answer of the CNN, and de-convolutions start as interpolation."""

import pytest
import torch
import torch.nn.functional as F

from core import data, models, training
from core.config import TrainConfig
from core.errors import CheckpointError, UnknownNameError
from core.models.cost import cost
from core.models.fcn import ConvolutionalCNN, deconvolution, take_weights
from core.runs import RunStore
from core.worker import work


@pytest.fixture(params=[False, True], ids=["ReLU", "SiLU"])
def cnn(request):
    torch.manual_seed(0)
    model = models.build("cnn", (1, 28, 28), 10, silu=request.param)
    model(torch.rand(64, 1, 28, 28))  # moves the statistics of its normalisations
    return model.eval()


def test_the_convolutional_cnn_gives_the_cnns_logits_on_28x28_and_a_map_on_64x64(cnn):
    images, convolutional = torch.rand(8, 1, 28, 28), ConvolutionalCNN(cnn).eval()
    torch.testing.assert_close(convolutional(images)[:, :, 0, 0], cnn(images), atol=1e-5, rtol=0)
    field = torch.zeros(1, 1, 64, 64)
    field[:, :, 16:44, 8:36] = images[:1]
    found = convolutional(field)
    assert found.shape == (1, 10, 6, 6)
    logits = cnn(images[:1])[0]
    away = (found[0] - logits[:, None, None]).square().mean(0).sqrt()  # [10, 6, 6] -> [6, 6]
    assert away.flatten().argmin() == 2 * 6 + 1  # the window at (16, 8)
    assert away[2, 1] < logits.std() / 2  # what its edges see is another matter


def test_an_fcn_that_begins_with_a_cnn_gives_its_logits_in_the_coarse_map(cnn):
    model = models.build("fcn", (1, 64, 64), 11, silu=isinstance(cnn.relu1, torch.nn.SiLU)).eval()
    take_weights(model, cnn.state_dict())
    images = torch.rand(4, 1, 28, 28)
    coarse = model.fc2(model.relu4(model.fc1(cnn.features(images))))  # [4, 11, 3, 3]; its middle sees the whole image
    torch.testing.assert_close(coarse[:, :10, 1, 1], cnn(images), atol=1e-5, rtol=0)
    assert coarse[:, 10].abs().max() == 0


@pytest.mark.parametrize("times", [2, 4])
def test_a_deconvolution_starts_as_bilinear_interpolation(times):
    images = torch.rand(2, 3, 9, 9)
    expected = F.interpolate(images, scale_factor=times, mode="bilinear")
    inner = slice(times, -times)  # at the edge one repeats the last pixel, the other sees nothing
    raised = deconvolution(3, 3, times)(images)
    assert raised.shape == expected.shape
    torch.testing.assert_close(raised[:, :, inner, inner], expected[:, :, inner, inner])


def test_weights_of_another_network_are_refused(cnn):
    model = models.build("fcn", (1, 64, 64), 11)
    with pytest.raises(CheckpointError, match="Take a CNN"):
        take_weights(model, models.build("mlp", (1, 28, 28), 10).state_dict())
    with pytest.raises(CheckpointError, match="Take a CNN"):
        take_weights(model, models.build("cnn", (1, 28, 28), 10, width=16).state_dict())
    with pytest.raises(CheckpointError, match="'more', which the network has not"):
        take_weights(model, {**cnn.state_dict(), "more": torch.zeros(1)})


def test_it_is_small_and_answers_for_every_pixel():
    model = models.build("fcn", (1, 64, 64), 11)
    assert cost(model, (1, 64, 64)).parameters < 1_500_000
    assert model(torch.rand(2, 1, 64, 64)).shape == (2, 11, 64, 64)


SMALL = {"train_size": 200, "batch_size": 20, "epochs": 2, "width": 8, "threads": 1}


def test_it_learns_from_scenes_and_tells_its_iou():
    events = list(training.fit(TrainConfig(model="fcn", dataset="mnist-mini-scenes", **SMALL)))
    epochs = [event for event in events if isinstance(event, training.Epoch)]
    assert epochs[-1].val_loss < epochs[0].val_loss
    assert all(0 <= epoch.val_iou <= 1 for epoch in epochs)
    plain = next(training.fit(TrainConfig(model="mlp", train_size=40, batch_size=20, epochs=1, threads=1)))
    assert getattr(plain, "val_iou", None) is None


def test_a_run_begins_with_the_weights_of_another(store, trained):
    wide = store.create(TrainConfig(model="cnn", width=8, train_size=200, batch_size=20, epochs=1, threads=1))
    assert work(wide) == "finished"
    config = TrainConfig(model="fcn", dataset="mnist-mini-scenes", init_from=wide.id, **SMALL)
    run = store.create(config)
    assert work(run) == "finished", run.status()
    fresh = store.create(TrainConfig.from_dict({**config.as_dict(), "init_from": ""}))
    assert work(fresh) == "finished"
    assert run.metrics().epochs["val_loss"] != fresh.metrics().epochs["val_loss"]
    wrong = store.create(TrainConfig.from_dict({**config.as_dict(), "init_from": trained.id}))
    assert work(wrong) == "failed"
    assert "Take a CNN" in wrong.status().reason


def test_a_run_that_is_not_there_to_begin_with_is_named(store):
    run = store.create(TrainConfig(model="fcn", dataset="mnist-mini-scenes", init_from="20990101-000000-none", **SMALL))
    assert work(run) == "failed"
    assert "20990101-000000-none" in run.status().reason
    with pytest.raises(UnknownNameError):
        RunStore(store.root).get("20990101-000000-none")


def test_the_test_scenes_are_stored_as_masks_with_their_iou(store):
    run = store.create(TrainConfig(model="fcn", dataset="mnist-mini-scenes", **SMALL))
    work(run)
    figures = run.test()
    assert 0 <= figures["iou"] <= 1
    assert figures["images"] == len(data.load("mnist-mini-scenes").test)
    assert (run.path / "predictions.npz").stat().st_size < 500_000
