"""The detection image as deblending sees it: its sky at 0, smoothed, with the noise that is left.

The sky is measured once for a whole image, on an even grid of its pixels; everything else is local:
a part of the image with a few pixels around it gives what the whole gives.
"""

import math

import numpy as np
from astropy.stats import sigma_clipped_stats
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["level_and_noise", "reach", "sky_or_all", "smoothed"]

# Fewer pixels of sky than this say little of its level and noise.
_ENOUGH_SKY = 100
# Farther from any good pixel than this share of the smoothing there is nothing to take a mean of.
_LEAST_WEIGHT = 1e-3
_TRUNCATE = 4.0  # standard deviations; scipy's own choice


def sky_or_all(image: NDArray[np.float32], sky: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the pixels to measure the sky in.

    Parameters
    ----------
    image : ndarray of float32, shape (y, x)
        The detection image, NaN where it tells nothing; every n-th pixel of it.
    sky : ndarray of bool, shape (y, x)
        True where there is no source.

    Returns
    -------
    ndarray of bool, shape (y, x)
        Those of the sky that are finite; all that are if these are fewer than 100.
    """
    good = np.isfinite(image)
    found: NDArray[np.bool_] = sky & good
    # Without sky, the clipping has to do it.
    return found if np.count_nonzero(found) >= _ENOUGH_SKY else good


def level_and_noise(image: NDArray[np.float32], sky: NDArray[np.bool_]) -> tuple[float, float]:
    """Measure the clipped median and standard deviation of the sky.

    Parameters
    ----------
    image : ndarray of float32, shape (y, x)
        Every n-th pixel of the detection image.
    sky : ndarray of bool, shape (y, x)
        As `sky_or_all` finds it.

    Returns
    -------
    tuple of float
        Level and noise, in the unit of the image.
    """
    # Double precision: the squares of fluxes in W / m2 are zero in single precision.
    _, level, noise = sigma_clipped_stats(image[sky].astype(np.float64))
    return float(level), float(noise)


def reach(smoothing: float) -> int:
    """Tell how far pixels are apart that smoothing mixes.

    Parameters
    ----------
    smoothing : float
        Standard deviation of the Gaussian, in pixels.

    Returns
    -------
    int
        Pixels.
    """
    return math.floor(_TRUNCATE * smoothing + 0.5)


def smoothed(
    image: NDArray[np.float32], level: float, smoothing: float, *, holes: bool
) -> NDArray[np.float32]:
    """Subtract the sky and smooth.

    Parameters
    ----------
    image : ndarray of float32, shape (y, x)
        The detection image, NaN where it tells nothing.
    level : float
        Its sky.
    smoothing : float
        Standard deviation of the Gaussian, in pixels.
    holes : bool
        Whether the *whole* image has pixels that are NaN: then it is the mean over the others, so
        that a hole in a galaxy is no gap between two.

    Returns
    -------
    ndarray of float32, shape (y, x)
        Finite.
    """
    good = np.isfinite(image)
    flux = np.where(good, image - np.float32(level), np.float32(0))
    result: NDArray[np.float32] = ndimage.gaussian_filter(flux, smoothing, truncate=_TRUNCATE)
    if not holes:
        return result
    weight = ndimage.gaussian_filter(good.astype(np.float32), smoothing, truncate=_TRUNCATE)
    np.divide(result, weight, out=result, where=weight > _LEAST_WEIGHT)
    result[weight <= _LEAST_WEIGHT] = 0
    return result
