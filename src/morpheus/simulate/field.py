"""A field: a survey's images of a sky that is known."""

import math
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.errors import OptionError
from morpheus.simulate.bands import Band, Survey
from morpheus.simulate.defects import Defects, band_shifts, draw_defects
from morpheus.simulate.noise import correlated_noise, correlation_factor
from morpheus.simulate.population import DENSITY, draw_population
from morpheus.simulate.psf import sky_sigma
from morpheus.simulate.render import render
from morpheus.simulate.surveys import find_survey
from morpheus.simulate.truth import Scene, TruthMaps, truth_table

__all__ = ["FieldOptions", "SimulatedField", "simulate_field"]

_SIZES = 32, 16384
_DENSEST = 3000.0
_SHIFTS, _NOISE, _DEFECTS = 2, 3, 4  # streams of the seed; 0 and 1 are the population's
_CENTER = 53.1228, -27.8051  # ICRS degrees


@dataclass(frozen=True)
class FieldOptions:
    """What to simulate.

    Parameters
    ----------
    survey : str, optional
        Name of the survey.
    size : int, optional
        Side of the field in pixels.
    seed : int, optional
        Of the random numbers: the same seed gives the same pixels.
    density : float, optional
        Sources per square arcminute with F160W < 26.
    defects : bool, optional
        Whether the mosaics have misaligned bands, uneven depth, sky residuals, cosmic rays,
        holes and edges.
    truth_threshold : float, optional
        A pixel is a source's from this fraction of the noise of a blank pixel on.
    jobs : int, optional
        Processes; they do not change the result.
    """

    survey: str = "candels-deep"
    size: int = 1024
    seed: int = 0
    density: float = DENSITY
    defects: bool = True
    truth_threshold: float = 1.0
    jobs: int = 1

    def check(self) -> None:
        """Check the values.

        Raises
        ------
        OptionError
            If one is out of range, or the survey is unknown.
        """
        find_survey(self.survey)
        low, high = _SIZES
        if not low <= self.size <= high:
            raise OptionError(f"the size is {self.size}; it must be {low} to {high} pixels")
        if not 0 <= self.density <= _DENSEST:
            raise OptionError(
                f"the density is {self.density:g}; it must be 0 to {_DENSEST:g} sources per square"
                " arcminute"
            )
        if not (math.isfinite(self.truth_threshold) and self.truth_threshold > 0):
            raise OptionError(f"the truth threshold is {self.truth_threshold}; it must be above 0")
        if self.seed < 0 or self.jobs < 1:
            raise OptionError("the seed must be 0 or more, and jobs 1 or more")


@dataclass(frozen=True)
class SimulatedField:
    """A field and its truth.

    Parameters
    ----------
    options : FieldOptions
        What was asked for.
    survey : Survey
        The survey.
    wcs : astropy.wcs.WCS
        Of all bands.
    images : ndarray, shape (band, y, x)
        In image units; NaN where there is no data.
    weights : ndarray, shape (band, y, x)
        Inverse variance of the sky, without the correlation of pixels; 0 where there is no data.
    noiseless, noise : ndarray, shape (band, y, x)
        Light of all sources, and all that was added to it. Their sum is the image, but for
        pixels that are full.
    truth : TruthMaps
        Of every pixel.
    catalog : astropy.table.Table
        Of every source.
    shifts : ndarray, shape (band, 2)
        Misalignment of the bands along x and y, in pixels.
    """

    options: FieldOptions
    survey: Survey
    wcs: WCS
    images: NDArray[np.float32]
    weights: NDArray[np.float32]
    noiseless: NDArray[np.float32]
    noise: NDArray[np.float32]
    truth: TruthMaps
    catalog: Table
    shifts: NDArray[np.float64]


def simulate_field(options: FieldOptions) -> SimulatedField:
    """Simulate a field.

    Parameters
    ----------
    options : FieldOptions
        What to simulate.

    Returns
    -------
    SimulatedField
        Images and truth.

    Raises
    ------
    OptionError
        If an option is out of range.
    """
    options.check()
    survey, size = find_survey(options.survey), options.size
    sources = draw_population(survey, size, seed=options.seed, density=options.density)
    shifts = np.zeros((len(survey.bands), 2))
    if options.defects:
        shifts = band_shifts(np.random.default_rng([options.seed, _SHIFTS]), survey)
    scene = Scene(len(survey.bands), size)
    stamps = render(survey, sources, shifts, jobs=options.jobs)
    for source, stamp in zip(sources, stamps, strict=True):
        scene.add(source, stamp)
    wcs = _make_wcs(survey, size)
    noiseless = scene.light.astype(np.float32)
    images, weights, noise = (np.empty_like(noiseless) for _ in range(3))
    limit = np.empty((size, size))
    for number, band in enumerate(survey.bands):
        sigma = sky_sigma(survey, band)
        defects = Defects.none(size)
        if options.defects:
            rng = np.random.default_rng([options.seed, _DEFECTS, number])
            defects = draw_defects(rng, survey, band, size, sigma)
        rng = np.random.default_rng([options.seed, _NOISE, number])
        noise[number] = _noise(rng, band, scene.light[number], defects, sigma)
        full = np.minimum(noiseless[number] + noise[number], np.float32(band.saturation))
        images[number] = np.where(defects.exposure > 0, full, np.nan)
        weights[number] = defects.exposure / (sigma * correlation_factor(band.correlation)) ** 2
        if number == 0:
            limit = options.truth_threshold * sigma / np.sqrt(np.maximum(defects.exposure, 0.1))
    return SimulatedField(
        options,
        survey,
        wcs,
        images,
        weights,
        noiseless,
        noise,
        scene.maps(limit),
        truth_table(survey, sources, scene.sums, wcs),
        shifts,
    )


def _noise(
    rng: np.random.Generator,
    band: Band,
    light: NDArray[np.float64],
    defects: Defects,
    sigma: float,
) -> NDArray[np.float64]:
    """Noise of the sky and of the sources' photons, and residuals of the reduction.

    Drizzling spreads a photon over pixels: the variance of a pixel is lower than that of the
    photons that fell on it by the square of the correlation factor, as the sky's is.
    """
    smoothing = correlation_factor(band.correlation) ** 2
    exposure = np.maximum(defects.exposure, 1e-3)
    variance = (sigma**2 + light / (band.gain * smoothing)) / exposure
    unit = correlated_noise(rng, (light.shape[0], light.shape[1]), band.correlation)
    return np.sqrt(variance) * unit + defects.residual


def _make_wcs(survey: Survey, size: int) -> WCS:
    """Tangential projection, north up, east left."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = _CENTER
    wcs.wcs.crpix = [(size + 1) / 2, (size + 1) / 2]
    wcs.wcs.cdelt = [-survey.pixel_scale / 3600, survey.pixel_scale / 3600]
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.set()
    return wcs
