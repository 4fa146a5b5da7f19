"""The sky of one band: its level, and its noise."""

import warnings
from dataclasses import dataclass

import numpy as np
from astropy.stats import SigmaClip, mad_std, sigma_clip
from numpy.typing import NDArray
from photutils.background import Background2D, MedianBackground

from morpheus.errors import MosaicWarning

__all__ = ["Sky", "measure_mesh", "measure_sky", "sky_noise"]

# More pixels than this do not make a median any better: its error is already 1/1000 of the noise.
_MOST_PIXELS = 2_000_000
_FEWEST_PIXELS = 30
_CLIP = 3.0


@dataclass(frozen=True)
class Sky:
    """The sky of one band.

    Parameters
    ----------
    level : float
        Clipped median of the sky pixels, in image units; 0 if there are too few.
    noise : float
        Robust standard deviation of a sky pixel (from the median absolute deviation); NaN if
        there are too few. What sums of correlated pixels need is in `noise_factor`.
    n_pixels : int
        How many sky pixels it was measured from.
    """

    level: float
    noise: float
    n_pixels: int


def measure_sky(data: NDArray[np.float32], sky: NDArray[np.bool_], band: str) -> Sky:
    """Measure the level and the noise of the sky.

    Parameters
    ----------
    data : ndarray of float32, shape (y, x)
        The image.
    sky : ndarray of bool, shape (y, x)
        True for valid pixels of no source.
    band : str
        What a warning calls the image.

    Returns
    -------
    Sky
        Level and noise, from pixels clipped at 3 standard deviations.

    Warns
    -----
    MosaicWarning
        If there are fewer than 30 such pixels.
    """
    n_pixels = int(np.count_nonzero(sky))
    if n_pixels < _FEWEST_PIXELS:
        warnings.warn(
            f"{band} has {n_pixels} pixels of sky: no background is subtracted, and errors are"
            " known from a weight or rms map only",
            MosaicWarning,
            stacklevel=2,
        )
        return Sky(0.0, float("nan"), n_pixels)
    clipped = _clipped(data, sky)
    return Sky(float(np.median(clipped)), float(mad_std(clipped)), n_pixels)


def sky_noise(data: NDArray[np.float32], sky: NDArray[np.bool_]) -> float:
    """Measure the noise of a sky pixel.

    Parameters
    ----------
    data : ndarray of float32, shape (y, x)
        The image.
    sky : ndarray of bool, shape (y, x)
        True for valid pixels of no source.

    Returns
    -------
    float
        As `Sky.noise`; NaN if there are fewer than 30 pixels.
    """
    if np.count_nonzero(sky) < _FEWEST_PIXELS:
        return float("nan")
    return float(mad_std(_clipped(data, sky)))


def _clipped(data: NDArray[np.float32], sky: NDArray[np.bool_]) -> NDArray[np.float32]:
    values = data[sky]
    values = values[:: 1 + len(values) // _MOST_PIXELS]
    clipped: NDArray[np.float32] = sigma_clip(values, sigma=_CLIP, maxiters=10, masked=False)
    return clipped


def measure_mesh(
    data: NDArray[np.float32], sky: NDArray[np.bool_], size: int
) -> NDArray[np.float32] | None:
    """Make a smooth map of the sky.

    Parameters
    ----------
    data : ndarray of float32, shape (y, x)
        The whole image.
    sky : ndarray of bool, shape (y, x)
        True for valid pixels of no source.
    size : int
        Side of a box of the mesh, in pixels.

    Returns
    -------
    ndarray of float32, shape (y, x), or None
        The level in each pixel; None where no box has enough sky.
    """
    box = (min(size, data.shape[0]), min(size, data.shape[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            background = Background2D(
                np.where(sky, data, np.float32(0)),
                box,
                mask=~sky,
                exclude_percentile=90,  # of a box that is nearly all sources little can be said
                filter_size=3,
                sigma_clip=SigmaClip(sigma=_CLIP, maxiters=10),
                bkg_estimator=MedianBackground(),
            )
            level: NDArray[np.float32] = background.background.astype(np.float32)
        except ValueError:
            return None
    return level
