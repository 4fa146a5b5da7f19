"""The tiles of a field at every zoom: the full size is read from the files, the rest made once."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from morpheus.mosaic.images import Section
from morpheus.viewer.coding import Bytes, picture
from morpheus.viewer.kept import keep
from morpheus.viewer.tile_sets import TileSet

__all__ = ["TILE", "Pyramid", "level_shape", "n_levels"]

TILE = 256
"""Pixels of a side of a tile."""

_ROWS = 512  # that are read at a time, at least


def n_levels(shape: tuple[int, int]) -> int:
    """Tell how often a field is halved until a tile holds it.

    Parameters
    ----------
    shape : tuple of int
        Size (y, x) in pixels.

    Returns
    -------
    int
        0 for a field of up to 256 pixels a side.
    """
    return max(0, (max(shape) - 1).bit_length() - (TILE - 1).bit_length())


def level_shape(shape: tuple[int, int], level: int) -> tuple[int, int]:
    """Tell the size of a field that was halved.

    Parameters
    ----------
    shape : tuple of int
        Size (y, x) in pixels.
    level : int
        How often.

    Returns
    -------
    tuple of int
        Size (y, x); what is left over counts as one.
    """
    return -(-shape[0] >> level), -(-shape[1] >> level)


class Pyramid:
    """The tiles of a field.

    Tile (row, column) of a level holds 256 x 256 pixels, and the apron of its set around them; rows
    are counted from the bottom, as those of images are. At level 0 they are the field's. From one
    level to the next, two by two become one: the mean of those that are finite (NaN if none is),
    also where the field ends within the four; of labels, the one at the bottom left. What is
    averaged are the values, before they are written as bytes. Level 0 is read when it is asked for;
    the other levels of a set are made together, with one look at the whole field, and are kept on
    disk: one byte for each pixel of the field.

    Parameters
    ----------
    folder : Path
        Where the halved maps are kept; made when the first is written.
    shape : tuple of int
        Size (y, x) of the field in pixels.
    sets : sequence of TileSet
        What there are tiles of.
    signature : str
        Of all that the tiles are made from: maps that were made from something else are made anew.
    """

    def __init__(
        self, folder: Path, shape: tuple[int, int], sets: Sequence[TileSet], signature: str
    ) -> None:
        self.folder, self.shape, self.signature = folder, shape, signature
        self.sets = {one.name: one for one in sets}
        self.levels = n_levels(shape)
        self._locks = {name: threading.Lock() for name in self.sets}
        self._maps: dict[str, list[Bytes]] = {}

    def tile(self, name: str, level: int, row: int, column: int) -> bytes:
        """Make a tile.

        Parameters
        ----------
        name : str
            Of a set.
        level, row, column : int
            Which.

        Returns
        -------
        bytes
            A picture of 256 x 256 pixels, or more with an apron; pixels beyond the field are 0.

        Raises
        ------
        KeyError
            If there is no such tile.
        ImageError, ProductError
            If its pixels cannot be read, or halved maps cannot be written.
        """
        one = self.sets[name]
        n_rows, n_columns = self.n_tiles(level)
        if not (0 <= level <= self.levels and 0 <= row < n_rows and 0 <= column < n_columns):
            raise KeyError((name, level, row, column))
        height, width = level_shape(self.shape, level)
        side = TILE + 2 * one.apron
        bottom, left = row * TILE - one.apron, column * TILE - one.apron
        rows = slice(max(0, bottom), min(height, bottom + side))
        columns = slice(max(0, left), min(width, left + side))
        codes: Bytes = np.zeros((side, side, 3), np.uint8)
        codes[
            rows.start - bottom : rows.stop - bottom, columns.start - left : columns.stop - left
        ] = self._codes(one, level, (rows, columns))
        return picture(codes, one.suffix)

    def n_tiles(self, level: int) -> tuple[int, int]:
        """Count the tiles of a level.

        Parameters
        ----------
        level : int
            Which.

        Returns
        -------
        tuple of int
            Rows and columns of tiles.
        """
        height, width = level_shape(self.shape, max(level, 0))
        return -(-height // TILE), -(-width // TILE)

    def addresses(self, name: str) -> Iterator[tuple[int, int, int]]:
        """List the tiles of a set.

        Parameters
        ----------
        name : str
            The set; all have the same.

        Yields
        ------
        tuple of int
            Level, row and column; the coarsest first.
        """
        _ = self.sets[name]
        for level in range(self.levels, -1, -1):
            n_rows, n_columns = self.n_tiles(level)
            for row in range(n_rows):
                for column in range(n_columns):
                    yield level, row, column

    def prepare(self, name: str, advance: Callable[[int], None] | None = None) -> None:
        """Halve the maps of a set as often as needed, if that was not done before.

        Parameters
        ----------
        name : str
            The set.
        advance : callable, optional
            Told after every few rows how many pixels were read; what it raises ends the work,
            and nothing of it is left.

        Raises
        ------
        ImageError, ProductError
            If the maps cannot be read or written.
        """
        with self._locks[name]:
            if self.is_prepared(name):
                return
            layout = {
                f"level-{level}": ((*level_shape(self.shape, level), 3), "|u1")
                for level in range(1, self.levels + 1)
            }
            halve = partial(self._halve, self.sets[name], advance or (lambda _: None))
            self._maps[name] = keep(self.folder / name, layout, self.signature, halve)

    def is_prepared(self, name: str) -> bool:
        """Tell whether tiles of all levels can be given at once.

        Parameters
        ----------
        name : str
            The set.

        Returns
        -------
        bool
            Whether `prepare` has nothing to do.
        """
        return name in self._maps or self.levels == 0

    def _codes(self, one: TileSet, level: int, section: Section) -> Bytes:
        if level == 0:
            return one.encode(one.read(section))
        self.prepare(one.name)
        return self._maps[one.name][level - 1][section]

    def _halve(self, one: TileSet, advance: Callable[[int], None], files: list[BinaryIO]) -> None:
        height, width = self.shape
        step = max(_ROWS, 1 << self.levels)  # a power of two: no block lies in two strips
        for start in range(0, height, step):
            stop = min(start + step, height)
            values = one.read((slice(start, stop), slice(0, width)))
            for file in files:
                values = one.halved(values)
                file.write(one.encode(values).tobytes())
            advance(width * (stop - start))
