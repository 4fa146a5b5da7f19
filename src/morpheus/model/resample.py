"""The up-sampling of the published network, as a matrix."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["bicubic_doubling"]

# Keys (1981) with the parameter that TensorFlow 1 uses; its table of weights has 1024 entries.
_KEYS_A = -0.75
_TABLE_SIZE = 1024


@cache
def bicubic_doubling(n: int) -> NDArray[np.float32]:
    """Matrix that doubles the resolution along one axis as TensorFlow 1 does.

    This is `tf.image.resize_bicubic(..., align_corners=True)` from `n` to `2 n` pixels: output
    pixel `o` lies at `o (n - 1) / (2 n - 1)` of the input, is interpolated from the four pixels
    around it with the kernel of Keys (1981, IEEE Trans. ASSP 29, 1153, eq. 4) with A = -0.75, the
    fractional offset rounded to 1/1024, and indices beyond the edge taken at the edge. A square
    image is up-sampled exactly by `M @ image @ M.T`.

    Parameters
    ----------
    n : int
        Number of input pixels, at least 1.

    Returns
    -------
    ndarray of float32, shape (2 n, n)
        The matrix; its rows sum to one. Read-only, since it is cached.
    """
    # float32, as in the original: the rounding to the table depends on it.
    scale = np.float32(n - 1) / np.float32(2 * n - 1)
    position = np.arange(2 * n, dtype=np.float32) * scale
    left = np.floor(position)
    offset = np.rint((position - left) * np.float32(_TABLE_SIZE)).astype(np.float64) / _TABLE_SIZE
    taps = left.astype(int)[:, None] + np.arange(-1, 3)
    weights = np.stack(
        [_outer(offset + 1), _inner(offset), _inner(1 - offset), _outer(2 - offset)], axis=1
    )
    matrix = np.zeros((2 * n, n))
    rows = np.broadcast_to(np.arange(2 * n)[:, None], taps.shape)
    np.add.at(matrix, (rows, np.clip(taps, 0, n - 1)), weights)
    result = matrix.astype(np.float32)
    result.setflags(write=False)
    return result


def _inner(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' kernel for distances up to one pixel."""
    return ((_KEYS_A + 2) * x - (_KEYS_A + 3)) * x * x + 1


def _outer(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' kernel for distances from one to two pixels."""
    return ((_KEYS_A * x - 5 * _KEYS_A) * x + 8 * _KEYS_A) * x - 4 * _KEYS_A
