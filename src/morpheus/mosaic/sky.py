"""Level and noise of the blank sky in an image: what a dense model's input is normalised with."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morpheus.errors import ImageError

__all__ = ["SkyLevel", "grid_step", "measure_sky"]

_SAMPLE = 1_000_000  # pixels that are looked at; the median is then good to a thousandth of a sigma
_SIGMA = 3.0
_ITERATIONS = 10
_MAD_TO_STD = 1.482602218505602  # of a normal distribution


@dataclass(frozen=True)
class SkyLevel:
    """Level and noise of blank sky.

    Parameters
    ----------
    level : float
        Median, in the unit of the image.
    noise : float
        Standard deviation of a pixel, in the unit of the image; above 0.
    """

    level: float
    noise: float


def grid_step(shape: tuple[int, ...]) -> int:
    """Give the distance of the pixels that the sky is measured from.

    Parameters
    ----------
    shape : tuple of int
        Size (y, x) of the whole image in pixels.

    Returns
    -------
    int
        Rows and columns 0, `step`, 2 `step`, ... are used: about a million pixels, or all.
    """
    return max(1, math.ceil(math.sqrt(math.prod(shape) / _SAMPLE)))


def measure_sky(
    plane: NDArray[Any], mask: NDArray[np.bool_] | None = None, *, step: int | None = None
) -> SkyLevel:
    """Measure the level and the noise of blank sky, once for a whole image.

    The median, and 1.4826 times the median absolute deviation from it, of the pixels that lie
    within 3 standard deviations of the median; ten times, or until no pixel is dropped. In place
    of all pixels, those on an even grid are taken if there are more than a million.

    Parameters
    ----------
    plane : ndarray, shape (y, x)
        One band, in any unit. Pixels that are not finite are not used.
    mask : ndarray of bool, shape (y, x), optional
        True where a pixel is invalid: it is not used.
    step : int, optional
        Distance of the pixels that are looked at, instead of `grid_step`; 1 for an image that was
        thinned out before.

    Returns
    -------
    SkyLevel
        In float64; the same for the same pixels, in whatever portions the image is classified.

    Raises
    ------
    ImageError
        If no valid pixel is left, or the sky has no noise, so that nothing can be told from it.
    """
    step = grid_step(plane.shape) if step is None else step
    pixels = np.asarray(plane[::step, ::step], dtype=np.float64)
    valid = np.isfinite(pixels)
    if mask is not None:
        valid &= ~mask[::step, ::step]
    sample = pixels[valid]
    if not sample.size:
        raise ImageError("the sky cannot be measured: there is no valid pixel")
    for _ in range(_ITERATIONS):
        level = float(np.median(sample))
        noise = _MAD_TO_STD * float(np.median(np.abs(sample - level)))
        kept = sample[np.abs(sample - level) <= _SIGMA * noise]
        if kept.size == sample.size or not noise > 0:
            break
        sample = kept
    if not noise > 0:
        raise ImageError(
            "the sky has no noise: most of its pixels have one value. If they lie outside of what"
            " was observed, mask them (a weight map of zeros there, or NaN)"
        )
    return SkyLevel(level, noise)
