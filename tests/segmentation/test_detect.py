"""Regions by hysteresis: by hand, and what must hold for any map."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from morpheus.segmentation.detect import probability_regions

MAPS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.floats(0, 1, width=32),
)


def regions(source, valid=None, *, seed=0.6, grow=0.5, min_area=1):
    valid = np.ones(source.shape, bool) if valid is None else valid
    return probability_regions(source, valid, seed=seed, grow=grow, min_area=min_area)


def test_by_hand():
    source = np.array(
        [
            [0.9, 0.5, 0.0, 0.0, 0.55, 0.55, 0.0, 0.6],
            [0.0, 0.0, 0.0, 0.0, 0.55, 0.0, 0.51, 0.0],
            [0.0, 0.7, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.6, 0.0, 0.0, 0.59, 0.59, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.59, 0.59, 0.0],
        ]
    )
    expected = np.array(
        [
            [1, 0, 0, 0, 2, 2, 0, 2],  # 0.5 is not more than grow; 0.6 is a seed
            [0, 0, 0, 0, 2, 0, 2, 0],  # joined by corners
            [0, 3, 0, 0, 0, 0, 0, 0],
            [0, 0, 3, 0, 0, 0, 0, 0],  # the last region never reaches the seed
            [0, 0, 0, 0, 0, 0, 0, 0],
        ]
    )
    found = regions(source)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.int32
    # 2 pixels are enough for 2; the numbers close up
    np.testing.assert_array_equal(
        regions(source, min_area=2), np.where(expected > 1, expected - 1, 0)
    )
    np.testing.assert_array_equal(regions(source, min_area=3), expected == 2)


def test_masked_pixels_neither_seed_nor_connect():
    source = np.full((3, 5), 0.55)
    source[1, 2] = 0.9
    valid = np.ones(source.shape, bool)
    valid[1, 2] = False
    assert regions(source, valid).max() == 0
    source[:, 0], source[:, 4], valid[:, 2] = 0.9, 0.9, False
    found = regions(np.where(valid, source, np.nan), valid)
    assert found.max() == 2
    assert (found[:, 2] == 0).all()


def test_nothing_and_everything():
    assert regions(np.zeros((4, 4))).max() == 0
    assert (regions(np.ones((4, 4))) == 1).all()
    assert regions(np.ones((1, 1))).tolist() == [[1]]
    assert regions(np.ones((4, 4)), np.zeros((4, 4), bool)).max() == 0


@settings(deadline=None)
@given(
    MAPS, st.lists(st.floats(0, 1), min_size=3, max_size=3), st.integers(1, 9), st.integers(1, 9)
)
def test_stricter_thresholds_leave_a_part(source, levels, area, other_area):
    grow, seed, stricter = sorted(levels)
    less, more = sorted((area, other_area))
    wide = regions(source, seed=seed, grow=grow, min_area=less) > 0
    for options in (
        {"seed": stricter, "grow": grow, "min_area": less},
        {"seed": stricter, "grow": seed, "min_area": less},
        {"seed": seed, "grow": grow, "min_area": more},
    ):
        assert not (regions(source, **options) > 0)[~wide].any()


@settings(deadline=None)
@given(MAPS, st.data())
def test_what_is_a_region(source, data):
    valid = data.draw(hnp.arrays(bool, source.shape))
    found = regions(source, valid, min_area=3)
    assert not found[~valid].any()
    assert (source[found > 0] > 0.5).all()
    for label in range(1, found.max() + 1):
        own = found == label
        assert own.sum() >= 3
        assert source[own].max() >= 0.6
        # nothing beside it is left out
        near = np.pad(own, 1)
        near = np.any(
            [np.roll(near, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)], axis=0
        )[1:-1, 1:-1]
        assert not (near & valid & (source > 0.5) & ~own).any()
