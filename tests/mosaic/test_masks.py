"""Which pixels are invalid, and the weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from morpheus.errors import ImageError, OptionError
from morpheus.mosaic import read_mosaic

BANDS = ["F160W", "F606W"]


@pytest.fixture
def images(pixels):
    return list(pixels[:2])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39, -1e300])
def test_pixels_that_are_not_finite_in_float32(images, value):
    images[1] = images[1].astype(float)
    images[1][3, 4] = value
    mosaic = read_mosaic(images, bands=BANDS)
    assert np.argwhere(mosaic.mask).tolist() == [[3, 4]]
    assert (mosaic.data[:, 3, 4] == 0).all()
    assert np.isfinite(mosaic.data).all()


@pytest.mark.parametrize("option", ["weights", "rms"])
@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf])
def test_weights_and_noise_that_are_invalid(images, option, value):
    values = np.full((12, 16), 2.0)
    values[3, 4] = value
    mosaic = read_mosaic(images, bands=BANDS, **{option: {"F606W": values}})
    assert np.argwhere(mosaic.mask).tolist() == [[3, 4]]
    assert mosaic.weight is None  # only one band has one


@pytest.mark.parametrize("noise", [1e-25, 1e-20, 5e-20, 1e25])
def test_noise_in_small_and_large_units_masks_nothing(images, noise):
    """The inverse variance leaves the range of float32: it stays at the end of it, and valid."""
    values = np.full((12, 16), noise)
    mosaic = read_mosaic(images, bands=BANDS, rms=dict.fromkeys(BANDS, values))
    assert not mosaic.mask.any()
    assert np.isfinite(mosaic.weight).all()
    assert (mosaic.weight > 0).all()


def test_weights_of_each_band(images):
    weights = {"f606w": np.full((12, 16), 3), "F160W": np.full((12, 16), 0.5)}
    weights["F160W"][0, 0] = -1
    mosaic = read_mosaic(images, bands=BANDS, weights=weights)
    assert mosaic.weight.dtype == np.float32
    assert (mosaic.weight[:, 0, 0] == 0).all()
    assert (mosaic.weight[0, 1:] == 0.5).all()
    assert (mosaic.weight[1, 1:] == 3).all()
    assert [(r.band, r.kind) for r in mosaic.inputs[2:]] == [
        ("F160W", "weight"),
        ("F606W", "weight"),
    ]


def test_noise_becomes_inverse_variance(images):
    mosaic = read_mosaic(images, bands=BANDS, rms=[np.full((12, 16), 2), np.full((12, 16), 0.1)])
    np.testing.assert_allclose(mosaic.weight[0], 0.25)
    np.testing.assert_allclose(mosaic.weight[1], 100, rtol=1e-6)


def test_a_weight_map_for_one_band_and_noise_for_the_other(images):
    ones = np.ones((12, 16))
    mosaic = read_mosaic(images, bands=BANDS, weights={"F160W": ones}, rms={"F606W": 2 * ones})
    np.testing.assert_array_equal(mosaic.weight[:, 0, 0], [1, 0.25])


def test_faint_noise_keeps_its_inverse_variance(images):
    rms = np.full((12, 16), 1e-18)  # its square is no float32, its inverse square is
    mosaic = read_mosaic(images, bands=BANDS, rms=rms)
    np.testing.assert_allclose(mosaic.weight, 1e36, rtol=1e-6)


def test_one_map_for_all_bands_is_recorded_for_each(images, write):
    path = write(np.ones((12, 16)))
    mosaic = read_mosaic(images, bands=BANDS, weights=path)
    assert (mosaic.weight == 1).all()
    assert [r.band for r in mosaic.inputs if r.kind == "weight"] == BANDS
    assert {r.path for r in mosaic.inputs if r.kind == "weight"} == {str(path)}


def test_a_cube_of_maps(images):
    weights = np.stack([np.full((12, 16), 1.0), np.full((12, 16), 2.0)])
    np.testing.assert_array_equal(read_mosaic(images, bands=BANDS, weights=weights).weight, weights)


def test_weights_and_noise_of_the_same_band(images):
    ones = np.ones((12, 16))
    with pytest.raises(OptionError, match="F606W has more than one of a weight map, an rms map"):
        read_mosaic(images, bands=BANDS, weights={"F606W": ones}, rms={"F606W": ones})
    with pytest.raises(OptionError, match="F160W has more than one"):
        read_mosaic(images, bands=BANDS, weights=ones, rms={"F160W": ones})


@pytest.mark.parametrize("option", ["weights", "rms", "dq"])
def test_maps_of_unknown_bands(images, option):
    with pytest.raises(OptionError, match="F140W is none of them") as error:
        read_mosaic(images, bands=BANDS, **{option: {"F140W": np.ones((12, 16))}})
    assert str(error.value).startswith(option.removesuffix("s") if option == "weights" else option)
    assert "the model needs images in F160W F606W" in str(error.value)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64, np.float32])
def test_data_quality(images, dtype):
    flags = np.zeros((12, 16), dtype)
    flags[3, 4] = 1
    mosaic = read_mosaic(images, bands=BANDS, dq={"F606W": flags})
    assert np.argwhere(mosaic.mask).tolist() == [[3, 4]]
    assert mosaic.weight is None


def test_data_quality_of_a_file_of_unsigned_integers(images, write):
    flags = np.zeros((12, 16), np.uint32)
    flags[3, 4] = 2**31
    mosaic = read_mosaic(images, bands=BANDS, dq=write(flags))
    assert np.argwhere(mosaic.mask).tolist() == [[3, 4]]


def test_data_quality_in_fractions(images):
    with pytest.raises(ImageError, match="the dq map of F606W holds fractions"):
        read_mosaic(images, bands=BANDS, dq={"F606W": np.full((12, 16), 0.5)})


def test_an_image_that_is_nan_everywhere(images):
    images[1] = np.full((12, 16), np.nan)
    with pytest.raises(ImageError, match="no valid pixel: F606W is NaN everywhere"):
        read_mosaic(images, bands=BANDS)


def test_an_image_that_overflows_everywhere(images):
    images[1] = images[1].astype(float) * 1e300
    with pytest.raises(ImageError, match="F606W is NaN, infinite or masked everywhere"):
        read_mosaic(images, bands=BANDS)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("weights", 0, "the weight map of F606W is nowhere finite and above 0"),
        ("rms", -1, "the rms map of F606W is nowhere finite and above 0"),
        ("dq", 1, "the dq map of F606W flags every pixel"),
    ],
)
def test_a_map_that_leaves_no_pixel(images, option, value, message):
    with pytest.raises(ImageError, match=f"no valid pixel: {message}"):
        read_mosaic(images, bands=BANDS, **{option: {"F606W": np.full((12, 16), value)}})


def test_bands_that_have_no_valid_pixel_in_common(images):
    images[0][:6] = np.nan
    images[1][6:] = np.nan
    with pytest.raises(ImageError, match="no valid pixel: each is invalid in at least one band"):
        read_mosaic(images, bands=BANDS)


FLAGS = arrays(bool, (2, 4, 3))


@given(nan=FLAGS, no_weight=FLAGS, flags=FLAGS)
def test_the_mask_is_the_union_of_all_that_is_invalid(nan, no_weight, flags):
    union = (nan | no_weight | flags).any(axis=0)
    data = np.where(nan, np.nan, np.arange(24.0).reshape(2, 4, 3))
    weights = np.where(no_weight, 0, 2)
    if (~union).sum() <= 1:  # none valid, or one, which is constant
        with pytest.raises(ImageError):
            read_mosaic(data, bands=BANDS, weights=weights, dq=flags)
        return
    mosaic = read_mosaic(data, bands=BANDS, weights=weights, dq=flags)
    np.testing.assert_array_equal(mosaic.mask, union)
    np.testing.assert_array_equal(mosaic.data[:, ~union], data[:, ~union])
    assert (mosaic.data[:, union] == 0).all()
    np.testing.assert_array_equal(mosaic.weight, np.where(union, 0, [[[2]], [[2]]]))


@given(rms=st.floats(1e-18, 1e18))
def test_noise_and_its_inverse_square_are_the_same(rms):
    image = np.arange(4.0).reshape(2, 2)
    noise = read_mosaic([image], bands=["a"], rms=np.full((2, 2), rms))
    weight = read_mosaic([image], bands=["a"], weights=np.full((2, 2), rms**-2))
    np.testing.assert_allclose(noise.weight, weight.weight, rtol=1e-6)
