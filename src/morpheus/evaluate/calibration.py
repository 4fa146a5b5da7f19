"""Calibration: whether what has a probability of 70% happens 70 times in a hundred."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["N_BINS", "calibration_curve", "expected_calibration_error", "reliability"]

Array = NDArray[np.float64]

N_BINS = 15
"""Bins of a calibration curve, of equal width from 0 to 1."""


def calibration_curve(probability: Array, share: Array) -> Array:
    """Collect probabilities and the true shares of what they are of.

    Truth may be soft: where 3 of 5 experts say disk, the share of disk is 0.6, and a perfectly
    calibrated detector's probability is 0.6 too.

    Parameters
    ----------
    probability, share : ndarray, shape (n,)
        From 0 to 1.

    Returns
    -------
    ndarray, shape (3, bins)
        Number, sum of the probabilities and sum of the shares, in bins of probability. Curves of
        different data add up.
    """
    bins = np.clip((probability * N_BINS).astype(int), 0, N_BINS - 1)
    weights = (np.ones_like(probability), probability, share)
    return np.array([np.bincount(bins, weight, N_BINS) for weight in weights])


def expected_calibration_error(curve: Array) -> float:
    r"""Give the expected calibration error (Guo et al. 2017, equation 3).

    .. math:: ECE = \sum_b \frac{n_b}{n} \left| \bar{s}_b - \bar{p}_b \right|

    with the mean probability :math:`\bar{p}_b` and true share :math:`\bar{s}_b` in the bin
    :math:`b`.

    Parameters
    ----------
    curve : ndarray, shape (3, bins)
        As `calibration_curve` gives it.

    Returns
    -------
    float
        From 0 (calibrated) to 1; NaN without data.
    """
    number, probability, share = curve
    if number.sum() == 0:
        return float("nan")
    return float(np.abs(share - probability).sum() / number.sum())


def reliability(curve: Array) -> dict[str, Any]:
    """Tell how well calibrated something is.

    Parameters
    ----------
    curve : ndarray, shape (3, bins)
        As `calibration_curve` gives it.

    Returns
    -------
    dict
        `ece`, `n`, and `bins`: of each that holds anything its limits `low` and `high`, number
        `n`, mean `probability` and mean true `share`.
    """
    bins = [
        {
            "low": index / N_BINS,
            "high": (index + 1) / N_BINS,
            "n": int(number),
            "probability": float(probability / number),
            "share": float(share / number),
        }
        for index, (number, probability, share) in enumerate(curve.T)
        if number
    ]
    return {"ece": expected_calibration_error(curve), "n": int(curve[0].sum()), "bins": bins}
