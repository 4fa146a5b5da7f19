"""A field: a survey's images of a sky that is known."""

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.errors import OptionError
from morpheus.simulate.bands import Survey
from morpheus.simulate.defects import Defects, band_shifts, draw_defects
from morpheus.simulate.imaging import SceneImages, image_scene
from morpheus.simulate.population import DENSITY, draw_population
from morpheus.simulate.psf import sky_sigma
from morpheus.simulate.render import render
from morpheus.simulate.surveys import find_survey
from morpheus.simulate.truth import Scene, TruthMaps, truth_table

__all__ = ["FieldOptions", "SimulatedField", "draw_shifts", "image_field", "simulate_field"]

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
    ProductError
        If a process that draws sources was ended, cannot be started, or cannot write its results.
    """
    options.check()
    survey, size = find_survey(options.survey), options.size
    sources = draw_population(survey, size, seed=options.seed, density=options.density)
    shifts = draw_shifts(options, survey)
    scene = Scene(len(survey.bands), size)
    with closing(render(survey, sources, shifts, jobs=options.jobs)) as stamps:
        for source, stamp in zip(sources, stamps, strict=True):
            scene.add(source, stamp)
    wcs = _make_wcs(survey, size)
    made = image_field(options, survey, scene)
    return SimulatedField(
        options,
        survey,
        wcs,
        made.images,
        made.weights,
        made.noiseless,
        made.noise,
        made.truth,
        truth_table(survey, sources, scene.sums, wcs),
        shifts,
    )


def draw_shifts(options: FieldOptions, survey: Survey) -> NDArray[np.float64]:
    """Draw the misalignment of a field's bands.

    Parameters
    ----------
    options : FieldOptions
        What is simulated.
    survey : Survey
        Its survey.

    Returns
    -------
    ndarray, shape (band, 2)
        Offsets along x and y in pixels; 0 without defects.
    """
    if not options.defects:
        return np.zeros((len(survey.bands), 2))
    return band_shifts(np.random.default_rng([options.seed, _SHIFTS]), survey)


def image_field(
    options: FieldOptions, survey: Survey, scene: Scene, *, sky: bool = True
) -> SceneImages:
    """Image a field's light with its noise and its defects.

    Parameters
    ----------
    options : FieldOptions
        What is simulated.
    survey : Survey
        Its survey.
    scene : Scene
        Its sources.
    sky : bool, optional
        Whether there is noise of the sky, beside that of the sources' photons.

    Returns
    -------
    SceneImages
        Images and truth.
    """

    def defects() -> Iterator[Defects]:
        for number, band in enumerate(survey.bands):
            if options.defects:
                rng = np.random.default_rng([options.seed, _DEFECTS, number])
                yield draw_defects(rng, survey, band, options.size, sky_sigma(survey, band))
            else:
                yield Defects.none(options.size)

    rngs = (np.random.default_rng([options.seed, _NOISE, n]) for n in range(len(survey.bands)))
    return image_scene(survey, scene, defects(), rngs, options.truth_threshold, sky=sky)


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
