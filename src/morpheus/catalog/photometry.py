"""What photutils measures, for any number of sources and with whatever is in them."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from photutils.segmentation import SegmentationImage, SourceCatalog

__all__ = ["Apertures", "Failures", "Fluxes", "measure_fluxes", "measure_shapes"]

# photutils keeps cutouts of all sources of a catalogue. In portions, memory does not grow with
# their number; smaller ones cost time (0.2 s per 100 portions).
_PORTION = 1000

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
class Apertures:
    """The sources in the detection band, which all bands are measured with.

    Parameters
    ----------
    catalog : SourceCatalog
        Of the detection band, with what was found of the sources.
    data : ndarray of float32, shape (y, x)
        The detection band without its background.
    labels : SegmentationImage
        The sources.
    rows : ndarray of int, shape (source,)
        Those of the catalogue that are measured.
    shape : mapping of str to ndarray of float64, shape (source,)
        Their positions and shapes, lengths in pixels and `theta` in radians from x towards y; NaN
        where undefined.
    failed : Failures
        For how many of them no shape could be measured.
    """

    catalog: SourceCatalog
    data: NDArray[np.float32]
    labels: SegmentationImage
    rows: NDArray[np.intp]
    shape: Mapping[str, NDArray[np.float64]]
    failed: Failures

    def take(self, which: NDArray[np.bool_]) -> "Apertures":
        """Choose some of the sources.

        Parameters
        ----------
        which : ndarray of bool, shape (source,)
            True for those to keep, and for all without a shape.

        Returns
        -------
        Apertures
            Those.
        """
        shape = {name: values[which] for name, values in self.shape.items()}
        return replace(self, rows=self.rows[which], shape=shape)


@dataclass(frozen=True, eq=False)
class Fluxes:
    """Fluxes in one band.

    Parameters
    ----------
    kron, kron_err : ndarray of float64, shape (source,)
        In the Kron aperture; NaN where it is undefined.
    circular, circular_err : list of ndarray of float64, shape (source,)
        In each of the circular apertures.
    failed : Failures
        For how many sources they could not be measured.
    """

    kron: NDArray[np.float64]
    kron_err: NDArray[np.float64]
    circular: list[NDArray[np.float64]]
    circular_err: list[NDArray[np.float64]]
    failed: Failures


def measure_shapes(
    data: NDArray[np.float32],
    labels: SegmentationImage,
    n_sources: int,
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
        1 to N for the sources, without gaps; more for other sources, which are only kept out of
        their apertures.
    n_sources : int
        N.
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

    sources = np.arange(n_sources)
    # What is found of each is kept in it, for the other bands.
    own = catalog[sources]
    rows, failed = _in_portions(own, sources, shapes, len(_SHAPE))
    return Apertures(own, data, labels, sources, dict(zip(_SHAPE, rows, strict=True)), failed)


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
    catalog = apertures.catalog
    if data is not apertures.data:
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

    rows, failed = _in_portions(catalog, apertures.rows, fluxes, 2 + 2 * len(radii))
    return Fluxes(rows[0], rows[1], list(rows[2::2]), list(rows[3::2]), failed)


def _in_portions(
    catalog: SourceCatalog,
    sources: NDArray[np.intp],
    function: Callable[[SourceCatalog], list[NDArray[np.float64]]],
    n_values: int,
) -> tuple[NDArray[np.float64], Failures]:
    """Apply a function to some sources at a time; those that it fails for are NaN, and counted."""
    result = np.full((n_values, len(sources)), np.nan)
    failures: list[Exception] = []

    def fill(start: int, stop: int) -> None:
        try:
            # All of a catalogue is not cut out of it, so that it keeps what is found.
            is_all = stop - start == len(catalog.labels)
            rows = function(catalog if is_all else catalog[sources[start:stop]])
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
        for start in range(0, len(sources), _PORTION):
            fill(start, min(start + _PORTION, len(sources)))
    return result, Failures(len(failures), failures[-1] if failures else None)
