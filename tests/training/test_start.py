"""How weights start: whitened, as the identity, with fixed scales; and what the learner makes of it."""

import pytest
import torch
from torch import nn

from core import data, models
from core.config import TrainConfig
from core.models.layers import FirstConv
from core.training.learner import Learner
from core.training.start import EPSILON, start_as_identity, whiten_first_layer

WITH_FILTERS = [name for name in models.names() if name != "mlp"]


def built(name, in_shape=(3, 32, 32)):
    torch.manual_seed(0)
    return models.build(name, in_shape, 10, width=8)


def first_layer(model):
    return next(m for m in model.modules() if isinstance(m, FirstConv))


@pytest.mark.parametrize("name", WITH_FILTERS)
@pytest.mark.parametrize("dataset", ["mnist-mini", "cifar10-mini"])
def test_a_whitened_layer_gives_outputs_of_equal_spread_without_correlation(name, dataset):
    images = data.load(dataset).train.images[:1000]
    model = built(name, tuple(images.shape[1:]))
    whiten_first_layer(model, images)
    conv = first_layer(model)
    unpadded = nn.functional.conv2d(model.normalize(images.float() / 255), conv.weight)  # [N, 2 k k C, H', W']
    outputs = unpadded.transpose(0, 1).flatten(1).double()
    half = len(outputs) // 2
    torch.testing.assert_close(outputs[half:], -outputs[:half])  # each direction once with each sign
    products = outputs[:half] @ outputs[:half].T / outputs.shape[1]
    variances = torch.linalg.eigvalsh(_patch_products(model, images, conv.kernel_size[0]))
    expected = variances / (variances + EPSILON)  # 1 but for directions with next to no variance
    torch.testing.assert_close(products, expected.diag(), atol=0.1, rtol=0)  # it looked at a part of the patches


def _patch_products(model, images, size):
    """Mean outer product of all patches, as float64 [C k k, C k k]."""
    patches = nn.functional.unfold(model.normalize(images.float() / 255), size)  # [N, C k k, L]
    flat = patches.transpose(0, 1).flatten(1).double()
    return flat @ flat.T / flat.shape[1]


def test_large_images_are_looked_at_in_part(monkeypatch):
    seen = []
    model = built("cnn", (3, 256, 256))
    model.normalize.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[0]))
    whiten_first_layer(model, torch.randint(0, 256, (90, 3, 256, 256), dtype=torch.uint8))
    assert seen == [79]
    assert model.conv1.weight.isfinite().all()


def test_a_whitened_layer_is_kept_and_all_others_learn():
    config = TrainConfig(dataset="cifar10-mini", recipe="fast", width=8, train_size=200, batch_size=50, threads=1)
    learner = Learner(config, data.load("cifar10-mini"))
    before = {name: p.detach().clone() for name, p in learner.model.named_parameters()}
    for index in learner.epoch_order():
        learner.learn(index)
    same = [name for name, p in learner.model.named_parameters() if torch.equal(p, before[name])]
    assert same == ["conv1.weight", "norm2.weight", "norm3.weight"]
    assert before["norm2.weight"].eq(1).all()


def test_a_network_without_a_first_convolution_is_left_alone():
    model = built("mlp")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    whiten_first_layer(model, data.load("cifar10-mini").train.images[:10])
    start_as_identity(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("name", WITH_FILTERS)
def test_filters_that_start_as_the_identity_pass_their_input_on(name):
    model = built(name)
    start_as_identity(model)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.bias is None]
    for conv in convolutions:
        images, passed = torch.rand(2, conv.in_channels, 5, 5), min(conv.in_channels, conv.out_channels)
        torch.testing.assert_close(conv(images)[:, :passed], images[:, :passed])
    assert any(conv.weight[conv.in_channels :].abs().sum() > 0 for conv in convolutions)  # the others stay random


def test_an_image_is_mirrored_in_every_second_epoch_and_half_of_them_at_first():
    config = TrainConfig(dataset="cifar10-mini", recipe="fast", width=8, shift=0, train_size=200, threads=1)
    learner = Learner(config, data.load("cifar10-mini"))
    index = torch.arange(200)
    plain = learner.images[index].float() / 255
    seen = []
    for epoch in range(3):
        learner.progress.epoch = epoch
        batch, _ = learner._batch(index)
        seen.append((batch == plain.flip(3)).flatten(1).all(1))
    assert torch.equal(seen[0], seen[2])
    assert torch.equal(seen[0], ~seen[1])
    assert 60 < seen[0].sum() < 140
