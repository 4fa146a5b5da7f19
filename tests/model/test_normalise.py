"""Joint standardisation against its formula in float64."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from morpheus.model.normalise import standardise_jointly


def formula(window, valid):
    """(x - mean) / max(std, 1/sqrt(N)) over the valid values of one window, in float64."""
    values = window[:, valid].astype(np.float64)
    result = np.zeros(window.shape)
    if values.size:
        std = max(values.std(), 1 / np.sqrt(values.size))
        result[:, valid] = (values - values.mean()) / std
    return result


@settings(deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.floats(-1e3, 1e3),
    st.floats(1e-4, 1e3),
    st.integers(0, 2**32 - 1),
    st.floats(0, 1),
)
def test_formula(n, bands, offset, scale, seed, share):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n, bands, 8, 9)) * scale + offset).astype(np.float32)
    valid = rng.random((n, 8, 9)) >= share
    expected = np.stack([formula(w, v) for w, v in zip(x, valid, strict=True)])
    np.testing.assert_allclose(standardise_jointly(x, valid), expected, atol=2e-5)
    full = np.stack([formula(w, np.ones((8, 9), bool)) for w in x])
    np.testing.assert_allclose(standardise_jointly(x), full, atol=2e-5)


def test_no_mask_and_nothing_masked_are_the_same_bits():
    x = np.random.default_rng(0).normal(0.1, 0.02, (5, 4, 40, 40)).astype(np.float32)
    assert np.array_equal(
        standardise_jointly(x), standardise_jointly(x, np.ones((5, 40, 40), bool))
    )


def test_a_window_does_not_depend_on_its_neighbours():
    x = np.random.default_rng(0).normal(0.1, 0.02, (7, 4, 40, 40)).astype(np.float32)
    together = standardise_jointly(x)
    alone = np.concatenate([standardise_jointly(w[None]) for w in x])
    assert np.array_equal(together, alone)


def test_what_invalid_pixels_hold_does_not_matter():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2, 3, 8, 8)).astype(np.float32)
    valid = rng.random((2, 8, 8)) > 0.3
    other = np.where(valid[:, None], x, np.float32(1e6))
    assert np.array_equal(standardise_jointly(x, valid), standardise_jointly(other, valid))


def test_faint_windows_are_not_blown_up():
    # std 1e-3 is under 1/sqrt(N) = 1/80: divided by that instead
    x = np.random.default_rng(0).normal(0, 1e-3, (1, 4, 40, 40)).astype(np.float32)
    np.testing.assert_allclose(standardise_jointly(x).std(), x.std() * 80, rtol=1e-4)


@given(hnp.arrays(np.float32, (1, 2, 4, 4), elements=st.just(np.float32(7))))
def test_constant_is_zero(x):
    assert not standardise_jointly(x).any()
    assert not standardise_jointly(x, np.zeros((1, 4, 4), bool)).any()


def test_the_input_is_left_alone():
    x = np.random.default_rng(0).normal(size=(1, 2, 4, 4)).astype(np.float32)
    before = x.copy()
    standardise_jointly(x)
    standardise_jointly(x, np.ones((1, 4, 4), bool))
    assert np.array_equal(x, before)
