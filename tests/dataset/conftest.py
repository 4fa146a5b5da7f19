"""A small field with four segments, of which three have votes."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

pytest.importorskip("zarr")

from morpheus.dataset import LabelledSources

SHAPE = (60, 80)
BANDS = ("F160W", "F125W")
CENTERS = {3: (20, 20), 7: (31, 20), 9: (60, 40), 40: (5, 55)}
"""x and y of the segments by their number; 3 and 7 are neighbours, 40 is at an edge."""

VOTES = {3: (0.8, 0.2, 0, 0), 9: (0, 0.25, 0.75, 0), 40: (0, 0, 0, 1)}
SIZE = 32


def make_wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (53.12, -27.8), (40.5, 30.5)
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    return wcs


def make_segmap():
    rows, columns = np.indices(SHAPE)
    segmap = np.zeros(SHAPE, np.int32)
    for number, (x, y) in CENTERS.items():
        segmap[np.hypot(columns - x, rows - y) <= 4.5] = number
    return segmap


def make_images(segmap, seed=0):
    rng = np.random.default_rng(seed)
    light = (segmap > 0) * 0.5
    return [(light + rng.normal(0, 0.01, SHAPE)).astype(np.float32) for _ in BANDS]


def make_votes(votes=None):
    rows = [(n, *map(float, CENTERS[n]), *v, 0.0) for n, v in (votes or VOTES).items()]
    names = ["id", "x", "y", "spheroid", "disk", "irregular", "point_source", "unknown"]
    return Table(rows=rows, names=names)


@pytest.fixture
def segmap():
    return make_segmap()


@pytest.fixture
def make_sources(segmap):
    """Makes sources from arrays; what is given replaces a part."""

    def make(**changes):
        wcs = make_wcs()
        images = {b: (i, wcs) for b, i in zip(BANDS, make_images(segmap), strict=True)}
        parts = {"images": images, "segmap": segmap, "votes": make_votes()} | changes
        return LabelledSources(**parts)

    return make


@pytest.fixture
def files(tmp_path, segmap):
    """Folder with f160w.fits, f125w.fits, segmap.fits and votes.csv."""
    for band, image in zip(BANDS, make_images(segmap), strict=True):
        header = make_wcs().to_header()
        header["FILTER"], header["BUNIT"] = band, "ELECTRONS/S"
        fits.writeto(tmp_path / f"{band.lower()}.fits", image, header)
    fits.writeto(tmp_path / "segmap.fits", segmap, make_wcs().to_header())
    make_votes().write(tmp_path / "votes.csv")
    return tmp_path
