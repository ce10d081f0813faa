"""From a raw map to one that is shown: what nothing looks like, and how squares stay squares."""

from __future__ import annotations

import torch

from core.explain import scaled


def test_a_map_without_anything_above_zero_stays_empty():
    maps = torch.tensor([[[-1.0, 0.0], [-2.0, -3.0]], [[0.0, 0.0], [0.0, 0.0]], [[-1.0, 1e-9], [0.0, 0.0]]])
    assert not scaled(maps, (8, 8)).any()  # the last one's only evidence is rounding


def test_a_faint_map_without_evidence_against_it_is_shown_in_full():
    assert float(scaled(torch.full((1, 2, 2), 1e-9), (4, 4)).max()) == 1.0


def test_every_map_reaches_1_by_its_own_scale():
    maps = torch.tensor([[[1.0, 2.0], [4.0, -8.0]], [[10.0, 0.0], [0.0, 0.0]]])
    assert torch.equal(scaled(maps), torch.tensor([[[0.25, 0.5], [1.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]]))
    assert scaled(maps, (7, 9)).amax(dim=(1, 2)).tolist() == [1.0, 1.0]


def test_as_it_is_every_place_is_an_even_square():
    found = scaled(torch.tensor([[[1.0, 2.0], [4.0, 0.0]]]), (4, 4), smooth=False)[0]
    assert torch.equal(found[:2, 2:], torch.full((2, 2), 0.5))
    assert torch.equal(found[2:, :2], torch.ones(2, 2))
