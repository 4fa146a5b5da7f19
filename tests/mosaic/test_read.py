"""What is read, in which order, and what comes out."""

import hashlib

import numpy as np
import pytest
from astropy.io import fits

import morpheus.mosaic
import morpheus.mosaic.files as module
from morpheus.errors import ImageError, OptionError
from morpheus.mosaic import Mosaic, read_mosaic


def test_the_public_names():
    assert sorted(morpheus.mosaic.__all__) == [
        "InputRecord",
        "Mosaic",
        "MosaicWarning",
        "Region",
        "parse_region",
        "read_mosaic",
        "same_unit",
    ]


def test_a_mosaic_of_four_files(files, bands, pixels, wcs):
    mosaic = read_mosaic(files, bands=bands)
    np.testing.assert_array_equal(mosaic.data, pixels)
    assert mosaic.data.dtype == np.float32
    assert mosaic.data.dtype.isnative
    assert mosaic.data.flags.c_contiguous
    assert mosaic.bands == bands
    assert mosaic.mask.dtype == bool
    assert not mosaic.mask.any()
    assert mosaic.units == ("ELECTRONS/S",) * 4
    assert mosaic.weight is None
    assert mosaic.shape == (12, 16)
    assert mosaic.n_bands == 4
    assert mosaic.pixel_scale == pytest.approx(0.06)
    assert mosaic.wcs.array_shape == (12, 16)
    np.testing.assert_allclose(mosaic.wcs.wcs.crval, wcs.wcs.crval)


def test_what_was_read_is_recorded(files, bands):
    mosaic = read_mosaic(files, bands=bands)
    assert [record.band for record in mosaic.inputs] == list(bands)
    first = mosaic.inputs[0]
    assert first.kind == "image"
    assert first.path == str(files["F160W"])
    assert first.hdu == "PRIMARY"
    assert first.shape == (12, 16)
    assert first.sha256 == hashlib.sha256(files["F160W"].read_bytes()).hexdigest()


def test_arrays_leave_no_file_in_the_record(pixels, bands):
    record = read_mosaic(list(pixels), bands=bands).inputs[0]
    assert (record.path, record.hdu, record.sha256) == (None, None, None)
    assert record.shape == (12, 16)


def test_without_a_wcs_there_is_no_pixel_scale(pixels, bands):
    mosaic = read_mosaic(pixels, bands=bands)
    assert mosaic.wcs is None
    assert mosaic.pixel_scale is None


def test_a_mapping_is_put_into_the_order_of_the_bands(files, bands, pixels):
    backwards = {band.lower(): files[band] for band in reversed(bands)}
    np.testing.assert_array_equal(read_mosaic(backwards, bands=bands).data, pixels)


def test_a_list_is_in_the_order_of_the_bands(files, bands, pixels):
    mosaic = read_mosaic([str(files[band]) for band in bands], bands=bands)
    np.testing.assert_array_equal(mosaic.data, pixels)


def test_a_cube_is_in_the_order_of_the_bands(pixels, bands, wcs):
    np.testing.assert_array_equal(read_mosaic(pixels, bands=bands).data, pixels)
    with_wcs = read_mosaic((pixels, wcs), bands=bands)
    np.testing.assert_array_equal(with_wcs.data, pixels)
    assert with_wcs.pixel_scale == pytest.approx(0.06)


def test_the_callers_data_are_left_alone(pixels, bands, wcs):
    pixels[0, 0, 0] = np.nan
    before = pixels.copy()
    mosaic = read_mosaic((pixels, wcs), bands=bands, region="53.12,-27.8,5pix")
    assert not np.shares_memory(mosaic.data, pixels)
    np.testing.assert_array_equal(pixels, before)
    assert tuple(wcs.wcs.crpix) == (8, 6)


def test_a_model_of_one_band_takes_one_image(files, pixels):
    for image in (str(files["F160W"]), [files["F160W"]], pixels[0], pixels[:1]):
        mosaic = read_mosaic(image, bands=["F160W"])
        np.testing.assert_array_equal(mosaic.data[0], pixels[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"F606W": None}, "F606W is missing"),
        ({"F140W": "x.fits"}, "F140W is none of them"),
        ({"f160w": "x.fits"}, "F160W is given twice"),
    ],
)
def test_band_names_that_do_not_fit(files, bands, change, message):
    images = {name: image for name, image in {**files, **change}.items() if image is not None}
    with pytest.raises(OptionError, match=message) as error:
        read_mosaic(images, bands=bands)
    assert "the model needs images in F160W F125W F606W F850LP" in str(error.value)


def test_all_missing_bands_are_named(files, bands):
    with pytest.raises(OptionError, match="F125W is missing, F606W is missing, F850LP is missing"):
        read_mosaic({"F160W": files["F160W"]}, bands=bands)


def test_the_wrong_number_of_images(files, bands):
    with pytest.raises(OptionError, match=r"F160W F125W F606W F850LP in this order; 3 were given"):
        read_mosaic(list(files.values())[:3], bands=bands)


def test_one_path_for_four_bands(files, bands):
    with pytest.raises(OptionError, match="one image was given; the model needs images in F160W"):
        read_mosaic(str(files["F160W"]), bands=bands)


def test_a_cube_with_the_wrong_number_of_planes(pixels, bands):
    with pytest.raises(OptionError, match=r"array of shape \(3, 12, 16\) holds 3"):
        read_mosaic(pixels[:3], bands=bands)


@pytest.mark.parametrize("shape", [(12,), (12, 16), (1, 4, 12, 16)])
def test_an_array_that_is_no_cube(bands, shape):
    with pytest.raises(ImageError, match=r"give one of shape \(4, y, x\)") as error:
        read_mosaic(np.ones(shape), bands=bands)
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("names", [[], ["F160W", "f160w"]])
def test_bands_must_be_different_names(pixels, names):
    with pytest.raises(OptionError, match="bands must be different names"):
        read_mosaic(pixels, bands=names)


def test_something_that_is_no_image(pixels):
    with pytest.raises(OptionError, match="the F160W image is a int; give a path, an HDU"):
        read_mosaic({"F160W": 3}, bands=["F160W"])


@pytest.mark.parametrize("shape", [(7,), (1, 12, 16), (2, 2, 12, 16)])
def test_data_with_the_wrong_number_of_axes(shape):
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    with pytest.raises(ImageError, match=r"a band is a 2-D image \(y, x\)") as error:
        read_mosaic([data], bands=["F160W"])
    assert str(shape) in str(error.value)
    assert ("choose a plane" in str(error.value)) == (len(shape) > 2)


@pytest.mark.parametrize("shape", [(0, 0), (0, 16), (12, 0)])
def test_data_without_pixels(shape):
    with pytest.raises(ImageError, match=r"has no pixels: its shape is \(") as error:
        read_mosaic([np.ones(shape)], bands=["F160W"])
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("dtype", [complex, "U3", object, bool])
def test_data_that_are_no_real_numbers(dtype):
    with pytest.raises(ImageError, match="an image holds real numbers"):
        read_mosaic([np.ones((3, 3)).astype(dtype)], bands=["F160W"])


@pytest.mark.parametrize("dtype", ["u1", ">i2", "<i4", ">i8", ">f4", "<f8", "f2"])
def test_every_number_type_and_byte_order_becomes_native_float32(dtype):
    data = np.arange(12).reshape(3, 4).astype(dtype)
    mosaic = read_mosaic([data], bands=["F160W"])
    assert mosaic.data.dtype == np.dtype("=f4")
    np.testing.assert_array_equal(mosaic.data[0], np.arange(12).reshape(3, 4))


def test_a_constant_image():
    with pytest.raises(ImageError, match=r"F606W is constant \(0.0 everywhere\): not an image"):
        read_mosaic([np.zeros((3, 3))], bands=["F606W"])


def test_an_image_of_one_pixel():
    with pytest.raises(ImageError, match=r"F606W is constant \(2.5 everywhere\): not an image"):
        read_mosaic([np.full((1, 1), 2.5)], bands=["F606W"])


def test_an_image_that_is_constant_where_it_is_valid():
    data = np.ones((3, 3))
    data[0, 0] = 5
    weights = np.ones((3, 3))
    weights[0, 0] = 0
    with pytest.raises(ImageError, match="constant"):
        read_mosaic([data], bands=["F606W"], weights=weights)


def test_a_mosaic_can_be_compared_and_hashed(pixels, bands):
    first, second = (read_mosaic(pixels, bands=bands) for _ in range(2))
    assert isinstance(first, Mosaic)
    assert len({first, second, first}) == 2


def test_each_file_is_hashed_once(files, tmp_path, pixels, monkeypatch):
    path = tmp_path / "both.fits"
    hdus = [fits.ImageHDU(plane, name=name) for plane, name in zip(pixels, "AB", strict=False)]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    calls, digest = [], module._sha256
    monkeypatch.setattr(module, "_sha256", lambda *a, **k: calls.append(a) or digest(*a, **k))
    mosaic = read_mosaic([f"{path}[A]", f"{path}[B]"], bands=["a", "b"])
    assert len(calls) == 1
    assert mosaic.inputs[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert mosaic.inputs[0].sha256 == mosaic.inputs[1].sha256
    assert [record.hdu for record in mosaic.inputs] == ["A", "B"]
