"""The pieces that families share give the same numbers as the plain ways that they replace, and spare what they say."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from core import models
from core.models.layers import FirstConv, MaxPool2x2, flat


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def maps(*shape):
    return torch.randn(*shape).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("side", [(8, 8), (7, 5), (2, 3)])
@pytest.mark.parametrize("asks_for_gradient", [False, True])
def test_the_greatest_of_four_is_that_of_pytorchs_pool(side, asks_for_gradient):
    x = maps(3, 5, *side).requires_grad_(asks_for_gradient)
    pooled = MaxPool2x2()(x)
    assert torch.equal(pooled, F.max_pool2d(x, 2))
    assert pooled.is_contiguous(memory_format=torch.channels_last)
    assert pooled.requires_grad == asks_for_gradient


def test_a_pool_hides_no_number_that_is_none():
    x = maps(1, 1, 2, 2)
    x[0, 0, 1, 1] = float("nan")
    assert MaxPool2x2()(x).isnan().all()


def plain_and_ours():
    """Two copies of a first layer with its pool, in float64, once with the bias before the pooling; biases not zero."""
    plain, ours = FirstConv(3, 3), FirstConv(3, 3, bias_later=True)
    nn.init.normal_(plain.bias)
    ours.load_state_dict(plain.state_dict())
    plain, ours = plain.double(), ours.double()
    return plain, (lambda x: F.max_pool2d(plain(x), 2)), ours, (lambda x: ours.add_bias(MaxPool2x2()(ours(x))))


@pytest.mark.parametrize("frozen", [False, True])
def test_a_bias_behind_the_pooling_gives_the_same_maps_and_gradients(frozen):
    plain, plain_maps, ours, our_maps = plain_and_ours()
    images, wanted = maps(4, 3, 8, 8).double(), torch.randn(4, 54, 4, 4).double()
    for layer in (plain, ours):
        layer.weight.requires_grad_(not frozen)
    torch.testing.assert_close(our_maps(images), plain_maps(images))
    for found in (our_maps(images), plain_maps(images)):
        (found * wanted).sum().backward()
    torch.testing.assert_close(ours.bias.grad, plain.bias.grad)
    assert (ours.weight.grad is None) == frozen
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad)


def test_of_a_cnn_with_frozen_filters_nothing_before_the_first_bias_asks_for_a_gradient():
    cnn = models.build("cnn", (3, 32, 32), 10, width=8)
    cnn.conv1.weight.requires_grad_(False)
    asked = {}
    for name in ("conv1", "pool1", "relu1"):
        getattr(cnn, name).register_forward_hook(lambda _, __, out, name=name: asked.update({name: out.requires_grad}))
    cnn(torch.rand(2, 3, 32, 32))
    assert asked == {"conv1": False, "pool1": False, "relu1": True}


def test_a_bias_is_added_in_the_arithmetic_of_the_maps():
    conv = FirstConv(1, 3, bias_later=True)
    assert conv.add_bias(maps(1, 18, 4, 4).bfloat16()).dtype == torch.bfloat16


def test_rows_are_in_the_order_of_channels_and_their_gradients_in_the_format_of_the_maps():
    x = maps(2, 4, 3, 3).requires_grad_()
    passed, seen = x * 1, []
    rows = flat(passed)
    passed.register_hook(seen.append)  # behind that of `flat`
    assert torch.equal(rows, x.reshape(2, 36))
    wanted = torch.randn(2, 36)
    (rows * wanted).sum().backward()
    torch.testing.assert_close(seen[0], wanted.view(2, 4, 3, 3))
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
