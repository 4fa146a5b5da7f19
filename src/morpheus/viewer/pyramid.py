"""The tiles of a field at every zoom: the full size is read from the files, the rest made once."""

import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from morpheus.errors import ProductError
from morpheus.mosaic.images import Section
from morpheus.viewer.coding import Bytes, picture
from morpheus.viewer.tile_sets import TileSet

__all__ = ["TILE", "Pyramid", "level_shape", "n_levels"]

TILE = 256
"""Pixels of a side of a tile."""

_ROWS = 512  # that are read at a time, at least
_RECORD = "made-from.json"


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

    Tile (row, column) of a level holds 256 x 256 pixels, of which each is the mean of ``2**level``
    pixels along each axis; rows are counted from the bottom, as those of images are.

    Parameters
    ----------
    folder : Path
        Where the halved maps are kept; made if it is not there.
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
            Told after every few rows how many pixels were read.

        Raises
        ------
        ImageError, ProductError
            If the maps cannot be read or written.
        """
        with self._locks[name]:
            if name in self._maps or self.levels == 0:
                return
            folder = self.folder / name
            if not self._is_current(folder):
                self._halve(self.sets[name], folder, advance or (lambda _: None))
            self._maps[name] = [
                np.load(path, mmap_mode="r", allow_pickle=False)
                for path in _level_files(folder, self.levels)
            ]

    def _codes(self, one: TileSet, level: int, section: Section) -> Bytes:
        if level == 0:
            return one.encode(one.read(section))
        self.prepare(one.name)
        return self._maps[one.name][level - 1][section]

    def _is_current(self, folder: Path) -> bool:
        try:
            record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(record == {"signature": self.signature})

    def _halve(self, one: TileSet, folder: Path, advance: Callable[[int], None]) -> None:
        with _replacing_folder(folder) as temporary, ExitStack() as stack:
            # Written as a stream: a memory map on a full disk ends the program without a word.
            files = [
                stack.enter_context(path.open("wb"))
                for path in _level_files(temporary, self.levels)
            ]
            for level, file in enumerate(files, start=1):
                shape = (*level_shape(self.shape, level), 3)
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            height, width = self.shape
            step = max(_ROWS, 1 << self.levels)  # a power of two: no block lies in two strips
            for start in range(0, height, step):
                stop = min(start + step, height)
                values = one.read((slice(start, stop), slice(0, width)))
                for file in files:
                    values = one.halved(values)
                    file.write(one.encode(values).tobytes())
                advance(width * (stop - start))
            record = json.dumps({"signature": self.signature})
            (temporary / _RECORD).write_text(record, encoding="utf-8")


def _level_files(folder: Path, levels: int) -> list[Path]:
    return [folder / f"level-{level}.npy" for level in range(1, levels + 1)]


@contextmanager
def _replacing_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write in, which gets its name when it is complete."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        try:
            yield temporary
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise ProductError(
            f"cannot write the tiles of the map to {folder.parent}: {error.strerror or error};"
            " --tiles names another folder"
        ) from error
