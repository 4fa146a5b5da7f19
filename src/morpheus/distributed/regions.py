"""Regions of source pixels that hang together across chunks."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from morpheus.distributed.chunks import Chunk, ChunkGrid
from morpheus.distributed.records import Record
from morpheus.distributed.store import FieldStore
from morpheus.mosaic.images import Section
from morpheus.segmentation.detect import EIGHT

__all__ = ["REGIONS_TABLE", "Regions", "join_regions", "label_chunk"]

REGIONS_TABLE = "regions"
_SIDES = ("top", "bottom", "left", "right")


def label_chunk(
    source: NDArray[np.bool_], seeds: NDArray[np.bool_], chunk: Chunk, width: int
) -> tuple[NDArray[np.int32], Record]:
    """Label what hangs together in a chunk.

    Parameters
    ----------
    source : ndarray of bool, shape (y, x)
        Pixels that may be of sources.
    seeds : ndarray of bool, shape (y, x)
        Those of which a region needs one.
    chunk : Chunk
        Where they lie.
    width : int
        Width of the field, for the numbers of pixels.

    Returns
    -------
    labels : ndarray of int32, shape (y, x)
        1 to N.
    record : dict of str to ndarray
        Of each label its number of pixels, whether it has a seed, its first pixel in the field
        and its bounding box (y_min, y_max, x_min, x_max); and the labels on the chunk's sides.
    """
    labels, n = ndimage.label(source, EIGHT, output=np.int32)
    seeded = np.zeros(n + 1, bool)
    seeded[labels[seeds & source]] = True
    rows, columns = chunk.section
    boxes = np.array(
        [
            (box[0].start, box[0].stop - 1, box[1].start, box[1].stop - 1)
            for box in ndimage.find_objects(labels)
        ],
        np.int64,
    ).reshape(-1, 4)
    place = np.flatnonzero(labels)
    found, first = np.unique(labels.ravel()[place], return_index=True)
    y, x = np.divmod(place[first], labels.shape[1])
    assert len(found) == n  # noqa: S101 (every label has a pixel)
    return labels, {
        "area": np.bincount(labels.ravel(), minlength=n + 1)[1:],
        "seeded": seeded[1:],
        "first": (y + rows.start) * np.int64(width) + x + columns.start,
        "box": boxes + np.array([rows.start, rows.start, columns.start, columns.start]),
        "top": labels[0],
        "bottom": labels[-1],
        "left": labels[:, 0],
        "right": labels[:, -1],
    }


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of a field.

    Parameters
    ----------
    start : ndarray of int64, shape (row * column + 1,)
        By chunk, where its labels are in `number`.
    number : ndarray of int32
        Of each label of each chunk the region that it is a part of, 0 for none.
    box : ndarray of int64, shape (region + 1, 4)
        Bounding boxes (y_min, y_max, x_min, x_max) of the regions; the first is of none.
    """

    start: NDArray[np.int64]
    number: NDArray[np.int32]
    box: NDArray[np.int64]

    @classmethod
    def load(cls, store: FieldStore) -> "Regions":
        """Read what `save` wrote.

        Parameters
        ----------
        store : FieldStore
            Of the run.

        Returns
        -------
        Regions
            The regions.
        """
        table = store.table(REGIONS_TABLE)
        return cls(table["start"], table["number"], table["box"])

    def save(self, store: FieldStore) -> None:
        """Write the regions where every task can read them.

        Parameters
        ----------
        store : FieldStore
            Of the run.
        """
        store.save_table(REGIONS_TABLE, vars(self))

    def read(self, store: FieldStore, section: Section) -> NDArray[np.int32]:
        """Give the regions of a section.

        Parameters
        ----------
        store : FieldStore
            With the labels of the chunks.
        section : tuple of slice
            Rows and columns of the field.

        Returns
        -------
        ndarray of int32, shape (y, x)
            0 for the sky, 1 to N for the regions, in the order in which they are met row by row.
        """
        rows, columns = section
        result = np.empty((rows.stop - rows.start, columns.stop - columns.start), np.int32)
        for chunk in store.grid.overlapping(section):
            part = tuple(
                slice(max(own.start, wanted.start), min(own.stop, wanted.stop))
                for own, wanted in zip(chunk.section, section, strict=True)
            )
            labels = store.read("regions", (part[0], part[1]), plane=0)
            target = tuple(
                slice(one.start - wanted.start, one.stop - wanted.start)
                for one, wanted in zip(part, section, strict=True)
            )
            result[target] = self._of_chunk(store.grid, chunk)[labels]
        return result

    def _of_chunk(self, grid: ChunkGrid, chunk: Chunk) -> NDArray[np.int32]:
        """Give the region of each label of a chunk, and 0 for label 0."""
        index = chunk.row * grid.n_columns + chunk.column
        own = self.number[self.start[index] : self.start[index + 1]]
        return np.concatenate([np.zeros(1, np.int32), own])


def join_regions(
    grid: ChunkGrid, records: Mapping[tuple[int, int], Record], min_area: int
) -> Regions:
    """Join labels that touch across the borders of chunks, by sides or corners.

    Parameters
    ----------
    grid : ChunkGrid
        The chunks.
    records : mapping of (int, int) to dict of str to ndarray
        What `label_chunk` gave, by row and column of the chunk.
    min_area : int
        Smallest number of pixels of a region.

    Returns
    -------
    Regions
        Those that are as large and have a seed, in the order in which they are met row by row:
        the numbers that labelling the whole field would give.
    """
    order = [(chunk.row, chunk.column) for chunk in grid]
    counts = [len(records[place]["area"]) for place in order]
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    offset = dict(zip(order, start[:-1].tolist(), strict=True))

    def line(place: tuple[int, int], side: str) -> NDArray[np.int64]:
        labels = records[place][side].astype(np.int64)
        return np.where(labels > 0, labels + offset[place], 0)

    pairs = [np.zeros((2, 0), np.int64)]
    for row in range(grid.n_rows - 1):
        # The whole width at once, so that corners of four chunks are among the pairs.
        above, below = (
            np.concatenate([line((i, column), side) for column in range(grid.n_columns)])
            for i, side in ((row, "bottom"), (row + 1, "top"))
        )
        pairs += _touching(above, below)
    for row in range(grid.n_rows):
        for column in range(grid.n_columns - 1):
            pairs += _touching(line((row, column), "right"), line((row, column + 1), "left"))
    first, second = np.concatenate(pairs, axis=1) - 1
    n = int(start[-1])
    graph = sparse.coo_array((np.ones(len(first), bool), (first, second)), shape=(n, n))
    n_groups, group = sparse.csgraph.connected_components(graph, directed=False)
    return _numbered(start, group, n_groups, [records[place] for place in order], min_area)


def _touching(one: NDArray[np.int64], other: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Pair the labels of two lines of pixels that lie side by side."""
    shifted = ((one, other), (one[1:], other[:-1]), (one[:-1], other[1:]))
    stacks = [np.stack(pair) for pair in shifted]
    return [np.unique(stack[:, (stack > 0).all(axis=0)], axis=1) for stack in stacks]


def _numbered(
    start: NDArray[np.int64],
    group: NDArray[np.int32],
    n_groups: int,
    records: list[Record],
    min_area: int,
) -> Regions:
    """Give numbers to the groups of labels that are regions."""
    area, seeded, first, box = (
        np.concatenate([record[name] for record in records])
        for name in ("area", "seeded", "first", "box")
    )
    total = np.zeros(n_groups, np.int64)
    np.add.at(total, group, area)
    has_seed = np.zeros(n_groups, bool)
    np.logical_or.at(has_seed, group, seeded)
    first_of = np.full(n_groups, np.iinfo(np.int64).max)
    np.minimum.at(first_of, group, first)
    kept = np.flatnonzero(has_seed & (total >= min_area))
    kept = kept[np.argsort(first_of[kept])]
    number = np.zeros(n_groups, np.int32)
    number[kept] = np.arange(1, len(kept) + 1)
    boxes = np.tile(np.array([2**62, -1, 2**62, -1], np.int64), (n_groups, 1))
    for axis in (0, 2):
        np.minimum.at(boxes[:, axis], group, box[:, axis])
        np.maximum.at(boxes[:, axis + 1], group, box[:, axis + 1])
    return Regions(start, number[group], np.vstack([np.zeros((1, 4), np.int64), boxes[kept]]))
