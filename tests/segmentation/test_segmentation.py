"""segment and what is read of it, the figures of masks by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from core.data import Split
from core.errors import ConfigError, DataError
from core.evaluation import digit_iou, evaluate, intersection_over_union
from core.segmentation import BACKGROUND, Segmentation, digit_accuracy, read, segment


class Sevens(nn.Module):
    """Calls ink a 7 in the upper half, a 2 in the lower, and all else background."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images):
        ink = images[:, 0] > 0.5  # [N, H, W]
        logits = torch.zeros(len(images), 11, *images.shape[2:])
        half = images.shape[2] // 2
        logits[:, 7, :half], logits[:, 2, half:] = 5.0 * ink[:, :half], 5.0 * ink[:, half:]
        logits[:, BACKGROUND] = 5.0 * ~ink
        return logits * self.weight


def field(*boxes):
    ink = np.zeros((64, 64), np.uint8)
    for left, top, right, bottom in boxes:
        ink[top : bottom + 1, left : right + 1] = 255
    return ink


def test_segment_gives_probabilities_of_every_pixel():
    ink = field((5, 5, 10, 20))
    found = segment(Sevens().eval(), ink)
    assert found.probabilities.shape == (11, 64, 64)
    assert found.probabilities.dtype == np.float32
    np.testing.assert_allclose(found.probabilities.sum(0), 1, atol=1e-5)
    assert found.labels.dtype == np.uint8
    assert np.array_equal(found.labels == 7, ink > 0)


@pytest.mark.parametrize(
    "bad", [np.zeros((28, 28), np.uint8), np.zeros((64, 64)), np.zeros(4096, np.uint8), np.zeros((1, 64, 64), np.uint8)]
)
def test_ink_that_is_no_field_of_bytes_is_refused(bad):
    with pytest.raises(DataError, match="expected bytes of shape"):
        segment(Sevens(), bad)


def test_digits_are_read_from_left_to_right_and_specks_are_not():
    ink = field((40, 5, 46, 20), (4, 40, 10, 60), (30, 30, 31, 31))
    readings = read(ink, segment(Sevens(), ink))
    assert [reading.digit for reading in readings] == [2, 7]
    assert readings[1].box == (40, 5, 46, 20)
    # e^5 against nine times e^0, the background apart
    assert readings[0].confidence == pytest.approx(np.exp(5) / (np.exp(5) + 9), abs=1e-4)


def test_two_digits_that_touch_are_both_read_and_a_small_gap_does_not_part_one():
    touching = field((10, 20, 20, 31), (21, 32, 30, 45))  # a 7 to the left, of which a 2 takes up the end
    assert [reading.digit for reading in read(touching, segment(Sevens(), touching))] == [7, 2]
    stacked = field((20, 12, 24, 52))  # more of it is called 2, but one above the other is one digit
    assert [reading.digit for reading in read(stacked, segment(Sevens(), stacked))] == [2]
    gap = field((20, 5, 24, 12), (20, 14, 24, 25))
    assert len(read(gap, segment(Sevens(), gap))) == 1


def test_an_empty_field_reads_nothing():
    assert read(field(), segment(Sevens(), field())) == []


def test_a_digit_that_the_network_calls_background_is_still_read_as_the_likeliest():
    ink = field((10, 10, 20, 30))
    probabilities = np.full((11, 64, 64), 0.01, np.float32)
    probabilities[BACKGROUND], probabilities[3] = 0.8, 0.1
    readings = read(ink, Segmentation(probabilities, probabilities.argmax(0).astype(np.uint8)))
    assert [reading.digit for reading in readings] == [3]


# Figures


def test_iou_by_hand():
    confusion = torch.tensor([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
    found = intersection_over_union(confusion)
    assert found[:2].tolist() == pytest.approx([6 / 9, 3 / 6])
    assert found[2].isnan()


def test_the_mean_over_digits_leaves_out_the_background_and_what_is_not_there():
    confusion = torch.zeros(11, 11, dtype=torch.long)
    confusion[1, 1], confusion[1, 10] = 3, 1  # IoU 3/4
    confusion[4, 4] = 7  # IoU 1
    confusion[10, 10] = 1000
    assert digit_iou(confusion) == pytest.approx((3 / 4 + 1) / 2)


def test_masks_are_evaluated_batch_by_batch_like_all_at_once():
    torch.manual_seed(0)
    images = torch.randint(0, 256, (7, 1, 16, 16), dtype=torch.uint8)
    labels = torch.randint(0, 11, (7, 16, 16))
    model, split = Sevens(), Split(images, labels, torch.arange(7))
    found = evaluate(model, split, batch_size=3)
    logits = model(images.float() / 255).detach()
    assert found.accuracy == pytest.approx(float((logits.argmax(1) == labels).float().mean()))
    assert found.loss == pytest.approx(float(nn.functional.cross_entropy(logits, labels)), rel=1e-5)
    assert torch.equal(found.predictions.long(), logits.argmax(1))
    assert found.probabilities is None
    pairs = torch.stack((labels.flatten(), logits.argmax(1).flatten()))
    expected = torch.zeros(11, 11, dtype=torch.long)
    for truth, answer in pairs.T.tolist():
        expected[truth, answer] += 1
    assert torch.equal(found.confusion, expected)
    with pytest.raises(ConfigError, match="of masks"):
        evaluate(model, split, views=6)


def test_digit_accuracy_counts_pieces_in_the_middle_and_at_the_border_by_hand():
    truth = torch.full((2, 64, 64), BACKGROUND)
    truth[0, 10:20, 10:20] = 3  # read right
    truth[0, 40:50, 40:50] = 3  # called 5 mostly
    truth[1, 0:8, 30:40] = 7  # at the border, right though half is called background
    truth[1, 30, 30] = 1  # a speck, left out
    answer = truth.clone()
    answer[0, 40:50, 40:47] = 5
    answer[1, 0:4, 30:40] = BACKGROUND
    found = digit_accuracy(answer, truth)
    assert (found.middle_right, found.middle, found.border_right, found.border) == (1, 2, 1, 1)
    assert found.accuracy == pytest.approx(2 / 3)
