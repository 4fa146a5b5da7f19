"""Class maps to regions: which pixels are of a source at all."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import sobel
from skimage.segmentation import watershed

__all__ = ["EIGHT", "FOUR", "probability_regions", "published_regions"]

FOUR = ndimage.generate_binary_structure(2, 1)
"""Pixels that share a side are neighbours."""
EIGHT = ndimage.generate_binary_structure(2, 2)
"""Pixels that share a side or a corner are neighbours."""


def published_regions(
    background: NDArray[np.floating[Any]], valid: NDArray[np.bool_], threshold: float
) -> NDArray[np.int32]:
    """Find regions of source pixels as Hausen & Robertson (2020) do, section 4.3, algorithm 1.

    Sky is seeded where P(background) is exactly 1 and sources where it is at most the threshold;
    a watershed on the Sobel gradient of P(background) shares out the rest, and pixels of source
    that share a side belong together.

    Parameters
    ----------
    background : ndarray of float, shape (y, x)
        P(background), of the votes as published. Values where `valid` is False do not count.
    valid : ndarray of bool, shape (y, x)
        Where pixels were classified.
    threshold : float
        Largest P(background) of a seed of a source.

    Returns
    -------
    ndarray of int32, shape (y, x)
        0 for sky and where not valid, 1 to N for the regions.

    Notes
    -----
    A region without any sky seed is flooded by the sources: with means, whose P(background) is
    hardly ever exactly 1, the whole image becomes source. The method is for votes.
    """
    # The original's votes are 0 where nothing was classified, and single precision.
    background = np.where(valid, background, 0).astype(np.float32)
    markers = np.zeros(background.shape, np.int32)
    markers[valid & (background == 1)] = 1
    markers[valid & (background <= threshold)] = 2
    if not markers.any():
        return markers
    flooded = watershed(sobel(background), markers, mask=valid)
    regions, _ = ndimage.label(flooded == 2, FOUR, output=np.int32)  # noqa: PLR2004 (marker)
    return np.asarray(regions)


def probability_regions(
    source: NDArray[np.floating[Any]],
    valid: NDArray[np.bool_],
    *,
    seed: float,
    grow: float,
    min_area: int,
) -> NDArray[np.int32]:
    """Find regions of source pixels by hysteresis.

    Parameters
    ----------
    source : ndarray of float, shape (y, x)
        P(source) = 1 - P(background). Values where `valid` is False do not count.
    valid : ndarray of bool, shape (y, x)
        Where pixels were classified.
    seed : float
        A region reaches this probability somewhere.
    grow : float
        Its pixels are more probable than this; they hang together by sides or corners.
    min_area : int
        Its smallest number of pixels.

    Returns
    -------
    ndarray of int32, shape (y, x)
        0 for sky and where not valid, 1 to N for the regions.
    """
    regions, n_regions = ndimage.label(valid & (source > grow), EIGHT, output=np.int32)
    seeded = np.zeros(n_regions + 1, bool)
    seeded[regions[valid & (source >= seed)]] = True
    keep = seeded & (np.bincount(regions.ravel(), minlength=n_regions + 1) >= min_area)
    keep[0] = False
    numbers = np.cumsum(keep, dtype=np.int32) * keep
    return np.asarray(numbers[regions], np.int32)
