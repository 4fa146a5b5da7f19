"""How a field is divided: chunks on a lattice, as large as the memory allows."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from morpheus.errors import OptionError
from morpheus.model import ModelConfig
from morpheus.mosaic.images import Section

__all__ = ["Chunk", "ChunkGrid", "MemoryNeeds", "memory_needs", "plan_chunks"]

_MEGA = 1_000_000
# Measured peaks of a process beyond what it works on: the interpreter with all libraries, and the
# network's own memory.
_MAIN, _WORKER = 350 * _MEGA, 330 * _MEGA
_DENSE_ENGINE, _WINDOWED_ENGINE = 450 * _MEGA, 150 * _MEGA
# A cell of the catalogue with its halo, all bands, class maps and photutils' cutouts.
_CELL = 450 * _MEGA
# Bytes for a pixel of a chunk, beyond those for each band or class: what deblending holds.
_DEBLENDING = 110
_SUMS = 28  # of a class in windows that overlap: two 64-bit sums, votes, and what they become
# Pixels. Where windows overlap, those on a border are computed on both sides of it, and a chunk is
# minutes of work, which a crash costs.
_LARGEST, _LARGEST_WINDOWED, _SMALLEST = 2048, 1024, 64
_BAND_OF_ROWS = 64 * _MEGA  # what is held of a class map while it is written


@dataclass(frozen=True)
class Chunk:
    """A part of a field that one task works on.

    Parameters
    ----------
    row, column : int
        Place in the grid.
    section : tuple of slice
        Rows and columns of the field that it owns.
    """

    row: int
    column: int
    section: Section

    @property
    def key(self) -> str:
        """Name of the chunk: its row and its column."""
        return f"{self.row:04d}-{self.column:04d}"

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        rows, columns = self.section
        return int(rows.stop - rows.start) * int(columns.stop - columns.start)

    def __str__(self) -> str:
        rows, columns = self.section
        return (
            f"chunk {self.key} (x {columns.start} to {columns.stop - 1},"
            f" y {rows.start} to {rows.stop - 1})"
        )


@dataclass(frozen=True)
class ChunkGrid:
    """All chunks of a field.

    Parameters
    ----------
    shape : tuple of int
        Size (y, x) of the field in pixels.
    size : tuple of int
        Rows and columns of a chunk.
    offset : tuple of int, optional
        Rows and columns by which the first chunk begins before the field, so that borders lie
        where the model's windows do.
    """

    shape: tuple[int, int]
    size: tuple[int, int]
    offset: tuple[int, int] = (0, 0)

    @property
    def n_rows(self) -> int:
        """Number of rows of chunks."""
        return -(-(self.shape[0] + self.offset[0]) // self.size[0])

    @property
    def n_columns(self) -> int:
        """Number of columns of chunks."""
        return -(-(self.shape[1] + self.offset[1]) // self.size[1])

    @property
    def stored_shape(self) -> tuple[int, int]:
        """Size (y, x) of all chunks together, each of them whole."""
        return self.n_rows * self.size[0], self.n_columns * self.size[1]

    def chunk(self, row: int, column: int) -> Chunk:
        """Give a chunk.

        Parameters
        ----------
        row, column : int
            Its place.

        Returns
        -------
        Chunk
            As far as it lies in the field.
        """
        rows, columns = (
            slice(max(0, i * size - offset), min(n, (i + 1) * size - offset))
            for i, size, offset, n in zip(
                (row, column), self.size, self.offset, self.shape, strict=True
            )
        )
        return Chunk(row, column, (rows, columns))

    def __iter__(self) -> Iterator[Chunk]:
        for row in range(self.n_rows):
            for column in range(self.n_columns):
                yield self.chunk(row, column)

    def __len__(self) -> int:
        return self.n_rows * self.n_columns

    def overlapping(self, section: Section) -> list[Chunk]:
        """Find the chunks that have a part in a section.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns of the field, at least one of each.

        Returns
        -------
        list of Chunk
            Row by row.
        """
        rows, columns = (
            range((part.start + offset) // size, (part.stop - 1 + offset) // size + 1)
            for part, offset, size in zip(section, self.offset, self.size, strict=True)
        )
        return [self.chunk(row, column) for row in rows for column in columns]

    def rows_at_once(self, n_bytes: int) -> int:
        """Tell how many rows of the field can be held while it is written row by row.

        Parameters
        ----------
        n_bytes : int
            Bytes for a pixel.

        Returns
        -------
        int
            At most those of a chunk.
        """
        return max(1, min(self.size[0], _BAND_OF_ROWS // (n_bytes * self.shape[1])))


@dataclass(frozen=True)
class MemoryNeeds:
    """What a run takes, as estimated.

    Parameters
    ----------
    main : int
        Bytes of the process that the user started.
    worker : int
        Bytes of a worker beside its chunk.
    pixel : int
        Bytes for a pixel of a chunk and its context.
    context : int
        Pixels around a chunk that are read too.
    """

    main: int
    worker: int
    pixel: int
    context: int

    def of_worker(self, size: tuple[int, int]) -> int:
        """Estimate what a worker takes.

        Parameters
        ----------
        size : tuple of int
            Rows and columns of a chunk.

        Returns
        -------
        int
            Bytes.
        """
        n_pixels = math.prod(side + 2 * self.context for side in size)
        return self.worker + max(_CELL, self.pixel * n_pixels)


def memory_needs(config: ModelConfig, n_bands: int) -> MemoryNeeds:
    """Estimate the memory that a run with a model takes.

    Parameters
    ----------
    config : ModelConfig
        The model.
    n_bands : int
        How many bands there are.

    Returns
    -------
    MemoryNeeds
        The estimate.
    """
    n_classes = len(config.classes)
    classifying = 12 * n_bands + 8 * n_classes + 8
    if not config.is_dense:
        classifying += _SUMS * n_classes
    engine = _DENSE_ENGINE if config.is_dense else _WINDOWED_ENGINE
    return MemoryNeeds(
        main=_MAIN,
        worker=_WORKER + engine,
        pixel=max(classifying, _DEBLENDING),
        context=config.window.margin
        if config.is_dense
        else config.window.size - config.window.margin - 1,
    )


def plan_chunks(
    shape: tuple[int, int],
    origin: tuple[int, int],
    config: ModelConfig,
    needs: MemoryNeeds,
    *,
    memory: int | None,
    workers: int,
    side: int | None = None,
) -> tuple[ChunkGrid, int]:
    """Divide a field so that all workers together keep within the memory.

    Parameters
    ----------
    shape : tuple of int
        Size (y, x) of the field in pixels.
    origin : tuple of int
        Where its first pixel lies in the images, on which the model's windows are counted.
    config : ModelConfig
        The model. Borders of chunks are those of a dense model's windows.
    needs : MemoryNeeds
        What it takes.
    memory : int or None
        Bytes for all processes together; None: chunks are of the usual size.
    workers : int
        The most workers.
    side : int or None, optional
        Side of a chunk in pixels, if it was chosen.

    Returns
    -------
    grid : ChunkGrid
        The chunks.
    n_workers : int
        As many workers as there is memory for, and no more than chunks.

    Raises
    ------
    OptionError
        If the memory is not enough for one worker.
    """
    step = config.window.inner if config.is_dense else _SMALLEST
    largest = _LARGEST if config.is_dense else _LARGEST_WINDOWED
    sides = list(range(step, max(step, largest) + 1, step))[::-1] if side is None else [side]
    choices = [(n, side) for n in range(workers, 0, -1) for side in sides]
    if memory is not None:
        choices = [
            (n, side)
            for n, side in choices
            if needs.main + n * needs.of_worker((side, side)) <= memory
        ]
        if not choices:
            least = needs.main + needs.of_worker((sides[-1], sides[-1]))
            raise OptionError(
                f"--memory {memory / 1e9:.3g} GB is not enough: this model takes"
                f" {least / 1e9:.2g} GB"
            )
    n_workers, size = choices[0]
    # Small enough for two chunks a worker, by their area: else some have nothing to do in the end.
    while side is None and n_workers > 1 and size > step:
        if 2 * n_workers * math.prod(min(size, n) for n in shape) <= math.prod(shape):
            break
        size -= step
    offset = (origin[0] % step, origin[1] % step) if config.is_dense and size >= step else (0, 0)
    rows, columns = (min(size, n + before) for n, before in zip(shape, offset, strict=True))
    grid = ChunkGrid(shape, (rows, columns), offset)
    return grid, min(n_workers, len(grid))
