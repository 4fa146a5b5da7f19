"""The table of sources of a dataset: a file for each group, then columns in the store."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.classes import CLASS_NAMES
from morpheus.dataset.layout import CONFIG, NATURES, SOURCES, TABLE_CLASSES, TEXT, UNKNOWN
from morpheus.mosaic.products import replacing

__all__ = ["column_units", "gather_rows", "table_rows", "write_rows"]

_PIXELS = "class_pixels"
_CHUNK = 65536  # rows
_VALUES = {"nature": NATURES, "class": TABLE_CLASSES}


def write_rows(
    path: Path, columns: Mapping[str, NDArray[Any]], pixels: NDArray[np.float64]
) -> None:
    """Write the rows of a group, whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    columns : mapping of str to ndarray
        The columns.
    pixels : ndarray, shape (5,)
        Sum of the class shares of the group's pixels.

    Raises
    ------
    ProductError
        If it cannot be written.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **{**columns, _PIXELS: pixels})


def gather_rows(store: Any, files: Sequence[Path], units: Mapping[str, str]) -> dict[str, Any]:
    """Write the columns of the table from the rows of all groups.

    Parameters
    ----------
    store : zarr.Group
        The store.
    files : sequence of Path
        Of the groups, in their order.
    units : mapping of str to str
        Of the columns that have one.

    Returns
    -------
    dict
        Counts by class: of the sources, of those with the number 1 of their example, and of the
        pixels.
    """
    names, n_rows, texts = _create(store, files, units)
    start, pixels = 0, np.zeros(len(CLASS_NAMES))
    sources, centers = np.zeros((2, len(TABLE_CLASSES)), dtype=int)
    held: list[dict[str, NDArray[Any]]] = []
    for file in files:
        with np.load(file) as rows:
            held.append(dict(rows))
        classes = held[-1]["class"]
        sources += np.bincount(classes, minlength=len(sources))
        centers += np.bincount(classes[held[-1]["id"] == 1], minlength=len(centers))
        pixels += held[-1][_PIXELS]
        length = sum(len(rows["id"]) for rows in held)
        if length >= _CHUNK or start + length == n_rows:
            for name in names:
                column = np.concatenate([rows[name] for rows in held])
                if name in texts:
                    column = np.searchsorted(texts[name], column).astype(np.int32)
                array = store[SOURCES][name].with_config(CONFIG)
                array[start : start + length] = column
            start, held = start + length, []
    return {
        "sources": _by_class(sources),
        "centers": _by_class(centers),
        "pixels": dict(zip(CLASS_NAMES, pixels.round(1).tolist(), strict=True)),
    }


def _by_class(counts: NDArray[np.int_]) -> dict[str, int]:
    named = dict(zip(TABLE_CLASSES, counts.tolist(), strict=True))
    if not named[UNKNOWN]:
        del named[UNKNOWN]
    return named


def _create(
    store: Any, files: Sequence[Path], units: Mapping[str, str]
) -> tuple[list[str], int, dict[str, NDArray[np.str_]]]:
    """Create the columns; give their names, the number of rows, and the texts of columns of text.

    Zarr has no lasting way to hold texts of one length: a column holds numbers that stand for them.
    """
    with np.load(files[0]) as rows:
        types = {name: rows[name].dtype for name in rows.files if name != _PIXELS}
    texts: dict[str, NDArray[np.str_]] = {
        name: np.array([], dtype="U1") for name, dtype in types.items() if dtype.kind == "U"
    }
    n_rows = 0
    for file in files:
        with np.load(file) as rows:
            n_rows += len(rows["id"])
            texts = {name: np.union1d(found, rows[name]) for name, found in texts.items()}
    table = store.create_group(SOURCES, overwrite=True, attributes={"columns": list(types)})
    for name, dtype in types.items():
        attributes: dict[str, Any] = {"unit": units[name]} if name in units else {}
        if name in _VALUES:
            attributes["values"] = list(_VALUES[name])
        if name in texts:
            attributes |= {"values": texts[name].tolist(), TEXT: True}
        table.create_array(
            name,
            shape=(n_rows,),
            chunks=(min(_CHUNK, max(n_rows, 1)),),
            dtype=np.dtype(np.int32) if name in texts else dtype,
            dimension_names=("source",),
            attributes=attributes,
        )
    return list(types), n_rows, texts


def table_rows(table: Table, start: int, stop: int, shift: int = 0) -> dict[str, NDArray[Any]]:
    """Take the rows of a few examples out of a table, as they are written.

    Parameters
    ----------
    table : astropy.table.Table
        As `Dataset.sources` gives it.
    start, stop : int
        The first example, and the one after the last.
    shift : int, optional
        What is added to the numbers of the examples.

    Returns
    -------
    dict of str to ndarray
        The columns; natures and classes as numbers.
    """
    low, high = np.searchsorted(np.asarray(table["example"]), [start, stop])
    rows = {name: np.asarray(table[name][low:high]) for name in table.colnames}
    rows["example"] = rows["example"] + np.int64(shift)
    for name, values in _VALUES.items():
        if name in rows:
            numbers = {value: code for code, value in enumerate(values)}
            rows[name] = np.array([numbers[str(value)] for value in rows[name]], np.int8)
    return rows


def column_units(table: Table) -> dict[str, str]:
    """List the units of columns.

    Parameters
    ----------
    table : astropy.table.Table
        The table.

    Returns
    -------
    dict of str to str
        Of those that have one.
    """
    return {name: str(table[name].unit) for name in table.colnames if table[name].unit is not None}
