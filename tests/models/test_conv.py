"""The 3x3 convolution that gives filters of small maps their gradients side by side: the same ones, where it pays."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from core.models import conv
from core.models.conv import Conv3x3, side_by_side


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def amx(monkeypatch):
    monkeypatch.setattr(conv.machine, "describe", lambda: SimpleNamespace(amx=True))


def layer_and_maps(side=5, count=20):
    layer = Conv3x3(16, 32)
    maps = torch.randn(count, 16, side, side).contiguous(memory_format=torch.channels_last).requires_grad_()
    return layer.to(memory_format=torch.channels_last), maps


def way(out):
    """Which backward pass a result would take."""
    return out.grad_fn.name()


def test_maps_stand_side_by_side_with_a_column_of_zeros_behind_each():
    first, second = torch.tensor([[1.0, 2], [3, 4]]), torch.tensor([[5.0, 6], [7, 8]])
    rows = side_by_side(torch.stack((first, second))[:, None])
    assert rows.tolist() == [[[[1, 2, 0, 5, 6, 0], [3, 4, 0, 7, 8, 0]]]]


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (11, 11), (24, 3), (250, 25)])
def test_no_map_is_lost_whatever_their_number(count, rows):
    maps = torch.randn(count, 2, 3, 4)
    wide = side_by_side(maps)
    assert wide.shape == (rows, 2, 3, count // rows * 5)
    assert wide.sum() == pytest.approx(float(maps.sum()), abs=1e-4)


@pytest.mark.parametrize("count", [1, 7, 20])
@pytest.mark.parametrize("sides", [(1, 1), (3, 3), (5, 4), (8, 8)], ids=str)
def test_its_gradients_are_those_of_torchs_own_convolution(count, sides):
    maps = torch.randn(count, 3, *sides, dtype=torch.float64, requires_grad=True)
    filters = torch.randn(6, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    above = torch.randn(count, 6, *sides, dtype=torch.float64)
    ours = torch.autograd.grad(conv._SideBySide.apply(maps, filters), (maps, filters), above)
    theirs = torch.autograd.grad(F.conv2d(maps, filters, padding=1), (maps, filters), above)
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)


@pytest.mark.usefixtures("amx")
def test_under_autocast_it_gives_what_conv2d_gives_and_float32_gradients():
    layer, maps = layer_and_maps()
    plain = nn.Conv2d(16, 32, 3, padding=1, bias=False)
    plain.load_state_dict(layer.state_dict())
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = layer(maps), plain(maps)
    assert way(ours) == "_SideBySideBackward"
    torch.testing.assert_close(ours, theirs, atol=0, rtol=0)
    above = torch.randn_like(ours)
    gradients = torch.autograd.grad(ours, (maps, layer.weight), above)
    wanted = torch.autograd.grad(theirs, (maps, plain.weight), above)
    assert {gradient.dtype for gradient in gradients} == {torch.float32}
    torch.testing.assert_close(gradients, wanted, atol=0.02 * float(wanted[1].abs().max()), rtol=0.01)


@pytest.mark.usefixtures("amx")
@pytest.mark.parametrize("frozen", ["maps", "filters"])
def test_what_needs_no_gradient_gets_none(frozen):
    layer, maps = layer_and_maps()
    (maps if frozen == "maps" else layer.weight).requires_grad_(False)
    with torch.autocast("cpu", torch.bfloat16):
        layer(maps).sum().backward()
    assert (maps.grad is None) == (frozen == "maps")
    assert (layer.weight.grad is None) == (frozen == "filters")


@pytest.mark.parametrize("why", ["no AMX", "float32", "float16", "no training", "large maps"])
def test_it_is_a_plain_convolution_where_the_other_way_gains_nothing(why, monkeypatch):
    monkeypatch.setattr(conv.machine, "describe", lambda: SimpleNamespace(amx=why != "no AMX"))
    layer, maps = layer_and_maps(side=11 if why == "large maps" else 5)
    layer.train(why != "no training")
    kind = torch.float16 if why == "float16" else torch.bfloat16
    with torch.autocast("cpu", kind, enabled=why != "float32"):
        out = layer(maps)
    assert way(out) == "ConvolutionBackward0"
