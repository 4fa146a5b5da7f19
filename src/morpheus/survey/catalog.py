"""The combined catalogue of a survey: Parquet, written tile by tile."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Column as TableColumn
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.catalog import Catalog
from morpheus.catalog.schema import survey_columns
from morpheus.catalog.serialise import write_parquet
from morpheus.mosaic.products import replacing
from morpheus.survey.depth import ClassifiedArea
from morpheus.survey.footprint import Footprint, neighbours
from morpheus.survey.owners import LARGEST_REACH, Sightings, listed, sightings

__all__ = ["FinishedTile", "combine"]


@dataclass(frozen=True, eq=False)
class FinishedTile:
    """A tile that is done.

    Parameters
    ----------
    name : str
        Its name.
    footprint : Footprint
        Its pixel grid.
    catalog : Path
        Its catalogue.
    windows : Path
        Its `n.fits`.
    """

    name: str
    footprint: Footprint
    catalog: Path
    windows: Path


def combine(
    tiles: Sequence[FinishedTile], path: Path, provenance: Mapping[str, Any], *, radius: float
) -> dict[str, int]:
    """Write the catalogue of all tiles, each source once.

    A tile's rows are held at a time, and of those around it the positions of sources that several
    tiles may see.

    Parameters
    ----------
    tiles : sequence of FinishedTile
        The tiles, at least one, in the order of their rows.
    path : Path
        The file; one that exists is replaced when the new one is complete.
    provenance : mapping
        What made it.
    radius : float
        Matching radius in arcsec.

    Returns
    -------
    dict of str to int
        How many sources of each tile are listed.

    Raises
    ------
    ProductError
        If a catalogue or a map cannot be read, or the file cannot be written.
    """
    from pyarrow import parquet  # noqa: PLC0415 (an extra)

    template, around = _template(tiles), _Surroundings(tiles, radius)
    schema = _schema(template, provenance)
    counts: dict[str, int] = {}
    with (
        replacing(path, overwrite=True) as temporary,
        parquet.ParquetWriter(str(temporary), schema) as writer,
    ):
        for number, tile in enumerate(tiles):
            table = Catalog.read(tile.catalog).table
            kept = table[around.listed(number, len(table))]
            if len(kept):
                writer.write_table(_arrow(kept, tile.name, sum(counts.values()), template, schema))
            counts[tile.name] = len(kept)
    return counts


class _Surroundings:
    """What tiles see in common, as long as it is needed."""

    def __init__(self, tiles: Sequence[FinishedTile], radius: float) -> None:
        self._tiles = tiles
        footprints = [tile.footprint for tile in tiles]
        # Groups of sources reach from a tile to those beyond its neighbours' edges.
        near = neighbours(footprints, 3 * LARGEST_REACH * radius)
        self._near = [[number, *others] for number, others in enumerate(near)]
        order = sorted(range(len(tiles)), key=lambda number: tiles[number].name)
        self._ranks = np.argsort(order).tolist()
        self._areas = [ClassifiedArea(one.footprint, one.windows, radius) for one in tiles]
        self._seen: dict[int, Sightings] = {}
        # Who still needs the map, and the sources, of a tile.
        self._map_for = [set(one) for one in self._near]
        self._sources_for = [set(one) for one in self._near]

    def listed(self, number: int, n_sources: int) -> NDArray[np.bool_]:
        """Tell which sources of a tile are listed."""
        seen = {one: self._sightings(one) for one in self._near[number]}
        keep = np.ones(n_sources, bool)
        keep[seen[number].rows] = listed(number, seen, self._ranks)
        for one in self._near[number]:
            self._sources_for[one].discard(number)
            if not self._sources_for[one]:
                del self._seen[one]
        return keep

    def _sightings(self, number: int) -> Sightings:
        if number not in self._seen:
            table = Catalog.read(self._tiles[number].catalog).table
            self._seen[number] = sightings(
                number,
                {one: self._areas[one] for one in self._near[number]},
                self._ranks,
                *(np.asarray(table[name]) for name in ("ra", "dec", "half_light_radius_arcsec")),
            )
            for one in self._near[number]:
                self._map_for[one].discard(number)
                if not self._map_for[one]:
                    self._areas[one].forget()
        return self._seen[number]


def _template(tiles: Sequence[FinishedTile]) -> Table:
    """Make a table without rows that has all columns of all tiles, in their order."""
    names: list[str] = []
    columns: dict[str, TableColumn] = {}
    for tile in tiles:
        table = Catalog.read(tile.catalog).table
        place = 0
        for name in table.colnames:
            if name not in columns:
                names.insert(place, name)
                columns[name] = table[name][:0]
            elif table[name].dtype.itemsize > columns[name].dtype.itemsize:  # longer text
                columns[name] = table[name][:0]
            place = names.index(name) + 1
    result = Table()
    longest = max(len(tile.name) for tile in tiles)
    for column in survey_columns():
        result[column.name] = TableColumn(
            np.zeros(0, np.int64 if column.dtype == "int" else f"U{longest}"),
            description=column.description,
            meta={"ucd": column.ucd},
        )
    for name in names:
        if name not in result.colnames:
            result[name] = columns[name]
    return result


def _schema(template: Table, provenance: Mapping[str, Any]) -> Any:
    """Give the columns as astropy writes them: with units and the rest as metadata."""
    from pyarrow import parquet  # noqa: PLC0415 (an extra)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.parquet"
        write_parquet(template, provenance, path)
        return parquet.read_schema(path)


def _arrow(table: Table, tile: str, before: int, template: Table, schema: Any) -> Any:
    """Make the rows of a tile; NaN in the columns of bands that it does not have."""
    import pyarrow as pa  # noqa: PLC0415 (an extra)

    n_rows = len(table)
    values: dict[str, Any] = {
        "tile": [tile] * n_rows,
        "id": np.arange(before + 1, before + n_rows + 1),
        "tile_id": np.asarray(table["id"]),
    }
    for name in template.colnames:
        if name not in values:
            there = name in table.colnames
            values[name] = np.asarray(table[name]) if there else np.full(n_rows, np.nan)
    arrays = [pa.array(values[field.name], type=field.type, from_pandas=False) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)
