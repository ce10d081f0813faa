"""One batch: what is random in it, and what is learned of it."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from core import data
from core.config import TrainConfig
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
                config=SimpleNamespace(seed=0, low_resolution=0.0, mixup=False),
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


def test_of_blended_images_both_classes_are_learned_and_the_stronger_one_is_right():
    config = TrainConfig(
        model="mlp", dataset="mnist-mini", width=16, batch_size=50, mixup=True, label_smoothing=0.1, precision="float32"
    )
    one = learner.Learner(config, data.load(config.dataset))
    one.model.eval()
    index = one.epoch_order()[0]
    images, shares = one._batch(index)
    labels = one.labels[index]
    assert torch.equal(shares.argmax(1), labels)
    blended = (shares.max(1).values < 0.99).nonzero().flatten()
    assert len(blended) > 30
    weaker = shares.clone().scatter_(1, labels[:, None], 0).argmax(1)
    logits = one.model(images).detach()
    of_own, of_other = (
        F.cross_entropy(logits, which, label_smoothing=0.1, reduction="none") for which in (labels, weaker)
    )
    own = shares.gather(1, labels[:, None])[:, 0]
    loss, accuracy = one.learn(index)
    assert float(loss) == pytest.approx(float((own * of_own + (1 - own) * of_other).mean()), rel=1e-5)
    assert float(accuracy) == pytest.approx(float((logits.argmax(1) == labels).float().mean()))
