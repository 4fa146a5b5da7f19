"""Examples to train with, and others to validate with: whole areas of the sky go to one side."""

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from morpheus.errors import OptionError

__all__ = ["split_examples"]

Indices = NDArray[np.int64]


def split_examples(cells: ArrayLike, share: float, seed: int = 0) -> tuple[Indices, Indices]:
    """Split examples into those to train with and those to validate with.

    Cells are ordered by a hash of the seed and their number. From the first on they go to the
    validation as long as that brings its number of examples nearer to the wanted one. So which
    side a cell is on depends neither on the order of the examples nor on the machine.

    Parameters
    ----------
    cells : array-like of int, shape (n,)
        Cell of each example, as `Dataset.cells` gives it.
    share : float
        Of the examples that are to validate with, 0 to 1; none for 0, and all for 1.
    seed : int, optional
        Chooses another split.

    Returns
    -------
    train : ndarray of int64
        Indices of the examples to train with, ascending.
    validation : ndarray of int64
        Indices of the others. With two cells or more and a share between 0 and 1
        neither is empty; with one cell the validation is.

    Raises
    ------
    OptionError
        If the share is not 0 to 1, or the cells are not a list of integers.
    """
    numbers = np.asarray(cells)
    if numbers.ndim != 1 or (numbers.dtype.kind not in "iu" and numbers.size):
        raise OptionError(
            f"cells are {numbers.dtype} of shape {numbers.shape}; they must be a list of integers"
        )
    if not 0 <= share <= 1:
        raise OptionError(f"the share is {share}; it must be 0 to 1")
    names, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    chosen = np.zeros(len(names), dtype=bool)
    if share == 1:
        chosen[:] = True
    elif share > 0:
        order = sorted(range(len(names)), key=lambda place: _rank(seed, int(names[place])))
        wanted, held = share * len(numbers), 0
        for place in order[:-1]:  # one is left to train with
            count = int(counts[place])
            if held and abs(held + count - wanted) >= abs(held - wanted):
                break
            chosen[place] = True
            held += count
    validates = chosen[inverse]
    return np.flatnonzero(~validates), np.flatnonzero(validates)


def _rank(seed: int, cell: int) -> bytes:
    return hashlib.sha256(f"{seed}/{cell}".encode()).digest()
