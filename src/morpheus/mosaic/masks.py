"""Which pixels are valid, and how much they weigh."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from morpheus.errors import ImageError

__all__ = ["flagged", "inverse_variance", "to_float32"]


def to_float32(values: NDArray[Any], out: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Convert pixels to native 32-bit floats.

    Parameters
    ----------
    values : ndarray, shape (y, x)
        Real numbers of any type and byte order.
    out : ndarray of float32, shape (y, x)
        Where they are written.

    Returns
    -------
    ndarray of bool, shape (y, x)
        True where a pixel is invalid: NaN, infinite, or beyond the range of float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        out[...] = values
    invalid: NDArray[np.bool_] = ~np.isfinite(out)
    return invalid


def inverse_variance(
    values: NDArray[Any], kind: Literal["weight", "rms"], out: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Convert a weight or rms map to inverse variance.

    A weight map is the inverse variance; an rms map gives it as ``1 / rms**2``.

    Parameters
    ----------
    values : ndarray, shape (y, x)
        The map.
    kind : {"weight", "rms"}
        What it holds.
    out : ndarray of float32, shape (y, x)
        Where the inverse variance is written; 0 where it is invalid.

    Returns
    -------
    ndarray of bool, shape (y, x)
        True where the map is NaN, infinite, zero or negative.

    Notes
    -----
    The map's own values decide what is valid. An inverse variance beyond the range of float32
    (such as of a noise of 1e-20 erg/s/cm2/A) is kept at the end of that range.
    """
    invalid: NDArray[np.bool_] = ~((values > 0) & np.isfinite(values))
    with np.errstate(all="ignore"):
        if kind == "rms":
            values = np.square(values, dtype=np.float64)
            np.divide(1.0, values, out=values)
        limits = np.finfo(np.float32)
        out[...] = np.clip(values, limits.tiny, limits.max)
    out[invalid] = 0
    return invalid


def flagged(values: NDArray[Any], name: str) -> NDArray[np.bool_]:
    """Find the pixels that a data-quality map flags.

    Parameters
    ----------
    values : ndarray, shape (y, x)
        The map: whole numbers, 0 where a pixel is good.
    name : str
        What messages call the map.

    Returns
    -------
    ndarray of bool, shape (y, x)
        True where the map is not 0 (or NaN, which stands for BLANK).

    Raises
    ------
    ImageError
        If it holds fractions, so is no data-quality map.
    """
    # BLANK and BSCALE make astropy return integers as floats: the values count, not the type.
    if values.dtype.kind == "f" and np.any(np.isfinite(values) & (values != np.rint(values))):
        raise ImageError(
            f"{name} holds fractions, flags are whole numbers (0 = good); "
            "is it a weight or rms map?"
        )
    invalid: NDArray[np.bool_] = values != 0
    return invalid
