"""The table of sources of a dataset: a file for each group, then columns in the store."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morpheus.classes import CLASS_NAMES
from morpheus.mosaic.products import replacing
from morpheus.simulate.layout import CONFIG, NATURES, SOURCE_CLASSES, SOURCES

__all__ = ["gather_rows", "write_rows"]

_PIXELS = "class_pixels"
_CHUNK = 65536  # rows
_VALUES = {"nature": NATURES, "class": SOURCE_CLASSES}


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
    names, n_rows = _create(store, files, units)
    start, pixels = 0, np.zeros(len(CLASS_NAMES))
    sources, centers = np.zeros((2, len(SOURCE_CLASSES)), dtype=int)
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
                array = store[SOURCES][name].with_config(CONFIG)
                array[start : start + length] = column
            start, held = start + length, []
    return {
        "sources": dict(zip(SOURCE_CLASSES, sources.tolist(), strict=True)),
        "centers": dict(zip(SOURCE_CLASSES, centers.tolist(), strict=True)),
        "pixels": dict(zip(CLASS_NAMES, pixels.round(1).tolist(), strict=True)),
    }


def _create(store: Any, files: Sequence[Path], units: Mapping[str, str]) -> tuple[list[str], int]:
    """Create the columns; give their names and the number of rows."""
    n_rows = 0
    for file in files:
        with np.load(file) as rows:
            n_rows += len(rows["id"])
    with np.load(files[0]) as rows:
        names = [name for name in rows.files if name != _PIXELS]
        types = [rows[name].dtype for name in names]
    table = store.create_group(SOURCES, overwrite=True, attributes={"columns": names})
    for name, dtype in zip(names, types, strict=True):
        attributes: dict[str, Any] = {"unit": units[name]} if name in units else {}
        if name in _VALUES:
            attributes["values"] = list(_VALUES[name])
        table.create_array(
            name,
            shape=(n_rows,),
            chunks=(min(_CHUNK, max(n_rows, 1)),),
            dtype=dtype,
            dimension_names=("source",),
            attributes=attributes,
        )
    return names, n_rows
