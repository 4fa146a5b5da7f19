"""Windows in rows and columns at equal distances: what a GPU sums in a few large steps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from morpheus.inference.windows import Tile

__all__ = ["Block", "batches", "blocks_of"]


@dataclass(frozen=True)
class Block:
    """Windows whose first pixels are `(y + i * row_step, x + j * step)`.

    Parameters
    ----------
    y, x : int
        First pixel of the first window.
    row_step, step : int
        Distance between windows along y and x, in pixels.
    rows, columns : int
        Number of windows along y and x.
    """

    y: int
    x: int
    row_step: int
    step: int
    rows: int
    columns: int

    @property
    def n_windows(self) -> int:
        """Number of windows."""
        return self.rows * self.columns

    def starts(self, y: int = 0, x: int = 0) -> tuple[slice, slice]:
        """Give rows and columns of the windows' first pixels.

        Parameters
        ----------
        y, x : int, optional
            What is added to them.

        Returns
        -------
        tuple of slice
            Along y and x.
        """
        y, x = y + self.y, x + self.x
        return (
            slice(y, y + (self.rows - 1) * self.row_step + 1, self.row_step),
            slice(x, x + (self.columns - 1) * self.step + 1, self.step),
        )

    def reach(self, size: int) -> tuple[int, int]:
        """Tell how many pixels the windows span.

        Parameters
        ----------
        size : int
            Side of a window.

        Returns
        -------
        tuple of int
            Along y and x.
        """
        return (self.rows - 1) * self.row_step + size, (self.columns - 1) * self.step + size

    def count(self, size: int) -> NDArray[np.uint32]:
        """Count the windows over each pixel that they span.

        Parameters
        ----------
        size : int
            Side of a window.

        Returns
        -------
        ndarray of uint32, shape (y, x)
            Of the extent that `reach` tells.
        """
        along = []
        for n, step, length in zip(
            (self.rows, self.columns), (self.row_step, self.step), self.reach(size), strict=True
        ):
            ends = np.zeros(length + 1, np.int64)
            np.add.at(ends, np.arange(n) * step, 1)
            np.add.at(ends, np.arange(n) * step + size, -1)
            along.append(ends[:-1].cumsum().astype(np.uint32))
        return np.multiply.outer(*along)

    def divide(self, free: int, size: int) -> tuple["Block | None", list["Block"]]:
        """Divide into what fits in and the rest.

        Parameters
        ----------
        free : int
            How many windows fit in, 1 to `size`.
        size : int
            How many windows would fit in at most.

        Returns
        -------
        first : Block or None
            At most `free` windows; None if that would cut a row which is whole elsewhere.
        rest : list of Block
            What remains.
        """
        if self.n_windows <= free:
            return self, []
        if self.columns > size:
            first, rest = replace(self, columns=size), self.columns - size
            others = replace(self, x=self.x + size * self.step, columns=rest)
            return None, [first, others]
        fit = free // self.columns
        if not fit:
            return None, [self]
        others = replace(self, y=self.y + fit * self.row_step, rows=self.rows - fit)
        return replace(self, rows=fit), [others]


def blocks_of(tile: Tile) -> list[Block]:
    """Put the windows of a tile together.

    Parameters
    ----------
    tile : Tile
        The windows in rows.

    Returns
    -------
    list of Block
        Each of them once.
    """
    alike: dict[tuple[int, int, int], list[int]] = {}
    for run in tile.runs:
        alike.setdefault((run.x, run.step, run.count), []).append(run.y)
    return [
        Block(y, x, row_step, step, rows, columns)
        for (x, step, columns), ys in alike.items()
        for y, row_step, rows in _progressions(ys)
    ]


def _progressions(values: list[int]) -> Iterator[tuple[int, int, int]]:
    """Divide increasing numbers into such at equal distances: first, distance and count."""
    first = 0
    while first < len(values):
        last = min(first + 1, len(values) - 1)
        step = max(1, values[last] - values[first])
        while last + 1 < len(values) and values[last + 1] - values[last] == step:
            last += 1
        yield values[first], step, last - first + 1
        first = last + 1


def batches(blocks: list[Block], size: int) -> Iterator[list[Block]]:
    """Fill batches of at most `size` windows.

    Parameters
    ----------
    blocks : list of Block
        The windows.
    size : int
        The most windows in a batch.

    Yields
    ------
    list of Block
        Blocks and parts of them: whole rows, unless a row is longer than a batch.
    """
    batch: list[Block] = []
    free, waiting = size, blocks[::-1]
    while waiting:
        first, rest = waiting.pop().divide(free, size)
        waiting += rest[::-1]
        if first is not None:
            batch.append(first)
            free -= first.n_windows
        if batch and (free == 0 or (first is None and len(rest) == 1)):
            yield batch
            batch, free = [], size
    if batch:
        yield batch
