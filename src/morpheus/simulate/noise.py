"""Noise with the correlation of drizzled images."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["correlated_noise", "correlation_factor"]


def _weight(correlation: float) -> float:
    """Weight of the neighbours in the kernel (w, 1, w): ``2 w / (1 + 2 w^2) = correlation``."""
    if correlation == 0:
        return 0.0
    return (1 - math.sqrt(1 - 2 * correlation**2)) / (2 * correlation)


def correlation_factor(correlation: float) -> float:
    """Tell by how much the noise of large areas exceeds that of independent pixels.

    Parameters
    ----------
    correlation : float
        Of neighbours along an axis.

    Returns
    -------
    float
        The square root of the sum of the autocorrelation over all lags (Casertano et al. 2000).
    """
    w = _weight(correlation)
    return (1 + 2 * w) ** 2 / (1 + 2 * w**2)


def correlated_noise(
    rng: np.random.Generator, shape: tuple[int, int], correlation: float
) -> NDArray[np.float64]:
    """Draw Gaussian noise of variance 1.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the numbers are from.
    shape : tuple of int
        Rows and columns.
    correlation : float
        Of neighbours along an axis; it is its square along a diagonal.

    Returns
    -------
    ndarray
        White noise through the kernel (w, 1, w) along both axes.
    """
    w = _weight(correlation)
    white = rng.standard_normal((shape[0] + 2, shape[1] + 2))
    rows = white[1:-1] + w * (white[:-2] + white[2:])
    both: NDArray[np.float64] = rows[:, 1:-1] + w * (rows[:, :-2] + rows[:, 2:])
    return both / (1 + 2 * w**2)
