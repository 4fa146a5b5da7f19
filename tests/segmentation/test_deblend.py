"""Deblending: each of its conditions just met and just missed, and what must hold for any image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from morpheus.segmentation import DeblendingOptions
from morpheus.segmentation.deblend import deblend

EIGHT = np.ones((3, 3), bool)
# Two peaks, 10 and 8, and the saddle, 5, between them.
RIDGE = np.array([[2.0, 6, 10, 7, 5, 6, 8, 5, 2]])
PARTS = [[1, 1, 1, 1, 1, 2, 2, 2, 2]]


def split(image, regions=None, *, noise=0.0, irregular=0.0, connectivity=2, min_area=1, **options):
    """Deblend, with only the conditions that are given, and count in reading order."""
    options = {"significance": 0, "prominence": 0, "clumpiness": 0, "contrast": 0} | options
    found = deblend(
        np.ones(image.shape, np.int32) if regions is None else regions,
        image,
        noise=noise,
        irregular=np.broadcast_to(irregular, image.shape),
        connectivity=connectivity,
        min_area=min_area,
        options=DeblendingOptions(**options),
    )
    return canonical(found)


def canonical(labels):
    old, first = np.unique(labels[labels > 0], return_index=True)
    numbers = np.zeros(labels.max(initial=0) + 1, int)
    numbers[old[np.argsort(first)]] = np.arange(1, old.size + 1)
    return numbers[labels]


@pytest.mark.parametrize(
    ("below", "above"),
    [
        # (8 - 5) / 8 = 0.375
        ({"prominence": 0.374}, {"prominence": 0.376}),
        # 8 - 5 = 3 = 5 x 0.6
        ({"significance": 5, "noise": 0.599}, {"significance": 5, "noise": 0.601}),
        # above the saddle: 1 + 3 of the one, 1 + 5 + 2 of the other
        ({"contrast": 0.499}, {"contrast": 0.501}),
        # 0.2 + 0.4 P(irregular) = 0.375
        (
            {"prominence": 0.2, "clumpiness": 0.4, "irregular": 0.437},
            {"prominence": 0.2, "clumpiness": 0.4, "irregular": 0.438},
        ),
        # 4 pixels, of which the saddle is not one: it leads up to the higher peak
        ({"min_area": 4}, {"min_area": 5}),
    ],
    ids=["prominence", "significance", "contrast", "clumpiness", "area"],
)
def test_each_condition_decides(below, above):
    np.testing.assert_array_equal(split(RIDGE, **below), PARTS)
    np.testing.assert_array_equal(split(RIDGE, **above), np.ones_like(RIDGE))


def test_prominence_of_two_gaussians(gaussians):
    """At 4 sigma: the saddle is 2 exp(-2), the peaks 1 + exp(-8)."""
    image = gaussians((21, 33), (12, 10, 1, 2), (20, 10, 1, 2))
    prominence = 1 - 2 * np.exp(-2) / (1 + np.exp(-8))
    assert split(image, prominence=prominence - 1e-6).max() == 2
    assert split(image, prominence=prominence + 1e-6).max() == 1


def test_significance_of_two_gaussians(gaussians):
    image = gaussians((21, 33), (12, 10, 100, 2), (20, 10, 100, 2))
    height = 100 * (1 + np.exp(-8) - 2 * np.exp(-2))
    assert split(image, significance=5, noise=height / 5 - 1e-6).max() == 2
    assert split(image, significance=5, noise=height / 5 + 1e-6).max() == 1


def test_only_the_saddle_has_to_be_irregular():
    irregular = np.ones(RIDGE.shape)
    irregular[0, 4] = 0
    options = {"prominence": 0.3, "clumpiness": 0.5}
    assert split(RIDGE, irregular=irregular, **options).max() == 2
    assert split(RIDGE, irregular=1 - irregular, **options).max() == 1
    assert split(RIDGE, irregular=1, **options).max() == 1


def test_a_gap_down_to_the_sky_always_separates():
    """Where the saddle is at the sky or below, prominence and clumpiness ask for no more."""
    image = np.array([[3.0, 10, 3, -1, 3, 8, 3]])
    assert split(image, prominence=1, clumpiness=1, irregular=1).max() == 2


def test_the_saddle_is_the_highest_way_over():
    """A detour around a gap joins two peaks."""
    image = np.array([[10.0, 1, 8], [7, 7, 7]])
    assert split(image, prominence=0.3).max() == 1
    assert split(image, prominence=0.1).max() == 2


def test_three_sources_and_a_knot():
    image = np.array([[9.0, 8, 7, 8.5, 2, 6, 1, 5]])
    np.testing.assert_array_equal(split(image, prominence=0.3), [[1, 1, 1, 1, 1, 2, 2, 3]])


@pytest.mark.parametrize("value", [0.0, 5.0, -5.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 5)])
def test_constant_image_is_one_source(value, shape):
    assert (split(np.full(shape, value)) == 1).all()


def test_below_the_sky_there_is_one_source():
    assert (split(RIDGE - 100) == 1).all()


@pytest.mark.parametrize("connectivity", [1, 2])
def test_plateau_is_one_peak(connectivity):
    image = np.zeros((5, 12))
    image[1:4, 1:4] = image[1:4, 8:11] = 7
    found = split(image, connectivity=connectivity)
    assert found.max() == 2
    assert np.unique(found[1:4, 1:4]).size == np.unique(found[1:4, 8:11]).size == 1


def test_no_sky_and_no_source():
    assert (split(RIDGE, np.zeros(RIDGE.shape, np.int32)) == 0).all()


def test_hundreds_of_peaks(gaussians):
    place = [4 + 8 * i for i in range(20)]
    image = gaussians((160, 160), *((x, y, 1, 1.5) for x in place for y in place))
    found = split(image, prominence=0.3, significance=5, noise=0.01, contrast=0.003)
    assert found.max() == 400
    assert np.unique(found[np.ix_(place, place)]).size == 400
    assert np.bincount(found.ravel())[1:].min() >= 40


def test_a_hole_is_not_filled():
    y, x = np.indices((25, 25))
    r = np.hypot(x - 12, y - 12)
    image = np.where(r < 3, 10 - r, np.where((r > 6) & (r < 10), 5.0, 0.0))
    regions, _ = ndimage.label(image > 0, EIGHT, output=np.int32)
    found = split(image, regions, prominence=0.3)
    np.testing.assert_array_equal(found > 0, image > 0)
    assert found.max() == 2
    assert found[12, 12] != found[12, 4]


def test_a_hot_pixel_is_no_source():
    """It is too small, though it is the highest peak; nor does it take a neighbour with it."""
    image = np.full((9, 9), 5.0)
    image[4, 4] = 100
    assert split(image, min_area=8).max() == 1
    image = np.pad(image, ((0, 0), (0, 9)), mode="symmetric")
    image[:, 8:10] = 1
    assert split(image, min_area=8, prominence=0.3).max() == 2


def test_sources_found_apart_stay_apart():
    """The lower saddle with a third is not examined again, however irregular it is there."""
    image = np.array([[20.0, 12, 2, 9, 4, 7, 3]])
    irregular = np.array([[0, 0, 1, 0, 0, 0, 0]])
    options = {"prominence": 0.3, "clumpiness": 0.9, "irregular": irregular}
    assert split(image, **options).max() == 3
    assert split(image[:, :4], **options | {"irregular": irregular[:, :4]}).max() == 1


def test_a_spike_beside_sources_found_apart():
    """It joins the nearer one, and they stay apart from what comes lower down, too."""
    image = np.array([[5.0, 6, 7, 6, 5, 4, 6, 8, 9, 8, 6, 3, 25, 1, 10, 30, 20, 10]])
    irregular = np.zeros(image.shape)
    irregular[0, 13] = 1
    options = {"prominence": 0.3, "clumpiness": 0.9, "irregular": irregular, "min_area": 4}
    found = split(image, **options)
    assert found.max() == 3
    assert found[0, 8] == found[0, 12]
    assert len({found[0, 2], found[0, 8], found[0, 15]}) == 3


def test_the_parts_of_a_source_add_up_to_its_area():
    image = np.array([[5.0, 8, 7.5, 9, 5, 1, 12, 20, 15, 12]])
    assert split(image, prominence=0.3, min_area=4).max() == 2


FIELDS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: st.tuples(
        st.permutations(range(shape[0] * shape[1])).map(
            lambda values: np.reshape(values, shape).astype(float)
        ),
        st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random(shape) < 0.8),
    )
)
OPTIONS = st.fixed_dictionaries(
    {
        "prominence": st.sampled_from([0, 0.1, 0.3, 0.6]),
        "significance": st.sampled_from([0, 3]),
        "contrast": st.sampled_from([0, 0.05]),
        "min_area": st.integers(1, 4),
        "connectivity": st.sampled_from([1, 2]),
    }
)


def label(mask, connectivity):
    return ndimage.label(mask, ndimage.generate_binary_structure(2, connectivity), output=np.int32)[
        0
    ]


@settings(deadline=None)
@given(FIELDS, OPTIONS)
def test_sources_share_out_the_regions(field, options):
    image, mask = field
    regions = label(mask, options["connectivity"])
    found = split(image, regions, noise=1, **options)
    np.testing.assert_array_equal(found > 0, regions > 0)
    for source in range(1, found.max() + 1):
        own = found == source
        assert np.unique(regions[own]).size == 1
        assert label(own, options["connectivity"]).max() == 1
        assert own.sum() >= min(options["min_area"], (regions == regions[own][0]).sum())


@settings(deadline=None, max_examples=300)
@given(FIELDS, OPTIONS)
def test_turned_image_is_turned_result(field, options):
    image, mask = field
    found = split(image, label(mask, options["connectivity"]), noise=1, **options)
    for turn in (np.flipud, np.fliplr, np.transpose, lambda a: np.pad(a, ((2, 1), (3, 2)))):
        turned = split(turn(image), label(turn(mask), options["connectivity"]), noise=1, **options)
        np.testing.assert_array_equal(turned, canonical(turn(found)))


@settings(deadline=None)
@given(FIELDS, OPTIONS, st.integers(-60, 60))
def test_unit_does_not_matter(field, options, exponent):
    image, mask = field
    regions, scale = label(mask, options["connectivity"]), 2.0**exponent
    np.testing.assert_array_equal(
        split(image, regions, noise=1, **options),
        split(scale * image, regions, noise=scale, **options),
    )


@settings(deadline=None)
@given(FIELDS, OPTIONS, st.permutations(range(1, 82)))
def test_numbers_of_regions_do_not_matter(field, options, numbers):
    image, mask = field
    regions = label(mask, options["connectivity"])
    renumbered = np.array([0, *numbers], np.int32)[regions]
    np.testing.assert_array_equal(
        split(image, regions, noise=1, **options), split(image, renumbered, noise=1, **options)
    )


@settings(deadline=None)
@given(FIELDS, OPTIONS)
def test_a_region_does_not_know_of_others(field, options):
    image, mask = field
    regions = label(mask, options["connectivity"])
    found = split(image, regions, noise=1, **options)
    for region in range(1, regions.max() + 1):
        own = regions == region
        alone = split(np.where(own, image, 0), own.astype(np.int32), noise=1, **options)
        np.testing.assert_array_equal(alone, canonical(np.where(own, found, 0)))
