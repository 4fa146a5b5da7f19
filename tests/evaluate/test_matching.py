"""Which detection is which source: planted cases with known answers."""

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from morpheus.evaluate import (
    LabelOutcome,
    SourceOutcome,
    Truth,
    compare,
    match,
    measure_detections,
)
from morpheus.evaluate.matching import chance_matches

SHAPE = 40, 50


def truth(*places, owner=None, complete=True):
    """Sources at (x, y, mag)."""
    x, y, mag = np.array(places, dtype=float).reshape(-1, 3).T
    unknown = np.full(len(places), np.nan)
    return Truth(
        Table(
            {
                "id": np.arange(1, len(places) + 1),
                "x": x,
                "y": y,
                "mag": mag,
                "r_e": unknown,
                "surface_brightness": unknown,
                "votes": np.full((len(places), 4), np.nan),
            }
        ),
        owner,
        complete=complete,
    )


def found(*boxes, mask=None):
    """Labels from boxes (x, y, width, height)."""
    labels = np.zeros(SHAPE, dtype=int)
    for number, (x, y, width, height) in enumerate(boxes, 1):
        labels[y : y + height, x : x + width] = number
    return measure_detections(labels, (labels > 0).astype(np.float32), mask=mask)


def test_a_source_on_its_label():
    result = match(truth((12, 12, 20)), found((10, 10, 5, 5)), 3)
    assert result.source_outcomes.tolist() == ["detected"]
    assert result.labels.tolist() == [1]
    assert result.label_outcomes.tolist() == ["matched"]
    assert result.sources.tolist() == [0]


def test_a_source_beside_its_label_within_the_radius_and_beyond():
    near, far = (match(truth((16, 12, 20)), found((10, 10, 5, 5)), radius) for radius in (4, 3.9))
    assert near.source_outcomes.tolist() == ["detected"]
    assert far.source_outcomes.tolist() == ["missed"]
    assert far.label_outcomes.tolist() == ["spurious"]


def test_the_brighter_of_two_has_the_label():
    result = match(truth((11, 12, 22), (13, 12, 21)), found((10, 10, 5, 5)), 3)
    assert result.source_outcomes.tolist() == ["blended", "detected"]
    assert result.labels.tolist() == [1, 1]
    assert result.sources.tolist() == [1]


def test_the_fainter_takes_the_free_label_beside():
    result = match(truth((14, 12, 22), (12, 12, 21)), found((10, 10, 5, 5), (15, 10, 3, 5)), 3)
    assert result.labels.tolist() == [2, 1]
    assert result.source_outcomes.tolist() == ["detected", "detected"]


def test_a_shred_and_a_false_detection():
    owner = np.zeros(SHAPE, int)
    owner[10:20, 10:20] = 1
    sources = truth((12, 15, 20), owner=owner)
    result = match(sources, found((10, 10, 6, 10), (16, 10, 4, 10), (30, 30, 4, 4)), 2)
    assert result.label_outcomes.tolist() == ["matched", "shred", "spurious"]
    assert result.sources.tolist() == [0, 0, -1]


def test_a_label_elsewhere_on_a_source_is_the_source():
    # The position of a ring galaxy is in its hole.
    owner = np.zeros(SHAPE, int)
    owner[10:30, 10:30] = 1
    result = match(truth((20, 20, 20), owner=owner), found((10, 10, 20, 3)), 2)
    assert result.source_outcomes.tolist() == ["detected"]
    assert result.label_outcomes.tolist() == ["matched"]


def test_a_source_without_pixels_is_not_detected_by_chance():
    owner = np.zeros(SHAPE, int)
    owner[10:20, 10:20] = 1
    result = match(truth((12, 15, 20), (14, 15, 29), owner=owner), found((10, 10, 10, 10)), 2)
    assert result.source_outcomes.tolist() == ["detected", "missed"]


def test_what_is_not_listed_is_unknown():
    result = match(truth((12, 12, 20), complete=False), found((10, 10, 5, 5), (30, 30, 4, 4)), 2)
    assert result.label_outcomes.tolist() == ["matched", "unknown"]


@pytest.mark.parametrize("place", [(-1, 10), (50, 10), (10, 40), (np.nan, 3), (30, 30)])
def test_outside_counts_for_nothing(place):
    mask = np.zeros(SHAPE, bool)
    mask[25:, 25:] = True
    detections = found((28, 28, 4, 4), mask=mask)
    result = match(truth((*place, 20)), detections, 2)
    assert result.source_outcomes.tolist() == ["outside"]
    assert result.label_outcomes.tolist() == ["outside"]
    sample = compare(truth((*place, 20)), detections, radius=2)
    assert len(sample.sources) == len(sample.labels) == 0


def test_a_source_beyond_the_edge_owns_its_label():
    owner = np.zeros(SHAPE, int)
    owner[:, :3] = 1
    result = match(truth((-2, 20, 18), owner=owner), found((0, 15, 3, 9)), 1)
    assert result.source_outcomes.tolist() == ["outside"]
    assert result.label_outcomes.tolist() == ["matched"]


def test_no_sources_and_no_labels():
    nothing = match(truth(), found(), 2)
    assert nothing.labels.size == nothing.sources.size == 0
    assert match(truth((3, 3, 20)), found(), 2).source_outcomes.tolist() == ["missed"]
    assert match(truth(), found((3, 3, 4, 4)), 2).label_outcomes.tolist() == ["spurious"]


@given(
    labels=arrays(np.int32, SHAPE, elements=st.integers(0, 6)),
    owned=st.booleans(),
    places=st.lists(
        st.tuples(st.floats(-3, 52), st.floats(-3, 42), st.floats(18, 28)), min_size=0, max_size=12
    ),
    radius=st.floats(0.5, 20),
)
def test_it_is_one_to_one(labels, owned, places, radius):
    detections = measure_detections(labels, np.ones(SHAPE, np.float32))
    owner = np.roll(labels, 7, axis=1) if owned else None
    result = match(truth(*places, owner=owner), detections, radius)
    detected = result.source_outcomes == SourceOutcome.DETECTED
    own = result.labels[detected]
    assert len(set(own.tolist())) == len(own)
    assert_array_equal(result.sources[own - 1], np.flatnonzero(detected))
    assert (result.label_outcomes[own - 1] == LabelOutcome.MATCHED).all()
    shreds = result.sources[result.label_outcomes == LabelOutcome.SHRED]
    assert detected[shreds].all()
    blended = result.labels[result.source_outcomes == SourceOutcome.BLENDED]
    assert set(blended.tolist()) <= set(own.tolist())
    missed = (result.source_outcomes == SourceOutcome.MISSED) | (
        result.source_outcomes == SourceOutcome.OUTSIDE
    )
    assert not result.labels[missed].any()


def test_the_mirror_image_is_matched_alike():
    rng = np.random.default_rng(3)
    places = np.column_stack([rng.uniform(0, 49, 9), rng.uniform(0, 39, 9), rng.uniform(20, 25, 9)])
    boxes = [(int(x), int(y), 6, 4) for x, y, _ in places[:5]]
    plain = found(*boxes)
    mirrored = measure_detections(plain.labels[:, ::-1], np.ones(SHAPE, np.float32)[:, ::-1])
    other = places.copy()
    other[:, 0] = SHAPE[1] - 1 - other[:, 0]
    a, b = match(truth(*places), plain, 5), match(truth(*other), mirrored, 5)
    assert a.source_outcomes.tolist() == b.source_outcomes.tolist()


def test_the_nearest_brighter_neighbour():
    rng = np.random.default_rng(5)
    places = np.column_stack(
        [rng.uniform(0, 49, 60), rng.uniform(0, 39, 60), rng.normal(22, 1, 60)]
    )
    places[3, 2] = np.nan
    sample = compare(truth(*places), found(), radius=2)
    x, y, mag = places.T
    for row, distance in enumerate(sample.sources["neighbour"]):
        brighter = mag < mag[row]
        expected = np.hypot(x - x[row], y - y[row])[brighter].min(initial=np.inf)
        assert distance == pytest.approx(expected if expected <= 50 else np.inf)


@pytest.mark.parametrize(("sky", "outcome"), [(45, "matched"), (55, "spurious")])
def test_most_of_a_label_is_sky_or_not(sky, outcome):
    # 100 pixels; the two sources share what is not sky, and neither has as much as the sky.
    owner = np.zeros(SHAPE, int)
    owner[10:20, 10:20].flat[sky : (100 + sky) // 2] = 1
    owner[10:20, 10:20].flat[(100 + sky) // 2 :] = 2
    result = match(truth((40, 5, 20), (45, 35, 21), owner=owner), found((10, 10, 10, 10)), 2)
    assert result.label_outcomes.tolist() == [outcome]


def test_labels_at_the_edge_may_be_of_what_lies_beyond():
    result = match(truth((-3, 20, 18)), found((0, 15, 3, 9), (20, 20, 5, 5)), 1)
    assert result.label_outcomes.tolist() == ["outside", "spurious"]


def test_chance_matches():
    # A free label of a fifth of the image, and one that a source has, which is not offered.
    places = [(x, y, 25) for x in range(25, 50) for y in range(40)]
    detections = found((0, 0, 25, 10), (40, 30, 4, 4))
    sources = truth((41, 31, 15), *places, owner=np.where(detections.labels == 2, 1, 0))
    result = match(sources, detections, 0.1)
    k, n = chance_matches(sources, detections, result, 0.1)
    assert n == 1001
    assert k == 250
    two = compare(sources, detections, radius=0.1) + compare(sources, found(), radius=0.1)
    assert two.chance == (250, 2002)


def test_the_main_owner_of_a_label():
    owner = np.zeros(SHAPE, int)
    owner[10:20, 10:14] = 1
    owner[10:20, 14:20] = 2
    # Neither position is near the label, which is more the second's.
    sources = truth((40, 5, 20), (45, 35, 21), owner=owner)
    result = match(sources, found((10, 10, 10, 10)), 2)
    assert result.labels.tolist() == [0, 1]
