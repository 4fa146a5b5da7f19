"""Apertures: their pixels found once for each source, and added up in every band."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from photutils.geometry import circular_overlap_grid, elliptical_overlap_grid

from morpheus.catalog.shapes import Shapes
from morpheus.catalog.stamps import Stamp, make_stamp, pixels_used

__all__ = ["Apertures", "Fluxes", "draw_apertures"]


@dataclass(frozen=True, eq=False)
class Fluxes:
    """Fluxes in one band.

    Parameters
    ----------
    kron, kron_err : ndarray of float64, shape (source,)
        In the Kron aperture; NaN where it is undefined.
    circular, circular_err : list of ndarray of float64, shape (source,)
        In each of the circular apertures; NaN where the position is undefined.
    """

    kron: NDArray[np.float64]
    kron_err: NDArray[np.float64]
    circular: list[NDArray[np.float64]]
    circular_err: list[NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Apertures:
    """The pixels of the apertures of some sources.

    Parameters
    ----------
    n_sources : int
        How many sources.
    source : ndarray of int, shape (pixel,)
        The source whose aperture a pixel is in, from 0.
    own : ndarray of int, shape (pixel,)
        The pixel, by its place in the flattened image.
    counted : ndarray of int, shape (pixel,)
        The pixel that counts in its stead: itself or, in a neighbour, that opposite of the centre;
        -1 if there is none.
    share : ndarray of float64, shape (aperture, pixel)
        Which part of a pixel is in the aperture: that of Kron, then the circles.
    """

    n_sources: int
    source: NDArray[np.intp]
    own: NDArray[np.intp]
    counted: NDArray[np.intp]
    share: NDArray[np.float64]

    def fluxes(
        self, data: NDArray[np.float32], error: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> Fluxes:
        """Add up the light in every aperture.

        Pixels of neighbours are replaced by those opposite of the source's centre, and count as
        nothing where these are of a neighbour or invalid. Invalid pixels count as nothing.

        Parameters
        ----------
        data : ndarray of float32, shape (y, x)
            A band without its background.
        error : ndarray of float32, shape (y, x)
            Standard deviation of each pixel.
        mask : ndarray of bool, shape (y, x)
            True where a pixel is invalid.

        Returns
        -------
        Fluxes
            In image units; NaN where an aperture holds no valid pixel.
        """
        invalid = mask.reshape(-1)
        seen, used = ~invalid[self.own], pixels_used(self.own, self.counted, invalid)
        value = np.where(used, data.reshape(-1)[self.counted], 0).astype(np.float64)
        # The errors may be a view of one number, which must not be copied for every pixel.
        rows, columns = np.divmod(self.counted, data.shape[1])
        variance = np.where(used, error[rows, columns], 0).astype(np.float64) ** 2
        flux, flux_err = [], []
        for share in self.share:
            empty = self._sum(seen & (share > 0)) == 0
            flux.append(np.where(empty, np.nan, self._sum(share * value)))
            flux_err.append(np.where(empty, np.nan, np.sqrt(self._sum(share * variance))))
        return Fluxes(flux[0], flux_err[0], flux[1:], flux_err[1:])

    def _sum(self, values: NDArray[np.float64] | NDArray[np.bool_]) -> NDArray[np.float64]:
        # One pixel after the other, so that the sum of a source depends on its pixels only.
        return np.bincount(self.source, values, self.n_sources).astype(np.float64)


def draw_apertures(
    labels: NDArray[np.int32],
    numbers: NDArray[np.integer],
    shapes: Shapes,
    radii: Sequence[float],
) -> Apertures:
    """Find the pixels of the Kron apertures and circles of sources.

    Parameters
    ----------
    labels : ndarray of int32, shape (y, x)
        0 for the sky; whatever else for sources.
    numbers : ndarray of int, shape (source,)
        Which of them to draw apertures for.
    shapes : Shapes
        Theirs.
    radii : sequence of float
        Radii of the circular apertures, in pixels.

    Returns
    -------
    Apertures
        Without a pixel of sources whose position is undefined.
    """
    parts = []
    semi_minor = shapes.kron_semi_minor
    for i, number in enumerate(numbers):
        centre = float(shapes.x[i]), float(shapes.y[i])
        kron = float(shapes.kron_semi_major[i]), float(semi_minor[i]), float(shapes.theta[i])
        has_kron = all(map(math.isfinite, kron))
        reach = max(kron[0] if has_kron else 0.0, *radii, 0.0)
        stamp = make_stamp(labels, int(number), centre, reach)
        if stamp is None:
            continue
        share = np.zeros((1 + len(radii), *stamp.own.shape))
        if has_kron:
            share[0] = elliptical_overlap_grid(*stamp.edges, *stamp.size, *kron, 1, 1)
        for one, radius in zip(share[1:], radii, strict=True):
            one[:] = circular_overlap_grid(*stamp.edges, *stamp.size, radius, 1, 1)
        parts.append(_inside(i, stamp, share))
    if not parts:
        nothing = np.empty(0, np.intp)
        return Apertures(len(shapes), nothing, nothing, nothing, np.empty((1 + len(radii), 0)))
    source, own, counted, shares = zip(*parts, strict=True)
    return Apertures(
        len(shapes),
        np.concatenate(source),
        np.concatenate(own),
        np.concatenate(counted),
        np.concatenate(shares, axis=1),
    )


def _inside(
    source: int, stamp: Stamp, share: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Take the pixels of a stamp that are in any aperture."""
    inside = share.any(axis=0)
    own = stamp.own[inside]
    return np.full(len(own), source, np.intp), own, stamp.counted[inside], share[:, inside]
