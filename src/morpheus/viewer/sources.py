"""The catalogue for a page: columns as bytes, and rows a few at a time."""

import json
import math
from typing import Any

import numpy as np
from astropy.table import Table

from morpheus.segmentation.flags import FLAG_MEANINGS

__all__ = ["ROWS", "SourceColumns"]

ROWS = 64
"""Rows that are given together."""


class SourceColumns:
    """A catalogue, as a page takes it.

    Parameters
    ----------
    table : astropy.table.Table
        A catalogue of Morpheus.
    """

    def __init__(self, table: Table) -> None:
        self.table = table

    @property
    def n_parts(self) -> int:
        """How many parts of rows there are."""
        return -(-len(self.table) // ROWS)

    def description(self) -> dict[str, Any]:
        """Tell what there is.

        Returns
        -------
        dict
            `n` sources; `rows` in each part; `columns` with name, unit, description and `type`:
            'f8', or 'f4' where that holds all that the file has (little-endian, NaN where
            undefined), or 'text'; `flags` with bit, name and meaning.
        """
        columns = [
            {
                "name": name,
                "unit": None if column.unit is None else str(column.unit),
                "description": column.description or "",
                "type": self._type(name),
            }
            for name, column in self.table.columns.items()
        ]
        flags = [
            {"bit": int(bit), "name": bit.name, "meaning": meaning}
            for bit, meaning in FLAG_MEANINGS.items()
        ]
        return {"n": len(self.table), "rows": ROWS, "columns": columns, "flags": flags}

    def column(self, number: int) -> bytes:
        """Give the values of a column.

        Parameters
        ----------
        number : int
            Which, from 0.

        Returns
        -------
        bytes
            Numbers as `description` says; of text, a JSON list.

        Raises
        ------
        IndexError
            If there is none of that number.
        """
        name = self.table.colnames[number]
        kind, values = self._type(name), self.table[name]
        if kind == "text":
            return json.dumps([str(value) for value in values]).encode()
        return np.ma.filled(np.ma.asarray(values, float), np.nan).astype(f"<{kind}").tobytes()

    def rows(self, part: int) -> bytes:
        """Give all columns of a few rows.

        Parameters
        ----------
        part : int
            Which, from 0.

        Returns
        -------
        bytes
            A JSON list of lists in the order of the columns; null where undefined.

        Raises
        ------
        IndexError
            If there is none of that number.
        """
        if not 0 <= part < self.n_parts:
            raise IndexError(part)
        few = self.table[part * ROWS : (part + 1) * ROWS]
        return json.dumps([[_plain(value) for value in row] for row in few]).encode()

    def _type(self, name: str) -> str:
        dtype = self.table[name].dtype
        if dtype.kind not in "buif":
            return "text"
        return "f4" if np.can_cast(dtype, np.float32) else "f8"


def _plain(value: Any) -> str | int | float | None:
    if value is np.ma.masked:
        return None
    if isinstance(value, np.integer | np.bool_):
        return int(value)
    if isinstance(value, np.floating):
        return float(value) if math.isfinite(value) else None
    return str(value)
