import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morpheus.catalog.morphology import SourcePixels, classify_sources
from morpheus.classes import CLASS_NAMES
from morpheus.inference import ClassMaps

LABELS = np.array([[1, 1, 1, 0]], np.int32)
P = np.array(
    [
        [0.6, 0.1, 0.2, 0],
        [0.2, 0.5, 0.3, 0],
        [0.1, 0.1, 0.0, 0],
        [0, 0.1, 0.1, 0],
        [0.1, 0.2, 0.4, 1],
    ]
)[:, None, :]


def classify(labels, flux, p, variance):
    pixels = SourcePixels(labels, labels.max())
    p, variance = (np.broadcast_to(a, (5, *labels.shape)).astype(float) for a in (p, variance))
    flux = pixels.of(np.asarray(flux, float))
    return classify_sources(
        pixels, flux, ClassMaps(CLASS_NAMES, p), ClassMaps(CLASS_NAMES, variance)
    )


def test_three_pixels_by_hand():
    variance = np.full((5, 1, 4), 0.04)
    result = classify(LABELS, [[1, 2, 1, 9]], P, variance)
    # sums: 0.6+0.2+0.2, 0.2+1.0+0.3, 0.1+0.2+0, 0+0.2+0.1
    total = 1.0 + 1.5 + 0.3 + 0.3
    p = np.array([1.0, 1.5, 0.3, 0.3]) / total
    np.testing.assert_allclose(result.probability[:, 0], p)
    assert result.dominant.tolist() == ["disk"]
    assert result.margin[0] == pytest.approx(0.5 / total)
    assert result.background[0] == pytest.approx((0.1 + 0.2 + 0.4) / 3)
    assert result.agreement[0] == pytest.approx(1 + np.sum(p * np.log(p)) / np.log(4))
    s = 4 * 0.2 / total
    expected = np.sqrt((1 - p) ** 2 * s**2 + p**2 * 3 * s**2)
    np.testing.assert_allclose(result.error[:, 0], expected)


def test_negative_masked_and_unclassified_pixels_weigh_nothing():
    one = classify(LABELS, [[1, -5, np.nan, 9]], P, 0.0)
    np.testing.assert_allclose(one.probability[:, 0], np.array([6, 2, 1, 0]) / 9)
    p = P.copy()
    p[:, 0, 1] = np.nan
    two = classify(LABELS, [[1, 5, 0, 9]], p, p)
    np.testing.assert_allclose(two.probability[:, 0], np.array([6, 2, 1, 0]) / 9)
    assert two.background[0] == pytest.approx(0.25)


def test_no_positive_flux():
    result = classify(LABELS, [[-1, -2, np.nan, 9]], P, 0.01)
    assert result.unweighted.tolist() == [True]
    sums = P[:4, 0, :3].sum(axis=1)
    np.testing.assert_allclose(result.probability[:, 0], sums / sums.sum())
    for p in (np.array([0, 0, 0, 0, 1.0]).reshape(5, 1, 1), np.nan):
        nothing = classify(LABELS, [[1, 2, 3, 4]], p, 0.01)
        np.testing.assert_allclose(nothing.probability[:, 0], 0.25)
        assert nothing.unweighted[0]
        assert np.isfinite(nothing.error).all()
        assert nothing.agreement[0] == pytest.approx(0)


def test_the_error_is_that_of_a_monte_carlo():
    """Small correlated deviations of each class, as the docstring supposes."""
    rng = np.random.default_rng(0)
    sigma = np.array([0.02, 0.03, 0.01, 0.02, 0.0])
    flux = np.array([[3.0, 1.0, 2.0, 0.0]])
    result = classify(LABELS, flux, P, (sigma**2).reshape(5, 1, 1))
    w = flux[0, :3]
    deviations = rng.normal(0, sigma[:4], (20_000, 4))
    # + 0.2: a probability of 0 cannot scatter below it; shift it away and compare there.
    base = P.copy()
    base[:4] += 0.2
    result = classify(LABELS, flux, base, (sigma**2).reshape(5, 1, 1))
    sums = (base[:4, 0, :3] * w).sum(axis=1) + deviations * w.sum()
    drawn = (sums / sums.sum(axis=1, keepdims=True)).std(axis=0)
    np.testing.assert_allclose(result.error[:, 0], drawn, rtol=0.03)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_sources_do_not_know_each_other(seed):
    """Relabelling permutes the result; probabilities add up to 1 whatever the flux."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, (9, 11)).astype(np.int32)
    labels[0, :6] = np.arange(6)
    flux = rng.normal(0, 1, labels.shape)
    flux[rng.random(labels.shape) < 0.1] = np.nan
    p = rng.dirichlet(np.ones(5), labels.shape).transpose(2, 0, 1)
    result = classify(labels, flux, p, 0.01)
    order = rng.permutation(5)
    new = np.concatenate([[0], 1 + np.argsort(order)])[labels].astype(np.int32)
    other = classify(new, flux, p, 0.01)
    np.testing.assert_allclose(other.probability, result.probability[:, order], rtol=1e-12)
    np.testing.assert_allclose(other.error, result.error[:, order], rtol=1e-12)
    np.testing.assert_allclose(result.probability.sum(axis=0), 1)
    assert ((result.agreement >= 0) & (result.agreement <= 1)).all()
