"""Losses: values by hand, and that the truth has the least."""

import math

import pytest
import torch

from morpheus.classes import BACKGROUND
from morpheus.train.losses import LOSSES, factorised, published
from morpheus.train.options import LossOptions

DISK = 1
OPTIONS = LossOptions()


def target(*classes):
    """Shares of pixels in a row; None is unknown."""
    shares = torch.zeros(1, 5, 1, len(classes))
    for place, one in enumerate(classes):
        if one is not None:
            shares[0, one, 0, place] = 1
    return shares


def random_shares(seed):
    drawn = torch.rand(2, 5, 4, 4, generator=torch.Generator().manual_seed(seed)) + 0.05
    return drawn / drawn.sum(1, keepdim=True)


def test_factorised_by_hand():
    ones = torch.ones(1, 1, 1)
    flat = torch.zeros(1, 5, 1, 1)  # every class has 1/5
    sky = factorised(flat, target(BACKGROUND), ones, OPTIONS)
    assert float(sky) == pytest.approx(3 * math.log(5))
    disk = factorised(flat, target(DISK), ones, OPTIONS)
    assert float(disk) == pytest.approx(3 * -math.log(0.8) + math.log(4))
    # Of two pixels, the sky counts in the detection only; weights are normalised.
    both = factorised(
        flat.expand(1, 5, 1, 2), target(BACKGROUND, DISK), 7 * torch.ones(1, 1, 2), OPTIONS
    )
    assert float(both) == pytest.approx(3 * (math.log(5) - math.log(0.8)) / 2 + math.log(4))
    only_classes = factorised(flat, target(DISK), ones, LossOptions(detection=0))
    assert float(only_classes) == pytest.approx(math.log(4))


def test_the_weight_chooses_between_sources():
    logits = torch.zeros(1, 5, 1, 2)
    logits[0, DISK, 0, 0] = 3.0  # the first pixel is known to be a disk
    classes, weight = target(DISK, DISK), torch.tensor([[[1.0, 3.0]]])
    sure = -math.log(math.exp(3) / (math.exp(3) + 3))
    loss = factorised(logits, classes, weight, LossOptions(detection=0))
    assert float(loss) == pytest.approx((sure + 3 * math.log(4)) / 4)


@pytest.mark.parametrize("kind", ["factorised", "published"])
@pytest.mark.parametrize("seed", range(3))
def test_the_truth_has_the_least_loss(kind, seed):
    shares = random_shares(seed)
    weight = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(seed + 9)) + 0.01
    logits = (shares.log() + 4.2).requires_grad_()
    least = LOSSES[kind](logits, shares, weight, OPTIONS)
    least.backward()
    assert float(logits.grad.abs().max()) < 1e-6
    with torch.no_grad():
        noise = torch.randn(logits.shape, generator=torch.Generator().manual_seed(seed))
        off = LOSSES[kind](logits + 0.3 * noise, shares, weight, OPTIONS)
    assert float(off) > float(least.detach()) + 0.01


@pytest.mark.parametrize("loss", LOSSES.values())
def test_unknown_pixels_do_not_count(loss):
    logits = torch.randn(1, 5, 1, 3, generator=torch.Generator().manual_seed(1))
    other = logits.clone()
    other[..., 2] = 50 * torch.randn(1, 5, 1, generator=torch.Generator().manual_seed(2))
    classes, weight = target(BACKGROUND, DISK, None), torch.ones(1, 1, 3)
    known = loss(logits[..., :2], classes[..., :2], weight[..., :2], OPTIONS)
    assert float(loss(logits, classes, weight, OPTIONS)) == pytest.approx(float(known))
    assert float(loss(other, classes, weight, OPTIONS)) == pytest.approx(float(known))


def test_published_by_hand():
    logits = torch.zeros(1, 5, 1, 2)
    classes, weight = target(BACKGROUND, DISK), torch.ones(1, 1, 2)
    entropy = published(logits, classes, weight, LossOptions(kind="published", dice=0))
    assert float(entropy) == pytest.approx(math.log(5))
    dice = published(logits, classes, weight, LossOptions(kind="published", dice=1))
    assert float(dice) == pytest.approx(1 - 2 * 0.2 / (2 * 0.2**2 + 1))
    # The disk pixel is better known than the sky: with sky at 1/4 it counts four times as much.
    logits[0, DISK, 0, 1] = 2.0
    options = LossOptions(kind="published", dice=0, background=0.25)
    sure = -math.log(math.exp(2) / (math.exp(2) + 4))
    expected = (0.25 * math.log(5) + sure) / 1.25
    assert float(published(logits, classes, weight, options)) == pytest.approx(expected)


def test_a_perfect_background_has_no_dice_loss():
    classes, weight = target(BACKGROUND, DISK, BACKGROUND, 0), torch.ones(1, 1, 4)
    logits = 200 * (classes - 0.5)
    dice = published(logits, classes, weight, LossOptions(kind="published", dice=1))
    assert float(dice) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES.values())
@pytest.mark.parametrize("height", [1e4, -1e4])
def test_extreme_logits_are_finite(loss, height):
    classes, weight = target(BACKGROUND, DISK, None, 3), torch.ones(1, 1, 4)
    for channel in range(5):
        logits = torch.zeros(1, 5, 1, 4)
        logits[:, channel] = height
        logits.requires_grad_()
        value = loss(logits, classes, weight, OPTIONS)
        value.backward()
        assert math.isfinite(value.item())
        assert bool(logits.grad.isfinite().all())


@pytest.mark.parametrize("loss", LOSSES.values())
def test_where_nothing_is_known_there_is_no_loss(loss):
    logits = torch.randn(1, 5, 1, 2)
    value = loss(logits, target(None, None), torch.ones(1, 1, 2), LossOptions(dice=0))
    assert float(value) == 0
