"""evaluate against hand arithmetic."""

import math

import pytest
import torch
from torch import nn

from core.data import Split
from core.errors import ConfigError
from core.evaluation import evaluate


class Brightness(nn.Module):
    """Two classes: dark and bright; the margin is the mean pixel, centred."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, images):
        level = self.factor * (images.mean((1, 2, 3)) - 0.5)
        return torch.stack((-level, level), 1)


def split_of(levels, labels):
    images = torch.tensor(levels, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    return Split(images, torch.tensor(labels), torch.arange(len(labels)))


def test_accuracy_loss_and_confusion_by_hand():
    result = evaluate(Brightness(), split_of([0, 255, 255, 0], [0, 1, 0, 0]))
    right, wrong = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    assert result.accuracy == 0.75
    assert result.loss == pytest.approx((3 * right + wrong) / 4)
    assert result.confusion.tolist() == [[2, 1], [0, 1]]
    assert result.predictions.tolist() == [0, 1, 1, 0]
    assert result.probabilities.sum(1).tolist() == pytest.approx([1, 1, 1, 1])


def test_the_models_mode_is_put_back_and_small_batches_change_nothing():
    model = Brightness().train()
    split = split_of(list(range(0, 250, 10)), [0] * 25)
    one, many = evaluate(model, split), evaluate(model, split, batch_size=3)
    assert model.training
    assert torch.equal(one.predictions, many.predictions)
    assert one.loss == pytest.approx(many.loss)


def test_more_views_of_an_even_image_agree_with_one():
    split = split_of([30, 200], [0, 1])
    losses = [evaluate(Brightness(), split, views=views).loss for views in (1, 2, 6)]
    assert losses[1:] == pytest.approx([losses[0]] * 2)


def test_a_mirrored_view_counts_half():
    class LeftEdge(Brightness):
        def forward(self, images):
            return super().forward(images[..., :1])

    images = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    images[..., 0] = 255
    split = Split(images, torch.tensor([1]), torch.arange(1))
    sure = 1 / (1 + math.exp(-2))
    assert evaluate(LeftEdge(), split).probabilities[0, 1].item() == pytest.approx(sure)
    assert evaluate(LeftEdge(), split, views=2).probabilities[0, 1].item() == pytest.approx(0.5)


def test_another_number_of_views_is_refused():
    with pytest.raises(ConfigError, match="1, 2, 6"):
        evaluate(Brightness(), split_of([0], [0]), views=3)
