"""Sources added to a piece of sky: light adds up, and the truth is that of the sum."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from morpheus.classes import BACKGROUND
from morpheus.train.compose import Piece, add_source
from morpheus.train.examples import Draws

from .test_examples import arrays, options_of

SPHEROID, DISK = 0, 1


def piece(light, owner, votes, *, bands=2, weight=0.5, asked=True):
    """Pixels of light; those with an owner have these votes."""
    light, owner = np.asarray(light, np.float32), np.asarray(owner, np.int32)
    classes = np.zeros((5, *light.shape), np.float32)
    classes[BACKGROUND] = owner == 0
    for number, share in votes.items():
        classes[number] = share * (owner > 0)
    images = np.stack([light * (k + 1) for k in range(bands)])
    return Piece(
        images, classes, owner, np.full(light.shape, weight, np.float32), asked & (owner > 0)
    )


def test_light_adds_up_and_the_brighter_one_owns():
    sky = piece([[0.1, 4.0, 4.0, -0.1]], [[0, 3, 3, 0]], {DISK: 1.0})
    new = piece([[2.0, 1.0, 12.0, 0.0]], [[1, 1, 1, 0]], {SPHEROID: 1.0}, weight=0.25, asked=False)
    add_source(sky, new, 0, 0, 9)
    assert_allclose(sky.images[0], [[2.1, 5.0, 16.0, -0.1]], rtol=1e-6)
    assert_allclose(sky.images[1], [[4.2, 10.0, 32.0, -0.2]], rtol=1e-6)
    assert_array_equal(sky.owner, [[9, 3, 9, 0]])
    assert_allclose(sky.classes[SPHEROID], [[1, 0.2, 0.75, 0]], rtol=1e-6)
    assert_allclose(sky.classes[DISK], [[0, 0.8, 0.25, 0]], rtol=1e-6)
    assert_array_equal(sky.classes[BACKGROUND], [[0, 0, 0, 1]])
    assert_allclose(sky.weight, [[0.25, 0.5, 0.25, 0.5]])
    assert_array_equal(sky.asked, [[False, True, False, False]])


def test_what_is_unknown_stays_so():
    sky = piece([[1.0, np.nan]], [[0, 0]], {})
    sky.classes[:] = 0
    new = piece([[5.0, 5.0]], [[1, 1]], {DISK: 1.0})
    add_source(sky, new, 0, 0, 2)
    assert not sky.classes.any()
    assert not sky.owner.any()
    assert_array_equal(sky.images[0], [[6.0, np.nan]])


@given(
    y=st.integers(-9, 12),
    x=st.integers(-9, 12),
    quarters=st.integers(0, 3),
    mirrored=st.booleans(),
)
def test_it_lies_where_it_was_put(y, x, quarters, mirrored):
    light = np.arange(1, 31, dtype=np.float32).reshape(5, 6)
    sky = piece(np.zeros((11, 10)), np.zeros((11, 10)), {})
    new = piece(light, np.ones((5, 6)), {DISK: 1.0}).turned(quarters, mirrored=mirrored)
    expected = np.zeros((31, 30), np.float32)
    turned = np.rot90(light[:, ::-1] if mirrored else light, quarters)
    expected[10 + y : 10 + y + turned.shape[0], 10 + x : 10 + x + turned.shape[1]] = turned
    expected = expected[10:21, 10:20]
    add_source(sky, new, y, x, 1)
    assert_array_equal(sky.images[0], expected)
    assert_array_equal(sky.owner, expected > 0)
    assert_allclose(sky.classes.sum(0), 1)


def test_draws_add_as_many_as_asked_for():
    alone = arrays(first=0, added=1.5)
    alone = dataclasses.replace(alone, images=np.ones_like(alone.images))
    base = arrays(size=40)
    base = dataclasses.replace(base, images=np.zeros_like(base.images))
    draws = Draws([base, alone], options_of(), 0, 300, 16)
    assert draws.shares.tolist() == [1.0, 0.0]
    # The sources cover 20 x 20 pixels, centred anywhere in 16 x 16: of each, the part inside.
    low = np.arange(16) - 10
    inside = (np.minimum(low + 20, 16) - np.maximum(low, 0)).mean() ** 2
    light = np.mean([float(draws[i].images.sum()) for i in range(300)])
    assert light == pytest.approx(1.5 * inside, rel=0.15)
    assert torch.equal(draws[7].images, draws[7].images)


def test_some_are_put_near_the_one_before():
    """Single pixels of light: how far apart they are says how they were put."""
    base = arrays(size=320)
    base = dataclasses.replace(base, images=np.zeros_like(base.images))
    light = np.zeros((8, 1, 3, 3), np.float32)
    light[..., 1, 1] = 1

    def distances(near):
        alone = arrays(size=3, first=0, added=2.0, near=near)
        alone = dataclasses.replace(alone, images=light)
        draws = Draws([base, alone], options_of(crop=256), 0, 300, 300)
        places = [np.argwhere(draws[i].images[0].numpy() > 0) for i in range(300)]
        return np.array([np.hypot(*(two[0] - two[1])) for two in places if len(two) == 2])

    far, near, half = distances(0.0), distances(1.0), distances(0.5)
    assert np.mean(far < 32) < 0.1
    assert np.mean(near < 32) > 0.98
    assert 0.3 < np.mean(half < 32) < 0.7
    # Gaussian along both axes: a Rayleigh distribution.
    assert_allclose(np.median(near), 8 * np.sqrt(np.log(4)), rtol=0.15)


def test_the_teacher_is_asked_about_bright_sources_only():
    magnitudes = np.full((8, 3), np.nan, np.float32)
    magnitudes[:, 1], magnitudes[:, 2] = 24.0, 25.0
    one = dataclasses.replace(arrays(), magnitudes=magnitudes)
    found = Draws([one], options_of(), 0, 1, 20)[0]
    assert_array_equal(found.asked, found.owner == 1)
    found = Draws([arrays()], options_of(), 0, 1, 20)[0]
    assert_array_equal(found.asked, found.owner > 0)
