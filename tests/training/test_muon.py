"""Muon: its orthogonal steps by their singular values, its other steps against torch's AdamW."""

import math

import pytest
import torch

from core.training.muon import NEWTON_SCHULZ, STEP_SIZE, Muon, orthogonal


@pytest.mark.parametrize("shape", [(64, 16), (16, 64), (32, 8, 3, 3), (8, 32, 3, 3)], ids=str)
def test_an_orthogonal_step_has_equal_singular_values_and_the_size_of_adams(shape):
    torch.manual_seed(0)
    update = orthogonal(torch.randn(shape))
    values = torch.linalg.svdvals(update.flatten(1)) / (STEP_SIZE * max(update.flatten(1).shape) ** 0.5)
    assert values.min() > 0.6  # the iteration ends between 0.7 and 1.2 by design
    assert values.max() < 1.3
    assert update.square().mean().sqrt() == pytest.approx(STEP_SIZE, rel=0.25)


def test_an_orthogonal_step_keeps_the_directions_of_the_gradient():
    torch.manual_seed(0)
    gradient = torch.randn(20, 10)
    u, _, v = torch.linalg.svd(gradient, full_matrices=False)
    step, exact = orthogonal(gradient).flatten(), (u @ v).flatten()
    assert torch.cosine_similarity(step, exact, dim=0) > 0.97


def test_its_other_steps_are_those_of_adamw():
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(5, 3)) for _ in range(2))
    muon = Muon([{"params": [ours], "weight_decay": 0.1}], lr=0.05, momentum=0.9)
    adamw = torch.optim.AdamW([theirs], lr=0.05, weight_decay=0.1, betas=(0.9, 0.98), eps=1e-8)
    for _ in range(5):
        gradient = torch.randn(5, 3)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        muon.step()
        adamw.step()
    torch.testing.assert_close(ours, theirs)


def test_weight_decay_takes_its_share_beside_the_step():
    weight = torch.nn.Parameter(torch.eye(4))
    optimizer = Muon([{"params": [weight], "weight_decay": 0.5, "orthogonal": True}], lr=0.1, momentum=0.9)
    weight.grad = torch.zeros(4, 4)
    optimizer.step()
    torch.testing.assert_close(weight, 0.95 * torch.eye(4))


@pytest.mark.parametrize("momentum", [0.0, 0.6, 0.9])
def test_its_orthogonal_steps_are_those_of_torchs_muon_momentum_and_decay_included(momentum):
    torch.manual_seed(0)
    start = torch.randn(12, 20)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    groups = [{"params": [ours], "weight_decay": 0.1, "orthogonal": True}]
    muon = Muon(groups, lr=0.05, momentum=momentum)
    reference = torch.optim.Muon(
        [theirs], lr=0.05, weight_decay=0.1, momentum=momentum, nesterov=True, adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(5):
        gradient = torch.randn(12, 20)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        muon.step()
        reference.step()
    torch.testing.assert_close(ours, theirs, atol=5e-3, rtol=0)


def _stretched(smallest: float) -> torch.Tensor:
    """Float64 [24, 90] with singular values from 1 down to `smallest`."""
    torch.manual_seed(0)
    u, v = (torch.linalg.qr(torch.randn(n, 24, dtype=torch.float64))[0] for n in (24, 90))
    return (u * torch.logspace(0, math.log10(smallest), 24)) @ v.T


@pytest.mark.parametrize("smallest", [1e-1, 1e-3, 1e-6], ids=str)
def test_an_orthogonal_step_is_the_sources_iteration_on_the_update_itself(smallest):
    update = _stretched(smallest)
    a, b, c = NEWTON_SCHULZ
    x = update / update.norm()
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    torch.testing.assert_close(orthogonal(update), x * 0.2 * 90**0.5, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("smallest", "least"), [(1e-1, 0.9999), (1e-3, 0.98), (1e-6, 0.95)], ids=str)
def test_coarse_factors_move_a_step_only_where_the_update_has_next_to_nothing(smallest, least):
    update = _stretched(smallest)
    coarse, exact = orthogonal(update.float()).double().flatten(), orthogonal(update).flatten()
    assert torch.cosine_similarity(coarse, exact, dim=0) > least
    assert torch.linalg.svdvals(orthogonal(update.float())).max() < 1.3 * 0.2 * 90**0.5


def test_other_products_keep_the_precision_that_they_had():
    torch.set_float32_matmul_precision("highest")  # as a process has it at first
    orthogonal(torch.randn(8, 16))
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_layout_of_filters_in_memory_changes_no_step_and_is_kept():
    torch.manual_seed(0)
    gradient = torch.randn(32, 8, 3, 3)
    plain, last = orthogonal(gradient), orthogonal(gradient.to(memory_format=torch.channels_last))
    torch.testing.assert_close(plain, last)
    assert last.is_contiguous(memory_format=torch.channels_last)
