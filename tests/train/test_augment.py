"""Augmentation: what is done is what was asked for, and the truth goes with it."""

import dataclasses

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from morpheus.classes import BACKGROUND
from morpheus.model.normalise import SkyNormaliser, standardise_jointly
from morpheus.mosaic.sky import SkyLevel
from morpheus.train.augment import augment, padded_side
from morpheus.train.examples import Example
from morpheus.train.options import AugmentOptions, ModelOptions
from morpheus.train.prepared import Prepared, sky_noise_input, window_input

NONE = AugmentOptions.none()
DISK = 1
N = 6


def only(**changes):
    return dataclasses.replace(NONE, **changes)


def random(seed):
    return torch.Generator().manual_seed(seed)


def example(images, classes=None, ranges=(1.0, 1.0)):
    """A batch of all sky, or of these classes (n, y, x)."""
    n, n_bands, height, width = images.shape
    if classes is None:
        classes = torch.full((n, height, width), BACKGROUND)
    shares = torch.nn.functional.one_hot(classes, 5).movedim(-1, 1).float()
    owner = (classes != BACKGROUND).int() * (1 + torch.arange(n)[:, None, None].int())
    weight = 1 / (1 + owner.float())
    noise = torch.tensor(ranges).expand(n, n_bands, 2).clone()
    return Example(images, shares, owner, weight, owner > 0, noise)


def sky(n_bands=2, side=66, seed=0, sigma=1.0):
    return sigma * torch.randn(N, n_bands, side, side, generator=random(seed))


def made(batch, options, crop=64, model=None, seed=0):
    if model is None:
        model = ModelOptions(bands=tuple("ABCDEFG"[: batch.images.shape[1]]))
    return augment(batch, crop, model, options, random(seed))


@pytest.mark.parametrize("side", [66, 67])
def test_nothing_leaves_the_centre_as_it_is(side):
    images = 3.0 + 0.5 * sky(side=side)
    classes = torch.randint(0, 5, (N, side, side), generator=random(1))
    batch = example(images, classes)
    got = made(batch, NONE)
    first = 1 + (side - 66)
    cut = slice(first, first + 64)
    assert torch.equal(got.images, images[..., cut, cut])
    assert torch.equal(got.classes, batch.classes[..., cut, cut])
    assert torch.equal(got.owner, batch.owner[..., cut, cut])
    assert torch.equal(got.weight, batch.weight[..., cut, cut])
    assert bool(got.valid.all())


def test_sky_and_noise_are_those_of_blank_pixels():
    images = 3.0 + 0.5 * sky()
    classes = torch.full((N, 66, 66), BACKGROUND)
    classes[:, 20:50, 20:50] = DISK
    images[:, :, 20:50, 20:50] += 1000
    got = made(example(images, classes), NONE)
    assert_allclose(got.sky, 3.0, atol=0.04)
    assert_allclose(got.noise, 0.5, rtol=0.08)
    assert_allclose(got.noise.mean(), 0.5, rtol=0.02)


def pattern(side):
    """Classes without symmetry, and an image that says them."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    classes = (y // 7 + 2 * (x // 5) + (x * y) // 97) % 5
    images = torch.stack([100.0 * classes, 100.0 * classes + 7])
    return images.expand(N, -1, -1, -1).clone(), classes.expand(N, -1, -1).clone()


def test_classes_turn_with_the_image():
    images, classes = pattern(66)
    center = images[0, 0, 1:-1, 1:-1]
    turned = [torch.rot90(flipped, k) for flipped in (center, center.flip(1)) for k in range(4)]
    seen = set()
    for seed in range(12):
        got = made(example(images, classes), only(flip=True), seed=seed)
        assert_allclose(got.images[:, 1], got.images[:, 0] + 7)
        assert torch.equal(got.classes.argmax(1), (got.images[:, 0] / 100).round().long())
        assert torch.equal(got.owner > 0, got.classes.argmax(1) != BACKGROUND)
        for one in got.images[:, 0]:
            seen |= {k for k, other in enumerate(turned) if torch.equal(one, other)}
    assert seen == set(range(8))  # nothing else: each is one of the eight


def test_classes_turn_by_any_angle_and_scale():
    side = padded_side(64, only(rotate=1.0, scale=(0.8, 1.25)))
    axis = torch.arange(side) - (side - 1) / 2
    slope = axis + 0.3 * axis[:, None]  # from -70 to 70; linear, so interpolation is exact
    images = slope.expand(N, 1, -1, -1).clone()
    classes = torch.where(slope > 4, DISK, BACKGROUND).expand(N, -1, -1)
    got = made(example(images, classes), only(rotate=1.0, scale=(0.8, 1.25)))
    assert bool(got.valid.all())
    disk = got.classes[:, DISK] == 1
    clear = (got.images[:, 0] - 4).abs() > 1.1
    assert torch.equal(disk[clear], got.images[:, 0][clear] > 4)
    gradients = [
        ((one[:, 1:] - one[:, :-1]).mean(), (one[1:] - one[:-1]).mean()) for one in got.images[:, 0]
    ]
    steepness = [float(torch.hypot(*pair) / np.hypot(1, 0.3)) for pair in gradients]
    assert_allclose([np.log(s) for s in steepness], 0, atol=np.log(1.25) + 1e-3)
    assert max(steepness) > 1.05
    assert min(steepness) < 0.95
    assert len({round(float(torch.atan2(*pair)), 2) for pair in gradients}) == N


def test_bands_are_misaligned_against_the_first():
    axis = torch.arange(70.0)
    images = axis.expand(N, 3, 70, 70).clone()
    got = made(example(images), only(misalign=0.5, misaligned=1.0))
    offset = got.images - got.images[:, :1]
    assert_allclose(offset[:, 0], 0)
    assert_allclose(offset, offset.mean((2, 3), keepdim=True).expand_as(offset), atol=1e-3)
    scatter = torch.cat(
        [
            made(example(images), only(misalign=0.5, misaligned=1.0), seed=s).images[:, 1:, 30, 30]
            for s in range(20)
        ]
    )
    assert_allclose(scatter.std(), 0.5, rtol=0.15)
    few = torch.cat(
        [
            made(example(images), only(misalign=0.5, misaligned=0.3), seed=s).images[:, 1:, 30, 30]
            for s in range(20)
        ]
    )
    assert_allclose(((few - 31 - 2).abs() > 1e-3).float().mean(), 0.3, atol=0.1)


@pytest.mark.parametrize("correlation", [0.0, 1.0])
def test_noise_is_raised_as_asked(correlation):
    images = sky(sigma=0.2)
    got = made(example(images, ranges=(3.0, 3.0)), only(correlation=correlation))
    assert_allclose(got.images.std((2, 3)), 0.6, rtol=0.09)
    assert_allclose(got.images.std(), 0.6, rtol=0.025)
    assert_allclose(got.noise, 0.6, rtol=0.12)
    added = got.images - images[..., 1:-1, 1:-1]
    neighbours = (added[..., 1:] * added[..., :-1]).mean((2, 3)) / added.square().mean((2, 3))
    if correlation:
        assert float(neighbours.max()) > 0.3
    else:
        assert_allclose(neighbours, 0, atol=0.08)


def test_some_noise_is_smooth():
    options = only(smooth=0.5, smooth_sigma=1.5)
    got = [made(example(sky(), ranges=(20.0, 20.0)), options, seed=seed) for seed in range(20)]
    added = torch.cat([one.images for one in got])
    assert_allclose(added.std((2, 3)).mean(), 20, rtol=0.05)
    power = added.square().mean((2, 3))
    next_but_two = (added[..., 3:] * added[..., :-3]).mean((2, 3)) / power
    # Gaussians of s pixels leave exp(-9 / 4 s^2) of it there: 0.37 at most, and of half nothing.
    assert 0.25 < float(next_but_two.max()) < 0.55
    by_example = next_but_two.reshape(20, -1).amax(1)
    assert 3 < int((by_example > 0.2).sum()) < 17


def test_all_bands_are_raised_together_each_in_its_range():
    batch = example(sky(3))
    batch.noise[:, 0] = torch.tensor([1.0, 9.0])
    batch.noise[:, 1] = torch.tensor([1.0, 3.0])
    factors = torch.cat([made(batch, NONE, seed=seed).noise for seed in range(10)])
    assert_allclose(factors[:, 2], 1, rtol=0.08)  # not named
    assert_allclose(factors[:, 1].log() * 2, factors[:, 0].log(), atol=0.25)
    assert float(factors[:, 0].max()) > 6
    assert float(factors[:, 0].min()) < 2
    assert float(factors[:, 0].max()) < 9.8


def test_scatter_between_bands_only_raises():
    factors = torch.cat(
        [
            made(example(sky(), ranges=(2.0, 2.0)), only(noise_scatter=0.3), seed=s).noise
            for s in range(10)
        ]
    )
    assert float(factors.min()) > 0.94
    assert_allclose(factors.median(), 2, rtol=0.2)
    assert float(factors.log10().std()) > 0.15


def sources():
    """A faint and a bright disk of 12 pixels on sky of noise 1."""
    images, classes = sky(1), torch.full((N, 66, 66), BACKGROUND)
    for x, height in ((10, 2.5), (40, 60.0)):
        images[:, 0, 25:37, x : x + 12] += height
        classes[:, 25:37, x : x + 12] = DISK
    return images, classes


def test_what_drowns_is_background():
    images, classes = sources()
    got = made(example(images, classes, (6.0, 6.0)), NONE)
    disk = got.classes[:, DISK]
    assert float(disk[:, 24:36, 39:51].mean()) == 1
    assert float(disk[:, 24:36, 9:21].mean()) < 0.01
    assert torch.equal(got.classes.sum(1), torch.ones(N, 64, 64))
    assert torch.equal(got.classes[:, BACKGROUND], 1 - disk)


def test_what_is_not_raised_does_not_drown():
    images, classes = sources()
    images[:, :, 25:37, 10:22] -= 3.5  # now below the sky
    for factor in (1.0, 1.15):
        got = made(example(images, classes, (factor, factor)), NONE)
        assert float(got.classes[:, DISK, 24:36, 9:21].mean()) == 1


def test_unknown_pixels_stay_unknown():
    batch = example(sky(1), ranges=(6.0, 6.0))
    batch.classes[:, :, 20:40, 20:40] = 0
    got = made(batch, NONE)
    assert float(got.classes[..., 19:39, 19:39].sum()) == 0


def test_dropped_bands_are_never_all():
    batch = example(sky(4, side=18))
    batch.images[0, 1:] = torch.nan  # this has the first only
    kept = []
    for seed in range(40):
        valid = made(batch, only(drop_band=1.0), crop=16, seed=seed).valid
        assert torch.equal(valid.any((2, 3)), valid.all((2, 3)))
        kept.append(valid.any((2, 3)))
    number = torch.stack(kept).sum(2)
    assert int(number.min()) == 1
    assert torch.equal(number[:, 0], torch.ones(40, dtype=torch.long))
    assert set(number[:, 1:].flatten().tolist()) == {1, 2, 3, 4}
    assert bool(torch.stack(kept)[:, 1:].any((0, 1)).all())  # any of them is dropped at times
    assert bool((~torch.stack(kept)[:, 1:]).any((0, 1)).all())


def test_only_the_first():
    batch = example(sky(3))
    batch.images[0, 0] = torch.nan
    valid = made(batch, only(only_first=1.0)).valid.any((2, 3))
    assert valid[1:].tolist() == [[True, False, False]] * (N - 1)
    assert valid[0].tolist() == [False, True, True]  # where it is missing the others stay


def test_shares_are_shares():
    batch = example(sky(3, side=10).expand(N, -1, -1, -1))
    options = only(drop_band=0.3, only_first=0.2)
    first = [made(batch, options, crop=8, seed=s).valid.any((2, 3)) for s in range(300)]
    all_bands = torch.cat(first).all(1).float().mean()
    # Dropping leaves all of three bands in one of eight cases.
    assert_allclose(all_bands, 0.5 + 0.3 / 8, atol=0.04)


def test_an_alternative_stands_in():
    images = torch.arange(4.0)[:, None, None].expand(N, 4, 66, 66).clone()
    model = ModelOptions(bands=("A", "B"), alternatives={"B": ("C", "D")})
    batch = example(images)
    got = made(batch, NONE, model=model)
    assert_array_equal(got.images[:, :, 5, 5], [[0, 1]] * N)
    swapped = torch.cat(
        [made(batch, only(swap_band=1.0), model=model, seed=s).images[:, :, 5, 5] for s in range(5)]
    )
    assert set(map(tuple, swapped.tolist())) == {(0, 2), (0, 3)}
    batch.images[:, 2] = torch.nan  # what is not there does not stand in
    swapped = made(batch, only(swap_band=1.0), model=model, seed=3).images[:, 1, 5, 5]
    assert set(swapped.tolist()) == {3}


def test_an_alternative_comes_with_its_noise_and_without_being_asked_where_a_band_is_missing():
    model = ModelOptions(bands=("A", "B"), alternatives={"B": ("C",)})
    images = sky(3)
    images[:3, 1] = torch.nan
    batch = example(images)
    batch.noise[:, 2] = 5.0
    got = made(batch, NONE, model=model)
    assert_allclose(got.noise[:3, 1], 5, rtol=0.08)
    assert_allclose(got.noise[3:, 1], 1, rtol=0.08)
    assert bool(got.valid.all())


def test_missing_pixels():
    batch = example(sky())
    batch.images[:, 0, 10:20, 10:20] = torch.nan
    batch.images[:, :, 40:50, 40:50] = torch.nan
    got = made(batch, NONE)
    assert not bool(got.valid[:, 0, 9:19, 9:19].any())
    assert bool(got.valid[:, 1, 9:19, 9:19].all())
    assert float(got.classes[..., 9:19, 9:19].sum()) == N * 100  # another band shows it
    assert not bool(got.valid[..., 39:49, 39:49].any())
    assert float(got.classes[..., 39:49, 39:49].sum()) == 0
    assert int((~got.valid).sum()) == N * 300
    assert bool(got.images.isfinite().all())
    assert float(got.images[~got.valid].abs().max()) == 0
    assert_allclose(got.noise, 1, rtol=0.08)


def test_interpolation_spreads_what_is_missing():
    batch = example(sky(1))
    batch.images[:, :, 30, 30] = torch.nan
    got = made(batch, only(misalign=0.3, rotate=1.0))
    assert bool(got.images.isfinite().all())
    missing = (~got.valid[:, 0, 20:44, 20:44]).sum((1, 2))
    assert int(missing.min()) >= 1
    assert int(missing.max()) <= 9


def test_masks_hide_all_bands():
    kinds = set()
    for seed in range(8):
        got = made(example(sky(), ranges=(2.0, 2.0)), only(mask=1.0), seed=seed)
        hidden = ~got.valid
        assert torch.equal(hidden[:, 0], hidden[:, 1])
        assert torch.equal(got.classes.sum(1) == 0, hidden[:, 0])
        share = hidden[:, 0].float().mean((1, 2))
        assert float(share.min()) > 0.0005
        assert float(share.max()) < 0.6
        kinds |= {round(float(one), 1) for one in share}
    assert len(kinds) > 2
    assert bool(made(example(sky()), NONE).valid.all())


def test_hot_pixels_are_far_above_the_noise():
    got = made(example(sky(side=258)), only(cosmic_rays=1.0), crop=256)
    added = got.images - sky(side=258)[..., 1:-1, 1:-1]
    hot = added[added > 1e-3]
    assert float(hot.min()) > 5 * 0.9
    assert float(hot.max()) < 100 * 1.1
    assert 10 < len(hot) < N * 2 * 256**2 * 1e-3


def test_blur_keeps_the_flux():
    images = torch.zeros(N, 1, 66, 66)
    images[:, :, 33, 33] = 100
    got = made(example(images.expand(-1, 3, -1, -1)), only(blur=1.0, blur_sigma=1.0))
    assert_allclose(got.images.sum((2, 3)), 100, rtol=1e-4)
    peaks = got.images.amax((2, 3))
    assert float(peaks[:, 1:].min()) < 60
    assert len(set(peaks[:, 1:].flatten().tolist())) > N  # some are hardly blurred
    assert_allclose(peaks[:, 0], 100, rtol=1e-4)  # the first has a limit of its own
    got = made(example(images), only(blur=1.0, blur_sigma=1.0, blur_first=0.5))
    peaks = got.images.amax((1, 2, 3))
    assert float(peaks.min()) < 95
    assert float(peaks.max()) > 60
    assert_allclose(got.images[0, 0], got.images[0, 0].T)


def test_what_was_measured_is_a_little_off():
    level, noise = [], []
    for seed in range(60):
        got = made(example(sky()), only(sky_offset=0.5, noise_error=0.3), seed=seed)
        level.append(got.sky)
        noise.append(got.noise.log())
    assert_allclose(torch.cat(level).std(), 0.5, rtol=0.12)
    assert_allclose(torch.cat(noise).std(), 0.3, rtol=0.12)
    assert_allclose(torch.cat(level).mean(), 0, atol=0.08)


def test_a_batch_depends_on_its_seed_only():
    images, classes = sources()
    batch = example(images.expand(-1, 3, -1, -1), classes, (1.0, 4.0))
    before = batch.images.clone()
    got, again, other = (made(batch, AugmentOptions(), seed=s, crop=48) for s in (1, 1, 2))
    for one in dataclasses.fields(Prepared):
        if one.name == "taught":  # nobody was asked
            assert got.taught is again.taught is None
        else:
            first, second = (getattr(x, one.name) for x in (got, again))
            assert torch.equal(torch.nan_to_num(first), torch.nan_to_num(second))
    assert not torch.equal(got.images, other.images)
    assert torch.equal(batch.images, before)


def test_turned_crops_are_full_of_data():
    options = only(rotate=1.0, scale=(0.8, 1.25))
    side = padded_side(64, options)
    assert side >= 64 * 2**0.5 / 0.8
    for seed in range(10):
        assert bool(made(example(sky(1, side)), options, seed=seed).valid.all())
    assert padded_side(64, NONE) == 66


def prepared(missing=True):
    batch = example(2.0 + 0.3 * sky(3))
    batch.images[0, 1] = torch.nan
    if missing:
        batch.images[1, :, 10:20, 5:9] = torch.nan
    return made(batch, NONE)


def test_the_input_is_that_of_classification():
    got = prepared()
    found = sky_noise_input(got)
    for k in range(N):
        there = got.valid[k].any((1, 2)).tolist()
        levels = zip(got.sky[k].tolist(), got.noise[k].tolist(), there, strict=True)
        normalise = SkyNormaliser(tuple(SkyLevel(s, n) if t else None for s, n, t in levels))
        valid = got.valid[k].any(0).numpy()
        expected = normalise(got.images[k][torch.tensor(there)].numpy()[None], valid[None])
        assert_allclose(found[k].numpy(), expected[0], atol=1e-5)


def test_the_input_is_finite_for_what_is_saturated():
    batch = example(sky(1))
    batch.images[:, :, 30:32, 30:32] = 3e38
    assert bool(sky_noise_input(made(batch, NONE)).isfinite().all())


def test_the_window_s_input_is_that_of_classification():
    got = prepared()
    valid = got.valid.all(1)
    expected = standardise_jointly(got.images.numpy(), valid.numpy())
    assert_allclose(window_input(got).numpy(), expected, atol=2e-5)
    assert float(window_input(got)[0].abs().max()) == 0  # a band is missing: nothing is valid
    got = prepared(missing=False)
    expected = standardise_jointly(got.images.numpy()[1:])
    assert_allclose(window_input(got).numpy()[1:], expected, atol=2e-5)
