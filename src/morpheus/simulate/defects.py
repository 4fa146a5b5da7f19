"""What is wrong with real mosaics: uneven depth, sky residuals, cosmic rays, holes and edges."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from morpheus.simulate.bands import Band, Survey

__all__ = ["Defects", "band_shifts", "draw_defects"]

Array = NDArray[np.float64]

_SMALL_DETECTOR_PIXEL = 0.06  # arcsec: CCDs of two chips, with a gap between them
_GAP = 2.5, 0.75  # width of the gap in arcsec, and the exposure in it
_CORNER = 0.12  # of the field's side: the largest piece that is missing at a corner


@dataclass(frozen=True)
class Defects:
    """What is wrong with one band.

    Parameters
    ----------
    exposure : ndarray, shape (y, x)
        Exposure over the nominal one; 0 where there is no data.
    residual : ndarray, shape (y, x)
        What is added to the sky: a level, a gradient and cosmic rays, in image units.
    """

    exposure: Array
    residual: Array

    @classmethod
    def none(cls, size: int) -> "Defects":
        """Make a perfect mosaic.

        Parameters
        ----------
        size : int
            Side in pixels.

        Returns
        -------
        Defects
            Of nominal exposure, with nothing added.
        """
        return cls(np.ones((size, size)), np.zeros((size, size)))


def band_shifts(rng: np.random.Generator, survey: Survey) -> Array:
    """Draw the misalignment of the bands.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the numbers are from.
    survey : Survey
        The survey.

    Returns
    -------
    ndarray, shape (band, 2)
        Offsets along x and y in pixels; the reference band is where its WCS says.
    """
    shifts = rng.normal(0, survey.misalignment, (len(survey.bands), 2))
    shifts[0] = 0
    return shifts


def draw_defects(
    rng: np.random.Generator, survey: Survey, band: Band, size: int, sigma: float
) -> Defects:
    """Draw what is wrong with a band.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the numbers are from.
    survey : Survey
        How much is wrong.
    band : Band
        The band.
    size : int
        Side of the field in pixels.
    sigma : float
        Noise of a blank pixel, in image units.

    Returns
    -------
    Defects
        Of the band.
    """
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    coarse = ndimage.zoom(rng.standard_normal((5, 5)), size / 5, order=3, grid_mode=True,
                          mode="nearest")  # fmt: skip
    exposure = np.clip(1 + survey.depth_variation * coarse[:size, :size], 0.3, 2)
    if band.detector_pixel < _SMALL_DETECTOR_PIXEL and not band.seeing:
        width, seen = _GAP
        across = abs(rows - rng.uniform(-0.3, 0.3)) * size * survey.pixel_scale
        exposure[across < width / 2] *= seen
    tilt, level = rng.normal(0, 1, 2), rng.normal()
    residual = survey.sky_residual * sigma * (tilt[0] * rows + tilt[1] * columns + level)
    area = (size * survey.pixel_scale / 60) ** 2
    for _ in range(rng.poisson(survey.cosmic_rays * area)):
        _add_cosmic_ray(rng, residual, sigma)
    for _ in range(rng.poisson(survey.holes * area)):
        y, x = rng.uniform(-0.5, 0.5, 2)
        radius = rng.uniform(0.5, 1.5) / survey.pixel_scale / size
        exposure[np.hypot(rows - y, columns - x) < radius] = 0
    side = rng.choice([-1, 1], 2)
    cut = rng.uniform(0, _CORNER)
    exposure[side[0] * rows + side[1] * columns > 1 - cut] = 0
    return Defects(exposure, residual)


def _add_cosmic_ray(rng: np.random.Generator, image: Array, sigma: float) -> None:
    """Add what is left of a cosmic ray after its rejection: a short bright line."""
    size = image.shape[0]
    length, angle = rng.uniform(1, 7), rng.uniform(0, math.pi)
    along = np.arange(0, length, 0.5)
    y, x = rng.uniform(0, size, 2)
    rows = np.floor(y + along * math.sin(angle)).astype(int)
    columns = np.floor(x + along * math.cos(angle)).astype(int)
    inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    image[rows[inside], columns[inside]] += sigma * rng.lognormal(2.0, 0.6)
