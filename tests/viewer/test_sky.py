"""The table of the sky, interpolated as static/app/sky.js does it, against astropy's WCS."""

import base64

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from morpheus.mosaic.files import astropy_chatter_off
from morpheus.viewer.sky import sky_grid


def make_wcs(shape, center=(53.12, -27.8), *, scale=0.06, angle=0.0, projection="TAN", sip=False):
    turn = np.deg2rad(angle)
    header = fits.Header()
    suffix = "-SIP" if sip else ""
    header["CTYPE1"], header["CTYPE2"] = f"RA---{projection}{suffix}", f"DEC--{projection}{suffix}"
    header["CRVAL1"], header["CRVAL2"] = center
    header["CRPIX1"], header["CRPIX2"] = shape[1] / 2, shape[0] / 2
    cards = ((-np.cos(turn), np.sin(turn)), (np.sin(turn), np.cos(turn)))
    for i, row in enumerate(cards, start=1):
        for j, value in enumerate(row, start=1):
            header[f"CD{i}_{j}"] = value * scale / 3600
    if sip:
        header["A_ORDER"] = header["B_ORDER"] = 3
        header["A_2_0"], header["A_1_1"], header["A_0_3"] = 3e-6, -2e-6, 1e-9
        header["B_0_2"], header["B_1_1"], header["B_3_0"] = -4e-6, 3e-6, -2e-9
    with astropy_chatter_off():
        return WCS(header)


def page_vectors(grid, shape, x, y):
    """What Sky.vector of the page gives."""
    n = grid["n"]
    vectors = np.frombuffer(base64.b64decode(grid["vectors"]), "<f8").reshape(n + 1, n + 1, 3)

    def cell(value, size):
        place = (value + 0.5) / size * n
        i = np.clip(np.floor(place).astype(int), 0, n - 1)
        return i, (place - i)[:, None]

    i, u = cell(x, shape[1])
    j, v = cell(y, shape[0])
    below = (1 - u) * vectors[j, i] + u * vectors[j, i + 1]
    above = (1 - u) * vectors[j + 1, i] + u * vectors[j + 1, i + 1]
    found = (1 - v) * below + v * above
    return found / np.linalg.norm(found, axis=1, keepdims=True)


FIELDS = {
    "small": ((290, 290), {}),
    "turned": ((1500, 900), {"angle": 33.0}),
    "large pixels": ((2000, 3000), {"scale": 5.0}),
    "pole": ((800, 800), {"center": (10.0, 89.999), "scale": 1.0}),
    "south pole": ((501, 400), {"center": (200.0, -90.0), "angle": -120.0}),
    "RA across 0": ((700, 1100), {"center": (0.001, 5.0), "scale": 0.3}),
    "SIP": ((2048, 2048), {"sip": True, "scale": 0.2}),
    "SIP, turned": ((4096, 2051), {"sip": True, "scale": 0.05, "angle": 71.0}),
    "other projection": ((900, 1200), {"projection": "CAR", "scale": 30.0}),
    "a row": ((1, 4000), {}),
}


@pytest.mark.parametrize("name", FIELDS)
def test_positions(name):
    shape, options = FIELDS[name]
    wcs = make_wcs(shape, **options)
    grid = sky_grid(wcs, shape)
    rng = np.random.default_rng(1)
    x, y = (rng.uniform(-0.5, size - 0.5, 3000) for size in shape[::-1])
    # The field's corners and edges too.
    x[:4], y[:4] = [-0.5, shape[1] - 0.5] * 2, np.repeat([-0.5, shape[0] - 0.5], 2)
    found = page_vectors(grid, shape, x, y)
    with astropy_chatter_off():
        true = wcs.pixel_to_world(x, y).icrs
    sky = SkyCoord(*found.T, representation_type="cartesian", frame="icrs")
    sky.representation_type = "unitspherical"
    error = sky.separation(true).arcsec / options.get("scale", 0.06)
    assert error.max() < 0.05
    assert grid["n"] <= 512


def test_frames_other_than_icrs():
    header = make_wcs((300, 300)).to_header()
    header["RADESYS"], header["EQUINOX"] = "FK5", 1975.0
    wcs = WCS(header)
    grid = sky_grid(wcs, (300, 300))
    x = y = np.array([10.0, 280.0])
    found = page_vectors(grid, (300, 300), x, y)
    true = np.moveaxis(wcs.pixel_to_world(x, y).icrs.cartesian.xyz.value, 0, -1)
    assert np.linalg.norm(found - true, axis=1).max() < np.deg2rad(0.05 * 0.06 / 3600)


def test_off_the_sky():
    shape = (400, 400)
    assert sky_grid(make_wcs(shape, scale=3600.0, projection="SIN"), shape) is None
    assert sky_grid(make_wcs(shape, scale=3600.0, projection="AIT"), shape) is None
    assert sky_grid(make_wcs(shape, scale=60.0, projection="SIN"), shape) is not None
