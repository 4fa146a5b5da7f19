import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits

from morpheus.catalog import BandImage, check_grid, read_band_images
from morpheus.errors import GridMismatchError, ImageError, OptionError

from .conftest import make_wcs

SHAPE = (30, 40)


@pytest.fixture
def planes():
    rng = np.random.default_rng(0)
    return {band: rng.normal(0, 1, SHAPE).astype(np.float32) for band in ("F160W", "F606W")}


def test_each_band_has_its_own_mask(planes):
    planes["F606W"][3, 4] = np.nan
    weights = {"F160W": np.full(SHAPE, 4.0)}
    weights["F160W"][5, 6] = 0
    dq = np.zeros(SHAPE, int)
    dq[7, 8] = 1
    h, v = read_band_images(planes, bands=("F160W", "F606W"), weights=weights, dq=dq)
    assert np.argwhere(h.mask).tolist() == [[5, 6], [7, 8]]
    assert np.argwhere(v.mask).tolist() == [[3, 4], [7, 8]]
    assert h.error[0, 0] == 0.5
    assert v.error is None
    assert h.invalid().sum() == 2
    assert [r.kind for r in h.inputs] == ["image", "weight", "dq"]


def test_a_region_and_the_zero_point(planes, tmp_path):
    wcs = make_wcs(SHAPE)
    for band, plane in planes.items():
        header = wcs.to_header()
        header.update(BUNIT="ELECTRONS/S", PHOTFLAM=1.9e-20, PHOTPLAM=15369.0, FILTER=band)
        fits.writeto(tmp_path / f"{band}.fits", plane, header)
    paths = {band: tmp_path / f"{band}.fits" for band in planes}
    images = read_band_images(
        paths, bands=tuple(planes), region="53.1,-27.8,20pix,10pix", zero_points={"F606W": 26.5}
    )
    assert [image.shape for image in images] == [(10, 20)] * 2
    assert images[0].calibration.zero_point_source == "PHOTFLAM"
    assert images[0].calibration.zero_point == pytest.approx(25.961, abs=0.01)
    assert images[1].calibration.zero_point == 26.5
    assert images[1].calibration.zero_point_source == "option"
    check_grid(images, (10, 20), images[0].wcs)
    with pytest.raises(GridMismatchError, match="pixel grid"):
        check_grid(images, SHAPE, wcs)


def test_anything_that_is_an_image_is_taken(planes):
    plane = planes["F160W"]
    image = BandImage("H", plane * u.nJy, error=np.ones(SHAPE) * u.uJy)
    assert image.unit == "nJy"
    assert type(image.data) is np.ndarray
    np.testing.assert_array_equal(image.data, plane)
    np.testing.assert_allclose(image.error, 1000)
    assert BandImage("H", plane * u.uJy, unit="nJy").data[0, 0] == pytest.approx(1e3 * plane[0, 0])
    listed = BandImage("H", [[1, 2], [3, 4]], mask=[[0, 0], [0, 1]])
    assert (listed.data.dtype, listed.mask.dtype) == (np.float32, bool)
    assert BandImage("H", plane.astype(">f8")).data.dtype == np.dtype(np.float32)
    masked = BandImage("H", np.ma.masked_array(plane, plane > 1))
    np.testing.assert_array_equal(masked.invalid(), plane > 1)


@pytest.mark.parametrize(
    "data",
    [np.zeros(3), np.zeros((2, 2, 2)), np.zeros((2, 2), complex), [["a"]], None, [[1], [1, 2]]],
)
def test_what_is_no_image(data):
    with pytest.raises(ImageError, match="the data of H"):
        BandImage("H", data)


def test_units_that_contradict(planes):
    for given in ({"unit": "nJy"}, {"unit": "furlongs?"}):
        with pytest.raises(OptionError, match="H are in s, the image in"):
            BandImage("H", planes["F160W"] * u.s, **given)
    with pytest.raises(OptionError, match="errors of H"):
        BandImage("H", planes["F160W"] * u.nJy, error=planes["F160W"] * u.s)


def test_bad_input(planes):
    with pytest.raises(OptionError, match="K is no band"):
        read_band_images(planes, bands=tuple(planes), zero_points={"K": 25})
    planes["F606W"][:] = np.nan
    with pytest.raises(ImageError, match="F606W is NaN everywhere"):
        read_band_images(planes, bands=tuple(planes))
    with pytest.raises(GridMismatchError, match="the mask of H"):
        BandImage("H", planes["F160W"], mask=np.zeros((2, 2), bool))
