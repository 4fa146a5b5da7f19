"""What is done to pixel values before the network sees them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["NORMALISERS", "Normaliser", "standardise_jointly"]

Normaliser = Callable[[NDArray[np.float32], NDArray[np.bool_] | None], NDArray[np.float32]]
"""Windows (n, band, y, x) and their valid pixels (n, y, x) or None, to normalised windows."""


def standardise_jointly(
    windows: NDArray[np.float32], valid: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Standardise each window by one mean and one standard deviation over all of its bands.

    `(x - mean) / max(std, 1 / sqrt(N))` with `N` the number of valid values of the window: the
    per-image standardisation of Hausen & Robertson (2020), section 3.3 (TensorFlow's
    `per_image_standardization`). Joint over the bands, so that colours survive.

    Each window is reduced by itself in a fixed order, so its values do not depend on which other
    windows are beside it.

    Parameters
    ----------
    windows : ndarray of float32, shape (n, band, y, x)
        Finite pixel values, in the unit of the image. Invalid pixels may hold any finite value.
    valid : ndarray of bool, shape (n, y, x), optional
        False where a pixel takes no part: it enters neither mean nor deviation, and comes out as
        0, the mean. All pixels are valid if None.

    Returns
    -------
    ndarray of float32, shape (n, band, y, x)
        Standardised windows. A window without a valid pixel, or a constant one, is 0 everywhere.
    """
    n, bands, height, width = windows.shape
    flat: NDArray[np.float32] = windows.reshape(n, -1)
    if valid is None:
        count: NDArray[np.float32] | np.float32 = np.float32(flat.shape[1])
        # Two passes: the second mean mends the rounding of the first where a pedestal is large.
        flat = flat - flat.mean(axis=1, keepdims=True)
        flat -= flat.mean(axis=1, keepdims=True)
    else:
        weight = np.broadcast_to(valid[:, None], windows.shape).reshape(n, -1).astype(np.float32)
        count = np.maximum(weight.sum(axis=1, keepdims=True), np.float32(1))
        flat = flat * weight
        for _ in range(2):
            flat -= flat.sum(axis=1, keepdims=True) / count
            flat *= weight
    std = np.sqrt((flat * flat).sum(axis=1, keepdims=True) / count)
    flat /= np.maximum(std, 1 / np.sqrt(count))
    standardised: NDArray[np.float32] = flat.reshape(n, bands, height, width)
    return standardised


NORMALISERS: dict[str, Normaliser] = {"joint-window": standardise_jointly}
"""The normalisers that a `config.json` can name."""
