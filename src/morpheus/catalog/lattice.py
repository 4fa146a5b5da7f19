"""In which part of a field a source is measured: a fixed lattice of cells, and cutouts around them.

What photutils gives depends, in the last bits, on the coordinates. So it is always given the same
cutout for a source, whoever measures: this is what makes catalogues identical.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from morpheus.catalog.pixels import Section, grown

__all__ = ["CELL", "HALOS", "Cell", "SourceBoxes", "cells_of", "cutouts_of", "find_boxes"]

CELL = 1024
"""Side of a cell in pixels."""

HALOS = (128, 512, 2048)
"""By how many pixels cutouts reach beyond a cell: the first that is enough for a source is used."""


@dataclass(frozen=True, eq=False)
class SourceBoxes:
    """Where sources are in a field.

    Parameters
    ----------
    label : ndarray of int64, shape (source,)
        Their numbers.
    x_first : ndarray of int64, shape (source,)
        Column of the first pixel in reading order; its row is `y_min`.
    x_min, x_max, y_min, y_max : ndarray of int64, shape (source,)
        First and last column and row with a pixel of the source.
    """

    label: NDArray[np.int64]
    x_first: NDArray[np.int64]
    x_min: NDArray[np.int64]
    x_max: NDArray[np.int64]
    y_min: NDArray[np.int64]
    y_max: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> "SourceBoxes":
        """Choose some of the sources.

        Parameters
        ----------
        which : ndarray of bool or int
            True for those to keep, or their rows.

        Returns
        -------
        SourceBoxes
            Those.
        """
        return SourceBoxes(
            label=self.label[which],
            x_first=self.x_first[which],
            x_min=self.x_min[which],
            x_max=self.x_max[which],
            y_min=self.y_min[which],
            y_max=self.y_max[which],
        )

    def within(self, section: Section) -> NDArray[np.bool_]:
        """Tell which sources are in a section with all of their pixels.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns.

        Returns
        -------
        ndarray of bool, shape (source,)
            True for those.
        """
        rows, columns = section
        inside: NDArray[np.bool_] = (
            (self.y_min >= rows.start)
            & (self.y_max < rows.stop)
            & (self.x_min >= columns.start)
            & (self.x_max < columns.stop)
        )
        return inside


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell of the lattice.

    Parameters
    ----------
    section : tuple of slice
        Its rows and columns in the field.
    sources : SourceBoxes
        Those whose first pixel in reading order is in it, in the order of their labels.
    """

    section: Section
    sources: SourceBoxes


def find_boxes(labels: NDArray[np.int32]) -> SourceBoxes:
    """Find where the sources of a field are.

    Parameters
    ----------
    labels : ndarray of int32, shape (y, x)
        0 for the sky, 1 to N for the sources, without gaps.

    Returns
    -------
    SourceBoxes
        Of the sources 1 to N.
    """
    found = ndimage.find_objects(labels)
    edges = np.array(
        [
            (
                columns.start + np.argmax(labels[rows.start, columns] == label),
                columns.start,
                columns.stop - 1,
                rows.start,
                rows.stop - 1,
            )
            for label, (rows, columns) in enumerate(found, start=1)
        ],
        dtype=np.int64,
    ).reshape(-1, 5)
    return SourceBoxes(np.arange(1, len(edges) + 1), *edges.T)


def cells_of(boxes: SourceBoxes, shape: tuple[int, int]) -> Iterator[Cell]:
    """Share sources out among the cells of the lattice.

    Parameters
    ----------
    boxes : SourceBoxes
        The sources of a field.
    shape : tuple of int
        Size (y, x) of the field in pixels.

    Yields
    ------
    Cell
        Each that has sources, in reading order.
    """
    n_columns = -(-shape[1] // CELL)
    number = (boxes.y_min // CELL) * n_columns + boxes.x_first // CELL
    order = np.lexsort((boxes.label, number))
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    for rows in np.split(order, starts[1:]) if len(boxes) else ():
        y, x = divmod(int(number[rows[0]]), n_columns)
        corner = slice(y * CELL, (y + 1) * CELL), slice(x * CELL, (x + 1) * CELL)
        yield Cell(grown(corner, 0, shape), boxes.take(rows))


def cutouts_of(cell: Cell, shape: tuple[int, int]) -> list[Section]:
    """Give the cutouts that sources of a cell are measured in.

    Parameters
    ----------
    cell : Cell
        The cell.
    shape : tuple of int
        Size (y, x) of the field in pixels.

    Returns
    -------
    list of tuple of slice
        Rows and columns, each larger than the one before it; as many as there are `HALOS`, or up
        to the first that is the whole field.
    """
    sections = [grown(cell.section, halo, shape) for halo in HALOS]
    return [one for i, one in enumerate(sections) if not i or one != sections[i - 1]]
