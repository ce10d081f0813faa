"""Every registered model does what a classifier must, for digits and for photographs; each family is what it says."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from core import models
from core.errors import DataError
from core.models.cost import cost
from core.models.layers import Normalize

DIGIT, PHOTO = (1, 28, 28), (3, 32, 32)
SIXTEEN = ("convnet", "resnet")

every_model = pytest.mark.parametrize("name", models.names())
both_shapes = pytest.mark.parametrize("in_shape", [DIGIT, PHOTO], ids=["28x28", "32x32"])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def build(name, in_shape=PHOTO, num_classes=10, **options):
    return models.build(name, in_shape, num_classes, **options)


def small(name, in_shape=PHOTO):
    """The model at a quarter of its width: everything but its size, in less time."""
    return build(name, in_shape, width=models.describe(name).width // 4)


def weights(model):
    return {name: tensor.contiguous() for name, tensor in model.state_dict().items()}


def answers(model, images):
    """Logits [N, classes]; of a model that answers for every pixel their mean over the pixels."""
    logits = model(images)
    if logits.dim() == 2:
        return logits
    assert logits.shape[2:] == images.shape[2:]
    return logits.mean((2, 3))


@every_model
@both_shapes
def test_logits_are_finite_float32_one_for_each_class(name, in_shape):
    model = build(name, in_shape, num_classes=7)
    logits = answers(model, torch.rand(3, *in_shape))
    assert logits.shape == (3, 7)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@every_model
@pytest.mark.parametrize("in_shape", [(1, 8, 8), (2, 9, 13), (4, 33, 21), (1, 256, 256)], ids=str)
def test_any_size_from_8_to_256_and_any_number_of_channels_works(name, in_shape):
    low = models.describe(name).widths[0]
    logits = answers(build(name, in_shape, width=low), torch.rand(2, *in_shape))
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()


@every_model
def test_the_widest_model_allowed_can_be_built(name):
    with torch.device("meta"):  # shapes only
        model = build(name, width=models.describe(name).widths[1])
        assert answers(model.eval(), torch.rand(1, *PHOTO)).shape == (1, 10)


@every_model
@both_shapes
def test_channels_last_gives_the_same_logits(name, in_shape):
    model, images = build(name, in_shape).eval(), torch.rand(4, *in_shape)
    expected = model(images)
    model.to(memory_format=torch.channels_last)
    logits = model(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SIXTEEN)
def test_feature_maps_stay_channels_last_all_the_way(name):
    """A single layer that falls back to the other layout costs two copies a step."""
    model = small(name).to(memory_format=torch.channels_last)
    images = torch.rand(2, *PHOTO).contiguous(memory_format=torch.channels_last)
    strayed = []

    def watch(module, inputs, output):
        if output.dim() == 4 and not output.is_contiguous(memory_format=torch.channels_last):
            strayed.append(type(module).__name__)

    for module in model.modules():
        module.register_forward_hook(watch)
    model(images)
    assert strayed == []


@pytest.mark.parametrize("silu", [False, True], ids=["ReLU", "SiLU"])
@pytest.mark.parametrize("name", [*SIXTEEN, "speednet", "cnn"])
def test_gradients_of_feature_maps_stay_channels_last_all_the_way_back(name, silu):
    """In the other layout every normalisation and pool on the way takes several times as long."""
    model = build(name, width=models.describe(name).width // 4, silu=silu).to(memory_format=torch.channels_last)
    strayed = []

    def watch(path, output):
        def look(gradient):
            if not gradient.is_contiguous(memory_format=torch.channels_last):
                strayed.append(path)

        if output.dim() == 4 and output.requires_grad:
            output.register_hook(look)

    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            module.register_forward_hook(lambda _, __, output, path=path: watch(path, output))
    images = torch.rand(4, *PHOTO).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        loss = F.cross_entropy(model(images), torch.arange(4))
    loss.backward()
    assert strayed == []


@every_model
@both_shapes
def test_gradients_reach_every_parameter(name, in_shape):
    model = build(name, in_shape)
    F.cross_entropy(answers(model, torch.rand(8, *in_shape)), torch.arange(8)).backward()
    dead = [path for path, p in model.named_parameters() if p.grad is None or p.grad.abs().sum() == 0]
    assert dead == []


@every_model
@both_shapes
def test_one_batch_of_noise_is_learnt_by_heart(name, in_shape):
    model, images, labels = build(name, in_shape), torch.rand(16, *in_shape), torch.arange(16) % 10
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    correct = 0
    for _ in range(80):
        logits = answers(model, images)
        correct = int((logits.argmax(1) == labels).sum())
        if correct == 16:
            break
        optimizer.zero_grad()
        F.cross_entropy(logits, labels).backward()
        optimizer.step()
    assert correct == 16


@every_model
@both_shapes
def test_weights_saved_and_loaded_give_identical_logits(name, in_shape, tmp_path):
    model, images = small(name, in_shape).to(memory_format=torch.channels_last), torch.rand(4, *in_shape)
    model(torch.rand(8, *in_shape))  # moves the running statistics, which must be kept as well
    expected = model.eval()(images)
    save_file(weights(model), tmp_path / "model.safetensors")
    other = small(name, in_shape).to(memory_format=torch.channels_last).eval()
    assert not torch.equal(other(images), expected)
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(other(images), expected)


@every_model
@both_shapes
def test_bf16_autocast_gives_float32_logits_close_to_the_exact_ones(name, in_shape):
    model, images = small(name, in_shape), torch.rand(8, *in_shape)
    with torch.autocast("cpu", torch.bfloat16):
        logits = answers(model, images)
        F.cross_entropy(logits, torch.arange(8)).backward()
    assert logits.dtype == torch.float32
    assert {p.grad.dtype for p in model.parameters()} == {torch.float32}
    torch.testing.assert_close(logits, answers(model, images), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("name", SIXTEEN)
def test_under_autocast_every_feature_map_is_bf16(name):
    """One float32 map would widen all sums after it, at twice the memory."""
    model, dtypes = small(name), {}
    for path, module in model.named_modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda _, __, output, path=path: dtypes.update({path: output.dtype}))
    with torch.autocast("cpu", torch.bfloat16):
        model(torch.rand(2, *PHOTO))
    assert len(dtypes) == 16
    assert set(dtypes.values()) == {torch.bfloat16}


@every_model
def test_the_seed_decides_the_weights(name):
    def drawn(seed):
        torch.manual_seed(seed)
        return torch.cat([p.flatten() for p in small(name).parameters()])

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


@every_model
def test_silus_take_the_place_of_every_relu_and_change_nothing_else(name):
    plain = small(name)
    torch.manual_seed(0)
    smooth = build(name, width=models.describe(name).width // 4, silu=True)
    kinds = [type(module) for module in plain.modules()]
    assert [type(module) for module in smooth.modules()] == [nn.SiLU if kind is nn.ReLU else kind for kind in kinds]
    torch.testing.assert_close(weights(smooth), weights(plain), atol=0, rtol=0)
    images = torch.rand(4, *PHOTO)
    assert (nn.ReLU in kinds) == (not torch.equal(plain(images), smooth(images)))


@every_model
def test_first_predictions_are_near_uniform(name):
    loss = F.cross_entropy(answers(build(name), torch.rand(32, *PHOTO)), torch.arange(32) % 10)
    assert abs(loss.item() - 2.303) < 0.6  # ln 10


@every_model
def test_hooks_see_untouched_outputs_and_get_gradients_of_every_layer(name):
    """What Grad-CAM and its relatives need; a ReLU in place would change its input or refuse the hook."""
    model, seen, backward = small(name), [], []
    for module in model.modules():
        if not any(module.children()):
            module.register_forward_hook(lambda m, _, out: seen.append((type(m).__name__, out, out.detach().clone())))
            module.register_full_backward_hook(lambda m, *_: backward.append(type(m).__name__))
    model(torch.rand(4, *PHOTO).requires_grad_()).sum().backward()
    assert [kind for kind, output, copy in seen if not torch.equal(output, copy)] == []
    assert sorted(backward) == sorted(kind for kind, *_ in seen)


# Normalisation


@pytest.mark.parametrize(
    ("channels", "mean", "std"),
    [
        (1, [0.1307], [0.3081]),
        (3, [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
        (2, [0.5, 0.5], [0.25, 0.25]),
    ],
)
def test_normalisation_takes_an_image_of_the_mean_to_zero_and_one_spread_above_it_to_one(channels, mean, std):
    normalize = Normalize(channels)
    image = torch.tensor(mean).view(1, -1, 1, 1).expand(2, channels, 5, 4)
    assert normalize(image).abs().max() < 1e-6
    above = image + torch.tensor(std).view(1, -1, 1, 1)
    torch.testing.assert_close(normalize(above), torch.ones(2, channels, 5, 4))


@every_model
def test_normalisation_is_inside_the_model_and_no_parameter(name):
    model = small(name)
    assert [m for m in model.modules() if isinstance(m, Normalize)] == [model.normalize]
    assert {"normalize.mean", "normalize.std"} <= set(model.state_dict())
    assert not any("normalize" in path for path, _ in model.named_parameters())


@every_model
@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 3, 32, 32, dtype=torch.uint8),
        torch.zeros(2, 1, 32, 32),
        torch.zeros(3, 32, 32),
    ],
    ids=["bytes", "grey", "no batch"],
)
def test_images_that_would_be_misread_without_a_sound_are_refused(name, images):
    with pytest.raises(DataError, match=r"expected floats in 0..1 of shape \[N, 3, H, W\]"):
        small(name)(images)


# MLP and CNN


def test_the_mlp_is_four_linear_layers_and_no_convolution():
    kinds = [type(m) for m in build("mlp").modules()]
    assert kinds.count(nn.Linear) == 4
    assert nn.Conv2d not in kinds


def test_the_mlp_cares_about_no_order_of_pixels():
    """Shuffling the pixels of all images and the first weights alike changes nothing: it knows no neighbours."""
    model, images, order = small("mlp", DIGIT).eval(), torch.rand(2, *DIGIT), torch.randperm(28 * 28)
    expected = model(images)
    model.fc1.weight.data = model.fc1.weight.data[:, order]
    torch.testing.assert_close(model(images.flatten(1)[:, order].view(2, *DIGIT)), expected)


@both_shapes
def test_the_cnn_is_three_convolutions_and_two_linear_layers_under_plain_names(in_shape):
    model = build("cnn", in_shape)
    assert [path for path, m in model.named_modules() if isinstance(m, nn.Conv2d)] == ["conv1", "conv2", "conv3"]
    assert [path for path, m in model.named_modules() if isinstance(m, nn.Linear)] == ["fc1", "fc2"]
    first = 2 * 9 * in_shape[0]  # a 3x3 patch in full, once with each sign
    assert [model.conv1.out_channels, model.conv2.out_channels, model.conv3.out_channels] == [first, 64, 128]
    side = in_shape[1] // 8
    assert model.features(torch.rand(2, *in_shape)).shape == (2, 128, side, side)


@both_shapes
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_linear_layers_of_the_cnn_are_convolutions_in_disguise(in_shape, layout):
    """The oracle of the later FCN: fc1 as a convolution as large as the map, fc2 as a 1x1 convolution."""
    model = build("cnn", in_shape).to(memory_format=layout).eval()
    images = torch.rand(4, *in_shape).contiguous(memory_format=layout)
    with torch.no_grad():
        features = model.features(images)
        first = model.fc1.weight.view(128, *features.shape[1:])
        hidden = F.relu(F.conv2d(features, first, model.fc1.bias))
        as_convolutions = F.conv2d(hidden, model.fc2.weight[:, :, None, None], model.fc2.bias)
        torch.testing.assert_close(as_convolutions.flatten(1), model(images), rtol=1e-5, atol=1e-5)


# ConvNet and ResNet


@pytest.mark.parametrize("name", SIXTEEN)
@both_shapes
def test_convnet_and_resnet_have_exactly_sixteen_convolutions(name, in_shape):
    convolutions = [m for m in build(name, in_shape).modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 16
    assert [conv.kernel_size for conv in convolutions] == [(2, 2)] + 15 * [(3, 3)]
    assert [conv.out_channels for conv in convolutions] == [8 * in_shape[0]] + [32] * 5 + [64] * 8 + [128] * 2


@pytest.mark.parametrize("name", SIXTEEN)
def test_blocks_bear_the_names_that_readers_expect(name):
    model = build(name)
    assert [len(model.layer1), len(model.layer2), len(model.layer3)] == [2, 4, 1]
    for block in (*model.layer1, *model.layer2, *model.layer3):
        names = [path for path, m in block.named_children() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
        assert names == ["conv1", "norm1", "conv2", "norm2"]
    assert isinstance(model.fc, nn.Linear)


@pytest.mark.parametrize("name", SIXTEEN)
@pytest.mark.parametrize(("in_shape", "side"), [(DIGIT, 6), (PHOTO, 7)], ids=["28x28", "32x32"])
def test_the_last_map_is_large_enough_for_grad_cam_and_comes_after_its_activation(name, in_shape, side):
    model, caught = build(name, in_shape), []
    model.layer3[-1].relu2.register_forward_hook(lambda _, __, output: caught.append(output))
    features = model.features(torch.rand(2, *in_shape))
    assert features.shape == (2, 128, side, side)
    assert features is caught[0]
    assert features.min() >= 0


@both_shapes
def test_the_skip_flag_is_the_only_difference_between_convnet_and_resnet(in_shape):
    torch.manual_seed(3)
    plain = build("convnet", in_shape)
    torch.manual_seed(3)
    skipping = build("resnet", in_shape)
    assert list(plain.state_dict()) == list(skipping.state_dict())
    assert all(
        torch.equal(a, b) for a, b in zip(plain.state_dict().values(), skipping.state_dict().values(), strict=True)
    )
    images = torch.rand(2, *in_shape)
    assert not torch.allclose(plain(images), skipping(images))


def test_blocks_that_add_nothing_leave_the_shortcuts_alone():
    """With the branches silenced, a ResNet is its shortcuts: the first map, pooled once, zeros in all new channels."""
    model, first = build("resnet").eval(), []
    for block in (*model.layer1, *model.layer2, *model.layer3):
        nn.init.zeros_(block.norm2.weight)
    model.relu2.register_forward_hook(lambda _, __, output: first.append(output))
    features = model.features(torch.rand(2, *PHOTO))
    assert first[0].shape == (2, 32, 15, 15)
    expected = first[0][:, :, :14, :14].unflatten(2, (7, 2)).unflatten(4, (7, 2)).mean(dim=(3, 5))
    torch.testing.assert_close(features[:, :32], expected)  # the mean of each 2x2 patch
    assert features[:, 32:].abs().max() == 0


@both_shapes
def test_past_a_silenced_block_gradients_travel_only_on_a_skip(in_shape):
    """Why skip connections help: the way around stays open when a block passes nothing."""
    reached = {}
    for name in SIXTEEN:
        model = small(name, in_shape)
        nn.init.zeros_(model.layer2[1].norm2.weight)
        F.cross_entropy(model(torch.rand(4, *in_shape)), torch.arange(4)).backward()
        reached[name] = model.layer1[0].conv1.weight.grad.abs().max().item()
    assert reached["resnet"] > 0
    assert reached["convnet"] == 0


# SpeedNet


def test_speednet_has_seven_convolutions_and_118_million_multiply_adds():
    model = build("speednet")
    assert sum(isinstance(m, nn.Conv2d) for m in model.modules()) == 7
    assert round(cost(model, PHOTO).multiply_adds / 1e6) == 118  # the published network's
    assert model.features(torch.rand(2, *PHOTO)).shape == (2, 256, 3, 3)
