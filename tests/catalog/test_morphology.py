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
    np.testing.assert_allclose(result.error[:, 0], 4 * 0.2 / total)


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


@pytest.mark.parametrize(
    "alpha", [(4, 4, 0, 0, 0), (3, 1, 0, 0, 0.05), (4, 3, 2, 1, 0.0), (6, 3, 2, 1, 0.2)]
)
def test_the_error_is_the_scatter_of_windows(alpha):
    """In each window the classes add up to 1, and all pixels deviate alike."""
    rng = np.random.default_rng(0)
    windows = np.zeros((20_000, 5))
    used = np.array(alpha) > 0
    windows[:, used] = rng.dirichlet(np.array(alpha)[used], 20_000)
    flux = np.array([[3.0, 1.0, 2.0, 0.0]])
    mean, variance = (a.reshape(5, 1, 1) for a in (windows.mean(axis=0), windows.var(axis=0)))
    result = classify(LABELS, flux, mean, variance)
    seen = windows[:, :4].sum(axis=1) > 0.5
    drawn = windows[seen, :4] / windows[seen, :4].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(result.error[:, 0], drawn.std(axis=0), rtol=0.05)


def test_two_equal_classes_have_the_scatter_of_the_windows():
    p, variance = np.array([0.5, 0.5, 0, 0, 0]), np.array([0.172**2, 0.172**2, 0, 0, 0])
    result = classify(LABELS, [[1, 1, 1, 0]], p.reshape(5, 1, 1), variance.reshape(5, 1, 1))
    np.testing.assert_allclose(result.error[:2, 0], 0.172)


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


def test_one_answer_says_nothing_of_its_error():
    pixels = SourcePixels(LABELS, LABELS.max())
    flux = pixels.of(np.array([[1.0, 2, 1, 9]]))
    p = np.broadcast_to(P, (5, *LABELS.shape))
    result = classify_sources(pixels, flux, ClassMaps(CLASS_NAMES, p), None)
    assert np.isnan(result.error).all()
    assert result.error.shape == result.probability.shape
    known = classify(LABELS, [[1, 2, 1, 9]], P, 0.01)
    np.testing.assert_array_equal(result.probability, known.probability)
