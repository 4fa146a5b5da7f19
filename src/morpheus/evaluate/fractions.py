"""Fractions with their binomial intervals, in bins of anything; numbers by area."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.stats import binom_conf_interval, poisson_conf_interval
from numpy.typing import NDArray

__all__ = ["CONFIDENCE", "binned", "fraction", "rate"]

CONFIDENCE = 0.6827
"""Of all intervals: one sigma."""


def fraction(k: float, n: float) -> dict[str, Any]:
    """Give a fraction and its interval: that of Jeffreys (Brown, Cai & DasGupta 2001).

    Parameters
    ----------
    k, n : int
        Successes and trials.

    Returns
    -------
    dict
        `k`, `n`, `value`, and the limits `lower` and `upper`; NaN without trials.
    """
    k, n = int(k), int(n)
    if n == 0:
        value = lower = upper = float("nan")
    else:
        value = k / n
        limits = binom_conf_interval(k, n, confidence_level=CONFIDENCE, interval="jeffreys")
        lower, upper = (float(limit) for limit in limits)
    return {"k": k, "n": n, "value": value, "lower": lower, "upper": upper}


def binned(
    values: NDArray[np.floating[Any]], success: NDArray[np.bool_], edges: Sequence[float]
) -> list[dict[str, Any]]:
    """Give fractions in bins.

    Parameters
    ----------
    values : ndarray, shape (n,)
        What the bins are of; NaN is in none.
    success : ndarray of bool, shape (n,)
        What is counted.
    edges : sequence of float
        Limits of the bins, rising; a bin holds its lower limit.

    Returns
    -------
    list of dict
        For each bin that is not empty, the `fraction` and the bin's `low` and `high`.
    """
    index = np.digitize(values, edges) - 1
    index[np.isnan(values)] = -1
    found = []
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = index == number
        if inside.any():
            part = fraction(int(success[inside].sum()), int(inside.sum()))
            found.append({"low": float(low), "high": float(high), **part})
    return found


def rate(number: float, area: float) -> dict[str, Any]:
    """Give a number by area and its Poisson interval (68.27%; Gehrels 1986).

    Parameters
    ----------
    number : int
        How many there are.
    area : float
        Where; NaN if it is not known.

    Returns
    -------
    dict
        `n`, `value`, and the limits `lower` and `upper`; NaN without an area.
    """
    lower, upper = poisson_conf_interval(int(number), interval="frequentist-confidence")
    area = area if area > 0 else float("nan")
    return {
        "n": int(number),
        "value": number / area,
        "lower": float(lower) / area,
        "upper": float(upper) / area,
    }
