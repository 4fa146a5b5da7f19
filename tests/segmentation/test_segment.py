"""Class maps to sources: what is separated, what the flags say, and bad input."""

import numpy as np
import pytest

from morpheus.errors import GridMismatchError, ImageError, OptionError
from morpheus.segmentation import (
    FLAG_MEANINGS,
    DeblendingOptions,
    SegmentationOptions,
    SourceFlag,
    segment,
)

PAIR = ((26, 30), (34, 30))  # 8 pixels apart
NOISE = 0.02


def blob(shape, *places, radius):
    y, x = np.indices(shape)
    return np.any([np.hypot(x - x0, y - y0) <= radius for x0, y0 in places], axis=0)


@pytest.mark.parametrize("method", ["probability", "published"])
@pytest.mark.parametrize("noise", [0.0, NOISE])
@pytest.mark.parametrize(
    ("sigma", "radius", "area"), [(2.0, 5, 81), (1.2, 1.8, 9)], ids=["10 px across", "10 px"]
)
def test_small_neighbours_are_separated(
    classified_as, gaussians, sigma, radius, area, noise, method
):
    """Together they are 19 pixels wide at most; the original leaves all under 40 alone."""
    shape = (60, 60)
    flux = gaussians(shape, *((x, y, 1, sigma) for x, y in PAIR))
    flux += np.random.default_rng(2).normal(0, noise, shape)
    source = np.where(blob(shape, *PAIR, radius=radius), 1.0, 0.0)
    assert blob(shape, PAIR[0], radius=radius).sum() == area
    source[30, 26:35] = 1  # a bridge: one region
    whole = segment(
        classified_as(source), flux, options=SegmentationOptions(method=method, deblend=False)
    )
    assert whole.n_sources == 1
    assert whole.sources["flags"].tolist() == [0]
    found = segment(classified_as(source), flux, options=SegmentationOptions(method=method))
    np.testing.assert_array_equal(found.labels > 0, source > 0)
    assert found.n_sources == 2
    assert found.labels[30, 26] != found.labels[30, 34]
    # each has its half
    sizes = np.bincount(found.labels.ravel())[1:]
    assert sizes.min() > 0.4 * sizes.sum()
    assert found.sources["parent"].tolist() == [1, 1]
    assert found.sources["flags"].tolist() == [SourceFlag.DEBLENDED] * 2


def test_labels_are_in_reading_order(classified_as, gaussians):
    places = [(30, 4), (8, 5), (20, 20), (34, 20), (5, 33)]
    shape = (40, 40)
    flux = gaussians(shape, *((x, y, 1, 1) for x, y in places))
    found = segment(classified_as(blob(shape, *places, radius=3) * 1.0), flux)
    assert [found.labels[y, x] for x, y in places] == [1, 2, 3, 4, 5]
    assert found.sources["label"].tolist() == found.sources["parent"].tolist() == [1, 2, 3, 4, 5]
    assert found.labels.dtype == np.int32
    assert repr(found) == "<Segmentation of 40 x 40 pixels (y, x): 5 sources>"


@pytest.mark.parametrize("unit", [1e-33, 1e-20, 1.0, 1e9])
@pytest.mark.parametrize("level", [0, 5])
def test_unit_and_sky_level_do_not_matter(classified_as, gaussians, unit, level):
    """From W / m2 / Hz to counts: squares of small fluxes vanish in single precision."""
    shape = (60, 60)
    sky = np.random.default_rng(3).normal(level, NOISE, shape)
    flux = gaussians(shape, (26, 30, 1, 2), (34, 30, 1, 2)) + sky
    source = np.where(blob(shape, *PAIR, radius=5), 1.0, 0.0)
    found = segment(classified_as(source), flux * unit)
    assert found.n_sources == 2
    # of the smoothed image: sigma / (2 sqrt(pi) s), with s = 0.8, but for the pixels being coarse
    assert found.provenance["noise"] / unit == pytest.approx(
        NOISE / (2 * np.sqrt(np.pi) * 0.8), rel=0.06
    )
    expected = segment(classified_as(source), flux)
    np.testing.assert_array_equal(found.labels, expected.labels)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e5, -1e5, -1.7e308])
def test_masked_pixels_do_not_leak(classified_as, gaussians, bad):
    """Whatever a masked pixel holds: it is no peak, and no gap either."""
    shape = (50, 50)
    flux = gaussians(shape, (25, 25, 10, 4)) + np.random.default_rng(0).normal(0, 0.01, shape)
    source = np.where(blob(shape, (25, 25), radius=10), 1.0, 0.0)
    mask = np.zeros(shape, bool)
    mask[25, 14:36] = True
    mask[25, 25] = False  # a bridge over the masked row
    flux[mask], source[mask] = bad, np.nan
    found = segment(classified_as(source, mask=mask), flux)
    assert found.n_sources == 1
    assert not found.labels[mask].any()
    np.testing.assert_array_equal(found.mask, mask)


def test_image_bad_where_the_maps_are_good(classified_as, gaussians):
    shape = (50, 50)
    flux = gaussians(shape, (25, 25, 10, 4)) + np.random.default_rng(0).normal(0, 0.01, shape)
    source = np.where(blob(shape, (25, 25), radius=10), 1.0, 0.0)
    flux[:, 24:27] = np.nan
    found = segment(classified_as(source), flux)
    assert found.n_sources == 1
    np.testing.assert_array_equal(found.labels, source)


def test_clumps_of_an_irregular_galaxy_stay_together(classified_as, gaussians):
    shape = (60, 60)
    # 4 sigma apart on a pedestal: the gap is about half of their height
    flux = gaussians(shape, (26, 30, 1, 2), (34, 30, 1, 2), (30, 30, 0.3, 8))
    flux += np.random.default_rng(2).normal(0, 0.01, shape)
    source = np.where(blob(shape, *PAIR, radius=6), 1.0, 0.0)
    assert segment(classified_as(source), flux).n_sources == 2
    assert segment(classified_as(source, irregular=0.9), flux).n_sources == 1
    options = SegmentationOptions(deblending=DeblendingOptions(clumpiness=0))
    assert segment(classified_as(source, irregular=0.9), flux, options=options).n_sources == 2


def test_a_model_need_not_know_irregulars(classified_as, gaussians):
    from dataclasses import replace

    from morpheus.inference import ClassMaps

    source = np.where(blob((60, 60), *PAIR, radius=5), 1.0, 0.0)
    full = classified_as(source)
    maps = ClassMaps(("source", "background"), np.stack([source, 1 - source]))
    flux = gaussians((60, 60), (26, 30, 1, 2), (34, 30, 1, 2))
    assert segment(replace(full, mean=maps, variance=maps, votes=maps), flux).n_sources == 2


def test_flags_say_what_a_source_touches(classified_as):
    """By construction; touching includes corners."""
    shape, flux = (40, 40), np.ones((40, 40))
    source, mask = np.zeros(shape), np.zeros(shape, bool)
    expected = {}

    def put(y, x, flag):
        source[y : y + 3, x : x + 3] = 1
        expected[y + 1, x + 1] = flag

    put(0, 5, SourceFlag.EDGE)  # the frame
    put(1, 12, SourceFlag(0))  # a pixel away from it
    put(37, 20, SourceFlag.EDGE)
    put(15, 15, SourceFlag(0))
    put(20, 20, SourceFlag.MASKED)
    mask[23, 23] = True  # at its corner
    put(28, 20, SourceFlag(0))
    mask[32, 20] = True  # a pixel away
    put(10, 30, SourceFlag.EDGE)  # beside pixels that were not classified
    source[:, 33:] = np.nan
    put(30, 30, SourceFlag.EDGE | SourceFlag.MASKED)
    mask[29, 29] = True
    source[mask] = np.nan
    found = segment(classified_as(source, mask=mask), flux)
    assert found.n_sources == len(expected)
    for place, flag in expected.items():
        assert found.sources["flags"][found.labels[place] - 1] == flag, place
    np.testing.assert_array_equal(found.mask, np.isnan(source))


def test_every_flag_is_one_bit_and_has_a_meaning():
    assert sorted(SourceFlag) == [1 << i for i in range(len(SourceFlag))]
    assert set(FLAG_MEANINGS) == set(SourceFlag)


def test_no_source(classified_as):
    found = segment(classified_as(np.zeros((30, 20))), np.zeros((30, 20)))
    assert found.n_sources == 0
    assert found.sources.colnames == ["label", "parent", "flags"]
    assert not found.labels.any()
    assert found.provenance["n_sources"] == 0


@pytest.mark.parametrize("shape", [(30, 20), (3, 3), (1, 9)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_source(classified_as, shape, value):
    found = segment(classified_as(np.ones(shape)), np.full(shape, value))
    assert (found.labels == 1).all()
    assert found.sources["flags"].tolist() == [SourceFlag.EDGE]


def test_two_sources_and_no_sky(classified_as, gaussians):
    """The level and noise are then those of the clipped image."""
    flux = gaussians((80, 80), (20, 40, 10, 3), (60, 40, 8, 3))
    flux += np.random.default_rng(0).normal(0, 0.05, flux.shape)
    assert segment(classified_as(np.ones(flux.shape)), flux).n_sources == 2


def test_min_area_of_one(classified_as):
    source = np.zeros((20, 20))
    source[5, 5] = 1
    assert segment(classified_as(source), source).n_sources == 0
    options = SegmentationOptions(min_area=1)
    assert segment(classified_as(source), source, options=options).n_sources == 1


def test_thresholds_are_those_of_the_model_unless_given(classified_as):
    source = np.zeros((20, 20))
    source[5:10, 5:10] = 0.4
    assert segment(classified_as(source), source).n_sources == 0
    model = {
        "name": "m",
        "weights_sha256": "0" * 64,
        "detection": {"seed": 0.3, "grow": 0.2, "min_area": 25},
    }
    result = classified_as(source, provenance={"model": model})
    found = segment(result, source)
    assert found.n_sources == 1
    assert found.provenance["thresholds"] == model["detection"]
    assert found.provenance["model"] == "m"
    assert segment(result, source, options=SegmentationOptions(seed=0.5)).n_sources == 0
    assert segment(result, source, options=SegmentationOptions(min_area=26)).n_sources == 0


def test_statistic_is_chosen(classified_as):
    from dataclasses import replace

    source = np.zeros((20, 20))
    source[5:10, 5:10] = 1
    result = replace(classified_as(np.zeros((20, 20))), votes=classified_as(source).votes)
    assert segment(result, source).n_sources == 0
    votes = segment(result, source, options=SegmentationOptions(statistic="votes"))
    assert votes.n_sources == 1
    assert votes.provenance["statistic"] == "votes"
    assert segment(result, source, options=SegmentationOptions(method="published")).n_sources == 1


@pytest.mark.parametrize(
    ("flux", "error", "message"),
    [
        (np.zeros((20, 31)), GridMismatchError, r"shape \(20, 31\), the class maps \(20, 30\)"),
        (np.zeros((2, 20, 30)), GridMismatchError, "give the image that was classified"),
        (np.full((20, 30), np.nan), ImageError, "no finite pixel"),
        (np.zeros((20, 30), complex), ImageError, "complex128 data, not real numbers"),
        (np.full((20, 30), "a"), ImageError, "not real numbers"),
        (np.zeros((20, 30), bool), ImageError, "not real numbers"),
        (None, ImageError, "not real numbers"),
    ],
)
def test_bad_detection_image(classified_as, flux, error, message):
    with pytest.raises(error, match=message):
        segment(classified_as(np.zeros((20, 30))), flux)


def test_image_finite_only_where_masked(classified_as):
    mask = np.zeros((5, 5), bool)
    mask[2] = True
    with pytest.raises(ImageError, match="no finite pixel that is not masked"):
        segment(classified_as(np.ones((5, 5)), mask=mask), np.where(mask, 1.0, np.nan))


@pytest.mark.parametrize("dtype", [">f4", "f8", "i2", "u1"])
def test_any_real_numbers(classified_as, gaussians, dtype):
    flux = (200 * gaussians((60, 60), (26, 30, 1, 2), (34, 30, 1, 2))).astype(dtype)
    source = np.where(blob((60, 60), *PAIR, radius=5), 1.0, 0.0)
    assert segment(classified_as(source), flux).n_sources == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 1.1}, "seed is 1.1"),
        ({"seed": float("nan")}, "seed is nan"),
        ({"seed": "0.5"}, "seed is '0.5'"),
        ({"grow": -0.1}, "grow is -0.1"),
        ({"grow": 0.7}, "seed, 0.6, is below grow, 0.7"),
        ({"seed": 0.2}, "seed, 0.2, is below grow, 0.5"),
        ({"min_area": 0}, "smallest area"),
        ({"min_area": 2.5}, "smallest area"),
    ],
)
def test_bad_thresholds(classified_as, options, message):
    with pytest.raises(OptionError, match=message):
        segment(
            classified_as(np.zeros((5, 5))),
            np.zeros((5, 5)),
            options=SegmentationOptions(**options),
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "watershed"}, "method is 'watershed'; it is one of probability, published"),
        ({"statistic": "variance"}, "statistic is 'variance'"),
        ({"unmatched": "ignore"}, "unmatched is 'ignore'; it is one of keep, drop"),
        ({"background_threshold": 1}, "background_threshold is 1"),
        ({"background_threshold": -0.1}, "background_threshold is -0.1"),
        ({"background_threshold": float("nan")}, "background_threshold is nan"),
        ({"background_threshold": "0"}, "background_threshold is '0'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(OptionError, match=message):
        SegmentationOptions(**options)


@pytest.mark.parametrize(
    "name", ["smoothing", "significance", "prominence", "clumpiness", "contrast"]
)
@pytest.mark.parametrize("value", [-1, 1e7, float("nan"), float("inf"), "0.5", None, True, 1j])
def test_bad_deblending_options(name, value):
    with pytest.raises(OptionError, match=f"{name} is .*; it is a number from 0 to"):
        DeblendingOptions(**{name: value})


def test_numpy_numbers_are_numbers():
    grid = np.linspace(0, 1, 3, dtype=np.float32)
    assert [DeblendingOptions(prominence=p).prominence for p in grid] == [0, 0.5, 1]
