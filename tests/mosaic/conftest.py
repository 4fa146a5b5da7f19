"""A small sky in four bands, in memory and as FITS files."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

BANDS = ("F160W", "F125W", "F606W", "F850LP")
SHAPE = (12, 16)  # y, x: different, so that swapped axes show


@pytest.fixture
def bands():
    return BANDS


@pytest.fixture
def pixels():
    """Four different images, all pixels valid."""
    return np.random.default_rng(1).normal(size=(len(BANDS), *SHAPE)).astype(np.float32)


@pytest.fixture
def make_wcs():
    """Coordinates of GOODS-S at 0.06 arcsec a pixel, with the changes that a test needs."""

    def make(*, shift=(0.0, 0.0), angle=0.0, scale=0.06, shape=SHAPE):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval = [53.12, -27.8]
        wcs.wcs.crpix = [shape[1] / 2 + shift[0], shape[0] / 2 + shift[1]]
        cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        wcs.wcs.cd = np.array([[-cos, sin], [sin, cos]]) * scale / 3600
        wcs.array_shape = shape
        return wcs

    return make


@pytest.fixture
def wcs(make_wcs):
    return make_wcs()


@pytest.fixture
def write(tmp_path):
    """Write one image and return its path; further arguments are keywords of the header."""

    def write_image(data, name="image.fits", *, wcs=None, **keywords):
        header = fits.Header() if wcs is None else wcs.to_header()
        header.update(keywords)
        path = tmp_path / name
        fits.PrimaryHDU(np.asarray(data), header).writeto(path)
        return path

    return write_image


@pytest.fixture
def files(write, pixels, wcs):
    """The four bands as FITS files with a WCS, a filter and a unit."""
    return {
        band: write(plane, f"{band}.fits", wcs=wcs, FILTER=band.lower(), BUNIT="ELECTRONS/S")
        for band, plane in zip(BANDS, pixels, strict=True)
    }


@pytest.fixture
def multi(tmp_path, pixels):
    """A file with two chips, as of ACS: SCI and ERR of EXTVER 2, then 1, and a table."""
    path = tmp_path / "multi.fits"
    hdus = [
        fits.ImageHDU(pixels[0], name="SCI", ver=2),
        fits.ImageHDU(pixels[1], name="ERR", ver=2),
        fits.ImageHDU(pixels[2], name="SCI", ver=1),
        fits.ImageHDU(pixels[3], name="ERR", ver=1),
        fits.BinTableHDU(name="CAT"),
    ]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path
