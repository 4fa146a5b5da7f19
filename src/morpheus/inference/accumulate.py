"""The sum over windows: exact integers, so that order and grouping make no difference."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from morpheus.errors import ModelError

__all__ = ["PROBABILITY_BITS", "Accumulator", "Statistics"]

PROBABILITY_BITS = 21
"""Probabilities are rounded to multiples of 2**-21 (4.8e-7) before they are summed.

As integers, sums and sums of squares are exact in 64 bits for up to 2**20 windows a pixel, and
integer addition is associative: tiles, batches, threads and restarts in any order give the same
bits. The rounding is below the network's own error in float32 (about 3e-6).
"""

_SCALE = 1 << PROBABILITY_BITS


@dataclass(frozen=True, eq=False)
class Statistics:
    """What the windows said about each pixel.

    Parameters
    ----------
    mean : ndarray of float32, shape (class, y, x)
        Mean of the windows' probabilities.
    variance : ndarray of float32, shape (class, y, x), or None
        Their (population) variance; None where no pixel is seen more than once.
    votes : ndarray of float32, shape (class, y, x), or None
        Fraction of the windows in which the class ranked first; None with the variance.
    n : ndarray of uint32, shape (y, x)
        Number of windows. The others are NaN where it is 0.
    """

    mean: NDArray[np.float32]
    variance: NDArray[np.float32] | None
    votes: NDArray[np.float32] | None
    n: NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Accumulator:
    """Sums of probabilities, of their squares and of votes over overlapping windows.

    Parameters
    ----------
    total, squares : ndarray of int64, shape (class, y, x)
        Sums of the probabilities and of their squares, in units of 2**-21 and 2**-42.
    votes : ndarray of uint32, shape (class, y, x)
        Windows in which the class ranked first.
    n : ndarray of uint32, shape (y, x)
        Windows.
    """

    total: NDArray[np.int64]
    squares: NDArray[np.int64]
    votes: NDArray[np.uint32]
    n: NDArray[np.uint32]

    @classmethod
    def zeros(cls, n_classes: int, height: int, width: int) -> "Accumulator":
        """Make an empty accumulator.

        Parameters
        ----------
        n_classes : int
            Number of classes.
        height, width : int
            Extent in pixels.

        Returns
        -------
        Accumulator
            All sums are 0.
        """
        shape = (n_classes, height, width)
        return cls(
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.uint32),
            np.zeros(shape[1:], np.uint32),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Extent in pixels, (y, x)."""
        return self.n.shape[0], self.n.shape[1]

    def add(self, probabilities: NDArray[np.float32], y: int, x: int, step: int) -> None:
        """Add windows that lie in a row at equal distances.

        Parameters
        ----------
        probabilities : ndarray of float32, shape (count, class, height, width)
            What each window says, 0 to 1.
        y, x : int
            Where the first window's first pixel falls.
        step : int
            Distance between windows, in pixels.

        Raises
        ------
        ModelError
            If a probability is not a number.
        """
        count, _, height, width = probabilities.shape
        first = _first_ranked(probabilities).astype(np.uint32)
        fixed = np.rint(probabilities * np.float32(_SCALE)).astype(np.int64)
        squares = fixed * fixed
        rows = slice(y, y + height)
        reach = np.zeros((count - 1) * step + width, np.uint32)  # windows over each column
        # All windows' pixels of one column at once: vectorised over windows, classes and rows.
        for column in range(width):
            start = x + column
            columns = slice(start, start + (count - 1) * step + 1, step)
            reach[column : column + (count - 1) * step + 1 : step] += np.uint32(1)
            self.total[:, rows, columns] += fixed[..., column].transpose(1, 2, 0)
            self.squares[:, rows, columns] += squares[..., column].transpose(1, 2, 0)
            self.votes[:, rows, columns] += first[..., column].transpose(1, 2, 0)
        self.n[rows, x : x + len(reach)] += reach

    def merge(self, other: "Accumulator", y: int = 0, x: int = 0) -> None:
        """Add another accumulator's sums.

        Parameters
        ----------
        other : Accumulator
            What to add; it may reach beyond neither edge.
        y, x : int, optional
            Where its first pixel falls.
        """
        height, width = other.shape
        window = (..., slice(y, y + height), slice(x, x + width))
        self.total[window] += other.total
        self.squares[window] += other.squares
        self.votes[window] += other.votes
        self.n[window] += other.n

    def cropped(self, rows: slice, columns: slice) -> "Accumulator":
        """Take a part, without copying.

        Parameters
        ----------
        rows, columns : slice
            The part.

        Returns
        -------
        Accumulator
            Views of the sums.
        """
        return Accumulator(
            self.total[:, rows, columns],
            self.squares[:, rows, columns],
            self.votes[:, rows, columns],
            self.n[rows, columns],
        )

    def statistics(self, mask: NDArray[np.bool_] | None = None) -> Statistics:
        """Finish the sums.

        The mean is `sum(p) / n`, the variance `sum(p^2) / n - mean^2` (Hausen & Robertson 2020,
        section 3.4, eqs. 5-6), a vote the fraction of windows (their rank voting).

        Parameters
        ----------
        mask : ndarray of bool, shape (y, x), optional
            Pixels that take no part: `n` becomes 0 and the rest NaN there.

        Returns
        -------
        Statistics
            Maps of the accumulator's extent.
        """
        n = self.n if mask is None else np.where(mask, np.uint32(0), self.n)
        mean, variance, votes = (np.empty(self.total.shape, np.float32) for _ in range(3))
        count = np.where(n > 0, n, np.nan)
        for k in range(len(self.total)):  # one class at a time keeps the temporaries small
            exact = self.total[k] / count
            mean[k] = exact / _SCALE
            # Rounding can make the difference of two equal numbers slightly negative.
            variance[k] = np.maximum(self.squares[k] / count - exact * exact, 0) / _SCALE**2
            votes[k] = self.votes[k] / count
        return Statistics(mean, variance, votes, n)


def _first_ranked(probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark the most probable class of each pixel; of equals, the first."""
    n_pixels = probabilities.size // probabilities.shape[1]
    first: NDArray[np.bool_] = probabilities == probabilities.max(axis=1, keepdims=True)
    marked = np.count_nonzero(first)
    if marked < n_pixels:
        raise ModelError("the network's output is not a number: the weights are unusable")
    if marked > n_pixels:
        first &= np.cumsum(first, axis=1) == 1
    return first
