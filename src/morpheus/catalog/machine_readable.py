"""Machine-readable tables, as the AAS and CDS take them.

Astropy writes them too, but no empty ones, and none with electrons in a unit or with a column
without values. It reads these.
"""

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import ascii as ascii_tables
from astropy.table import Column, Table

__all__ = ["read_mrt", "write_mrt"]

_WIDTH = 80
_RULE = "-" * _WIDTH
# Digits after the point where a number of them is natural; all others have eight digits in all.
_DECIMALS = {"ra": 8, "dec": 8, "x": 4, "y": 4}


def write_mrt(table: Table, provenance: Mapping[str, Any], path: Path) -> None:
    """Write a catalogue with its byte-by-byte description.

    Sky positions have 8 digits after the point, pixels 4, other numbers 8 digits in all. What is
    undefined is blank. A unit that the CDS does not know is in the description.

    Parameters
    ----------
    table : astropy.table.Table
        A catalogue.
    provenance : mapping
        What made it, for the title.
    path : Path
        The file.
    """
    version = provenance.get("software", {}).get("morpheus", "")
    made = f" at {provenance['started']} UTC" if "started" in provenance else ""
    lines = [
        f"Title: Sources measured by Morpheus {version}{made}".rstrip(),
        "Authors:",
        "Table: Sources",
        "=" * _WIDTH,
        "Byte-by-byte Description of file: table.dat",
        _RULE,
        "   Bytes Format Units       Label                     Explanations",
        _RULE,
    ]
    cells, start = [], 1
    for name in table.colnames:
        text, form, nullable = _cells(table[name])
        width = int(form[1:].split(".")[0])
        lines += _describe(table[name], (start, width), form, nullable=nullable)
        cells.append(text)
        start += width + 1
    rows = (" ".join(row) for row in zip(*cells, strict=True))
    path.write_text("\n".join([*lines, _RULE, *rows]) + "\n", encoding="utf-8")


def read_mrt(path: Path) -> Table:
    """Read a machine-readable table.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    astropy.table.Table
        Its columns; blank values are masked.
    """
    text = path.read_text(encoding="utf-8")
    head, _, rows = text.rpartition(_RULE + "\n")
    if rows.strip():
        return ascii_tables.read(text, format="mrt")
    # Astropy takes a description without rows for a truncated file; so it gets one to forget.
    return ascii_tables.read(text + "0" * len(head) + "\n", format="mrt")[:0]


def _cells(column: Column) -> tuple[list[str], str, bool]:
    """Give the values as text of one width, their Fortran format, and whether any may be blank."""
    values = np.asarray(column)
    if values.dtype.kind in "iu":
        text = [str(value) for value in values.tolist()]
        width = max(map(len, text), default=1)
        return [each.rjust(width) for each in text], f"I{width}", False
    if values.dtype.kind == "f":
        decimals = _DECIMALS.get(column.name)
        form = ".7e" if decimals is None else f".{decimals}f"
        text = [format(v, form) if np.isfinite(v) else "" for v in values.tolist()]
        width = max(map(len, text), default=1) or 1
        fortran = f"E{width}.7" if decimals is None else f"F{width}.{decimals}"
        return [each.rjust(width) for each in text], fortran, True
    text = [str(value) for value in values.tolist()]
    width = max(map(len, text), default=1) or 1
    return [each.ljust(width) for each in text], f"A{width}", "" in text


def _describe(column: Column, place: tuple[int, int], form: str, *, nullable: bool) -> list[str]:
    start, width = place
    end = start + width - 1
    where = f"{end:>8d}" if width == 1 else f"{start:4d}-{end:4d}"[:9].rjust(9)
    unit, text = "---", column.description or column.name
    if column.unit is not None:
        try:
            unit = column.unit.to_string("cds")
        except ValueError:
            text = f"{text} [{column.unit}]"
    first = f"{where:<9} {form:<6} {unit:<6} {column.name:<26} "
    # A line that begins with a number would be read as another column.
    lines = textwrap.wrap(
        re.sub(r" (?=\d)", "\0", ("? " if nullable else "") + text),
        width=_WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first),
    )
    return [line.replace("\0", " ") for line in lines]
