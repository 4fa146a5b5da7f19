"""How deep inside of a tile a position is."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy import ndimage

from morpheus.errors import ProductError
from morpheus.survey import depth
from morpheus.survey.depth import ClassifiedArea
from morpheus.survey.footprint import Footprint

SCALE, RADIUS = 0.1, 0.3


@pytest.fixture
def grid():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (10, 60), (100, 80)
    wcs.wcs.cdelt = -SCALE / 3600, SCALE / 3600
    return Footprint(wcs, (160, 200))


def sky(grid, x, y):
    where = grid.wcs.pixel_to_world(np.asarray(x, float), np.asarray(y, float))
    return where.ra.deg, where.dec.deg


def area_of(grid, seen, tmp_path):
    fits.writeto(tmp_path / "n.fits", seen.astype(np.uint8), overwrite=True)
    return ClassifiedArea(grid, tmp_path / "n.fits", RADIUS)


def test_distance_from_the_edge(grid, tmp_path):
    area = area_of(grid, np.ones(grid.shape), tmp_path)
    at = sky(grid, [10, 100, 199, -5, 2], [80, 3, 80, 20, 80])
    np.testing.assert_allclose(area.inwards(*at), [1.05, 0.35, 0.05, -0.45, 0.25], atol=1e-6)
    np.testing.assert_allclose(area.depth(*at), [1.05, 0.35, 0, 0, 0], atol=1e-6)


def test_other_side_of_the_sky_and_nan(grid, tmp_path):
    area = area_of(grid, np.ones(grid.shape), tmp_path)
    at = np.array([190.0, np.nan]), np.array([-60.0, 60.0])
    assert np.all(area.inwards(*at) == -np.inf)
    assert np.all(area.depth(*at) == 0)


@pytest.mark.parametrize("side", [16, 512])
def test_distance_from_what_was_not_classified(grid, tmp_path, side, monkeypatch):
    """Within a block of the distance that is measured pixel by pixel."""
    monkeypatch.setattr(depth, "_SIDE", side)
    monkeypatch.setattr(depth, "_AT_ONCE", 20_000)
    seen = np.ones(grid.shape, bool)
    seen[:, :40] = False
    seen[60:120, 120:] = False
    area = area_of(grid, seen, tmp_path)
    y, x = np.nonzero(ndimage.binary_erosion(seen, iterations=10))
    inwards = area.inwards(*sky(grid, x, y))
    exact = np.minimum(ndimage.distance_transform_edt(seen)[y, x] * SCALE, inwards)
    block = max(8, -(-200 // side)) * SCALE
    assert np.abs(area.depth(*sky(grid, x, y)) - exact).max() <= 1.5 * block
    gone = np.nonzero(~seen)
    assert not area.depth(*sky(grid, *gone[::-1])).any()
    before = area.depth(*sky(grid, x, y))
    area.forget()
    assert np.array_equal(area.depth(*sky(grid, x, y)), before)


def test_a_single_bad_pixel(grid, tmp_path):
    """Nothing is owned beside it; the sky around is no less deep."""
    seen = np.ones(grid.shape, bool)
    seen[80, 100] = False
    area = area_of(grid, seen, tmp_path)
    depth = area.depth(*sky(grid, [100, 102, 105], [80, 80, 80]))
    np.testing.assert_allclose(depth, [0, 0, 7.95], atol=1e-6)


def test_a_map_of_another_size(grid, tmp_path):
    area = area_of(grid, np.ones((5, 6)), tmp_path)
    with pytest.raises(ProductError, match=r"n.fits has shape \(5, 6\), the tile \(160, 200\)"):
        area.depth(*sky(grid, [100], [80]))
