"""Maps against hand arithmetic, against their definition by plain automatic differentiation, and what a call leaves."""

from __future__ import annotations

import gc
import threading

import pytest
import torch
from torch import nn

from core import explain, models
from core.errors import ConfigError, DataError, UnknownNameError
from tests.explain.nets import IMAGE, Averaged, Flattened

CLASS_MODELS = models.names("classes")
WEIGHING = ["grad-cam", "grad-cam++", "hirescam", "layercam"]
BY_HAND = {  # of class 1 of `Averaged`: its gradient is -1 for the first channel and 1 for the second, at every place
    "grad-cam": [[3.0, 0.0], [-2.0, -3.0]],
    "grad-cam++": [[2.0, 2 / 3], [0.0, 0.0]],  # 4 places * 1 / (2 + 4) times the second channel
    "hirescam": [[3.0, 0.0], [-2.0, -3.0]],
    "layercam": [[3.0, 1.0], [0.0, 0.0]],
}


def build(name, width=8, shape=(3, 32, 32)):
    """A network whose statistics are not those of a new one, in double precision."""
    torch.manual_seed(3)
    model = models.build(name, shape, 10, width=width).double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.bias.data.normal_()
    return model.eval()


def by_definition(model, images, score, layer, method):
    """The map of one method in the words of its paper, from a whole backward pass."""
    kept = {}
    handle = model.get_submodule(layer).register_forward_hook(lambda m, i, output: kept.update(a=output))
    total = score(model(images)).sum()
    handle.remove()
    (g,) = torch.autograd.grad(total, kept["a"])
    a = kept["a"].detach()
    if method == "grad-cam":
        return (g.mean(dim=(2, 3), keepdim=True) * a).sum(1)
    if method == "grad-cam++":
        denominator = 2 * g**2 + a.sum(dim=(2, 3), keepdim=True) * g**3
        alpha = torch.where(g != 0, g**2 / denominator, 0.0)
        return ((alpha * g.relu()).sum(dim=(2, 3), keepdim=True) * a).sum(1)
    return ((g if method == "hirescam" else g.relu()) * a).sum(1)


@pytest.mark.parametrize("method", BY_HAND)
def test_maps_are_those_worked_out_by_hand(method):
    raw = explain.explain(Averaged(), IMAGE, 1, method=method).raw
    torch.testing.assert_close(raw, torch.tensor([BY_HAND[method]]), rtol=0, atol=1e-5)


def test_a_map_is_scaled_to_1_and_keeps_only_what_argues_for_the_class():
    found = explain.grad_cam(Averaged(), IMAGE, 1)
    torch.testing.assert_close(found, torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]))


def test_each_place_has_its_own_weight_in_hirescam_and_the_mean_in_grad_cam():
    hires = explain.explain(Flattened(), IMAGE, 0, method="hirescam").raw
    torch.testing.assert_close(hires, torch.tensor([[[0 + 5 * 3.0, 2 * 1 + 6 * 1.0], [3 * 2 + 0.0, 4 * 3 + 0.0]]]))
    mean = explain.explain(Flattened(), IMAGE, 0).raw
    torch.testing.assert_close(mean, 2.5 * IMAGE[:, 0] + 6.5 * torch.tensor([[[3.0, 1.0], [0.0, 0.0]]]))


def test_eigen_cam_is_the_first_principal_component():
    rows = torch.tensor([[-1.5, 2.0], [-0.5, 0.0], [0.5, -1.0], [1.5, -1.0]])  # places, centred
    component = torch.linalg.svd(rows).Vh[0]
    raw = explain.explain(Averaged(), IMAGE, method="eigen-cam").raw.flatten()
    expected = rows @ component
    assert min((raw - expected).abs().max(), (raw + expected).abs().max()) < 1e-5
    assert raw @ torch.tensor([0.5, -0.5, -0.5, 0.5]) >= 0  # rises with the sum of the activations


@pytest.mark.parametrize("name", ["resnet", "convnet"])
def test_with_average_pooling_and_one_linear_layer_the_map_adds_up_to_the_logit(name):
    model, images = build(name), torch.rand(3, 3, 32, 32).double()
    maps = explain.explain_all(model, images)
    torch.testing.assert_close(maps.sum(dim=(2, 3)) + model.fc.bias, model(images))


def test_that_closed_form_needs_no_backward_pass(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a backward pass")

    monkeypatch.setattr(torch.autograd, "grad", refuse)
    monkeypatch.setattr(torch.Tensor, "backward", refuse)
    assert explain.explain_all(build("resnet"), torch.rand(2, 3, 32, 32).double()).shape == (2, 10, 7, 7)
    for method in WEIGHING:
        explain.grad_cam(build("resnet"), torch.rand(2, 3, 32, 32).double(), method=method)
    with pytest.raises(AssertionError, match="a backward pass"):  # at an inner layer there is no way without
        explain.grad_cam(build("resnet"), torch.rand(2, 3, 32, 32).double(), layer="conv2")


def test_a_head_of_maximum_pooling_is_not_taken_for_one_of_average_pooling():
    model, images = build("speednet"), torch.rand(2, 3, 32, 32).double()
    layer = explain.convolutions(model)[-1].after
    expected = by_definition(model, images, lambda logits: logits[:, 4], layer, "grad-cam")
    torch.testing.assert_close(explain.explain(model, images, 4).raw, expected)


@pytest.mark.parametrize("method", WEIGHING)
@pytest.mark.parametrize("name", [name for name in CLASS_MODELS if name != "mlp"])
def test_every_layer_of_every_model_gives_the_map_of_the_definition(name, method):
    model, images = build(name), torch.rand(2, 3, 32, 32).double()
    layers = explain.convolutions(model)
    for layer in (layers[0].name, layers[len(layers) // 2].after, layers[-1].after):
        expected = by_definition(model, images, lambda logits: logits[:, 2], layer, method)
        scale = float(expected.abs().max())
        found = explain.explain(model, images, 2, layer, method).raw
        torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in CLASS_MODELS if name != "mlp"])
@pytest.mark.parametrize("method", ["grad-cam", "layercam"])
def test_all_classes_at_once_are_the_maps_of_each_class(name, method):
    model, images = build(name), torch.rand(2, 3, 32, 32).double()
    together = explain.explain_all(model, images, method=method)
    for label in (0, 9):
        torch.testing.assert_close(together[:, label], explain.explain(model, images, label, method=method).raw)


@pytest.mark.parametrize("method", explain.METHODS)
@pytest.mark.parametrize("name", CLASS_MODELS)
def test_every_method_gives_a_map_in_0_to_1_at_the_images_size(name, method):
    model = build(name, width=8)
    if name == "mlp" and explain.METHODS[method].reads_layer:
        with pytest.raises(ConfigError, match="no convolution"):
            explain.grad_cam(model, torch.rand(1, 3, 32, 32).double(), method=method)
        return
    found = explain.grad_cam(model, torch.rand(2, 3, 32, 32).double(), method=method)
    assert found.shape == (2, 32, 32)
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    assert not found.requires_grad


def test_targets_are_the_predicted_class_a_class_one_for_each_and_one_rather_than_another():
    model, images = build("cnn"), torch.rand(3, 3, 32, 32).double()
    raw = {label: explain.explain(model, images, label).raw for label in range(10)}
    predicted = model(images).argmax(1)
    of_predicted = torch.stack([raw[int(label)][place] for place, label in enumerate(predicted)])
    torch.testing.assert_close(explain.explain(model, images).raw, of_predicted)
    each = explain.explain(model, images, [7, 0, 3]).raw
    torch.testing.assert_close(each, torch.stack([raw[7][0], raw[0][1], raw[3][2]]))
    torch.testing.assert_close(explain.explain(model, images, torch.tensor([7, 0, 3])).raw, each)
    torch.testing.assert_close(explain.explain(model, images, explain.Versus(2, 5)).raw, raw[2] - raw[5])


def test_batches_do_not_change_the_maps(monkeypatch):
    model, images = build("cnn"), torch.rand(5, 3, 32, 32).double()
    targets = [1, 2, 3, 4, 5]
    whole = explain.explain(model, images, targets)
    monkeypatch.setattr("core.explain.maps.BATCH", 2)
    parts = explain.explain(model, images, targets)
    torch.testing.assert_close(parts.raw, whole.raw)
    torch.testing.assert_close(parts.logits, model(images))


@pytest.mark.parametrize("label", [None, 3])
def test_a_segmentation_is_asked_about_a_pixel_or_a_region(label):
    torch.manual_seed(0)
    model = models.build("fcn", (1, 64, 64), 11, width=4).double().eval()
    images = torch.rand(2, 1, 64, 64).double()
    mask = torch.zeros(2, 64, 64, dtype=torch.bool)
    mask[0, 10:20, 30:40] = True
    mask[1, 5, 6] = True

    def score(logits):
        means = [logits[place][:, mask[place]].mean(dim=1) for place in range(2)]
        return torch.stack([mean.max() if label is None else mean[label] for mean in means])

    for layer in (explain.layers.resolve(model, None), "conv3"):
        expected = by_definition(model, images, score, layer, "grad-cam")
        found = explain.explain(model, images, explain.Region(mask, label), layer).raw
        torch.testing.assert_close(found, expected)
    assert explain.grad_cam(model, images, explain.Region(mask[0], 3)).shape == (2, 64, 64)
    assert explain.grad_cam(model, images, explain.Region(mask, 3), method="occlusion").shape == (2, 64, 64)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (10, "The class 10 is not there, allowed are 0 to 9"),
        (-1, "The class -1 is not there"),
        ([1, 2, 3], "There are 3 targets for 2 images"),
        (torch.zeros(2, 2, dtype=torch.long), "expected one class, or a list"),
        (torch.tensor([0.5, 1.0]), "expected one class, or a list"),
        (explain.Region(torch.ones(32, 32)), "needs? a class, a list of classes or None"),
        (explain.Versus(1, 11), "The class 11 is not there"),
    ],
)
def test_a_target_that_does_not_fit_is_an_error_in_words(targets, words):
    with pytest.raises(ConfigError, match=words):
        explain.grad_cam(build("cnn"), torch.rand(2, 3, 32, 32).double(), targets)


def test_a_region_must_fit_the_picture_and_hold_a_pixel():
    model = models.build("fcn", (1, 64, 64), 11, width=4).eval()
    images = torch.rand(2, 1, 64, 64)
    for mask, words in ((torch.ones(32, 32), "expected"), (torch.zeros(64, 64), "empty"), (torch.ones(3, 64, 64), "3")):
        with pytest.raises(ConfigError, match=words):
            explain.grad_cam(model, images, explain.Region(mask, 1))
    with pytest.raises(ConfigError, match="need a Region"):
        explain.grad_cam(model, images, 1)


def test_names_that_are_not_there_list_those_that_are():
    model, images = build("cnn"), torch.rand(1, 3, 32, 32).double()
    with pytest.raises(UnknownNameError, match=r"no layer 'conv9'\. Known: conv1, conv2, conv3"):
        explain.grad_cam(model, images, layer="conv9")
    with pytest.raises(UnknownNameError, match="no layer ''"):
        explain.grad_cam(model, images, layer="")
    with pytest.raises(UnknownNameError, match=r"no method 'gradcam'\. Known: grad-cam"):
        explain.grad_cam(model, images, method="gradcam")
    with pytest.raises(ConfigError, match="gave no feature map"):
        explain.grad_cam(model, images, layer="fc1")


@pytest.mark.parametrize(
    "images", [torch.zeros(3, 32, 32), torch.zeros(0, 3, 32, 32), torch.zeros(1, 3, 32, 32).byte()]
)
def test_images_that_do_not_fit_are_an_error_in_words(images):
    with pytest.raises(DataError, match=r"images\.float"):
        explain.grad_cam(build("cnn"), images)


def test_the_maps_of_a_network_come_after_its_activations():
    layers = explain.convolutions(models.build("resnet", (3, 32, 32), 10, width=4))
    assert len(layers) == 16
    assert (layers[0].name, layers[0].after) == ("conv1", "relu1")
    assert layers[3].name == "layer1.0.conv2"
    assert layers[3].after == "layer1.0.relu2"
    assert explain.convolutions(models.build("mlp", (3, 32, 32), 10, width=8)) == []


class Broken(nn.Module):
    """Raises after its feature map was made."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 2, 3), nn.ReLU()

    def forward(self, images):
        self.relu(self.conv(images))
        raise RuntimeError("broken")


def test_nothing_is_left_behind_even_by_an_exception():
    model = Broken()
    with pytest.raises(RuntimeError, match="broken"):
        explain.grad_cam(model, torch.rand(1, 3, 8, 8))
    assert all(not module._forward_hooks for module in model.modules())
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("method", ["grad-cam", "occlusion", "gradient"])
def test_a_network_in_training_is_explained_in_evaluation_mode_and_stays_as_it_is(method):
    model, images = build("cnn"), torch.rand(2, 3, 32, 32).double()
    expected = explain.grad_cam(model, images, 1, method=method)
    calls = []
    model.train().conv2.register_forward_hook(lambda *seen: calls.append(1))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.inference_mode():
        found = explain.grad_cam(model, images, 1, method=method)
    torch.testing.assert_close(found, expected)
    assert all(module.training for module in model.modules())
    assert len(model.conv2._forward_hooks) == 1
    assert calls  # somebody's own hook is called
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_an_activation_that_works_in_place_does_not_disturb():
    model = Averaged()
    model.relu = nn.ReLU(inplace=True)
    plain = explain.explain(Averaged(), IMAGE, 1, "conv").raw
    torch.testing.assert_close(explain.explain(model, IMAGE, 1, "conv").raw, plain)


def test_sessions_at_once_do_not_meet():
    model, images = build("cnn"), torch.rand(8, 3, 32, 32).double()
    jobs = [
        (place, layer.after, label) for place in range(4) for label, layer in enumerate(explain.convolutions(model))
    ]

    def work(place, layer, label):
        return explain.explain(model, images[2 * place : 2 * place + 2], label, layer).raw

    expected, found, start = [work(*job) for job in jobs], {}, threading.Barrier(len(jobs))

    def run(number):
        start.wait()
        found[number] = [work(*jobs[number]) for _ in range(10)]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, maps in found.items():
        assert all(torch.allclose(one, expected[number]) for one in maps)
    assert len(found) == len(jobs)


def test_a_thousand_calls_leave_no_tensor_and_no_module_behind():
    model = Averaged()

    def alive():
        return sum(issubclass(type(found), torch.Tensor | nn.Module) for found in gc.get_objects())

    explain.grad_cam(model, IMAGE, 1)
    gc.collect()
    gc.disable()  # what only a collection frees, a busy server keeps for long
    try:
        before = alive()
        for number in range(1000):
            explain.grad_cam(model, IMAGE, 1, layer="conv" if number % 2 else None)
        assert alive() <= before + 5
    finally:
        gc.enable()
