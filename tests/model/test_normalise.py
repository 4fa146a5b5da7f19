"""Normalisers against their formulae in float64."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from morpheus.errors import ImageError, ModelError
from morpheus.model import DenseConfig, ModelConfig, WindowRecipe
from morpheus.model.normalise import SkyNormaliser, prepare_normaliser, standardise_jointly
from morpheus.mosaic.sky import SkyLevel, measure_sky


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


# ---- from the sky, in units of its noise


DENSE = ModelConfig(
    "d",
    ("H", "J", "V"),
    0.06,
    "electron / s",
    WindowRecipe(16, 4, 8),
    normaliser="sky-noise",
    network=DenseConfig((4,)),
)


def test_sky_and_noise_by_the_formula():
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (2, 2, 8, 9)).astype(np.float32)
    valid = rng.random((2, 8, 9)) < 0.7
    found = SkyNormaliser((SkyLevel(3.5, 1.7), None, SkyLevel(-1, 0.2)))(x, valid)
    assert found.shape == (2, 6, 8, 9)
    assert found.dtype == np.float32
    first, last = x[:, 0].astype(np.float64), x[:, 1].astype(np.float64)
    expected = np.stack(
        [
            np.where(valid, np.arcsinh((first - 3.5) / 1.7) / 2, 0),
            np.zeros_like(first),  # the band that is missing
            np.where(valid, np.arcsinh((last + 1) / 0.2) / 2, 0),
            valid,
            np.zeros_like(first),
            valid,
        ],
        axis=1,
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)
    everywhere = SkyNormaliser((SkyLevel(3.5, 1.7), None, SkyLevel(-1, 0.2)))(x)
    assert np.array_equal(everywhere[:, 3:], np.ones((2, 3, 8, 9)) * [[[[1]], [[0]], [[1]]]])
    assert np.array_equal(everywhere[:, 0][valid], found[:, 0][valid])


def test_the_unit_and_a_pedestal_do_not_matter():
    x = np.random.default_rng(1).normal(size=(3, 40, 40)).astype(np.float32)
    mask = np.zeros((40, 40), bool)
    plain = prepare_normaliser(DENSE, x, mask)(x[None])
    other = (x * 4096 + 8192).astype(np.float32)  # powers of 2: no rounding to speak of
    np.testing.assert_allclose(
        prepare_normaliser(DENSE, other, mask)(other[None]), plain, atol=1e-4
    )


def test_values_beyond_all_measure_stay_numbers():
    x = np.full((1, 1, 2, 2), 3e38, np.float32)
    x[0, 0, 0, 0] = -3e38
    found = SkyNormaliser((SkyLevel(0.0, 1e-10),))(x)
    assert np.isfinite(found).all()
    assert found[0, 0, 0, 0] == -found[0, 0, 1, 1] < -20


def test_the_logarithm_is_the_inverse_hyperbolic_sine():
    x = np.concatenate([np.geomspace(1e-9, 1e12, 5000), [0.0]]).astype(np.float32)
    x = np.concatenate([x, -x])[None, None, :, None]
    found = SkyNormaliser((SkyLevel(0.0, 1.0),))(x)[0, 0]
    np.testing.assert_allclose(found, np.arcsinh(x[0, 0].astype(float)) / 2, rtol=2e-7, atol=2e-7)


def test_bands_by_their_names():
    x = np.random.default_rng(1).normal(size=(2, 40, 40)).astype(np.float32)
    mask = np.zeros((40, 40), bool)
    normalise = prepare_normaliser(DENSE, x, mask, bands=("H", "V"))
    assert normalise.skies == (measure_sky(x[0]), None, measure_sky(x[1]))
    skies = (SkyLevel(1, 2), SkyLevel(3, 4))
    assert prepare_normaliser(DENSE, x, mask, bands=("H", "V"), skies=skies).skies == (
        skies[0],
        None,
        skies[1],
    )
    for bands in (("V", "H"), ("H", "K"), ("H",)):
        with pytest.raises(ModelError, match="takes"):
            prepare_normaliser(DENSE, x, mask, bands=bands)
    x[1] = 0
    with pytest.raises(ImageError, match=r"^V: the sky has no noise"):
        prepare_normaliser(DENSE, x, mask, bands=("H", "V"))


def test_windows_by_themselves_need_no_preparation():
    config = ModelConfig("m", ("H", "J"), 0.06, "electron / s", WindowRecipe(40, 5, 1))
    x = np.zeros((2, 40, 40), np.float32)
    assert prepare_normaliser(config, x, x[0] > 0) is standardise_jointly
    with pytest.raises(ModelError, match="takes H J, not H"):
        prepare_normaliser(config, x[:1], x[0] > 0, bands=("H",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normaliser": "joint-window"}, "'sky-noise', not 'joint-window'"),
        ({"window": WindowRecipe(16, 4, 4)}, "their stride is 8"),
    ],
)
def test_what_a_dense_model_is(changes, message):
    with pytest.raises(ModelError, match=message):
        dataclasses.replace(DENSE, **changes)
