import math

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from morpheus.mosaic import MosaicWarning, read_mosaic
from morpheus.mosaic.calibration import Calibration, calibrate

HST = {"PHOTFLAM": 1.9275602e-20, "PHOTPLAM": 15369.176}  # WFC3/IR F160W: 25.946 AB


@pytest.mark.parametrize(
    ("unit", "cards", "zero_point", "source"),
    [
        ("ELECTRONS/S", HST, 25.946, "PHOTFLAM"),
        ("counts/s", HST, 25.946, "PHOTFLAM"),
        ("ELECTRONS", HST | {"EXPTIME": 100.0}, 30.946, "PHOTFLAM"),
        ("ELECTRONS", HST, None, None),
        (None, HST, None, None),
        (None, {"MAGZERO": 25.5}, 25.5, "MAGZERO"),
        ("ELECTRONS/S", HST | {"MAGZERO": 25.5}, 25.946, "PHOTFLAM"),
        ("Jy", {"MAGZERO": 25.5}, 8.9, "BUNIT"),
        ("nJy", {}, 31.4, "BUNIT"),
        ("uJy", {}, 23.9, "BUNIT"),
        ("mJy", {}, 16.4, "BUNIT"),
        ("erg/s/cm2/Hz", {}, -48.6, "BUNIT"),
        # 0.03 arcsec pixels: the zero point of JWST's NIRCam mosaics, 28.0865 - 0.0005
        ("MJy/sr", {"PIXAR_SR": 2.1153988e-14}, 28.086, "BUNIT"),
        ("MJY/SR", {"PIXAR_SR": 2.1153988e-14}, 28.086, "BUNIT"),
        ("MJy/sr", {}, None, None),
        ("mag", {}, None, None),
        ("furlong", {"MAGZPT": 27}, 27.0, "MAGZPT"),
    ],
)
def test_zero_points(unit, cards, zero_point, source):
    result = calibrate((fits.Header(cards),), unit)
    if zero_point is None:
        assert result.zero_point is None
    else:
        assert result.zero_point == pytest.approx(zero_point, abs=2e-3)
    assert result.zero_point_source == source


def test_the_area_of_a_pixel_is_the_wcs_s():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cdelt = [-0.03 / 3600, 0.03 / 3600]
    result = calibrate((), "MJy/sr", wcs)
    area = math.radians(0.03 / 3600) ** 2
    assert result.zero_point == pytest.approx(8.9 - 2.5 * math.log10(1e6 * area), abs=1e-3)


@pytest.mark.parametrize(("ratio", "right"), [(1.04, True), (1.1, False), (4.0, False)])
def test_pixar_sr_against_the_wcs(ratio, right, recwarn):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cdelt = [-0.03 / 3600, 0.03 / 3600]
    area = math.radians(0.03 / 3600) ** 2
    result = calibrate((fits.Header({"PIXAR_SR": ratio * area}),), "MJy/sr", wcs)
    used = ratio * area if right else area
    assert result.zero_point == pytest.approx(8.9 - 2.5 * math.log10(1e6 * used), abs=1e-3)
    assert [w.category for w in recwarn] == ([] if right else [MosaicWarning])
    if not right:
        assert "PIXAR_SR is" in str(recwarn[0].message)


@pytest.mark.parametrize("value", ["25.9", 0, -3.0, True])
def test_malformed_values_are_unknown(value):
    keys = ("MAGZERO", "PHOTFLAM", "PHOTPLAM", "EXPTIME", "SATURATE", "PIXAR_SR")
    header = fits.Header([(key, value) for key in keys])
    for unit in ("electron / s", "electron", "MJy/sr", None):
        assert calibrate((header,), unit) == Calibration()


def test_the_second_header_is_looked_up_too():
    first, second = fits.Header({"SATURATE": 5.0}), fits.Header({"EXPTIME": 7, "SATURATE": 9.0})
    result = calibrate((first, second), None)
    assert (result.exposure, result.saturation) == (7.0, 5.0)


def test_a_mosaic_has_calibrations():
    data = np.arange(12.0).reshape(3, 4)
    header = fits.Header({"BUNIT": "nJy", "EXPTIME": 10.0})
    mosaic = read_mosaic({"H": (data, header), "J": data}, bands=("H", "J"))
    assert mosaic.calibrations[0].zero_point == pytest.approx(31.4, abs=1e-3)
    assert mosaic.calibrations[1] == Calibration()
