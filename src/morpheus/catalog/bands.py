"""One band in a cutout: its pixels without background, its errors, its fluxes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from morpheus.catalog.apertures import Apertures
from morpheus.catalog.band_sky import BandSky
from morpheus.catalog.images import BandImage
from morpheus.catalog.morphology import SourcePixels
from morpheus.catalog.pixels import Section
from morpheus.mosaic.calibration import Calibration

__all__ = ["BandResult", "PreparedBand", "measure_band", "prepare_band"]

_MAG_PER_RELATIVE_ERROR = 2.5 / np.log(10)


@dataclass(frozen=True, eq=False)
class PreparedBand:
    """A cutout of a band, ready to be measured.

    Parameters
    ----------
    image : BandImage
        As it was read.
    data : ndarray of float32, shape (y, x)
        Pixels without their background.
    error : ndarray of float32, shape (y, x)
        Standard deviations whose squares add up to that of a sum, so with the factor of the
        correlated noise; NaN if nothing is known of them.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid.
    calibration : Calibration
        Zero point and saturation level.
    """

    image: BandImage
    data: NDArray[np.float32]
    error: NDArray[np.float32]
    mask: NDArray[np.bool_]
    calibration: Calibration


@dataclass(frozen=True, eq=False)
class BandResult:
    """What was measured in a band.

    Parameters
    ----------
    columns : dict of str to ndarray
        Fluxes, magnitudes and signal to noise, by the name of the column.
    saturated : ndarray of bool, shape (source,)
        True where a pixel of the source is saturated.
    masked : ndarray of bool, shape (source,)
        True where a pixel of the source is invalid, so that its fluxes are lower limits.
    """

    columns: dict[str, NDArray[np.float64]]
    saturated: NDArray[np.bool_]
    masked: NDArray[np.bool_]


def prepare_band(image: BandImage, section: Section, sky: BandSky) -> PreparedBand:
    """Subtract the background of a band and find its errors.

    Errors are those of the image, else the noise of its sky; with an exposure time the photon noise
    of the source is added, ``max(f, 0) / exposure`` to the variance. Then all are multiplied by the
    factor of the correlated noise.

    Parameters
    ----------
    image : BandImage
        A section of the band.
    section : tuple of slice
        Which.
    sky : BandSky
        What is known of the whole band.

    Returns
    -------
    PreparedBand
        What `measure_band` takes.
    """
    data = sky.subtracted(image.data, section)
    error = sky.errors(image)
    if sky.exposure is not None:
        error = _with_photons(error, data, sky.exposure)
    return PreparedBand(
        image=image,
        data=data,
        error=_multiplied(error, sky.factor),
        mask=image.invalid(),
        calibration=sky.calibration,
    )


def _with_photons(
    error: NDArray[np.float32], data: NDArray[np.float32], exposure: float
) -> NDArray[np.float32]:
    variance = np.maximum(np.nan_to_num(data), 0)  # a masked pixel counts as nothing
    variance /= np.float32(exposure)
    variance += error**2
    return np.sqrt(variance, out=variance)


def _multiplied(error: NDArray[np.float32], factor: float | None) -> NDArray[np.float32]:
    if factor is None or factor == 1:
        return error
    if error.strides == (0, 0):  # still a view of one number
        return np.broadcast_to(np.float32(error[0, 0] * factor), error.shape)
    return error * np.float32(factor)


def measure_band(band: PreparedBand, apertures: Apertures, pixels: SourcePixels) -> BandResult:
    """Measure sources in one band.

    Parameters
    ----------
    band : PreparedBand
        The band.
    apertures : Apertures
        Those of the sources.
    pixels : SourcePixels
        Which pixel belongs to which of them.

    Returns
    -------
    BandResult
        NaN for sources without a valid pixel in this band.
    """
    valid = ~pixels.of(band.mask)
    absent = pixels.sum(valid) == 0
    values = np.where(valid, pixels.of(band.data), 0).astype(np.float64)
    variance = np.where(valid, pixels.of(band.error), 0).astype(np.float64) ** 2
    saturated = np.zeros(pixels.n_sources, bool)
    if band.calibration.saturation is not None:
        raw = pixels.of(band.image.data)
        saturated = pixels.sum(raw >= band.calibration.saturation) > 0
    fluxes = apertures.fluxes(band.data, band.error, band.mask)
    prefix = band.image.band.lower()
    iso, iso_err = pixels.sum(values), np.sqrt(pixels.sum(variance))
    measured = {"iso": (iso, iso_err), "kron": (fluxes.kron, fluxes.kron_err)}
    for i, pair in enumerate(zip(fluxes.circular, fluxes.circular_err, strict=True), start=1):
        measured[f"aper_{i}"] = pair
    columns = {}
    for kind, (flux, flux_err) in measured.items():
        flux[absent] = flux_err[absent] = np.nan
        columns[f"{prefix}_flux_{kind}"] = flux
        columns[f"{prefix}_flux_{kind}_err"] = flux_err
    for kind in ("iso", "kron"):
        magnitude, error = _magnitudes(*measured[kind], band.calibration.zero_point)
        columns[f"{prefix}_mag_{kind}"], columns[f"{prefix}_mag_{kind}_err"] = magnitude, error
    columns[f"{prefix}_snr"] = _signal_to_noise(measured)
    return BandResult(columns, saturated, pixels.sum(~valid) > 0)


def _magnitudes(
    flux: NDArray[np.float64], error: NDArray[np.float64], zero_point: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AB magnitudes and their errors; NaN without a zero point or positive flux."""
    if zero_point is None:
        return np.full_like(flux, np.nan), np.full_like(flux, np.nan)
    positive = np.where(flux > 0, flux, np.nan)
    return zero_point - 2.5 * np.log10(positive), _MAG_PER_RELATIVE_ERROR * error / positive


def _signal_to_noise(
    measured: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> NDArray[np.float64]:
    ratios = []
    for kind in ("kron", "iso"):
        flux, error = measured[kind]
        usable = np.isfinite(flux) & (error > 0)
        ratios.append(np.divide(flux, error, out=np.full_like(flux, np.nan), where=usable))
    return np.where(np.isfinite(ratios[0]), ratios[0], ratios[1])
