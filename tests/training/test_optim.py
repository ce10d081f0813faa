"""Optimisers as a config asks for them: the momentum, by hand."""

import pytest
import torch
from torch import nn

from core.config import TrainConfig
from core.training.optim import build_optimizer


def optimizer_of(weight: nn.Parameter, **knobs) -> torch.optim.Optimizer:
    model = nn.ParameterList([weight, nn.Parameter(torch.zeros(1, 1))])  # the last one stands for the last layer
    return build_optimizer(model, TrainConfig(model="mlp", dataset="mnist-mini", weight_decay=0.0, **knobs))


@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_sgd_steps_by_the_momentum_of_the_config_as_nesterov_does(momentum):
    weight = nn.Parameter(torch.zeros(1, 1))
    optimizer = optimizer_of(weight, optimizer="sgd", learning_rate=0.5, momentum=momentum)
    for _ in range(2):
        weight.grad = torch.ones(1, 1)
        optimizer.step()
    velocity = (1.0, momentum + 1)  # after the first step, after the second
    expected = -0.5 * sum(1 + momentum * v for v in velocity)
    assert weight.item() == pytest.approx(expected)


@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_muon_turns_as_fast_as_the_momentum_of_the_config_lets_it(momentum):
    """Two gradients at a right angle, one row: an orthogonal step is a step in their weighted sum's direction."""
    weight = nn.Parameter(torch.zeros(1, 2))
    optimizer = optimizer_of(weight, optimizer="muon", learning_rate=0.5, momentum=momentum)
    for gradient in ([[1.0, 0.0]], [[0.0, 1.0]]):
        before = weight.detach().clone()
        weight.grad = torch.tensor(gradient)
        optimizer.step()
    right, up = (before - weight.detach())[0].tolist()
    assert right / up == pytest.approx(momentum**2 / (1 + momentum), abs=1e-5)
