"""What photutils measures, for any number of sources and with whatever is in them."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from photutils.segmentation import SegmentationImage, SourceCatalog

__all__ = ["Apertures", "Fluxes", "measure_fluxes", "measure_shapes", "overlaps"]

# photutils keeps cutouts of all sources of a catalogue. In portions, memory does not grow with
# their number; smaller ones cost time (0.2 s per 100 portions).
_PORTION = 1000
_HALF = 0.5  # of a pixel: from its centre to its edge

_SHAPE = (
    "x",
    "y",
    "semi_major",
    "semi_minor",
    "theta",
    "kron_semi_major",
    "r20",
    "half_light_radius",
    "r80",
)


@dataclass(frozen=True, eq=False)
class Apertures:
    """The sources in the detection band, which all bands are measured with.

    Parameters
    ----------
    catalog : SourceCatalog
        Of the detection band.
    labels : SegmentationImage
        The sources.
    shape : mapping of str to ndarray of float64
        Position and shape of each source, lengths in pixels and `theta` in radians from x towards
        y; NaN where undefined.
    failed : int
        For how many sources no shape could be measured.
    """

    catalog: SourceCatalog
    labels: SegmentationImage
    shape: Mapping[str, NDArray[np.float64]]
    failed: int


@dataclass(frozen=True, eq=False)
class Fluxes:
    """Fluxes in one band.

    Parameters
    ----------
    kron, kron_err : ndarray of float64, shape (source,)
        In the Kron aperture; NaN where it is undefined.
    circular, circular_err : list of ndarray of float64, shape (source,)
        In each of the circular apertures.
    failed : int
        For how many sources they could not be measured.
    """

    kron: NDArray[np.float64]
    kron_err: NDArray[np.float64]
    circular: list[NDArray[np.float64]]
    circular_err: list[NDArray[np.float64]]
    failed: int


def measure_shapes(
    data: NDArray[np.float32],
    labels: SegmentationImage,
    *,
    error: NDArray[np.float32],
    mask: NDArray[np.bool_],
    kron_params: tuple[float, float],
) -> Apertures:
    """Measure positions and shapes in the detection band.

    Moments are those of the positive pixels of the source, not smoothed: segments of Morpheus
    have no noise in their outlines, and smoothing would make sources larger and rounder.

    Parameters
    ----------
    data : ndarray of float32, shape (y, x)
        The image without its background.
    labels : SegmentationImage
        The sources.
    error : ndarray of float32, shape (y, x)
        Standard deviation of each pixel.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid.
    kron_params : tuple of float
        Scale and smallest radius of the Kron aperture.

    Returns
    -------
    Apertures
        The shapes, and what the other bands need.
    """
    catalog = SourceCatalog(data, labels, error=error, mask=mask, kron_params=kron_params)

    def shapes(part: SourceCatalog) -> list[NDArray[np.float64]]:
        semi_major = part.semimajor_axis.value
        return [
            part.x_centroid,
            part.y_centroid,
            semi_major,
            part.semiminor_axis.value,
            np.deg2rad(part.orientation.value),
            kron_params[0] * part.kron_radius.value * semi_major,
            *(part.flux_radius(fraction).value for fraction in (0.2, 0.5, 0.8)),
        ]

    rows, failed = _in_portions(catalog, shapes, len(_SHAPE))
    return Apertures(catalog, labels, dict(zip(_SHAPE, rows, strict=True)), failed)


def measure_fluxes(
    data: NDArray[np.float32],
    apertures: Apertures,
    *,
    error: NDArray[np.float32],
    mask: NDArray[np.bool_],
    radii: tuple[float, ...],
) -> Fluxes:
    """Measure fluxes in the apertures of the detection band.

    Pixels of neighbours are replaced by those opposite of the source's centre. Masked pixels
    count as nothing.

    Parameters
    ----------
    data : ndarray of float32, shape (y, x)
        The image without its background.
    apertures : Apertures
        The sources.
    error : ndarray of float32, shape (y, x)
        Standard deviation of each pixel.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid.
    radii : tuple of float
        Radii of the circular apertures, in pixels.

    Returns
    -------
    Fluxes
        In image units.
    """
    catalog = SourceCatalog(
        data,
        apertures.labels,
        error=error,
        mask=mask,
        detection_catalog=apertures.catalog,
    )

    def fluxes(part: SourceCatalog) -> list[NDArray[np.float64]]:
        values = [part.kron_flux, part.kron_flux_err]
        for radius in radii:
            values += part.circular_photometry(radius)
        return values

    rows, failed = _in_portions(catalog, fluxes, 2 + 2 * len(radii))
    return Fluxes(rows[0], rows[1], list(rows[2::2]), list(rows[3::2]), failed)


def _in_portions(
    catalog: SourceCatalog,
    function: Callable[[SourceCatalog], list[NDArray[np.float64]]],
    n_values: int,
) -> tuple[NDArray[np.float64], int]:
    """Apply a function to some sources at a time.

    Sources that it fails for are NaN, and counted; if it fails for all, the error is raised.
    """
    result = np.full((n_values, len(catalog.labels)), np.nan)
    failures: list[Exception] = []

    def fill(start: int, stop: int) -> None:
        try:
            rows = function(catalog[start:stop])
        except (ValueError, ArithmeticError, IndexError, np.linalg.LinAlgError) as error:
            if stop - start == 1:
                failures.append(error)
                return
            middle = (start + stop) // 2  # halve until the odd source is alone
            fill(start, middle)
            fill(middle, stop)
            return
        for row, values in zip(result, rows, strict=True):
            row[start:stop] = values

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for start in range(0, result.shape[1], _PORTION):
            fill(start, min(start + _PORTION, result.shape[1]))
    if failures and len(failures) == result.shape[1]:
        raise failures[-1]
    return result, len(failures)


def overlaps(
    mask: NDArray[np.bool_],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    semi_axes: tuple[NDArray[np.float64], NDArray[np.float64]],
    theta: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Tell which ellipses reach over the edge of an image or over masked pixels.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid.
    x, y : ndarray of float64, shape (source,)
        Centres.
    semi_axes : tuple of ndarray of float64
        Semi-major and semi-minor axes.
    theta : ndarray of float64
        Angle of the major axis, radians from x towards y.

    Returns
    -------
    ndarray of bool, shape (source,)
        True if it does, to a pixel; False where the ellipse is undefined.
    """
    a, b = semi_axes
    n_y, n_x = mask.shape
    # Half of the box around an ellipse.
    width = np.hypot(a * np.cos(theta), b * np.sin(theta))
    height = np.hypot(a * np.sin(theta), b * np.cos(theta))
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
