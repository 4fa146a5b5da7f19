"""The table of a survey: a row for each tile, a column for each band."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from morpheus.distributed.store import STORE_FOLDER
from morpheus.errors import MorpheusError, OptionError
from morpheus.model import ModelConfig
from morpheus.mosaic import parse_region
from morpheus.mosaic.files import split_hdu
from morpheus.segmentation.guided import read_table

__all__ = ["RESERVED_NAMES", "Tile", "read_tiles"]

RESERVED_NAMES = (
    "catalog.parquet",
    "survey.json",
    "survey.lock",
    "survey_footprints.reg",
    STORE_FOLDER,
)
"""What a survey calls its own files, and no tile can be called."""

_KINDS = ("weight", "rms", "dq")
_NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]*")


@dataclass(frozen=True)
class Tile:
    """A row of the table.

    Parameters
    ----------
    name : str
        Its name, and that of its folder.
    row : int
        Its number in the table, from 1.
    images : dict of str to str
        Image of each band that there is: FILE or FILE[HDU].
    maps : dict of str to dict
        The same for the maps of each kind: 'weight', 'rms' and 'dq'.
    region : str or None
        What part of the images it is.
    columns : dict of str to str
        By 'image F160W', 'weight F160W', ...: the column that has the file, for messages.
    """

    name: str
    row: int
    images: dict[str, str]
    maps: dict[str, dict[str, str]]
    region: str | None = None
    columns: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"row {self.row} (tile {self.name})"

    def files(self) -> Iterator[tuple[str, str, str]]:
        """Go through the files.

        Yields
        ------
        kind, band, file : str
            'image', 'weight', 'rms' or 'dq'; the band; FILE or FILE[HDU].
        """
        for kind, by_band in (("image", self.images), *self.maps.items()):
            for band, file in by_band.items():
                yield kind, band, file

    def place(self, kind: str, band: str) -> str:
        """Say where in the table a file is given.

        Parameters
        ----------
        kind, band : str
            Which.

        Returns
        -------
        str
            Row and column, for messages.
        """
        return f"{self}, column {self.columns[f'{kind} {band}']}"


def read_tiles(path: Path, config: ModelConfig, *, check_files: bool = True) -> tuple[Tile, ...]:
    """Read the table, and find out what is wrong with it.

    Parameters
    ----------
    path : Path
        The table, in any format that astropy reads. `tile` names the tiles; the other columns are
        those of bands (`F160W`), of their maps (`F160W_weight`, `F160W_rms`, `F160W_dq`) and
        `region`. Relative files are sought in the folder of the table. An empty cell: there is
        none.
    config : ModelConfig
        The model that says which bands there can be.
    check_files : bool, optional
        Whether files that are not there are an error.

    Returns
    -------
    tuple of Tile
        In the order of the table.

    Raises
    ------
    OptionError
        If the table cannot be used: says which row and column is wrong.
    """
    table = _read(path)
    columns = _columns(path, table.colnames, config)
    tiles: list[Tile] = []
    seen: dict[str, Tile] = {}
    for number in range(1, len(table) + 1):
        row = table[number - 1]
        cells = {of: text for of, name in columns.items() if (text := _text(row[name]))}
        tile = _tile(path, number, cells, columns)
        # Some file systems do not tell A from a.
        other = seen.setdefault(tile.name.casefold(), tile)
        if other is not tile:
            raise OptionError(
                f"{path}: {tile}, column tile: {other} has that name too; each needs its own"
            )
        if check_files:
            _check_files(path, tile)
        tiles.append(tile)
    return tuple(tiles)


def _read(path: Path) -> Table:
    if not path.is_file():
        raise OptionError(f"{path}: no such file; give a table of tiles")
    if path.suffix.lower() != ".csv":
        return read_table(path, what="tiles")
    try:
        # As text: a tile may be called 007.
        table = Table.read(path, format="ascii.csv", converters={"*": str})
    except Exception as error:  # astropy's readers raise whatever the file makes them
        raise OptionError(f"{path}: not a table that can be read ({error})") from error
    if len(table) == 0:
        raise OptionError(f"{path}: a table without rows; a survey has one tile at least")
    return table


def _columns(path: Path, names: list[str], config: ModelConfig) -> dict[str, str]:
    """Find out what each column is: 'tile', 'region', 'image F160W', 'weight F160W', ..."""
    others = [one for more in config.alternatives.values() for one in more]
    bands = {band.casefold(): band for band in (*config.bands, *others)}
    found: dict[str, str] = {}
    for name in names:
        text = name.strip().casefold()
        stem, _, kind = text.rpartition("_")
        if text in ("tile", "region"):
            what = text
        elif text in bands:
            what = f"image {bands[text]}"
        elif kind in _KINDS and stem in bands:
            what = f"{kind} {bands[stem]}"
        else:
            raise OptionError(
                f"{path}: the column {name} is none that is known: tile, region, the bands of the"
                f" model {config.name} ({', '.join(bands.values())}), and each band with"
                f" {', '.join(f'_{one}' for one in _KINDS)}"
            )
        if what in found:
            raise OptionError(f"{path}: the columns {found[what]} and {name} are the same")
        found[what] = name
    if "tile" not in found:
        raise OptionError(f"{path}: there is no column tile, with a name for each tile")
    if not any(what.startswith("image ") for what in found):
        raise OptionError(
            f"{path}: there is no column of a band; the bands of the model {config.name} are"
            f" {', '.join(bands.values())}"
        )
    return found


def _tile(path: Path, number: int, cells: dict[str, str], columns: dict[str, str]) -> Tile:
    name = cells.pop("tile", "")
    if not _NAME.fullmatch(name) or name.casefold() in RESERVED_NAMES:
        raise OptionError(
            f"{path}: row {number}, column tile: {name!r} cannot be the name of a tile and its"
            " folder: use letters, digits and _ + - . (not first)"
        )
    region = cells.pop("region", None)
    files: dict[str, dict[str, str]] = {"image": {}, **{kind: {} for kind in _KINDS}}
    for what, text in cells.items():
        kind, band = what.split(" ", 1)
        files[kind][band] = str(path.parent / os.path.expanduser(text))  # noqa: PTH111 (unknown users)
    images = files.pop("image")
    tile = Tile(name, number, images, files, region, columns)
    if not images:
        raise OptionError(f"{path}: {tile}: there is no image of any band")
    for kind, by_band in files.items():
        for band in by_band:
            if band not in images:
                raise OptionError(
                    f"{path}: {tile.place(kind, band)}: a map of {band}, of which there is no image"
                )
    if region is not None:
        try:
            parse_region(region)
        except MorpheusError as error:
            raise OptionError(f"{path}: {tile}, column region: {error}") from error
    return tile


def _check_files(path: Path, tile: Tile) -> None:
    for kind, band, file in tile.files():
        try:
            there = split_hdu(file)[0].is_file()
        except MorpheusError as error:
            raise OptionError(f"{path}: {tile.place(kind, band)}: {error}") from error
        if not there:
            raise OptionError(f"{path}: {tile.place(kind, band)}: {file}: no such file")


def _text(value: Any) -> str:
    """Give what is in a cell; '' if there is nothing."""
    if value is np.ma.masked or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value).strip()
