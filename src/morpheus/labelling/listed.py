"""The sources that a table names, to be voted on."""

import warnings
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.catalog import Catalog
from morpheus.dataset.targets import compact_labels, match_segments
from morpheus.errors import MosaicWarning, OptionError
from morpheus.segmentation import Segmentation, position_columns, read_positions, read_table

__all__ = ["listed_sources", "match_radius"]

_RADIUS = 0.5  # arcsec between a position and a segment
_RADIUS_PIXELS = 5.0  # without a WCS


def match_radius(catalog: Catalog) -> float:
    """Give how far from a source's pixels a position can be its own.

    Parameters
    ----------
    catalog : Catalog
        Of a field.

    Returns
    -------
    float
        0.5 arcsec in pixels; 5 pixels without a WCS.
    """
    scale = catalog.provenance.get("pixel_scale")
    return _RADIUS / scale if scale else _RADIUS_PIXELS


def listed_sources(path: Path, catalog: Catalog, segmentation: Segmentation) -> Table:
    """Choose the sources that a table names.

    Parameters
    ----------
    path : Path
        A table in any format that astropy reads, with positions: the source at one is that whose
        pixels it is on, or the nearest within 0.5 arcsec of them (5 pixels without a WCS). Or with
        the numbers of sources of this catalogue in the column `id`, and without positions. Warns
        of rows that are no source.
    catalog : Catalog
        Of a field.
    segmentation : Segmentation
        The map of its sources.

    Returns
    -------
    astropy.table.Table
        Rows of the catalogue, in its order, each once.

    Raises
    ------
    OptionError
        If the table cannot be read, has neither, or names none of the sources.
    """
    table = read_table(path, what="sources")
    columns = position_columns(table)
    if {"ra", "x"} & columns.keys():
        ids = _at(table, segmentation, match_radius(catalog))
    elif "id" in columns:
        ids = _numbers(table, columns["id"])
    else:
        raise OptionError(
            f"{path} has the columns {', '.join(table.colnames)}; needed are ra and dec, x and y,"
            " or id"
        )
    known = np.isin(ids, np.asarray(catalog.table["id"]))
    if not known.any():
        raise OptionError(f"none of the {len(ids)} rows of {path} is a source of this field")
    if not known.all():
        warnings.warn(
            f"{(~known).sum()} of the {len(ids)} rows of {path} are no source of this field",
            MosaicWarning,
            stacklevel=2,
        )
    return catalog.table[np.isin(np.asarray(catalog.table["id"]), ids)]


def _at(table: Table, segmentation: Segmentation, radius: float) -> NDArray[np.int64]:
    """Give the source at each position, 0 for none; several can be at one source."""
    places = read_positions(table, segmentation.wcs, what="sources")
    labels, numbers = compact_labels(segmentation.labels)
    x, y = (np.asarray(places[axis], np.float64) for axis in "xy")
    # One by one: together, positions in the same segment would be nobody's.
    found = [
        match_segments(x[i : i + 1], y[i : i + 1], labels, radius)[0][0] for i in range(len(x))
    ]
    result: NDArray[np.int64] = numbers[found]
    return result


def _numbers(table: Table, column: str) -> NDArray[np.int64]:
    ids = np.ma.filled(table[column], 0)
    if ids.dtype.kind not in "iu":
        raise OptionError(f"the column {column} holds no numbers of sources")
    return np.asarray(ids, np.int64)
