"""Radii that hold a part of the light of a source."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from photutils.geometry import circular_overlap_grid
from scipy.optimize import brentq

from morpheus.catalog.shapes import Shapes
from morpheus.catalog.stamps import Stamp, make_stamp, pixels_used

__all__ = ["flux_radii"]

_SMALLEST = 0.1  # pixels: as photutils
_PRECISION = 1e-5  # pixels


def flux_radii(
    data: NDArray[np.float32],
    mask: NDArray[np.bool_],
    labels: NDArray[np.int32],
    numbers: NDArray[np.integer],
    shapes: Shapes,
    total: NDArray[np.float64],
    fractions: Sequence[float],
) -> NDArray[np.float64]:
    """Find the circles that hold given fractions of the light of sources.

    As in photutils: the circle is searched between 0.1 pixels and the semi-major axis of the Kron
    aperture; if the light in the largest one is too little (or more than in smaller ones, as there
    may be negative pixels), the largest is made smaller by tenths until there is one.

    Parameters
    ----------
    data : ndarray of float32, shape (y, x)
        A band without its background.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid: it counts as nothing.
    labels : ndarray of int32, shape (y, x)
        0 for the sky; pixels of neighbours are replaced as in `Apertures`.
    numbers : ndarray of int, shape (source,)
        Which of the sources to look at.
    shapes : Shapes
        Their positions and Kron apertures.
    total : ndarray of float64, shape (source,)
        All of their light.
    fractions : sequence of float
        More than 0, at most 1.

    Returns
    -------
    ndarray of float64, shape (fraction, source)
        Radii in pixels, to 1e-5; NaN where there is no such circle, or nothing is known.
    """
    # Once, since they are copied if they are parts of larger images.
    pixels, invalid = data.reshape(-1), mask.reshape(-1)
    radii = np.full((len(fractions), len(numbers)), np.nan)
    largest = shapes.kron_semi_major
    for i in np.flatnonzero(np.isfinite(largest) & np.isfinite(total) & (total != 0)):
        centre = float(shapes.x[i]), float(shapes.y[i])
        stamp = make_stamp(labels, int(numbers[i]), centre, float(largest[i]))
        if stamp is not None:
            light_within = _curve_of_growth(stamp, pixels, invalid)
            for row, fraction in zip(radii, fractions, strict=True):
                row[i] = _radius(light_within, fraction * float(total[i]), float(largest[i]))
    return radii


def _radius(light_within: Callable[[float], float], wanted: float, largest: float) -> float:
    def missing(radius: float) -> float:
        return 1 - light_within(radius) / wanted

    step = 0.1 * largest
    while largest > _SMALLEST:
        if missing(_SMALLEST) * missing(largest) <= 0:
            return float(brentq(missing, _SMALLEST, largest, xtol=_PRECISION))
        largest -= step
    return np.nan


def _curve_of_growth(
    stamp: Stamp, pixels: NDArray[np.float32], invalid: NDArray[np.bool_]
) -> Callable[[float], float]:
    """Give the light within a radius; what was asked for once is remembered."""
    used = pixels_used(stamp.own, stamp.counted, invalid)
    light = np.where(used, pixels[stamp.counted], 0).astype(np.float64)
    n_x, n_y = stamp.size

    @cache
    def light_within(radius: float) -> float:
        # Of the pixels around the circle only: it is small beside the stamp.
        x0, x1 = max(0, int(stamp.x - radius)), min(n_x, int(stamp.x + radius) + 2)
        y0, y1 = max(0, int(stamp.y - radius)), min(n_y, int(stamp.y + radius) + 2)
        edges = x0 - 0.5 - stamp.x, x1 - 0.5 - stamp.x, y0 - 0.5 - stamp.y, y1 - 0.5 - stamp.y
        inside = circular_overlap_grid(*edges, x1 - x0, y1 - y0, radius, 1, 1)
        return float((inside * light[y0:y1, x0:x1]).sum())

    return light_within
