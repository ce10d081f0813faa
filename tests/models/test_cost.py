"""Parameters and multiply-adds against hand arithmetic, and a model that is counted notices nothing."""

import pytest
import torch
from torch import nn

from core import models
from core.models.cost import Cost, LayerCost, cost, cost_of, layers, parameters_of

DIGIT, PHOTO = (1, 28, 28), (3, 32, 32)


def mlp_by_hand(pixels):
    # 512 units three times, each with a bias and the two numbers of its batch norm, and 10 classes.
    multiply_adds = pixels * 512 + 2 * 512 * 512 + 512 * 10
    return Cost(multiply_adds + 3 * 512 * 3 + 10, multiply_adds)


def cnn_by_hand(channels, side):
    # 18 filters a channel with bias, 64 and 128 without; two batch norms; 128 hidden units and 10 classes with bias.
    after_pooling = side // 2, side // 4, side // 8
    first = 18 * channels
    conv1, conv2, conv3 = 9 * channels * first, 9 * first * 64, 9 * 64 * 128
    norms = 2 * (64 + 128)
    fc1, fc2 = 128 * after_pooling[2] ** 2 * 128, 128 * 10
    parameters = (conv1 + first) + conv2 + conv3 + norms + (fc1 + 128) + (fc2 + 10)
    multiply_adds = conv1 * side**2 + conv2 * after_pooling[0] ** 2 + conv3 * after_pooling[1] ** 2 + fc1 + fc2
    return Cost(parameters, multiply_adds)


def sixteen_by_hand(channels, side):
    # 2x2: 8 filters a channel with bias; then 5 convolutions of 32 filters, 8 of 64, 2 of 128, each at its own size.
    first = 8 * channels
    whole, half, quarter = (side - 1) ** 2, ((side - 1) // 2) ** 2, ((side - 1) // 4) ** 2
    convolutions = [  # weights, pixels; the first of stage 2 works before the pooling
        (4 * channels * first, whole),
        (9 * first * 32, whole),
        (4 * 9 * 32 * 32, half),
        (9 * 32 * 64, half),
        (7 * 9 * 64 * 64, quarter),
        (9 * 64 * 128 + 9 * 128 * 128, quarter),
    ]
    norms = 2 * (5 * 32 + 8 * 64 + 2 * 128)
    parameters = sum(weights for weights, _ in convolutions) + first + norms + (128 * 10 + 10)
    return Cost(parameters, sum(weights * pixels for weights, pixels in convolutions) + 128 * 10)


def speednet_by_hand(channels, side):
    # 2x2: 8 filters a channel with bias; then twice 64, twice 256, twice 256, the first of each before its pooling.
    first = 8 * channels
    sides = [side - 1, (side - 1) // 2, (side - 1) // 4, (side - 1) // 8]
    weights = [4 * channels * first, 9 * first * 64, 9 * 64 * 64, 9 * 64 * 256, *3 * [9 * 256 * 256]]
    pixels = [sides[0] ** 2, sides[0] ** 2, *2 * [sides[1] ** 2], *2 * [sides[2] ** 2], sides[3] ** 2]
    parameters = sum(weights) + first + 2 * 2 * (64 + 256 + 256) + (256 * 10 + 10)
    return Cost(parameters, sum(w * p for w, p in zip(weights, pixels, strict=True)) + 256 * 10)


BY_HAND = {
    ("mlp", DIGIT): mlp_by_hand(784),
    ("mlp", PHOTO): mlp_by_hand(3072),
    ("cnn", DIGIT): cnn_by_hand(1, 28),
    ("cnn", PHOTO): cnn_by_hand(3, 32),
    ("convnet", DIGIT): sixteen_by_hand(1, 28),
    ("convnet", PHOTO): sixteen_by_hand(3, 32),
    ("resnet", DIGIT): sixteen_by_hand(1, 28),
    ("resnet", PHOTO): sixteen_by_hand(3, 32),
    ("speednet", DIGIT): speednet_by_hand(1, 28),
    ("speednet", PHOTO): speednet_by_hand(3, 32),
}


@pytest.mark.parametrize(("name", "in_shape"), BY_HAND)
def test_costs_of_the_default_models_match_hand_arithmetic(name, in_shape):
    assert cost(models.build(name, in_shape, 10), in_shape) == BY_HAND[name, in_shape]


@pytest.mark.parametrize("name", models.names())
def test_a_cost_without_weights_is_the_same_and_draws_no_random_number(name):
    before = torch.get_rng_state()
    assert cost_of(name, PHOTO, 10, 16) == cost(models.build(name, PHOTO, 10, width=16), PHOTO)
    torch.set_rng_state(before)
    cost_of(name, PHOTO, 10, 16)
    assert parameters_of(name, PHOTO, 10, 16) == cost_of(name, PHOTO, 10, 16).parameters
    assert torch.equal(torch.get_rng_state(), before)


def test_the_published_numbers():
    assert BY_HAND["cnn", PHOTO] == Cost(370_290, 14_437_632)
    assert BY_HAND["resnet", PHOTO] == Cost(544_898, 42_844_448)


def test_the_cnn_for_photographs_stays_under_a_million_parameters():
    assert cost(models.build("cnn", PHOTO, 10), PHOTO).parameters < 1_000_000


def test_strides_groups_and_transposed_convolutions_are_counted():
    model = nn.Sequential(
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),  # 8x8 -> 4x4: each of 6 filters reads 2 channels
        nn.ConvTranspose2d(6, 5, 4, stride=2, padding=1),  # 4x4 -> 8x8: each input pixel is spread by 6*5*4*4 weights
        nn.Flatten(),
        nn.Linear(5 * 8 * 8, 3),
    )
    expected = 6 * 2 * 9 * 16 + 6 * 5 * 16 * 16 + 5 * 64 * 3
    parameters = (6 * 2 * 9 + 6) + (6 * 5 * 16 + 5) + (5 * 64 * 3 + 3)
    assert cost(model, (4, 8, 8)) == Cost(parameters, expected)


def test_a_layer_used_twice_works_twice_but_is_learnt_once():
    linear = nn.Linear(8, 8)
    assert cost(nn.Sequential(nn.Flatten(), linear, linear), (2, 2, 2)) == Cost(8 * 8 + 8, 2 * 8 * 8)


def test_layers_come_in_the_order_of_the_image_with_their_output_shapes():
    found = layers(models.build("cnn", PHOTO, 10), PHOTO)
    assert [layer.name for layer in found][:4] == ["normalize", "conv1", "pool1", "relu1"]
    assert found[1] == LayerCost("conv1", "FirstConv", (54, 32, 32), 9 * 3 * 54 + 54, 9 * 3 * 54 * 32 * 32)
    assert found[2] == LayerCost("pool1", "MaxPool2x2", (54, 16, 16), 0, 0)
    assert found[-1] == LayerCost("fc2", "Linear", (10,), 1290, 1280)


@pytest.mark.parametrize("name", models.names())
def test_layers_add_up_to_the_whole(name):
    model = models.build(name, PHOTO, 10)
    found = layers(model, PHOTO)
    assert sum(layer.parameters for layer in found) == sum(p.numel() for p in model.parameters())
    assert sum(layer.multiply_adds for layer in found) == cost(model, PHOTO).multiply_adds


@pytest.mark.parametrize("name", models.names())
def test_counting_leaves_the_model_as_it_was(name):
    model = models.build(name, PHOTO, 10).to(memory_format=torch.channels_last)
    model.normalize.eval()  # a mixture of modes, to be kept as it is
    calls = []
    model.register_forward_hook(lambda *_: calls.append("ran"))
    modes = {path: module.training for path, module in model.named_modules()}
    before = {path: (tensor.clone(), tensor.stride()) for path, tensor in model.state_dict().items()}
    random_state = torch.get_rng_state()
    cost(model, PHOTO)
    assert {path: module.training for path, module in model.named_modules()} == modes
    for path, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[path][0])
        assert tensor.stride() == before[path][1]
    assert torch.equal(torch.get_rng_state(), random_state)
    assert calls == []
    assert [len(module._forward_hooks) for module in model.modules() if module is not model] == [0] * (len(modes) - 1)
    assert len(model._forward_hooks) == 1


def test_a_model_of_hundreds_of_millions_is_counted_without_taking_its_memory():
    with torch.device("meta"):
        model = models.build("mlp", (3, 256, 256), 10, width=4096)
    assert cost(model, (3, 256, 256)).parameters == 3 * 256 * 256 * 4096 + 2 * 4096 * 4096 + 9 * 4096 + 4096 * 10 + 10


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
@pytest.mark.parametrize("make", [lambda: models.build("resnet", DIGIT, 10), lambda: nn.Conv2d(1, 2, 3)])
def test_a_double_or_half_model_costs_the_same(make, dtype):
    model = make()
    expected = cost(model, DIGIT)
    assert cost(model.to(dtype), DIGIT) == expected
