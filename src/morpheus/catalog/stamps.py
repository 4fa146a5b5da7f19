"""The pixels around a source, with something in the place of its neighbours."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stamp", "make_stamp", "pixels_used"]


@dataclass(frozen=True, eq=False)
class Stamp:
    """The pixels around a source.

    Parameters
    ----------
    x, y : float
        The centre, in pixels from the centre of the stamp's first.
    own : ndarray of int, shape (y, x)
        Places of its pixels in the flattened image.
    counted : ndarray of int, shape (y, x)
        The pixel that counts in the stead of each: itself or, in a neighbour, that opposite of the
        centre; -1 where this is not in the image or of a neighbour too.
    """

    x: float
    y: float
    own: NDArray[np.intp]
    counted: NDArray[np.intp]

    @property
    def size(self) -> tuple[int, int]:
        """Number of pixels in x and in y, for photutils' geometry."""
        return self.own.shape[1], self.own.shape[0]

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """First and last edge from the centre, in x and in y, for photutils' geometry."""
        n_x, n_y = self.size
        return -0.5 - self.x, n_x - 0.5 - self.x, -0.5 - self.y, n_y - 0.5 - self.y


def make_stamp(
    labels: NDArray[np.int32], number: int, centre: tuple[float, float], reach: float
) -> Stamp | None:
    """Cut out a source.

    Parameters
    ----------
    labels : ndarray of int32, shape (y, x)
        0 for the sky.
    number : int
        The label of the source.
    centre : tuple of float
        Its position (x, y).
    reach : float
        How far from it the stamp must reach to all sides, in pixels.

    Returns
    -------
    Stamp or None
        Its pixels in the image; None if there are none or the position is not finite.
    """
    if not (math.isfinite(centre[0]) and math.isfinite(centre[1])):
        return None
    columns, rows = (_span(at, reach, n) for at, n in zip(centre, labels.shape[::-1], strict=True))
    if not (len(columns) and len(rows)):
        return None
    width = labels.shape[1]
    own = (rows * width)[:, np.newaxis] + columns
    here = labels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    neighbour = (here != 0) & (here != number)
    counted = own
    if neighbour.any():
        opposite_y, opposite_x = (
            2 * math.floor(at + 0.5) - one
            for at, one in zip(centre[::-1], (rows, columns), strict=True)
        )
        in_image = ((opposite_y >= 0) & (opposite_y < labels.shape[0]))[:, np.newaxis] & (
            (opposite_x >= 0) & (opposite_x < width)
        )
        opposite = np.where(in_image, (opposite_y * width)[:, np.newaxis] + opposite_x, -1)
        there = labels.reshape(-1)[opposite]
        opposite[(there != 0) & (there != number)] = -1
        counted = np.where(neighbour, opposite, own)
    return Stamp(centre[0] - columns[0], centre[1] - rows[0], own, counted)


def _span(at: float, reach: float, n: int) -> NDArray[np.intp]:
    """Give the rows or columns of an image that are not farther than that from a place."""
    first = max(0, math.floor(at - reach + 0.5))
    return np.arange(first, min(n, math.floor(at + reach + 0.5) + 1))


def pixels_used(
    own: NDArray[np.intp], counted: NDArray[np.intp], invalid: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Tell which pixels of stamps count: neither they nor what is in their place is invalid.

    Parameters
    ----------
    own, counted : ndarray of int
        As in `Stamp`.
    invalid : ndarray of bool, shape (pixel,)
        True where a pixel of the flattened image is.

    Returns
    -------
    ndarray of bool
        True for those, in the shape of `own`.
    """
    used: NDArray[np.bool_] = ~invalid[own] & (counted >= 0) & ~invalid[counted]
    return used
