"""Who hands what to whom in a network, against hand arithmetic and against networks whose wiring is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core import data, models
from core.config import TrainConfig
from core.models.blueprint import Link, Step, blueprint, blueprint_of
from core.models.cost import cost
from core.runs import Run, places

DIGIT, PHOTO, FIELD = (1, 28, 28), (3, 32, 32), (1, 64, 64)


def seen_by(name):
    return (FIELD, 11) if models.describe(name).task == "masks" else (PHOTO, 10)


def plan(name, in_shape=PHOTO, width=32, classes=10):
    return blueprint_of(name, in_shape, classes, width)


def layers(found):
    return [step for step in found.steps if step.name]


def test_the_layers_of_the_cnn_match_hand_arithmetic():
    # 9 weights a pair of channels and, in the first, a bias; two numbers of batch norm a filter in the other two.
    assert plan("cnn").steps == (
        Step("image", "", "", 0, (3, 32, 32)),
        Step("conv", "conv1", "conv1", 3, (54, 32, 32), 9 * 3 * 54 + 54, 9 * 3 * 54 * 32 * 32),
        Step("conv", "conv2", "conv2", 3, (64, 16, 16), 9 * 54 * 64 + 2 * 64, 9 * 54 * 64 * 16 * 16),
        Step("conv", "conv3", "conv3", 3, (128, 8, 8), 9 * 64 * 128 + 2 * 128, 9 * 64 * 128 * 8 * 8),
        Step("linear", "fc1", "fc1", 0, (128,), 128 * 4 * 4 * 128 + 128, 128 * 4 * 4 * 128),
        Step("linear", "fc2", "fc2", 0, (10,), 128 * 10 + 10, 128 * 10),
    )


def test_the_cnn_is_a_chain_and_what_happens_between_its_layers_is_said():
    links = plan("cnn").links
    assert [(link.source, link.target) for link in links] == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]
    assert links[0].by == ("normalise",)
    assert links[2] == Link(2, 3, ("2x2 max-pool", "batch norm", "ReLU"), (64, 8, 8))
    assert links[3] == Link(3, 4, ("2x2 max-pool", "batch norm", "ReLU", "flatten"), (128 * 4 * 4,))


def test_the_pooling_and_the_activation_between_two_layers_of_speednet_are_said():
    assert plan("speednet").links[2].by == ("2x2 max-pool", "batch norm", "GELU")


def test_silus_are_said_where_they_stand_for_relus():
    smooth = blueprint_of("resnet", PHOTO, 10, 8, silu=True)
    said = [word for link in smooth.links for word in link.by]
    assert "SiLU" in said
    assert "ReLU" not in said


def test_the_layers_of_the_resnet_match_hand_arithmetic():
    # 2x2 filters, 8 a channel; then 3x3: 5 times 32, 8 times 64, twice 128 filters; pooling after the second and once
    # after the first of the second stage, so that sides are 31, 15 and 7.
    filters = [24, 32, *4 * [32], *8 * [64], *2 * [128]]
    sides = [31, 31, *4 * [15], 15, *9 * [7]]
    read = [3, *filters[:-1]]
    weights = [4 * 3 * 24, *(9 * a * b for a, b in zip(read[1:], filters[1:], strict=True))]
    found = layers(plan("resnet"))
    assert [step.shape for step in found] == [*((f, s, s) for f, s in zip(filters, sides, strict=True)), (10,)]
    assert [step.multiply_adds for step in found[:-1]] == [w * s * s for w, s in zip(weights, sides, strict=True)]
    norms = [24, *(2 * f for f in filters[1:])]  # of the first its bias instead
    assert [step.parameters for step in found[:-1]] == [w + n for w, n in zip(weights, norms, strict=True)]
    assert (found[-1].parameters, found[-1].multiply_adds) == (128 * 10 + 10, 128 * 10)


def test_a_resnet_has_a_skip_connection_around_both_layers_of_each_block_and_a_convnet_none():
    resnet, convnet = plan("resnet"), plan("convnet")
    assert convnet.skips == ()
    assert not [step for step in convnet.steps if step.kind == "sum"]
    around = [[step.name for step in resnet.around(link)] for link in resnet.skips]
    blocks = ["layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer2.2", "layer2.3", "layer3.0"]
    assert around == [[f"{block}.conv1", f"{block}.conv2"] for block in blocks]
    assert [link.by for link in resnet.skips][2] == ("ReLU", "2x2 mean", "maps of zeros added")


def test_resnet_and_convnet_have_the_same_layers():
    assert layers(plan("resnet")) == layers(plan("convnet"))


def test_the_fcn_joins_earlier_maps_and_the_ink_itself():
    found = plan("fcn", FIELD, classes=11)
    name = {place: step.name for place, step in enumerate(found.steps)}
    stacked = [{name[link.source] for link in found.links if link.target == place}
               for place, step in enumerate(found.steps) if step.kind == "stack"]  # fmt: skip
    assert stacked == [{"rise1.up", ""}, {"rise2.up", "conv1"}]
    of_the_image = {name[link.target]: link.by for link in found.links if link.source == 0}
    assert of_the_image == {"conv1": ("normalise",), "ink": ("normalise",)}  # its padding by nothing is not said
    assert [[step.name for step in found.around(link)] for link in found.skips] == [
        ["context.0.conv"], ["context.1.conv"], ["beside.0.conv"], ["beside.1.conv"],
    ]  # fmt: skip
    assert found.steps[-1].shape == (11, 64, 64)


@pytest.mark.parametrize("name", models.names())
def test_all_steps_together_are_what_the_network_costs(name):
    in_shape, classes = seen_by(name)
    found = blueprint_of(name, in_shape, classes, 16)
    whole = cost(models.build(name, in_shape, classes, width=16), in_shape)
    assert (found.parameters, found.multiply_adds) == (whole.parameters, whole.multiply_adds)


SHIPPED = [Run(path) for path in places.run_folders(places.SHIPPED) if path.name.startswith("ref-")]


@pytest.mark.parametrize("run", [run for run in SHIPPED if run.config.seed == 0], ids=lambda run: run.id)
def test_the_totals_are_what_tables_say_of_the_reference_run(run):
    config, status = run.config, run.status()
    info = data.describe(config.dataset)
    found = blueprint_of(config.model, info.image_shape, len(info.classes), config.width)
    assert (found.parameters, found.multiply_adds) == (status.parameters, status.multiply_adds)
    assert config.width == TrainConfig(model=config.model, dataset=config.dataset, recipe=config.recipe).width


@pytest.mark.parametrize("name", models.names())
def test_every_step_but_the_image_is_reached_and_only_the_answer_leads_nowhere(name):
    in_shape, classes = seen_by(name)
    found = blueprint_of(name, in_shape, classes, 8)
    places = range(len(found.steps))
    assert {link.target for link in found.links} == set(places) - {0}
    assert {link.source for link in found.links} == set(places) - {places[-1]}
    assert all(link.source < link.target for link in found.links)


class Wired(nn.Module):
    """A network whose forward is given."""

    def __init__(self, wiring):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)
        self.wiring = wiring

    def forward(self, x):
        return self.wiring(self, x)


def kinds_and_links(wiring):
    found = blueprint(Wired(wiring), (2, 8, 8))
    return [step.kind for step in found.steps], {(link.source, link.target) for link in found.links}, len(found.skips)


def test_a_sum_of_two_branches_is_no_skip_connection():
    both = kinds_and_links(lambda net, x: net.a(x) + net.b(x))
    assert both == (["image", "conv", "conv", "sum"], {(0, 1), (0, 2), (1, 3), (2, 3)}, 0)


def test_a_sum_with_what_went_in_is_one():
    assert kinds_and_links(lambda net, x: x + net.b(net.a(x)).relu()) == (
        ["image", "conv", "conv", "sum"], {(0, 1), (1, 2), (2, 3), (0, 3)}, 1,
    )  # fmt: skip


def test_a_layer_used_twice_is_met_twice():
    assert kinds_and_links(lambda net, x: net.a(net.a(x)))[0] == ["image", "conv", "conv"]


def test_maps_put_together_otherwise_are_joined():
    assert kinds_and_links(lambda net, x: net.a(x) * net.b(x))[0][-1] == "join"
    assert kinds_and_links(lambda net, x: torch.cat((net.a(x), net.b(x)), dim=1))[0][-1] == "stack"


def test_a_model_that_is_drawn_notices_nothing():
    model = models.build("resnet", PHOTO, 10, width=8).train()
    before, weights = torch.get_rng_state(), {name: value.clone() for name, value in model.state_dict().items()}
    blueprint(model, PHOTO)
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_drawing_by_name_draws_no_random_number():
    before = torch.get_rng_state()
    blueprint_of("cnn", DIGIT, 7, 12)
    assert torch.equal(torch.get_rng_state(), before)


def test_hooks_go_when_the_model_fails():
    model = models.build("cnn", PHOTO, 10)
    with pytest.raises(Exception, match="expected floats"):
        blueprint(model, DIGIT)
    assert not any(module._forward_hooks for module in model.modules())
