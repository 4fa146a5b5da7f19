"""Every source that tiles see is listed once, whatever the tiles and their order."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from morpheus.survey.depth import ClassifiedArea
from morpheus.survey.footprint import Footprint, neighbours
from morpheus.survey.owners import listed, sightings

RADIUS = 0.3
ERROR = 0.12  # arcsec, at most; two of them are less than the radius
SCALE = 0.06
RA, DEC = 150.1, 2.2


def footprint(x, y, width, height, angle=0.0):
    """A tile whose centre is so many arcsec from the field's, turned by so many degrees."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = RA + x / 3600 / np.cos(np.deg2rad(DEC)), DEC + y / 3600
    wcs.wcs.crpix = (width + 1) / 2, (height + 1) / 2
    wcs.wcs.cdelt = -SCALE / 3600, SCALE / 3600
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    wcs.wcs.pc = [[c, -s], [s, c]]
    return Footprint(wcs, (height, width))


def true_sources(rng, half, apart=1.5):
    """Positions on a lattice that is shaken, no two of which are near each other."""
    steps = np.arange(-half, half, apart)
    x, y = (axis.ravel() for axis in np.meshgrid(steps, steps))
    x, y = (axis + rng.uniform(-0.3, 0.3, axis.size) for axis in (x, y))
    return RA + x / 3600 / np.cos(np.deg2rad(DEC)), DEC + y / 3600


class Sky:
    """True sources and what tiles measure of them."""

    def __init__(self, tiles, seed, masks=None):
        self.tiles = tiles
        rng = np.random.default_rng(seed)
        self.ra, self.dec = true_sources(rng, 12)
        self.seen, self.measured = [], []
        for number, tile in enumerate(tiles):
            x, y = tile.pixels(self.ra, self.dec)
            there = tile.inwards(x, y) > 0
            if masks is not None:
                inside = np.flatnonzero(there)
                at = np.rint(y[inside]).astype(int), np.rint(x[inside]).astype(int)
                there[inside[~masks[number][at]]] = False
            found = rng.permutation(np.flatnonzero(there))
            size, angle = rng.uniform(0, ERROR, len(found)), rng.uniform(0, 2 * np.pi, len(found))
            ra = self.ra[found] + size * np.cos(angle) / 3600 / np.cos(np.deg2rad(DEC))
            self.seen.append(found)
            self.measured.append((ra, self.dec[found] + size * np.sin(angle) / 3600))

    def list(self, areas, order):
        """Which true sources each tile lists, by the tile, if they come in another order."""
        areas = [areas[one] for one in order]
        near = neighbours([area.footprint for area in areas], 30 * RADIUS)
        found = []
        for number, others in enumerate(near):
            ra, dec = self.measured[order[number]]
            around = {one: areas[one] for one in (number, *others)}
            found.append(sightings(number, around, order, ra, dec, np.full(len(ra), np.nan)))
        result = {}
        for number, others in enumerate(near):
            seen = {one: found[one] for one in (number, *others)}
            keep = np.ones(len(self.seen[order[number]]), bool)
            keep[seen[number].rows] = listed(number, seen, order)
            result[order[number]] = set(self.seen[order[number]][keep].tolist())
        return result

    def check(self, areas, order):
        """Each source that a tile sees is listed once, in any order; give by whom."""
        result = self.list(areas, list(range(len(areas))))
        names = [one for tile in result.values() for one in tile]
        expected = sorted({int(one) for tile in self.seen for one in tile})
        assert sorted(names) == expected
        assert self.list(areas, order) == result
        return result


tile = st.builds(
    footprint,
    x=st.floats(-9, 9),
    y=st.floats(-9, 9),
    width=st.integers(60, 250),
    height=st.integers(60, 250),
    angle=st.one_of(st.just(0.0), st.floats(0, 360)),
)


@given(st.lists(tile, min_size=1, max_size=5), st.integers(0, 2**32), st.randoms())
@settings(max_examples=40, deadline=None)
def test_each_source_is_listed_once(tiles, seed, random):
    areas = [ClassifiedArea(tile, None, RADIUS) for tile in tiles]
    order = list(range(len(tiles)))
    random.shuffle(order)
    Sky(tiles, seed).check(areas, order)


@pytest.mark.parametrize(
    "tiles",
    [
        # the same twice, and thrice: all positions are equally deep
        [footprint(0, 0, 200, 200)] * 2,
        [footprint(0, 0, 200, 200)] * 3,
        # side by side without a pixel in common, and four corners that meet
        [footprint(-6, 0, 200, 200), footprint(6, 0, 200, 200)],
        [footprint(x, y, 200, 200) for x in (-6, 6) for y in (-6, 6)],
        # one inside of the other
        [footprint(0, 0, 300, 300), footprint(1, 1, 100, 100, 30)],
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_tiles_that_lie_badly(tiles, seed):
    areas = [ClassifiedArea(tile, None, RADIUS) for tile in tiles]
    Sky(tiles, seed).check(areas, list(range(len(tiles)))[::-1])


@pytest.mark.parametrize("seed", range(8))
def test_what_is_masked_in_one_tile_is_another_s(seed, tmp_path):
    rng = np.random.default_rng(seed)
    tiles = [footprint(*rng.uniform(-5, 5, 2), 220, 220, rng.uniform(0, 90)) for _ in range(3)]
    masks, areas = [], []
    for number, tile in enumerate(tiles):
        valid = np.ones(tile.shape, bool)
        for _ in range(6):
            y, x, height, width = rng.integers((0, 0, 1, 1), (220, 220, 60, 60))
            valid[y : y + height, x : x + width] = False
        valid &= rng.random(tile.shape) > 0.001
        fits.writeto(tmp_path / f"{number}.fits", valid.astype(np.uint8))
        masks.append(valid)
        areas.append(ClassifiedArea(tile, tmp_path / f"{number}.fits", RADIUS))
    Sky(tiles, seed, masks).check(areas, [2, 0, 1])


def test_the_owner_is_the_tile_that_the_source_lies_deepest_in():
    tiles = [footprint(-5, 0, 200, 200), footprint(5, 0, 200, 200)]
    areas = [ClassifiedArea(tile, None, RADIUS) for tile in tiles]
    sky = Sky(tiles, 0)
    result = sky.check(areas, [1, 0])
    x = (sky.ra - RA) * 3600 * np.cos(np.deg2rad(DEC))
    clear = np.abs(x) > RADIUS
    assert {one for one in result[0] if clear[one]} == set(
        np.flatnonzero((x < 0) & clear).tolist()
    ) & set(sky.seen[0].tolist())


def test_a_large_source_is_matched_from_farther():
    """Centroids of what is an arcsecond large may differ by half of it."""
    tiles = [footprint(-5, 0, 200, 200), footprint(5, 0, 200, 200)]
    areas = {number: ClassifiedArea(tile, None, RADIUS) for number, tile in enumerate(tiles)}
    for size, expected in ((0.2, 2), (1.5, 1)):
        found = {}
        for number, x in ((0, -0.3), (1, 0.3)):  # each on the side of its own tile
            ra = np.array([RA + x / 3600 / np.cos(np.deg2rad(DEC))])
            at = (ra, np.array([DEC]), np.array([size]))
            found[number] = sightings(number, areas, [0, 1], *at)
        assert sum(listed(number, found, [0, 1]).sum() for number in (0, 1)) == expected


def test_far_tiles_have_nothing_to_do_with_each_other():
    near = neighbours([footprint(x, 0, 100, 100) for x in (0, 5, 4000)], 1)
    assert near == [[1], [0], []]
    assert neighbours([], 1) == []


def test_sources_without_a_position_stay():
    tiles = [footprint(0, 0, 200, 200)] * 2
    areas = {number: ClassifiedArea(tile, None, RADIUS) for number, tile in enumerate(tiles)}
    nan = np.array([np.nan])
    assert len(sightings(0, areas, [0, 1], nan, nan, nan)) == 0
