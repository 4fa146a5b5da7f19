"""Level and noise of the blank sky in an image: what a dense model's input is normalised with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from morpheus.errors import ImageError

__all__ = ["SkyLevel", "grid_step", "looks_filled", "measure_skies", "measure_sky"]

_SAMPLE = 1_000_000  # pixels that are looked at; the median is then good to a thousandth of a sigma
_SIGMA = 3.0
_ITERATIONS = 10
_MAD_TO_STD = 1.482602218505602  # of a normal distribution
_APART = 3  # pixels: the noise of neighbours is correlated in drizzled images
_FEWEST_SKY = 0.2  # of the valid pixels
_MOST_STRUCTURE = 2.0  # noise of the sky, in units of that of differences


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
    return _clipped(pixels[valid])[0]


def measure_skies(
    bands: Sequence[str],
    data: NDArray[Any],
    mask: NDArray[np.bool_],
    *,
    step: int | None = None,
) -> tuple[SkyLevel, ...]:
    """Measure the sky of each band as `measure_sky` does, but not where nothing was observed.

    Areas that are exactly 0 in every band are left out: mosaics are often 0 around what was
    observed. A single pixel that is 0 among others counts: whole numbers may be 0 by chance.

    Parameters
    ----------
    bands : sequence of str
        Their names, for messages.
    data : ndarray, shape (band, y, x)
        In any unit.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid.
    step : int, optional
        As in `measure_sky`.

    Returns
    -------
    tuple of SkyLevel
        Of each band.

    Raises
    ------
    ImageError
        If the sky of a band cannot be measured; says of which.
    """
    step = grid_step(mask.shape) if step is None else step
    planes, unused = data[:, ::step, ::step], _unused(data, mask, step)
    skies = []
    for band, plane in zip(bands, planes, strict=True):
        try:
            skies.append(measure_sky(plane, unused, step=1))
        except ImageError as error:
            raise ImageError(f"{band}: {error}") from error
    return tuple(skies)


def looks_filled(
    data: NDArray[Any], mask: NDArray[np.bool_], *, step: int | None = None
) -> NDArray[np.bool_]:
    """Tell in which bands what was measured as sky hardly is blank.

    That is so where less than a fifth of the valid pixels are within 3 standard deviations of its
    level, or its noise is more than twice the noise of the differences of pixels that are three
    apart along x, which a smooth source or an uneven sky do not change.

    Parameters
    ----------
    data : ndarray, shape (band, y, x)
        Of which `measure_skies` can measure the sky.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid.
    step : int, optional
        As in `measure_sky`.

    Returns
    -------
    ndarray of bool, shape (band,)
        For each band.
    """
    step = grid_step(mask.shape) if step is None else step
    unused = _unused(data, mask, step)
    return np.array([_is_filled(plane[::step, ::step], unused, step) for plane in data], bool)


def _is_filled(pixels: NDArray[Any], unused: NDArray[np.bool_], step: int) -> bool:
    apart = math.ceil(_APART / step)
    values = np.asarray(pixels, np.float64)
    valid = np.isfinite(values) & ~unused
    sky, share = _clipped(values[valid])
    both = valid[:, apart:] & valid[:, :-apart]
    if share < _FEWEST_SKY or not both.any():
        return share < _FEWEST_SKY
    differences = values[:, apart:][both] - values[:, :-apart][both]
    spread = np.median(np.abs(differences - np.median(differences)))
    noise = _MAD_TO_STD * float(spread) / math.sqrt(2)
    return 0 < noise < sky.noise / _MOST_STRUCTURE


def _unused(data: NDArray[Any], mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Give the pixels of the grid that are masked, or in an area that is 0 in every band."""
    masked = mask[::step, ::step]
    empty = ~data[:, ::step, ::step].any(axis=0)
    # An area is at least a pixel and its four neighbours; beyond the edge all is empty.
    kernel = ndimage.generate_binary_structure(2, 1)
    core = ndimage.binary_erosion(empty, kernel, border_value=1)
    area = ndimage.binary_dilation(core, kernel)
    unused: NDArray[np.bool_] = masked | area
    return masked if unused.all() else unused


def _clipped(sample: NDArray[np.float64]) -> tuple[SkyLevel, float]:
    """Measure the sky of some pixels, and which share of them it is."""
    if not sample.size:
        raise ImageError("the sky cannot be measured: there is no valid pixel")
    n = sample.size
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
            " was observed, mask them (a weight map of zeros there, or NaN). If the values come in"
            " steps larger than the noise (whole numbers, or lossy compression), give the image as"
            " it was before they were rounded"
        )
    return SkyLevel(level, noise), sample.size / n
