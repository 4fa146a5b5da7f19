"""Reading a part of the sky."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from morpheus.errors import ImageError, OptionError
from morpheus.mosaic import MosaicWarning, Region, parse_region, read_mosaic

BAND = ["F160W"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("53.12,-27.80,30arcsec", (30 * u.arcsec, 30 * u.arcsec)),
        ("53.12, -27.8, 30 arcsec, 20arcsec", (30 * u.arcsec, 20 * u.arcsec)),
        ("53.12,-27.80,2arcmin,1e2pix", (2 * u.arcmin, 100 * u.pix)),
        ("53.12,-27.80,.5DEG", (0.5 * u.deg, 0.5 * u.deg)),
        ("03:32:28.8,-27:48:00,40pix", (40 * u.pix, 40 * u.pix)),
        ("3 32 28.8,-27 48 0,40pix", (40 * u.pix, 40 * u.pix)),
        ("3h32m28.8s,-27d48m,40pix", (40 * u.pix, 40 * u.pix)),
        ("53.12d,-27.8d,40pix", (40 * u.pix, 40 * u.pix)),
    ],
)
def test_parse(text, size):
    region = parse_region(text)
    assert (region.ra, region.dec) == pytest.approx((53.12, -27.8))
    assert (region.width, region.height) == size


def test_a_region_as_text_is_parsed_to_the_same():
    region = Region(53.12, -27.8, 30 * u.arcsec, 0.5 * u.arcmin)
    assert str(region) == "53.120000,-27.800000,30arcsec,0.5arcmin"
    assert parse_region(str(region)) == region


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("53.12,-27.80,30", 'the size "30" needs a unit: arcsec, arcmin, deg, pix'),
        ("53.12,-27.80,30parsec", "needs a unit"),
        ("53.12,-27.80,big", "is not a size"),
        ("53.12,-27.80,1.2.3arcsec", "is not a size"),
        ("53.12,-27.80,", "is not a size"),
        ("53.12,-27.80", "is not RA,DEC,SIZE or RA,DEC,WIDTH,HEIGHT"),
        ("53.12,-27.80,1pix,2pix,3pix", "is not RA,DEC,SIZE"),
        ("", "is not RA,DEC,SIZE"),
        ("here,there,3pix", "its centre is not on the sky"),
        ("53.12,-97.80,3pix", "not on the sky"),
        ("3:72:00,-27.80,3pix", "not on the sky"),
        ("nan,-27.80,3pix", "not on the sky"),
        ("inf,-27.80,3pix", "not on the sky"),
        ("53.12,-27.80,-3pix", "must be positive"),
        ("53.12,-27.80,0arcsec", "must be positive"),
        ("53.12,-27.80,1e999arcsec", "must be positive"),
    ],
)
def test_what_cannot_be_parsed(text, message):
    with pytest.raises(OptionError, match=message) as error:
        parse_region(text)
    assert "\n" not in str(error.value)


def test_a_centre_that_is_not_on_the_sky():
    with pytest.raises(OptionError, match="RA = 400, Dec = 0 deg is not on the sky"):
        Region(400, 0, 1 * u.pix, 1 * u.pix)


def test_width_is_along_x_and_height_along_y(pixels, wcs):
    mosaic = read_mosaic([(pixels[0], wcs)], bands=BAND, region="53.12,-27.8,0.42arcsec,5pix")
    assert mosaic.shape == (5, 7)
    np.testing.assert_array_equal(mosaic.data[0], pixels[0, 3:8, 4:11])


def test_pixels_that_are_not_square(pixels, wcs):
    wcs.wcs.cd = np.diag([-0.06, 0.12]) / 3600
    mosaic = read_mosaic([(pixels[0], wcs)], bands=BAND, region="53.12,-27.8,0.6arcsec")
    assert mosaic.shape == (5, 10)


def test_a_region_is_cut_off_at_the_edge(pixels, wcs):
    region = Region(53.12, -27.8, 1 * u.deg, 3 * u.pix)
    with pytest.warns(MosaicWarning, match=r"16 x 3 of 60000 x 3 pixels \(x, y\) are there"):
        mosaic = read_mosaic([(pixels[0], wcs)], bands=BAND, region=region)
    assert mosaic.shape == (3, 16)


@pytest.mark.parametrize(
    ("context", "around"), [(0, (2, 8, 3, 11)), (1, (1, 9, 2, 12)), (9, (0, 12, 0, 16))]
)
def test_context_is_read_around_a_region(pixels, wcs, context, around):
    region = "53.12,-27.8,8pix,6pix"
    mosaic = read_mosaic([(pixels[0], wcs)], bands=BAND, region=region, context=context)
    y_0, y_1, x_0, x_1 = around
    np.testing.assert_array_equal(mosaic.data[0], pixels[0][y_0:y_1, x_0:x_1])
    np.testing.assert_array_equal(mosaic.data[0][mosaic.core], pixels[0][2:8, 3:11])
    sky = mosaic.wcs.slice(mosaic.core).pixel_to_world(0, 0)
    assert sky.separation(wcs.pixel_to_world(3, 2)).arcsec < 1e-6


def test_a_region_that_is_all_masked_has_nothing_to_classify(pixels, wcs):
    """Even where its surroundings, which are read as context, are valid."""
    weight = np.ones((12, 16))
    weight[2:8, 3:11] = 0
    region = "53.12,-27.8,8pix,6pix"
    with pytest.raises(ImageError, match=r"no valid pixel in the region 53\.12"):
        read_mosaic([(pixels[0], wcs)], bands=BAND, weights=weight, region=region, context=3)


def test_a_region_of_another_kind(pixels, wcs):
    with pytest.raises(OptionError, match="region is a tuple"):
        read_mosaic([(pixels[0], wcs)], bands=BAND, region=(53.12, -27.8, 3))


def test_all_maps_are_cut_alike(files, bands, pixels, write, wcs):
    weights = np.arange(1.0, 193).reshape(12, 16)
    flags = (pixels[1] > 1).astype(np.int16)
    mosaic = read_mosaic(
        files,
        bands=bands,
        weights=write(weights, "wht.fits", wcs=wcs),
        dq=flags,
        region="53.12,-27.8,8pix,6pix",
    )
    assert mosaic.inputs[0].shape == (12, 16)
    rows, columns = (slice(2, 8), slice(3, 11))
    np.testing.assert_array_equal(mosaic.mask, flags[rows, columns] != 0)
    valid = ~mosaic.mask
    np.testing.assert_array_equal(mosaic.data[:, valid], pixels[:, rows, columns][:, valid])
    np.testing.assert_array_equal(mosaic.weight[2][valid], weights[rows, columns][valid])


def test_a_region_beside_the_image(pixels, wcs):
    with pytest.raises(OptionError) as error:
        read_mosaic([(pixels[0], wcs)], bands=BAND, region="53.2,-27.8,3pix")
    message = str(error.value)
    assert "region 53.200000,-27.800000,3pix,3pix does not overlap the image" in message
    assert "centred on 53.119991,-27.799992" in message
    assert "16x12 pixels = 0.96x0.72 arcsec" in message


@pytest.mark.parametrize("where", ["233.12,27.8", "0,90"])
def test_a_region_on_the_other_side_of_the_sky(pixels, wcs, where):
    with pytest.raises(OptionError, match="does not overlap the image"):
        read_mosaic([(pixels[0], wcs)], bands=BAND, region=f"{where},3pix")


def test_a_region_smaller_than_a_pixel(pixels, wcs):
    with pytest.raises(OptionError, match=r"is smaller than a pixel \(0.06") as error:
        read_mosaic([(pixels[0], wcs)], bands=BAND, region="53.12,-27.8,0.01arcsec")
    assert "53.12" in str(error.value)


def test_a_region_without_a_wcs(pixels):
    with pytest.raises(ImageError, match="no image has a WCS to find it with"):
        read_mosaic(pixels[:1], bands=BAND, region="53.12,-27.8,3pix")


def test_the_region_is_icrs_in_an_image_of_another_frame(pixels, wcs):
    galactic = SkyCoord(53.12, -27.8, unit="deg").galactic
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"]
    wcs.wcs.crval = [galactic.l.deg, galactic.b.deg]
    mosaic = read_mosaic([(pixels[0], wcs)], bands=BAND, region="53.12,-27.8,3pix")
    np.testing.assert_array_equal(mosaic.data[0], pixels[0, 4:7, 6:9])


def test_the_wcs_of_a_region_can_be_written(pixels, wcs):
    mosaic = read_mosaic([(pixels[0], wcs)], bands=BAND, region="53.12,-27.8,5pix")
    assert mosaic.wcs.array_shape == (5, 5)
    again = WCS(fits.Header.fromstring(mosaic.wcs.to_header_string()))
    assert again.wcs.crpix.tolist() == [8 - 5, 6 - 3]


@pytest.mark.filterwarnings("ignore:region .* reaches beyond")
@given(
    x=st.integers(-4, 20),
    y=st.integers(-4, 16),
    width=st.integers(2, 30),
    height=st.integers(2, 30),
    angle=st.floats(0, 360),
)
def test_a_region_is_a_slice_and_keeps_the_sky(x, y, width, height, angle):
    image = np.arange(12 * 16, dtype=np.float32).reshape(12, 16) + 1
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [53.12, -27.8]
    wcs.wcs.crpix = [8, 6]
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wcs.wcs.cd = np.array([[-cos, sin], [sin, cos]]) * 0.06 / 3600
    # A quarter of a pixel off, so that no edge lies on the border between two pixels.
    centre = wcs.pixel_to_world(x + 0.25, y + 0.25)
    region = Region(centre.ra.deg, centre.dec.deg, width * u.pix, height * u.pix)
    left, bottom = (round(c + 0.25 - n / 2 + 0.5 - 1e-9) for c, n in ((x, width), (y, height)))
    expected = image[max(bottom, 0) : max(bottom + height, 0), max(left, 0) : max(left + width, 0)]
    if expected.size < 2:
        with pytest.raises((OptionError, ImageError)):
            read_mosaic([(image, wcs)], bands=BAND, region=region)
        return
    mosaic = read_mosaic([(image, wcs)], bands=BAND, region=region)
    np.testing.assert_array_equal(mosaic.data[0], expected)
    y_0, x_0 = np.argwhere(image == mosaic.data[0, 0, 0])[0]
    here, there = mosaic.wcs.pixel_to_world(1, 2), wcs.pixel_to_world(x_0 + 1, y_0 + 2)
    assert here.separation(there).arcsec < 1e-6
