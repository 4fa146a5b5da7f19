"""The published method, against the original's maps and by hand.

The reference maps were made by morpheus-astro 0.5.1 (origin in the reference data's README): -1
where not classified, which is 0 here.
"""

import numpy as np
import pytest

from morpheus.classes import CLASS_NAMES
from morpheus.inference import Classification, ClassMaps
from morpheus.segmentation import SegmentationOptions, segment
from morpheus.segmentation.detect import published_regions

RUNS = ("exp3", "dev5crop", "exp9")


@pytest.fixture(scope="module", params=RUNS)
def original(shared, request):
    """The original's output as a classification, and all of its arrays."""
    with np.load(shared / f"reference/hausen2020/{request.param}.npz") as file:
        arrays = dict(file)
    n = arrays["n"].astype(np.uint32)

    def maps(suffix):
        stack = np.stack([np.where(n > 0, arrays[c + suffix], np.nan) for c in CLASS_NAMES])
        return ClassMaps(CLASS_NAMES, stack.astype(np.float32))

    result = Classification(maps("_mean"), maps("_var"), maps(""), n, np.zeros(n.shape, bool))
    return result, arrays


def options(threshold, *, deblend):
    return SegmentationOptions(method="published", background_threshold=threshold, deblend=deblend)


@pytest.mark.parametrize("threshold", [0.0, 0.7])
def test_equal_to_the_original(original, threshold):
    classification, arrays = original
    found = segment(
        classification, arrays["input_hjvz"][0], options=options(threshold, deblend=False)
    )
    expected = arrays[f"segmap_rv_t{threshold:g}_nodeb"]
    np.testing.assert_array_equal(found.labels, np.maximum(expected, 0))
    np.testing.assert_array_equal(found.mask, expected == -1)
    assert found.provenance["statistic"] == "votes"


@pytest.mark.parametrize("threshold", [0.0, 0.7])
def test_finds_all_that_the_original_deblends(original, threshold):
    classification, arrays = original
    flux = arrays["input_hjvz"][0]
    found = segment(classification, flux, options=options(threshold, deblend=True))
    expected = arrays[f"segmap_rv_t{threshold:g}_deb"]
    peaks = []
    for label in range(1, expected.max() + 1):
        own = np.where(expected == label, flux, -np.inf)
        peaks.append(found.labels[np.unravel_index(own.argmax(), own.shape)])
    assert len(peaks) > 0
    assert 0 not in peaks
    assert len(set(peaks)) == len(peaks)
    assert found.n_sources >= len(peaks)


def test_by_hand():
    """Every pixel but three is a seed; a corner does not join regions."""
    background = np.ones((7, 9))
    background[1:4, 1:4] = 0
    background[2, 2] = 0.5  # among source only: flooded by it
    background[4:6, 4:6] = 0  # touches the first by a corner
    background[5, 5] = 0.3  # no seed at threshold 0, but next to one
    background[1, 7] = 0.9  # in the sky: sky
    background[0, 0] = np.nan
    valid = np.ones(background.shape, bool)
    valid[0, 0] = False
    expected = np.zeros(background.shape, np.int32)
    expected[1:4, 1:4] = 1
    expected[4:6, 4:6] = 2
    found = published_regions(background, valid, 0.3)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.int32


def test_threshold_is_inclusive():
    background = np.ones((5, 5))
    background[2, 2] = 0.7
    valid = np.ones((5, 5), bool)
    assert published_regions(background, valid, 0.69).max() == 0
    assert published_regions(background, valid, 0.71)[2, 2] == 1
    assert published_regions(np.where(background < 1, 0.5, 1), valid, 0.5)[2, 2] == 1


def test_without_sky_seed_everything_is_source():
    """As documented: means are hardly ever exactly 1."""
    background = np.full((9, 9), 0.999)
    background[4, 4] = 0
    valid = np.ones((9, 9), bool)
    valid[:, 0] = False
    found = published_regions(background, valid, 0.0)
    np.testing.assert_array_equal(found, valid)


@pytest.mark.parametrize("value", [0.5, 1.0])
def test_without_source_seed_nothing_is_source(value):
    valid = np.ones((6, 6), bool)
    assert not published_regions(np.full((6, 6), value), valid, 0.0).any()


def test_masked_pixels_are_no_seeds():
    background = np.zeros((6, 6))
    background[:, 3:] = 1
    valid = np.ones((6, 6), bool)
    valid[2, 1] = False
    found = published_regions(background, valid, 0.0)
    np.testing.assert_array_equal(found > 0, valid & (background == 0))
