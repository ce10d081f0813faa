"""The sanity check: maps that come from the weights go with them, maps that come from the picture stay."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import spearmanr

from core import explain, models
from core.explain.randomisation import Stage, blocks


def test_rank_correlation_is_spearmans_with_ties():
    torch.manual_seed(1)
    first = torch.rand(5, 6, 7).mul(4).round()
    second = torch.rand(5, 6, 7).mul(4).round() + first
    found = explain.rank_correlation(first, second)
    for place in range(5):
        expected = spearmanr(first[place].flatten(), second[place].flatten()).statistic
        assert float(found[place]) == pytest.approx(expected)


def test_an_empty_map_has_nothing_in_common_with_another():
    assert explain.rank_correlation(torch.zeros(1, 3, 3), torch.rand(1, 3, 3)).tolist() == [0.0]


def test_blocks_go_from_the_top_down():
    names = [
        block[0].rpartition(".")[0] or block[0] for block in blocks(models.build("resnet", (3, 32, 32), 10, width=4))
    ]
    assert names[0] == "fc"
    assert names[1].startswith("layer3.")
    assert names[-1] == "conv1"
    assert names.index("layer2.0") > names.index("layer3.0")


@pytest.fixture
def trained_like():
    """A CNN whose last layers say something strong."""
    torch.manual_seed(0)
    return models.build("cnn", (3, 32, 32), 10, width=4).eval()


def test_shuffling_leaves_the_network_itself_alone_and_says_where_the_last_block_is(trained_like):
    before = {name: tensor.clone() for name, tensor in trained_like.state_dict().items()}
    stages = explain.randomised(trained_like, torch.rand(4, 3, 32, 32))
    assert [stage.block for stage in stages] == ["fc2", "fc1", "norm3", "conv3", "norm2", "conv2", "conv1"]
    assert [stage.block for stage in stages if stage.is_last_block] == ["conv3"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in trained_like.state_dict().items())
    short = explain.randomised(trained_like, torch.rand(4, 3, 32, 32), only_last_block=True)
    assert short[-1].is_last_block
    assert len(short) == 4


def test_a_map_that_ignores_what_is_above_its_layer_stays_until_its_layer_is_shuffled(trained_like):
    stages = explain.randomised(trained_like, torch.rand(4, 3, 32, 32), None, "conv1", "eigen-cam")
    correlations = [stage.correlation for stage in stages]
    assert min(correlations[:-1]) > 0.99
    assert not explain.depends_on_learning(stages)


def test_grad_cam_depends_on_what_was_learned(trained_like):
    assert explain.depends_on_learning(explain.randomised(trained_like, torch.rand(8, 3, 32, 32)))


def test_the_line_is_drawn_at_one_half_once_the_last_block_is_random():
    top, low = Stage("fc", 0.9, False), Stage("conv1", 0.0, False)
    assert explain.depends_on_learning([top, Stage("conv2", 0.49, True), low])
    assert not explain.depends_on_learning([top, Stage("conv2", 0.5, True), low])


def test_a_network_without_a_convolution_is_judged_by_its_first_shuffled_layer():
    model = models.build("mlp", (3, 32, 32), 10, width=16).eval()
    stages = explain.randomised(model, torch.rand(4, 3, 32, 32), method="gradient", only_last_block=True)
    assert [stage.block for stage in stages] == ["fc4"]
