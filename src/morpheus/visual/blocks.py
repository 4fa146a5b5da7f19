"""Fields that are too large for a picture: means of blocks of pixels."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["block_means"]


def block_means(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Average over blocks of pixels, those that are finite.

    Parameters
    ----------
    values : ndarray of float32, shape (y, x)
        The pixels.
    step : int
        How many pixels a block has along each axis; the last ones may have fewer.

    Returns
    -------
    ndarray of float32, shape (ceil(y / step), ceil(x / step))
        The means; NaN where no pixel is finite. With a step of 1 what was given.
    """
    if step == 1:
        return values
    good = np.isfinite(values)
    n = _block_sums(good.astype(np.float32), step)
    total = _block_sums(np.where(good, values, np.float32(0)), step)
    means: NDArray[np.float32] = np.full(n.shape, np.nan, np.float32)
    np.divide(total, n, out=means, where=n > 0)
    return means


def _block_sums(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    rows, columns = (-n % step for n in values.shape)
    whole = np.pad(values, ((0, rows), (0, columns))) if rows or columns else values
    height, width = whole.shape
    # Along y first, where whole rows are added, and only then along x.
    summed = whole.reshape(height // step, step, width).sum(axis=1)
    result: NDArray[np.float32] = summed.reshape(-1, width // step, step).sum(axis=2)
    return result
