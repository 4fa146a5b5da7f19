"""Tiles hold values to the stated errors, and code 0 where there is none."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from morpheus.viewer.coding import (
    BAND_STEP,
    BAND_ZERO,
    band_codes,
    label_codes,
    picture,
    scatter_codes,
    share_codes,
)


def signal_of(codes):
    """What static/app/coding.js makes of the codes of a band; NaN of code 0."""
    code = codes[..., 0].astype(int) << 4 | codes[..., 1]
    return np.where(code > 0, np.sinh((code - BAND_ZERO) * BAND_STEP), np.nan)


def share_of(codes):
    return np.where(codes > 0, (codes - 1.0) / 254, np.nan)


SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)


@given(
    st.data(),
    SHAPES,
    st.floats(-100, 100, width=32),
    st.floats(2**-10, 1024, width=32),
)
def test_bands(data, shape, level, noise):
    signal = data.draw(hnp.arrays(np.float32, shape, elements=st.floats(-30, 1.5e5, width=32)))
    values = (signal * np.float64(noise) + level).astype(np.float32)
    true = (values.astype(float) - np.float32(level)) / np.float32(noise)  # as float32 has it
    found = signal_of(band_codes(values[None], level, noise))
    # Half a step of asinh is 0.2%; the stated errors are a whole one.
    assert (np.abs(found - true) <= np.maximum(0.004 * np.abs(true), 0.004)).all()


@given(hnp.arrays(np.float32, SHAPES, elements=st.floats(width=32)))
def test_any_float_has_a_code(values):
    with np.errstate(over="ignore"):
        codes = band_codes(values[None], 0.0, 1.0)
    assert (codes[..., 2] == 0).all()
    assert (codes[..., 1] < 16).all()
    np.testing.assert_array_equal(np.isfinite(signal_of(codes)), np.isfinite(values))
    codes = share_codes(values[None])
    np.testing.assert_array_equal(codes[..., 0] > 0, np.isfinite(values))
    assert (codes[..., 1:] == 0).all()


def test_what_is_not_finite_is_0():
    values = np.array([[[np.nan, np.inf, -np.inf, 0]]], np.float32)
    assert band_codes(values, 0, 1).tolist() == [[[0, 0, 0]] * 3 + [[BAND_ZERO >> 4, 0, 0]]]
    assert share_codes(values)[0, :, 0].tolist() == [0, 0, 0, 1]
    assert scatter_codes(np.array([[[np.nan, 0, 0.25]]]))[0, :, 0].tolist() == [0, 1, 255]


def test_codes_end_where_they_should():
    values = np.array([[[-1e9, -36, 1.8e5, 1e9]]], np.float32)
    found = signal_of(band_codes(values, 0, 1))[0]
    assert found[0] == pytest.approx(-36, rel=0.02)
    assert found[3] == pytest.approx(1.8e5, rel=0.02)
    assert found[1] == pytest.approx(-36, rel=0.02)
    assert (np.diff(found) >= 0).all()


@given(st.data(), st.integers(1, 3), SHAPES)
def test_shares(data, planes, shape):
    elements = st.floats(0, 1, width=32) | st.just(np.nan)
    values = data.draw(hnp.arrays(np.float32, (planes, *shape), elements=elements))
    codes = share_codes(values)
    assert codes.shape == (*shape, 3)
    found = share_of(codes[..., :planes]).transpose(2, 0, 1)
    np.testing.assert_allclose(found, values, atol=0.002)
    assert (codes[..., planes:] == 0).all()


@given(st.data(), SHAPES)
def test_scatter(data, shape):
    variance = data.draw(hnp.arrays(np.float32, (1, *shape), elements=st.floats(0, 0.25, width=32)))
    found = share_of(scatter_codes(variance)[..., 0]) / 2
    np.testing.assert_allclose(found, np.sqrt(variance[0]), atol=0.001)


@given(hnp.arrays(np.int64, SHAPES, elements=st.integers(0, 2**24 - 1)))
def test_labels_are_exact(labels):
    codes = label_codes(labels[None]).astype(np.int64)
    np.testing.assert_array_equal(codes @ [1 << 16, 1 << 8, 1], labels)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_png_keeps_every_byte_and_turns_rows(codes):
    found = np.asarray(Image.open(io.BytesIO(picture(codes, "png"))))
    np.testing.assert_array_equal(found, codes[::-1])


def test_jpeg_is_close():
    y, x = np.mgrid[:64, :64]
    codes = np.stack([2 * y, 2 * x, y + x], axis=-1).astype(np.uint8)
    image = Image.open(io.BytesIO(picture(codes, "jpg")))
    assert image.format == "JPEG"
    assert np.abs(np.asarray(image).astype(int) - codes[::-1]).max() < 8
