import math

import pytest
import torch

from core.data.augment import Augmentation, affine, cutout, flip_shift, mixup, shrink, step_generator, warp
from core.errors import ConfigError

SHAPES = [(4, 3, 32, 32), (5, 1, 28, 28), (3, 2, 9, 14), (2, 3, 1, 1)]
KINDS = [
    Augmentation(flip=True),
    Augmentation(shift=2),
    Augmentation(cutout=3),
    Augmentation(rotate=10.0, scale=0.1, shift=2),
    Augmentation(flip=True, shift=3, cutout=4, rotate=5.0),
]


def batch(count, channels, height, width, seed=0):
    """Images uint8 [N, C, H, W], channels_last, as a data set gives them."""
    generator = torch.Generator().manual_seed(seed)
    stored = torch.randint(0, 256, (count, height, width, channels), dtype=torch.uint8, generator=generator)
    return stored.permute(0, 3, 1, 2)


def at(step):
    return step_generator(0, 0, step)


def row(values):
    """One image of one row, repeated for as many draws as a test wants."""
    return torch.tensor(values, dtype=torch.uint8).view(1, 1, 1, -1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_keeps_its_shape_type_and_layout_and_the_input_its_values(kind, shape):
    images = batch(*shape)
    before = images.clone()
    result = kind(images, at(0))
    assert result.shape == images.shape
    assert result.dtype == torch.uint8
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert images.equal(before)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_step_gives_the_same_batch_and_another_step_another(kind):
    images = batch(8, 3, 32, 32)
    first = kind(images, step_generator(3, 2, 1))
    torch.rand(7)  # what others draw from the global generator is of no effect
    assert kind(images, step_generator(3, 2, 1)).equal(first)
    for other in ((3, 2, 2), (3, 1, 1), (2, 2, 1)):
        assert not kind(images, step_generator(*other)).equal(first)


@pytest.mark.parametrize("kind", KINDS)
def test_global_random_numbers_are_left_alone(kind):
    state = torch.get_rng_state()
    kind(batch(4, 3, 32, 32), at(0))
    assert torch.get_rng_state().equal(state)


@pytest.mark.parametrize("kind", KINDS)
def test_the_memory_layout_of_the_input_does_not_matter(kind):
    images = batch(4, 3, 16, 20)
    assert kind(images.contiguous(), at(0)).equal(kind(images, at(0)))


def test_no_augmentation_gives_the_batch_as_it_is():
    images = batch(4, 3, 32, 32)
    assert Augmentation()(images, at(0)) is images


def test_neighbouring_places_get_unrelated_numbers():
    places = [(s, e, t, r) for s in range(6) for e in range(6) for t in range(6) for r in range(6)]
    first = torch.stack([torch.rand(2, generator=step_generator(*place[:3], stream=place[3])) for place in places])
    assert len({tuple(pair.tolist()) for pair in first}) == len(places)
    assert abs(first.mean().item() - 0.5) < 4 / math.sqrt(12 * first.numel())
    for stride in (1, 6, 36, 216):  # neighbours by stream, step, epoch, seed
        pairs = torch.stack((first[:-stride, 0], first[stride:, 0]))
        assert abs(torch.corrcoef(pairs)[0, 1].item()) < 4 / math.sqrt(len(places))


def test_a_seed_of_any_size_is_accepted():
    assert step_generator(2**63, 0, 0).initial_seed() != step_generator(-1, 0, 0).initial_seed()


def test_every_shift_of_a_row_is_its_reflection_by_hand():
    images = row([1, 2, 3, 4, 5]).expand(400, 1, 1, 5)
    seen = {tuple(image) for image in flip_shift(images, at(0), False, 2).view(400, 5).tolist()}
    assert seen == {
        (3, 4, 5, 4, 3),  # two to the left
        (2, 3, 4, 5, 4),
        (1, 2, 3, 4, 5),
        (2, 1, 2, 3, 4),
        (3, 2, 1, 2, 3),  # two to the right
    }


def test_a_shift_beyond_the_image_is_reflected_again_and_again():
    images = row([1, 2, 3]).expand(300, 1, 1, 3)
    seen = {tuple(image) for image in flip_shift(images, at(0), False, 9).view(300, 3).tolist()}
    assert seen == {(1, 2, 3), (2, 1, 2), (3, 2, 1), (2, 3, 2)}


def test_rows_and_columns_move_by_themselves_and_equally_often_by_each_amount():
    """A single bright pixel in the middle lands on each of 25 places equally often (chi-squared, 24 degrees)."""
    count = 10_000
    images = torch.zeros(count, 1, 7, 7, dtype=torch.uint8)
    images[:, :, 3, 3] = 1
    landed = flip_shift(images, at(0), False, 2).sum((0, 1)).double()
    assert landed.sum() == count
    inner = landed[1:6, 1:6]
    assert inner.sum() == count
    assert ((inner - count / 25) ** 2 / (count / 25)).sum().item() < 60


def test_half_of_the_images_are_mirrored_left_to_right_and_none_upside_down():
    images = batch(1, 3, 8, 6).expand(4000, 3, 8, 6)
    result = flip_shift(images, at(0), True, 0)
    mirrored = (result == images.flip(3)).flatten(1).all(1)
    kept = (result == images).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert abs(mirrored.double().mean().item() - 0.5) < 4 * 0.5 / math.sqrt(4000)


def test_flipping_twice_with_the_same_numbers_gives_the_batch_back():
    images = batch(64, 3, 9, 7)
    once = flip_shift(images, at(5), True, 0)
    assert not once.equal(images)
    assert flip_shift(once, at(5), True, 0).equal(images)


def test_colours_of_a_pixel_move_together():
    grey = batch(50, 1, 12, 12)
    images = torch.cat((grey, 255 - grey), 1)
    result = flip_shift(images, at(0), True, 3)
    assert result[:, :1].equal(255 - result[:, 1:])
    assert result[:, :1].equal(flip_shift(grey, at(0), True, 3))


def test_cutout_blanks_one_square_cut_at_the_edges_in_the_mean_colour():
    images = torch.zeros(600, 2, 10, 10, dtype=torch.uint8)
    images[:, 0, :, ::2] = 200  # mean 100
    images[:, 1] = 60
    result = cutout(images, at(0), 4)
    blank = result[:, 0] == 100
    assert result[:, 0][~blank].equal(images[:, 0][~blank])
    assert (result[:, 1] == 60).all()
    heights, widths = blank.any(2).sum(1), blank.any(1).sum(1)
    assert blank.sum((1, 2)).equal(heights * widths)  # a full rectangle
    assert set(heights.tolist()) == set(widths.tolist()) == {2, 3, 4}  # cut when the centre is near an edge


def test_mixup_blends_pixels_and_classes_by_the_same_shares():
    count = 400
    values = torch.arange(float(count))
    images = values[:, None, None, None].expand(count, 3, 2, 2)  # image i is i all over, of class i
    blended, shares = mixup(images, torch.eye(count), step_generator(0, 0, 0))
    torch.testing.assert_close(blended, (shares @ values)[:, None, None, None].expand_as(blended), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(shares.sum(1), torch.ones(count))
    own = shares.diagonal()
    assert own.min() >= 0.5
    assert own.mean() == pytest.approx(0.75, abs=0.03)
    assert own.std() == pytest.approx(0.5 / math.sqrt(12), abs=0.02)
    others = (shares - torch.diag(own)).argmax(1)
    assert len(others.unique()) > count - 5  # each is blended into one other, but for those that met themselves


def test_mixup_by_the_same_numbers_is_the_same_and_leaves_its_input_alone():
    images, shares = torch.rand(8, 3, 4, 4), torch.eye(8)
    before = images.clone()
    first, second = (mixup(images, shares, step_generator(0, 1, 2)) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], mixup(images, shares, step_generator(0, 1, 3))[0])
    assert torch.equal(images, before)


def test_the_centre_of_a_cutout_is_any_pixel_equally_often():
    """Chi-squared over 25 pixels, 24 degrees of freedom."""
    images = torch.zeros(10_000, 1, 5, 5)
    images[:, 0, 0, 0] = 1e-3  # so that the mean is no colour of a pixel
    images += torch.arange(10_000).view(-1, 1, 1, 1) % 2  # and lies between the two that there are
    hits = ((cutout(images, at(0), 1) != images).sum((0, 1))).double()
    assert hits.sum() == 10_000
    assert ((hits - 400) ** 2 / 400).sum().item() < 60


def test_cutout_works_on_floats_with_the_unrounded_mean():
    images = torch.rand(20, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    result = cutout(images, at(0), 3)
    changed = (result != images).all(1)
    mean = images.mean((0, 2, 3))
    torch.testing.assert_close(result.movedim(1, -1)[changed], mean.expand(int(changed.sum()), 3))


def still(count, **moves):
    """Arguments of `warp` that leave images as they are, but for `moves`."""
    values = {"degrees": 0.0, "size": 1.0, "right": 0.0, "down": 0.0} | moves
    return {name: torch.full((count,), value) for name, value in values.items()}


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 1, 7, 11)])
def test_a_warp_by_nothing_changes_nothing(shape):
    images = batch(*shape).float() / 255
    torch.testing.assert_close(warp(images, **still(2)), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize("turns", [1, 2, 3, -1])
@pytest.mark.parametrize("side", [7, 8])
def test_quarter_turns_are_those_of_rot90(turns, side):
    images = batch(2, 3, side, side).float() / 255
    expected = torch.rot90(images, turns, (2, 3))  # anticlockwise
    torch.testing.assert_close(warp(images, **still(2, degrees=90.0 * turns)), expected, atol=1e-4, rtol=0)


def test_a_quarter_turn_of_a_wide_image_keeps_pixels_square():
    images = torch.zeros(1, 1, 5, 9)
    images[0, 0, 2, 6] = 1.0  # two pixels to the right of the centre (2, 4)
    turned = warp(images, **still(1, degrees=90.0))
    assert turned[0, 0, 0, 4].item() == pytest.approx(1, abs=1e-5)  # two pixels above it
    assert turned.sum().item() == pytest.approx(1, abs=1e-4)


def test_a_move_is_exact_in_pixels_with_black_from_outside():
    images = batch(1, 1, 6, 9).float() / 255
    moved = warp(images, **still(1, right=2.0, down=-1.0))
    expected = torch.zeros_like(images)
    expected[:, :, :-1, 2:] = images[:, :, 1:, :-2]
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=0)


def test_a_move_by_half_a_pixel_is_the_mean_of_neighbours():
    images = torch.tensor([0.0, 0.2, 0.6, 1.0]).view(1, 1, 1, 4)
    moved = warp(images, **still(1, right=0.5))
    torch.testing.assert_close(moved.flatten(), torch.tensor([0.0, 0.1, 0.4, 0.8]), atol=1e-5, rtol=0)


def test_the_move_comes_after_the_turn():
    images = torch.zeros(1, 1, 9, 9)
    images[0, 0, 4, 6] = 1.0  # two right of the centre; a quarter turn puts it two above, the move one further right
    moved = warp(images, **still(1, degrees=90.0, right=1.0))
    assert moved[0, 0, 2, 5].item() == pytest.approx(1, abs=1e-4)


def test_growing_doubles_a_block():
    images = torch.zeros(1, 1, 16, 16)
    images[0, 0, 6:10, 6:10] = 1.0
    grown = warp(images, **still(1, size=2.0))
    assert grown.sum().item() == pytest.approx(4 * 16, rel=0.02)
    assert grown[0, 0, 5:11, 5:11].min().item() == pytest.approx(1, abs=1e-5)
    assert grown[0, 0, :3].max().item() == 0


def test_random_turns_scales_and_moves_stay_within_their_bounds():
    """Measured from the images: centre of mass, and the direction and the length of a bar."""
    images = torch.zeros(500, 1, 33, 33)
    images[:, :, 15:18, 8:25] = 1.0
    result = affine(images, at(0), 20.0, 0.2, 3)
    weight = result.squeeze(1)
    mass = weight.sum((1, 2))
    place = torch.arange(33.0) - 16
    x, y = (weight.sum(1) * place).sum(1) / mass, (weight.sum(2) * place).sum(1) / mass
    dx, dy = place[None, None, :] - x[:, None, None], place[None, :, None] - y[:, None, None]
    xx, yy, xy = ((weight * product).sum((1, 2)) / mass for product in (dx * dx, dy * dy, dx * dy))
    degrees = torch.rad2deg(torch.atan2(2 * xy, xx - yy) / 2)
    size = (mass / (3 * 17)).sqrt()
    for measured, centre, bound, slack in ((x, 0, 3, 0.2), (y, 0, 3, 0.2), (degrees, 0, 20, 1), (size, 1, 0.2, 0.03)):
        off = measured - centre
        assert off.abs().max().item() < bound + slack
        assert off.max().item() > 0.9 * bound
        assert off.min().item() < -0.9 * bound
        assert off.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.12)  # uniform
    measured = torch.corrcoef(torch.stack((x, y, degrees, size)))
    assert (measured - torch.eye(4)).abs().max().item() < 4 / math.sqrt(500)  # none depends on another


def test_shrinking_to_half_takes_the_mean_of_neighbours_by_hand():
    row = torch.tensor([0.0, 1.0, 2.0, 3.0]).expand(1, 1, 4, 4)
    # Half as large, a pixel sees 4 with weights 1 3 3 1; at the edge, 3 of them.
    near, far = (3 * 0 + 3 * 1 + 1 * 2) / 7, (1 * 1 + 3 * 2 + 3 * 3) / 7
    torch.testing.assert_close(shrink(row, 0.5), torch.tensor([near, far]).expand(1, 1, 2, 2))
    assert shrink(torch.zeros(2, 3, 32, 31), 0.75).shape == (2, 3, 24, 23)


def test_a_warp_keeps_values_in_range():
    images = batch(50, 1, 28, 28).float() / 255
    result = affine(images, at(0), 45.0, 0.5, 5)
    assert result.min().item() >= 0
    assert result.max().item() <= 1


def test_a_warped_uint8_batch_is_the_rounded_float_one():
    images = batch(16, 1, 28, 28)
    result = Augmentation(rotate=15.0, scale=0.1, shift=2)(images, at(4))
    exact = affine(images.float() / 255, at(4), 15.0, 0.1, 2) * 255
    assert (result.float() - exact).abs().max().item() <= 0.501


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("shift", -1),
        ("shift", 1.5),
        ("shift", True),
        ("cutout", -2),
        ("cutout", "8"),
        ("rotate", -1.0),
        ("rotate", 181.0),
        ("rotate", math.nan),
        ("scale", 1.0),
        ("scale", -0.1),
        ("scale", math.nan),
    ],
)
def test_an_impossible_knob_is_refused_by_name(knob, value):
    with pytest.raises(ConfigError, match=f"^{knob} is .*allowed is"):
        Augmentation(**{knob: value})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("kind", KINDS)
def test_it_works_on_a_gpu(kind):
    images = batch(4, 3, 32, 32).cuda()
    result = kind(images, step_generator(0, 0, 0, device="cuda"))
    assert result.device == images.device
    assert result.equal(kind(images, step_generator(0, 0, 0, device="cuda")))
