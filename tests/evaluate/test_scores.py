"""Numbers from samples whose answers can be worked out by hand."""

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose
from scipy import stats

from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.evaluate import Detections, Truth, compare, measure_detections, score
from morpheus.evaluate.calibration import calibration_curve, expected_calibration_error, reliability
from morpheus.evaluate.detection import half_complete
from morpheus.evaluate.fractions import binned, fraction, rate
from morpheus.evaluate.pixels import compare_pixels
from morpheus.mosaic.products import to_json

SHAPE = 60, 60


def sources(n, **columns):
    unknown = np.full(n, np.nan)
    table = {
        "id": np.arange(1, n + 1),
        "x": unknown,
        "y": unknown,
        "mag": unknown,
        "r_e": unknown,
        "surface_brightness": unknown,
        "votes": np.full((n, 4), np.nan),
    }
    return Table(table | columns)


def scene(boxes, **columns):
    """Truth whose sources are boxes (x, y, side), and the same as labels."""
    owner = np.zeros(SHAPE, np.int32)
    for number, (x, y, side) in enumerate(boxes, 1):
        owner[y : y + side, x : x + side] = number
    x, y, side = np.array(boxes, float).T
    center = (side - 1) / 2
    return Truth(sources(len(boxes), x=x + center, y=y + center, **columns), owner, complete=True)


def detections(labels, probabilities=None, pixels=None, mag=None):
    plain = measure_detections(labels, np.ones(SHAPE, np.float32))
    unknown = np.full(len(plain), np.nan)
    return Detections(
        plain.labels,
        plain.mask,
        plain.x,
        plain.y,
        unknown if mag is None else np.asarray(mag, float),
        plain.area,
        probabilities,
        pixels,
    )


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (50, 100)])
def test_intervals_are_those_of_jeffreys(k, n):
    found = fraction(k, n)
    tail = (1 - 0.6827) / 2
    beta = stats.beta(k + 0.5, n - k + 0.5)
    assert found["value"] == k / n
    assert_allclose(found["lower"], 0 if k == 0 else beta.ppf(tail), atol=1e-6)
    assert_allclose(found["upper"], 1 if k == n else beta.ppf(1 - tail), atol=1e-6)


def test_no_trials_no_fraction():
    assert np.isnan([fraction(0, 0)[name] for name in ("value", "lower", "upper")]).all()


def test_rates_have_poisson_s_interval():
    found = rate(0, 2.0)
    assert (found["value"], found["lower"]) == (0, 0)
    # The largest mean of which nothing at all happens in one of 6.3 cases.
    assert found["upper"] == pytest.approx(-np.log((1 - 0.6827) / 2) / 2, rel=1e-3)
    assert rate(9, 3.0)["value"] == 3
    assert np.isnan(rate(9, float("nan"))["value"])


def test_bins():
    values = np.array([0.0, 0.5, 1.0, 1.5, np.nan, 9.0])
    found = binned(values, np.array([1, 0, 1, 1, 1, 1], bool), (0, 1, 2, 3))
    assert [(one["low"], one["k"], one["n"]) for one in found] == [(0, 1, 2), (1, 2, 2)]


def test_half_complete():
    bins = [
        {"low": m, "high": m + 1, "value": v, "n": 8} for m, v in ((24, 1), (25, 0.75), (26, 0.25))
    ]
    assert half_complete(bins) == pytest.approx(26.0)
    assert np.isnan(half_complete(bins[:2]))
    assert np.isnan(half_complete([]))
    lucky = (
        {"low": 29, "high": 30, "value": 1.0, "n": 1},
        {"low": 30, "high": 31, "value": 0, "n": 1},
    )
    assert half_complete([*bins, *lucky]) == pytest.approx(26.0)


def test_a_perfect_detector():
    boxes = [(5, 5, 6), (25, 5, 8), (5, 40, 10)]
    votes = np.eye(4)[[0, 1, 3]]
    truth = scene(boxes, mag=np.array([22.0, 25, 27]), votes=votes)
    classes = np.zeros((5, *SHAPE), np.float32)
    classes[BACKGROUND] = truth.owner == 0
    for number in (1, 2, 3):
        classes[:BACKGROUND, truth.owner == number] = votes[number - 1][:, None]
    truth = Truth(truth.sources, truth.owner, classes, complete=True)
    found = score(
        compare(truth, detections(truth.owner, votes, classes), radius=3, pixel_scale=6.0)
    )
    assert found["area_arcmin2"] == pytest.approx(36.0)
    assert found["detection"]["completeness"]["total"]["value"] == 1
    assert found["detection"]["purity"]["total"]["value"] == 1
    assert found["detection"]["spurious"]["value"] == 0
    for name in ("iou", "panoptic_quality", "segmentation_quality", "recognition_quality"):
        assert found["segmentation"][name] == 1
    assert found["segmentation"]["shredded"]["k"] == 0
    assert found["classes"]["all"]["accuracy"]["value"] == 1
    assert found["classes"]["all"]["cross_entropy"] == pytest.approx(0)
    assert [group["n"] for group in found["classes"]["by_mag"]] == [1, 1, 1]
    assert found["classes"]["calibration"]["ece"] == pytest.approx(0)
    assert found["pixels"]["accuracy"] == 1
    assert found["pixels"]["cross_entropy"] == pytest.approx(0)
    assert found["pixels"]["calibration"]["ece"] == pytest.approx(0)


def test_overlap_by_hand():
    # Two sources of 10 x 10; one found shifted by 2 of 10 columns, the other cut in halves.
    truth = scene([(5, 5, 10), (30, 30, 10)])
    labels = np.zeros(SHAPE, int)
    labels[5:15, 7:17] = 1
    labels[30:35, 30:40] = 2
    labels[35:40, 30:40] = 3
    labels[50:54, 5:9] = 4
    sums = compare_pixels(truth, detections(labels))
    assert (sums.both, sums.only_found, sums.only_true) == (180, 36, 20)
    # Only the first is more than half the same: 80 of 120 pixels.
    assert sums.overlap == pytest.approx(80 / 120)
    assert sums.segments.tolist() == [1, 3, 1]
    found = score(compare(truth, detections(labels), radius=3, pixel_scale=0.06))
    assert found["segmentation"]["iou"] == pytest.approx(180 / 236)
    assert found["segmentation"]["recognition_quality"] == pytest.approx(1 / (1 + 1.5 + 0.5))
    assert found["segmentation"]["shredded"]["k"] == 1
    assert found["detection"]["spurious"]["n"] == 1
    assert found["detection"]["purity"]["total"]["k"] == 2
    assert found["classes"] is None
    assert found["pixels"] is None


def test_small_true_segments_are_void():
    truth = scene([(5, 5, 2), (30, 30, 10)])
    labels = np.where(truth.owner == 2, 1, 0)
    sums = compare_pixels(truth, detections(labels))
    assert sums.segments.tolist() == [1, 0, 0]


def test_confusion_and_cross_entropy_by_hand():
    boxes = [(5, 5, 6), (25, 5, 6), (45, 5, 6), (5, 40, 6)]
    votes = np.array([[1, 0, 0, 0], [0.6, 0.4, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 1]])
    given = np.array([[0.7, 0.1, 0.1, 0.1], [0.2, 0.8, 0, 0], [0, 0, 1, 0], [0.25] * 4])
    truth = scene(boxes, mag=np.array([20.0, 21, 22, 25]), votes=votes)
    found = score(compare(truth, detections(truth.owner, given), radius=3))["classes"]
    every = found["all"]
    # Equal votes for disk and irregular: irregular is right. Equal probabilities: the first.
    assert every["confusion"] == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]]
    assert (every["accuracy"]["k"], every["accuracy"]["n"]) == (2, 4)
    expected = [
        -np.log(0.7),
        -0.6 * np.log(0.2) - 0.4 * np.log(0.8),
        -0.5 * np.log(1e-6),
        -np.log(0.25),
    ]
    assert every["cross_entropy"] == pytest.approx(np.mean(expected), rel=1e-6)
    entropy = -(0.6 * np.log(0.6) + 0.4 * np.log(0.4)) + np.log(2)
    assert every["votes_entropy"] == pytest.approx(entropy / 4)
    assert [group["n"] for group in found["by_mag"]] == [3, 1]
    assert [group["n"] for group in found["by_agreement"]] == [1, 1, 2]
    # Most probable class: 0.7 (share 1), 0.8 (0.4), 1 (0.5), 0.25 (0), each in a bin of its own.
    assert found["calibration"]["ece"] == pytest.approx((0.3 + 0.4 + 0.5 + 0.25) / 4)


def test_soft_truth_can_be_calibrated():
    rng = np.random.default_rng(1)
    p = rng.uniform(0, 1, 20000)
    votes = rng.binomial(5, p) / 5
    curve = calibration_curve(p, votes)
    assert expected_calibration_error(curve) < 0.01
    assert expected_calibration_error(calibration_curve(p, votes**3)) > 0.1
    # Curves of parts add up.
    parts = calibration_curve(p[:500], votes[:500]) + calibration_curve(p[500:], votes[500:])
    assert_allclose(parts, curve)
    assert reliability(curve)["n"] == 20000
    assert np.isnan(expected_calibration_error(curve * 0))


def test_samples_add_up():
    truth = scene([(5, 5, 6), (25, 5, 8)], mag=np.array([20.0, 21]))
    one = compare(truth, detections(truth.owner), radius=3, pixel_scale=0.06)
    two = compare(truth, detections(np.where(truth.owner == 1, 1, 0)), radius=3, pixel_scale=0.06)
    both = score(one + two + one)
    assert both["n_images"] == 3
    assert both["detection"]["completeness"]["total"]["k"] == 5
    assert sorted(set((one + two + one).sources["image"])) == [0, 1, 2]
    assert both["area_arcmin2"] == pytest.approx(3 * score(one)["area_arcmin2"])


def test_faint_sources_do_not_count_in_totals():
    truth = scene([(5, 5, 6), (25, 5, 8)], mag=np.array([20.0, 27.5]))
    labels = np.where(truth.owner == 1, 1, 0)
    found = score(compare(truth, detections(labels), radius=3), faintest=26)
    assert found["detection"]["completeness"]["total"]["n"] == 1
    assert [one["value"] for one in found["detection"]["completeness"]["mag"]] == [1, 0]


def test_without_anything_everything_is_unknown():
    empty = Truth(sources(0))
    found = score(compare(empty, detections(np.zeros(SHAPE, int)), radius=3))
    assert found["n_sources"] == found["n_detections"] == 0
    assert np.isnan(found["detection"]["completeness"]["total"]["value"])
    assert "purity" not in found["detection"]
    assert '"value": null' in to_json(found)


def test_classes_have_one_order():
    truth = scene([(5, 5, 6)], votes=np.eye(4)[[2]])
    found = score(compare(truth, detections(truth.owner, np.eye(4)[[2]]), radius=3))
    assert found["classes"]["names"] == list(CLASS_NAMES[:BACKGROUND])
    assert found["classes"]["all"]["recall"]["irregular"]["value"] == 1
