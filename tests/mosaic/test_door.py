"""Everything that an image can be given as: HDUs, HDULists, pairs, NDData, masked arrays."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import (
    CCDData,
    InverseVariance,
    NDData,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.utils.masked import Masked

from morpheus.errors import GridMismatchError, ImageError, OptionError
from morpheus.mosaic import read_mosaic

BAND = ["F160W"]


@pytest.fixture
def plane(pixels):
    return pixels[0]


@pytest.mark.parametrize("kind", [fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU])
def test_an_hdu_in_memory(plane, wcs, kind):
    hdu = kind(plane.astype(np.int32), wcs.to_header())
    hdu.header["BUNIT"] = "DN"
    mosaic = read_mosaic([hdu], bands=BAND)
    np.testing.assert_array_equal(mosaic.data[0], plane.astype(np.int32))
    assert mosaic.units == ("DN",)
    assert mosaic.pixel_scale == pytest.approx(0.06)
    assert mosaic.inputs[0].path is None


@pytest.mark.parametrize("name", ["plain.fits", "tiled.fits.fz"])
def test_an_hdu_of_an_open_file_with_changed_data(plane, tmp_path, name):
    kind = fits.CompImageHDU if name.endswith("fz") else fits.ImageHDU
    path = tmp_path / name
    fits.HDUList([fits.PrimaryHDU(), kind((plane * 100).astype(np.int16), name="SCI")]).writeto(
        path
    )
    with fits.open(path, mode="readonly", memmap=False) as hdus:
        before = read_mosaic([hdus["SCI"]], bands=BAND)
        hdus["SCI"].data[0, 0] = 1234
        after = read_mosaic([hdus["SCI"]], bands=BAND)
    np.testing.assert_array_equal(before.data[0], (plane * 100).astype(np.int16))
    assert after.data[0, 0, 0] == 1234
    np.testing.assert_array_equal(after.data[0, 1:], before.data[0, 1:])


def test_the_hdu_of_a_closed_file(plane, write):
    with fits.open(write(plane), memmap=False) as hdus:
        hdu = hdus[0]
    with pytest.raises(ImageError, match="its pixels cannot be read"):
        read_mosaic([hdu], bands=BAND)


def test_an_hdu_list(plane, wcs):
    header = wcs.to_header()
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(plane, header, name="SCI")])
    hdus[0].header["FILTER"] = "F606W"
    with pytest.raises(GridMismatchError, match="its header says F606W"):
        read_mosaic([hdus], bands=BAND)
    mosaic = read_mosaic(hdus, bands=BAND, check_filters=False)
    np.testing.assert_array_equal(mosaic.data[0], plane)
    assert mosaic.inputs[0].hdu == "SCI"


def test_a_table_is_no_image():
    with pytest.raises(OptionError, match="the F160W image is a BinTableHDU"):
        read_mosaic([fits.BinTableHDU()], bands=BAND)


def test_an_array_with_a_header(plane, wcs):
    header = wcs.to_header()
    header.update(FILTER="F160W", BUNIT="nJy")
    mosaic = read_mosaic([(plane, header)], bands=BAND)
    assert mosaic.units == ("nJy",)
    assert mosaic.pixel_scale == pytest.approx(0.06)
    header["FILTER"] = "F606W"
    with pytest.raises(GridMismatchError, match="the F160W image was given as F160W"):
        read_mosaic([(plane, header)], bands=BAND)


def test_an_array_with_an_empty_header(plane):
    mosaic = read_mosaic([(plane, fits.Header())], bands=BAND)
    assert mosaic.units == (None,)
    assert mosaic.wcs is None


def test_an_array_with_something_else_for_a_wcs(plane):
    with pytest.raises(ImageError, match=r"its coordinates are a str; give an astropy.wcs.WCS"):
        read_mosaic([(plane, "TAN")], bands=BAND)


def test_a_quantity_has_a_unit(plane):
    assert read_mosaic([plane * u.nJy], bands=BAND).units == ("nJy",)


def test_the_mask_of_a_masked_array(plane):
    bad = plane > 1
    for image in (np.ma.MaskedArray(plane, bad), Masked(plane, bad), Masked(plane * u.nJy, bad)):
        np.testing.assert_array_equal(read_mosaic([image], bands=BAND).mask, bad)
    assert not read_mosaic([np.ma.MaskedArray(plane)], bands=BAND).mask.any()


def test_nddata_brings_mask_wcs_and_unit(plane, wcs):
    bad = plane > 1
    mosaic = read_mosaic([NDData(plane, mask=bad, wcs=wcs, unit="nJy")], bands=BAND)
    np.testing.assert_array_equal(mosaic.mask, bad)
    assert mosaic.pixel_scale == pytest.approx(0.06)
    assert mosaic.units == ("nJy",)
    assert mosaic.weight is None


def test_ccddata_brings_its_header(plane):
    image = CCDData(plane, unit="adu", meta=fits.Header({"FILTER": "F606W"}))
    with pytest.raises(GridMismatchError, match="its header says F606W"):
        read_mosaic([image], bands=BAND)


@pytest.mark.parametrize(
    ("uncertainty", "array"),
    [
        (StdDevUncertainty, lambda sigma: sigma),
        (VarianceUncertainty, np.square),
        (InverseVariance, lambda sigma: 1 / sigma**2),
    ],
)
def test_the_uncertainty_of_nddata_is_a_weight(plane, uncertainty, array, wcs):
    sigma = np.linspace(1, 2, plane.size).reshape(plane.shape)
    image = NDData(plane, uncertainty=uncertainty(array(sigma)), wcs=wcs)
    mosaic = read_mosaic([image], bands=BAND, region="53.12,-27.8,5pix,3pix")
    whole = read_mosaic([image], bands=BAND)
    np.testing.assert_allclose(whole.weight[0], 1 / sigma**2, rtol=1e-6)
    assert mosaic.weight.shape == (1, 3, 5)
    assert [record.kind for record in mosaic.inputs] == ["image", "weight"]


def test_a_zero_uncertainty_is_invalid(plane):
    sigma = np.ones_like(plane)
    sigma[2, 3] = 0
    mosaic = read_mosaic([NDData(plane, uncertainty=StdDevUncertainty(sigma))], bands=BAND)
    assert np.argwhere(mosaic.mask).tolist() == [[2, 3]]


def test_the_unit_of_an_uncertainty_is_converted(plane):
    sigma = StdDevUncertainty(np.full_like(plane, 2000), unit="nJy")
    mosaic = read_mosaic([NDData(plane, uncertainty=sigma, unit="uJy")], bands=BAND)
    np.testing.assert_allclose(mosaic.weight, 0.25, rtol=1e-6)


def test_an_uncertainty_that_does_not_say_what_it_is(plane):
    image = NDData(plane, uncertainty=UnknownUncertainty(np.ones_like(plane)))
    with pytest.raises(ImageError, match="the uncertainty of the F160W image does not say"):
        read_mosaic([image], bands=BAND)


def test_an_uncertainty_and_a_weight_map(plane):
    image = NDData(plane, uncertainty=StdDevUncertainty(np.ones_like(plane)))
    with pytest.raises(OptionError, match="F160W has more than one of a weight map"):
        read_mosaic([image], bands=BAND, weights=np.ones_like(plane))


def test_a_mask_of_another_shape(plane):
    image = NDData(plane, mask=np.zeros((3, 3), bool))
    with pytest.raises(ImageError, match=r"the mask of the F160W image has shape \(3, 3\)"):
        read_mosaic([image], bands=BAND)


def test_a_lazy_array_is_read_only_where_needed(plane, wcs):
    class Lazy:
        shape, dtype, ndim, asked = plane.shape, plane.dtype, 2, []

        def __getitem__(self, key):
            self.asked.append(key)
            return plane[key]

    mosaic = read_mosaic([(Lazy(), wcs)], bands=BAND, region="53.12,-27.8,4pix")
    assert mosaic.shape == (4, 4)
    assert len(Lazy.asked) == 1
    assert plane[Lazy.asked[0]].shape == (4, 4)
