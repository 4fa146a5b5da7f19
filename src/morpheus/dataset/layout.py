"""How a dataset lies in a Zarr store."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morpheus.classes import BACKGROUND, CLASS_NAMES

__all__ = ["ARRAYS", "CELLS", "CENTERED", "CLASSES_DTYPE", "CONFIG", "FORMAT", "NATURES"]
__all__ += ["SOURCES", "SOURCE_CLASSES", "TABLE_CLASSES", "TEXT", "UNKNOWN"]
__all__ += ["array_blocks", "checksum", "is_dataset"]

FORMAT = "morpheus dataset 1"
"""What the attribute 'format' of a store says."""

ARRAYS = "images", "weights", "classes", "owner"
"""The arrays with an entry for each example, in the order of the checksum."""

CELLS = "cells"
"""The array with the area of the sky that each example is from, where the store has one."""

CENTERED = "stamps", "labelled"
"""Kinds of dataset with the source that has the number 1 at the centre of each example."""

CONFIG: Any = {"write_empty_chunks": True}
"""Of arrays that are written: a chunk that is not there was lost, and is not one of zeros."""

SOURCES = "sources"
"""The group with a column of the table of sources in each array."""

CLASSES_DTYPE = np.dtype(np.float16)
"""Of the class shares: off by 0.00024 at most, in half the bytes."""

NATURES = "galaxy", "star", "quasar"
"""What a source may be; the table has their numbers, from 0."""

SOURCE_CLASSES = CLASS_NAMES[:BACKGROUND]
"""The classes of sources; the table has their numbers, from 0."""

TEXT = "text"
"""Attribute of columns of numbers that stand for the texts in the attribute 'values'."""

UNKNOWN = "unknown"
"""Class of a source without votes that count."""

TABLE_CLASSES = *SOURCE_CLASSES, UNKNOWN
"""What the table's column of classes can say."""


def is_dataset(path: Path) -> bool:
    """Tell whether a folder is a dataset, without opening its arrays.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    bool
        Whether its attributes say so.
    """
    try:
        attributes = json.loads((path / "zarr.json").read_bytes())["attributes"]
        return bool(attributes["format"] == FORMAT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def array_blocks(array: Any) -> Iterator[NDArray[Any]]:
    """Read an array, a few MB at a time.

    Parameters
    ----------
    array : zarr.Array
        The array.

    Yields
    ------
    ndarray
        Chunks along its first axis, in their order.
    """
    step = array.chunks[0]
    for start in range(0, array.shape[0], step):
        yield np.asarray(array[start : start + step])


def checksum(store: Any) -> str:
    """Compute the checksum of a store's arrays.

    Parameters
    ----------
    store : zarr.Group
        The store.

    Returns
    -------
    str
        SHA-256, in hexadecimal, of the values of `ARRAYS`, then of `CELLS` where there are any,
        then of the columns of the table in the order of their names; in C order, little endian.
        After the numbers of a column of texts come its texts, as JSON.
    """
    digest = hashlib.sha256()
    columns = sorted(store[SOURCES].array_keys())
    cells = (CELLS,) if CELLS in store else ()
    for name in (*ARRAYS, *cells, *(f"{SOURCES}/{column}" for column in columns)):
        for block in array_blocks(store[name]):
            digest.update(block.astype(block.dtype.newbyteorder("<"), copy=False).tobytes())
        if store[name].attrs.get(TEXT):
            digest.update(json.dumps(store[name].attrs["values"]).encode())
    return digest.hexdigest()
