"""One pixel grid for all bands."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS, Sip

from morpheus.errors import GridMismatchError, ImageError
from morpheus.mosaic import MosaicWarning, read_mosaic

BANDS = ["F160W", "F606W"]


@pytest.fixture
def pair(pixels, wcs):
    """Read the first band with `wcs` (unless another is given) and the second with another."""

    def read(second, first=wcs, **options):
        images = [(pixels[0], first), (pixels[1], second)]
        return read_mosaic(images, bands=BANDS, **options)

    return read


def test_shapes_that_differ(pixels):
    with pytest.raises(GridMismatchError, match="F606W is 16x11 while F160W is 16x12") as error:
        read_mosaic([pixels[0], pixels[1, :11]], bands=BANDS)
    assert "reproject" in str(error.value)


@pytest.mark.parametrize("shift", [(0.005, 0), (0, -0.005), (0.005, 0.005)])
def test_a_shift_within_a_hundredth_of_a_pixel(pair, make_wcs, shift):
    assert pair(make_wcs(shift=shift)).n_bands == 2


@pytest.mark.parametrize(
    ("shift", "text"),
    [
        ((0.02, 0), "(+0.02, 0.00)"),
        ((1, 0), "(+1.00, 0.00)"),
        ((-2.5, 0.34), "(-2.50, +0.34)"),
    ],
)
def test_a_larger_shift(pair, make_wcs, shift, text):
    with pytest.raises(GridMismatchError) as error:
        pair(make_wcs(shift=shift))
    message = str(error.value)
    assert f"F606W is shifted by (dx, dy) = {text} pixels relative to F160W" in message
    assert f"largest offset {np.hypot(*shift):.2f} px" in message
    assert "reproject.reproject_interp" in message


@pytest.mark.parametrize("change", [{"angle": 1}, {"scale": 0.0605}])
def test_a_rotated_or_scaled_grid(pair, make_wcs, change):
    with pytest.raises(GridMismatchError, match="F606W is rotated, scaled or distorted relative"):
        pair(make_wcs(**change))


def test_two_grids_rotated_alike(pair, make_wcs):
    rotated = make_wcs(angle=33)
    assert pair(rotated, first=rotated).pixel_scale == pytest.approx(0.06)


def test_another_part_of_the_sky(pair, make_wcs):
    elsewhere = make_wcs()
    elsewhere.wcs.crval = [233.12, 27.8]
    with pytest.raises(GridMismatchError, match="F606W shows another part of the sky than F160W"):
        pair(elsewhere)


def test_only_the_band_that_differs_is_named(pixels, bands, wcs, make_wcs):
    coordinates = [wcs, wcs, make_wcs(shift=(1, 0)), wcs]
    with pytest.raises(GridMismatchError, match=r"^F606W is shifted"):
        read_mosaic(list(zip(pixels, coordinates, strict=True)), bands=bands)


def with_frame(wcs, radesys, equinox=None):
    header = wcs.to_header()
    header["RADESYS"] = radesys
    if equinox is not None:
        header["EQUINOX"] = equinox
    return header


def test_frames_are_told_apart(pair, wcs):
    # The same numbers in FK5 and ICRS are 0.02 arcsec apart, a third of a pixel.
    with pytest.raises(GridMismatchError, match="the one is in FK5, the other in ICRS"):
        pair(with_frame(wcs, "FK5", 2000.0), first=with_frame(wcs, "ICRS"))


def test_frames_are_converted(pair, wcs):
    icrs = wcs.to_header()
    centre = wcs.pixel_to_world(*(wcs.wcs.crpix - 1))
    fk5 = with_frame(wcs, "FK5", 2000.0)
    fk5["CRVAL1"], fk5["CRVAL2"] = centre.fk5.ra.deg, centre.fk5.dec.deg
    fk5["LATPOLE"] = fk5["CRVAL2"]
    assert pair(fk5, first=icrs).wcs is not None


def test_a_distorted_wcs(pair, make_wcs):
    def distorted(size):
        wcs = make_wcs()
        wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
        a = np.zeros((3, 3))
        a[2, 0] = size
        wcs.sip = Sip(a, np.zeros((3, 3)), None, None, wcs.wcs.crpix)
        return wcs

    whole = pair(distorted(1e-3), first=distorted(1e-3))
    part = pair(distorted(1e-3), first=distorted(1e-3), region="53.12001,-27.79999,5pix")
    start = np.argwhere(whole.data[0] == part.data[0, 0, 0])[0]
    expected = whole.wcs.pixel_to_world(start[1] + 1, start[0] + 2)
    assert part.wcs.pixel_to_world(1, 2).separation(expected).arcsec < 1e-6
    with pytest.raises(GridMismatchError, match="distorted"):
        pair(distorted(1e-3))


def test_bands_without_a_wcs_are_accepted_with_a_warning(pair, wcs):
    with pytest.warns(MosaicWarning, match="F606W: no WCS") as caught:
        mosaic = pair(None)
    assert mosaic.wcs is not None
    assert caught[0].filename == __file__
    with pytest.warns(MosaicWarning, match="F160W: no WCS"):
        assert pair(wcs, first=None).wcs is not None


def test_no_warning_where_no_band_has_a_wcs(pair):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pair(None, first=None).wcs is None


def test_a_wcs_that_is_not_celestial_counts_as_missing(pair):
    linear = WCS(naxis=2)
    linear.wcs.ctype = ["X", "Y"]
    solar = WCS(naxis=2)
    solar.wcs.ctype = ["HPLN-TAN", "HPLT-TAN"]
    for other in (linear, solar, fits.Header()):
        with pytest.warns(MosaicWarning, match="F606W: no WCS"):
            pair(other)


def test_a_wcs_with_a_third_axis(pair, wcs):
    header = wcs.to_header()
    header.update(WCSAXES=3, CTYPE3="FREQ", CRVAL3=1e9, CDELT3=1e6, CRPIX3=1, CUNIT3="Hz")
    mosaic = pair(header)
    assert mosaic.wcs.naxis == 2


def test_a_wcs_that_is_broken(pair, wcs):
    header = wcs.to_header()
    header.update(PC1_1=0, PC1_2=0, PC2_1=0, PC2_2=0)
    with pytest.raises(ImageError, match="the F606W image: its WCS cannot be used") as error:
        pair(header)
    assert "\n" not in str(error.value)


def test_maps_must_have_the_shape_of_their_image(pixels):
    with pytest.raises(
        GridMismatchError, match="the dq map of F606W is 16x11 while F606W is 16x12"
    ):
        read_mosaic(list(pixels[:2]), bands=BANDS, dq={"F606W": np.zeros((11, 16), int)})


@pytest.mark.parametrize("kind", ["weights", "rms", "dq"])
def test_maps_must_have_the_grid_of_their_image(pair, wcs, make_wcs, kind):
    ones = np.zeros((12, 16), np.int16) if kind == "dq" else np.ones((12, 16))
    assert pair(wcs, **{kind: (ones, wcs)}).n_bands == 2
    assert pair(wcs, **{kind: ones}).n_bands == 2
    with pytest.raises(GridMismatchError, match=r"map of F606W is shifted by .* to F606W"):
        pair(wcs, **{kind: {"f606w": (ones, make_wcs(shift=(1, 0)))}})
