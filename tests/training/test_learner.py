"""One batch: what is random in it."""

from types import SimpleNamespace

import pytest
import torch

from core.training import learner


@pytest.mark.parametrize("maker", [None, "scenes"])
def test_what_a_network_draws_by_itself_depends_on_the_step_alone(monkeypatch, maker):
    """Dropout, say, of a network of one's own: drawn from torch's global generator."""
    images, labels = torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.zeros(2, dtype=torch.long)
    monkeypatch.setattr(learner, "step_scenes", lambda maker, count, *place: (images, labels))
    drawn = []
    for before, position in ((1, 5), (2, 5), (2, 6)):
        torch.manual_seed(before)
        learner.Learner._batch(
            SimpleNamespace(
                config=SimpleNamespace(seed=0, low_resolution=0.0),
                progress=SimpleNamespace(epoch=0, position=position, step=position),
                data=SimpleNamespace(maker=maker),
                device=torch.device("cpu"),
                images=images,
                labels=labels,
                mirrored_first=torch.zeros(2, dtype=torch.bool),
                augment=lambda pixels, generator, mirrored: pixels,
                total_steps=9,
            ),
            torch.arange(2),
        )
        drawn.append(float(torch.rand(())))
    assert drawn[0] == drawn[1] != drawn[2]
