"""How far apertures reach: over masked pixels, over the edge of the image, or out of a cutout."""

import math

import numpy as np
from numpy.typing import NDArray

from morpheus.catalog.pixels import Section
from morpheus.catalog.shapes import Shapes

__all__ = ["cut_apertures", "fitting"]

_HALF = 0.5  # of a pixel: from its centre to its edge
_KRON_ELLIPSE = 6.0  # semi-major axes: where photutils measures the Kron radius
# photutils measures nothing in a box of more pixels than this and than the image has.
_LARGEST_BOX = 1_000_000


def fitting(
    shapes: Shapes,
    radii: tuple[float, ...],
    cutout: Section,
    field: tuple[int, int],
) -> NDArray[np.bool_]:
    """Tell for which sources a cutout is as good as the whole image.

    Parameters
    ----------
    shapes : Shapes
        Positions and shapes in the cutout.
    radii : tuple of float
        Radii of the circular apertures, in pixels.
    cutout : tuple of slice
        Rows and columns of the cutout in the image.
    field : tuple of int
        Size (y, x) of the image.

    Returns
    -------
    ndarray of bool, shape (source,)
        True if all that is measured of a source lies in the cutout, or reaches out of it only where
        the image ends; also for one without a shape, of which nothing more is measured.
    """
    a, b = _KRON_ELLIPSE * shapes.semi_major, _KRON_ELLIPSE * shapes.semi_minor
    width, height = _half_box(a, b, shapes.theta)
    # The circles in which the half-light radius is searched have the size of the Kron aperture.
    circle = np.fmax(shapes.kron_semi_major, max(radii, default=0.0))
    width, height = np.fmax(width, circle), np.fmax(height, circle)
    fits = (2 * width + 2) * (2 * height + 2) <= max(_LARGEST_BOX, math.prod(_size(cutout)))
    for centre, half, span, size in zip(
        (shapes.y, shapes.x), (height, width), cutout, field, strict=True
    ):
        if span.start > 0:
            fits &= centre - half >= -_HALF
        if span.stop < size:
            fits &= centre + half <= span.stop - span.start - _HALF
    result: NDArray[np.bool_] = fits | ~np.isfinite(a)
    return result


def _size(section: Section) -> tuple[int, int]:
    return section[0].stop - section[0].start, section[1].stop - section[1].start


def _half_box(
    a: NDArray[np.float64], b: NDArray[np.float64], theta: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Half of the width and height of the box around an ellipse."""
    return (
        np.hypot(a * np.cos(theta), b * np.sin(theta)),
        np.hypot(a * np.sin(theta), b * np.cos(theta)),
    )


def cut_apertures(
    mask: NDArray[np.bool_],
    shapes: Shapes,
    radii: tuple[float, ...],
) -> NDArray[np.bool_]:
    """Tell whose Kron aperture or largest circle reaches where there are no pixels.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid.
    shapes : Shapes
        Positions and shapes.
    radii : tuple of float
        Radii of the circular apertures, in pixels.

    Returns
    -------
    ndarray of bool, shape (source,)
        True if one does, over the edge or over an invalid pixel; False where they are undefined.
    """
    axes = shapes.kron_semi_major, shapes.kron_semi_minor
    cut = _overlaps(mask, shapes.x, shapes.y, axes, shapes.theta)
    if radii:
        circle = np.full(len(cut), max(radii))
        cut |= _overlaps(mask, shapes.x, shapes.y, (circle, circle), np.zeros(len(cut)))
    return cut


def _overlaps(
    mask: NDArray[np.bool_],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    semi_axes: tuple[NDArray[np.float64], NDArray[np.float64]],
    theta: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Tell which ellipses reach over the edge of an image or over masked pixels, to a pixel."""
    a, b = semi_axes
    n_y, n_x = mask.shape
    width, height = _half_box(a, b, theta)
    defined = np.isfinite(width) & np.isfinite(height) & np.isfinite(x) & np.isfinite(y)
    box = np.where(defined, np.clip([x - width, x + width, y - height, y + height], -1e9, 1e9), 0)
    beyond = (box[0] < -_HALF) | (box[1] > n_x - _HALF) | (box[2] < -_HALF) | (box[3] > n_y - _HALF)
    result: NDArray[np.bool_] = defined & beyond
    inside = np.rint(np.clip(box, 0, [[n_x - 1], [n_x - 1], [n_y - 1], [n_y - 1]])).astype(int)
    # Few boxes hold masked pixels, and only of those the ellipse must be drawn.
    for i in np.flatnonzero(defined & ~result) if mask.any() else ():
        x0, x1, y0, y1 = (int(edge) for edge in inside[:, i])
        cutout = mask[y0 : y1 + 1, x0 : x1 + 1]
        if cutout.any():
            rows, columns = np.nonzero(cutout)
            dx, dy = columns + x0 - x[i], rows + y0 - y[i]
            cos, sin = math.cos(theta[i]), math.sin(theta[i])
            # Half a pixel more, because a pixel counts when any part of it is inside.
            u = (dx * cos + dy * sin) / (a[i] + _HALF)
            v = (dy * cos - dx * sin) / (b[i] + _HALF)
            result[i] = bool((u * u + v * v <= 1).any())
    return result
