"""Where tiles are on the sky: their pixel grids, which of them meet, and DS9 regions of them."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from morpheus.mosaic.files import astropy_chatter_off
from morpheus.mosaic.products import replacing

__all__ = ["ARCSEC", "Footprint", "neighbours", "unit_vectors", "write_footprints"]

ARCSEC = float(np.deg2rad(1 / 3600))
"""Radians."""

_EDGE_POINTS = 9
_COLORS = {"done": "green", "failed": "red", "interrupted": "orange"}


@dataclass(frozen=True, eq=False)
class Footprint:
    """The pixel grid of a tile on the sky.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Its world coordinates.
    shape : tuple of int
        Its size (y, x) in pixels.
    """

    wcs: WCS
    shape: tuple[int, int]

    @cached_property
    def scales(self) -> tuple[float, float]:
        """Size of a pixel along x and y in arcsec."""
        x, y = proj_plane_pixel_scales(self.wcs) * 3600
        return float(x), float(y)

    @cached_property
    def circle(self) -> tuple[NDArray[np.float64], float]:
        """Unit vector of the centre, and the radius in radians that all pixels lie within."""
        height, width = self.shape
        along = np.linspace(0, 1, _EDGE_POINTS)
        x = np.concatenate([along, along, np.zeros_like(along), np.ones_like(along)])
        y = np.concatenate([np.zeros_like(along), np.ones_like(along), along, along])
        edge = self.vectors(x * width - 0.5, y * height - 0.5)
        centre = self.vectors(np.array([width / 2 - 0.5]), np.array([height / 2 - 0.5]))[0]
        chord = np.linalg.norm(edge - centre, axis=1).max()
        return centre, float(2 * np.arcsin(min(1.0, chord / 2)))

    def vectors(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give directions of pixels.

        Parameters
        ----------
        x, y : ndarray of float
            Pixels, from 0.

        Returns
        -------
        ndarray of float, shape (n, 3)
            Unit vectors, ICRS.
        """
        sky = self.wcs.pixel_to_world(x, y).icrs
        return unit_vectors(sky.ra.deg, sky.dec.deg)

    def corners(self) -> list[tuple[float, float]]:
        """Give the outer corners of the corner pixels.

        Returns
        -------
        list of (float, float)
            Right ascension and declination in degrees, ICRS, around the tile.
        """
        height, width = self.shape
        x = np.array([-0.5, width - 0.5, width - 0.5, -0.5])
        y = np.array([-0.5, -0.5, height - 0.5, height - 0.5])
        sky = self.wcs.pixel_to_world(x, y).icrs
        return [(float(ra), float(dec)) for ra, dec in zip(sky.ra.deg, sky.dec.deg, strict=True)]

    def pixels(
        self, ra: NDArray[np.float64], dec: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find positions on the grid.

        Parameters
        ----------
        ra, dec : ndarray of float
            ICRS, degrees.

        Returns
        -------
        x : ndarray of float
            Columns, from 0; NaN for what is far from the tile, or NaN.
        y : ndarray of float
            Rows, likewise.
        """
        x, y = np.full((2, len(ra)), np.nan)
        centre, radius = self.circle
        # Far away, projections repeat themselves and distortions do not converge.
        with np.errstate(invalid="ignore"):
            chord = np.linalg.norm(unit_vectors(ra, dec) - centre, axis=1)
            near = np.flatnonzero(chord <= 2 * np.sin(min(np.pi, 1.1 * radius + 60 * ARCSEC) / 2))
        if near.size:
            with astropy_chatter_off(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                sky = SkyCoord(ra[near] * u.deg, dec[near] * u.deg)
                x[near], y[near] = self.wcs.world_to_pixel(sky)
        return x, y

    def inwards(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tell how far inside of the grid pixels are.

        Parameters
        ----------
        x, y : ndarray of float
            Pixels, from 0.

        Returns
        -------
        ndarray of float
            Distance to the nearest edge in arcsec; negative outside, -inf where x or y is NaN.
        """
        height, width = self.shape
        scale_x, scale_y = self.scales
        across = np.minimum(x + 0.5, width - 0.5 - x) * scale_x
        along = np.minimum(y + 0.5, height - 0.5 - y) * scale_y
        distance: NDArray[np.float64] = np.minimum(across, along)
        return np.where(np.isfinite(distance), distance, -np.inf)


def unit_vectors(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the directions of positions.

    Parameters
    ----------
    ra, dec : ndarray of float, shape (n,)
        Degrees.

    Returns
    -------
    ndarray of float, shape (n, 3)
        Unit vectors; NaN where a position is NaN.
    """
    ra, dec = np.deg2rad(ra), np.deg2rad(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def neighbours(footprints: Sequence[Footprint], margin: float) -> list[list[int]]:
    """Find the tiles that may have sky in common.

    Parameters
    ----------
    footprints : sequence of Footprint
        The tiles.
    margin : float
        Distance in arcsec from which on tiles have nothing to do with each other.

    Returns
    -------
    list of list of int
        For each tile the numbers of the others whose circles are that near.
    """
    centres = np.array([one.circle[0] for one in footprints]).reshape(-1, 3)
    radii = np.array([one.circle[1] for one in footprints])
    if not len(radii):
        return []
    tree = cKDTree(centres)
    result = []
    for number, (centre, radius) in enumerate(zip(centres, radii, strict=True)):
        reach = min(np.pi, radius + radii.max() + margin * ARCSEC)
        near = np.array(tree.query_ball_point(centre, 2 * np.sin(reach / 2) + 1e-12))
        chord = np.linalg.norm(centres[near] - centre, axis=1)
        apart = 2 * np.arcsin(np.minimum(1, chord / 2))
        meet = near[apart <= radius + radii[near] + margin * ARCSEC]
        result.append(sorted(int(one) for one in meet if one != number))
    return result


def write_footprints(
    path: Path, footprints: Mapping[str, Footprint], states: Mapping[str, str]
) -> None:
    """Write the outlines of tiles as DS9 regions.

    Parameters
    ----------
    path : Path
        The file; one that exists is replaced.
    footprints : mapping of str to Footprint
        The tiles by name.
    states : mapping of str to str
        The state of each, which gives the colour.

    Raises
    ------
    ProductError
        If it cannot be written.
    """
    lines = ["# Region file format: DS9 version 4.1", "icrs"]
    for name, footprint in footprints.items():
        corners = ",".join(f"{ra:.8f},{dec:.8f}" for ra, dec in footprint.corners())
        color = _COLORS.get(states[name], "white")
        lines.append(f"polygon({corners}) # text={{{name}}} color={color}")
    with replacing(path, overwrite=True) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
