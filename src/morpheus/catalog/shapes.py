"""Positions and shapes, which photutils measures: of any number of sources, whatever is in them."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from photutils.segmentation import SegmentationImage, SourceCatalog

__all__ = ["Failures", "Shapes", "measure_shapes"]

# photutils keeps cutouts of all sources of a catalogue. In portions, memory does not grow with
# their number; smaller ones cost time (0.2 s per 100 portions).
_PORTION = 1000


@dataclass(frozen=True, eq=False)
class Failures:
    """Sources that could not be measured at all.

    Parameters
    ----------
    n : int, optional
        How many.
    error : Exception or None, optional
        What was raised for the last of them.
    """

    n: int = 0
    error: Exception | None = None

    def __add__(self, other: "Failures") -> "Failures":
        return Failures(self.n + other.n, other.error or self.error)


@dataclass(frozen=True, eq=False)
class Shapes:
    """Positions and shapes of sources; NaN where undefined.

    Parameters
    ----------
    x, y : ndarray of float64, shape (source,)
        Centres, in pixels from the centre of the first.
    semi_major, semi_minor : ndarray of float64, shape (source,)
        Standard deviations along the axes, in pixels.
    theta : ndarray of float64, shape (source,)
        Angle of the major axis in radians from x towards y.
    kron_semi_major : ndarray of float64, shape (source,)
        Semi-major axis of the Kron aperture, in pixels.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    semi_major: NDArray[np.float64]
    semi_minor: NDArray[np.float64]
    theta: NDArray[np.float64]
    kron_semi_major: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)

    @property
    def kron_semi_minor(self) -> NDArray[np.float64]:
        """Semi-minor axis of the Kron aperture, in pixels."""
        minor: NDArray[np.float64] = self.kron_semi_major * self.semi_minor / self.semi_major
        return minor

    def take(self, which: NDArray[np.bool_]) -> "Shapes":
        """Choose some of the sources.

        Parameters
        ----------
        which : ndarray of bool, shape (source,)
            True for those to keep.

        Returns
        -------
        Shapes
            Those.
        """
        return Shapes(**{name: values[which] for name, values in vars(self).items()})


def measure_shapes(
    data: NDArray[np.float32],
    labels: SegmentationImage,
    n_sources: int,
    *,
    mask: NDArray[np.bool_],
    kron_params: tuple[float, float],
) -> tuple[Shapes, Failures]:
    """Measure positions and shapes in the detection band.

    Moments are those of the positive pixels of the source, not smoothed: segments of Morpheus
    have no noise in their outlines, and smoothing would make sources larger and rounder.

    Parameters
    ----------
    data : ndarray of float32, shape (y, x)
        The image without its background.
    labels : SegmentationImage
        1 to N for the sources, without gaps; more for other sources, which are only kept out of
        their apertures.
    n_sources : int
        N.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid.
    kron_params : tuple of float
        Scale and smallest radius of the Kron aperture.

    Returns
    -------
    Shapes
        Of the sources 1 to N.
    Failures
        For how many of them nothing could be measured.
    """
    catalog = SourceCatalog(data, labels, mask=mask, kron_params=kron_params)

    def shapes(part: SourceCatalog) -> list[NDArray[np.float64]]:
        semi_major = part.semimajor_axis.value
        return [
            part.x_centroid,
            part.y_centroid,
            semi_major,
            part.semiminor_axis.value,
            np.deg2rad(part.orientation.value),
            kron_params[0] * part.kron_radius.value * semi_major,
        ]

    rows, failed = _in_portions(catalog, n_sources, shapes)
    return Shapes(*rows), failed


def _in_portions(
    catalog: SourceCatalog,
    n_sources: int,
    function: Callable[[SourceCatalog], list[NDArray[np.float64]]],
) -> tuple[NDArray[np.float64], Failures]:
    """Apply a function to some sources at a time; those that it fails for are NaN, and counted."""
    result = np.full((len(fields(Shapes)), n_sources), np.nan)
    failures: list[Exception] = []

    def fill(start: int, stop: int) -> None:
        try:
            rows = function(catalog[np.arange(start, stop)])
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
        for start in range(0, n_sources, _PORTION):
            fill(start, min(start + _PORTION, n_sources))
    return result, Failures(len(failures), failures[-1] if failures else None)
