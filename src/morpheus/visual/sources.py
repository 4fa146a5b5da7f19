"""Which sources a sheet shows, and what the catalogue says of each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Row, Table

from morpheus.classes import BACKGROUND, CLASSES
from morpheus.errors import OptionError
from morpheus.segmentation.flags import SourceFlag

__all__ = ["MAX_SOURCES", "SourceEntry", "choose_sources", "source_entry"]

MAX_SOURCES = 100
"""The most sources on one sheet."""

_NEEDED = ("id", "x", "y", "x_min", "x_max", "y_min", "y_max")
_MAGNITUDE = "_mag_kron"
_NAMED_IDS = 5  # how many unknown ids an error names


@dataclass(frozen=True)
class SourceEntry:
    """What a sheet writes beside the stamps of a source.

    Parameters
    ----------
    id : int
        Its number, which its pixels have in the segmentation map.
    x, y : float
        Position in pixels, 0-based.
    size : float
        Longer side of its bounding box in pixels.
    name : str
        Its class, or '' if it has none.
    probabilities, errors : dict of str to float
        By the name of a source class; NaN where the catalogue has none.
    flags : tuple of str
        Names of its flags in lower case, such as 'deblended'.
    magnitude : tuple of (str, float) or None
        The band and the Kron magnitude, if the catalogue has one in any band.
    """

    id: int
    x: float
    y: float
    size: float
    name: str
    probabilities: dict[str, float]
    errors: dict[str, float]
    flags: tuple[str, ...]
    magnitude: tuple[str, float] | None


def choose_sources(
    table: Table, ids: Sequence[int] | None = None, *, n: int = 12, seed: int = 0
) -> Table:
    """Choose the sources of a sheet.

    Parameters
    ----------
    table : astropy.table.Table
        The catalogue, with the column `id`.
    ids : sequence of int, optional
        The sources, in the order in which they are wanted; by default they are drawn at random.
    n : int, optional
        How many to draw; all, if there are fewer.
    seed : int, optional
        The same number draws the same sources from the same catalogue.

    Returns
    -------
    astropy.table.Table
        Their rows: in the order of `ids`, each once, or by increasing id.

    Raises
    ------
    OptionError
        If an id is not in the catalogue, `ids` is empty, `n` is not 1 to 100, or the catalogue
        holds no source.
    """
    _check_columns(table, ("id",))
    known = np.asarray(table["id"]).astype(int)
    if not known.size:
        raise OptionError("the catalogue holds no source, so there is none to show")
    if ids is None:
        _check_number(n)
        drawn = np.random.default_rng(seed).choice(known.size, min(n, known.size), replace=False)
        return table[drawn[np.argsort(known[drawn])]]
    wanted = list(dict.fromkeys(int(one) for one in ids))
    _check_number(len(wanted))
    rows = {int(one): row for row, one in enumerate(known)}
    unknown = [one for one in wanted if one not in rows]
    if unknown:
        named = ", ".join(map(str, unknown[:_NAMED_IDS]))
        more = f" and {len(unknown) - _NAMED_IDS} more" if len(unknown) > _NAMED_IDS else ""
        raise OptionError(
            f"no source {named}{more} in the catalogue; its ids are {known.min()} to"
            f" {known.max()} ({known.size} sources)"
        )
    return table[[rows[one] for one in wanted]]


def source_entry(row: Row) -> SourceEntry:
    """Read a row of a catalogue.

    Parameters
    ----------
    row : astropy.table.Row
        With the columns id, x, y, x_min, x_max, y_min and y_max, and, as far as there are any,
        class, p_<class>, p_<class>_err, flags and <band>_mag_kron.

    Returns
    -------
    SourceEntry
        Values that are masked or absent are NaN or empty.

    Raises
    ------
    OptionError
        If one of the first seven columns is absent.
    """
    _check_columns(row.table, _NEEDED)
    names = [c.name for c in CLASSES if c.name != CLASSES[BACKGROUND].name]
    return SourceEntry(
        id=int(row["id"]),
        x=_number(row, "x"),
        y=_number(row, "y"),
        size=1
        + max(
            _number(row, "x_max") - _number(row, "x_min"),
            _number(row, "y_max") - _number(row, "y_min"),
        ),
        name=_text(row, "class"),
        probabilities={name: _number(row, f"p_{name}") for name in names},
        errors={name: _number(row, f"p_{name}_err") for name in names},
        flags=_flags(row),
        magnitude=_magnitude(row),
    )


def _check_number(n: int) -> None:
    if not 1 <= n <= MAX_SOURCES:
        raise OptionError(f"a sheet shows 1 to {MAX_SOURCES} sources, not {n}")


def _check_columns(table: Table, names: Sequence[str]) -> None:
    absent = [name for name in names if name not in table.colnames]
    if absent:
        raise OptionError(f"the catalogue has no column {', '.join(absent)}")


def _value(row: Row, name: str) -> Any:
    """Give a value without its unit; None if it is masked or there is no such column."""
    if name not in row.colnames:
        return None
    value = row[name]
    value = getattr(value, "unmasked", value) if not np.any(getattr(value, "mask", False)) else None
    return getattr(value, "value", value)


def _number(row: Row, name: str) -> float:
    value = _value(row, name)
    return math.nan if value is None else float(value)


def _text(row: Row, name: str) -> str:
    value = _value(row, name)
    return "" if value is None else str(value)


def _flags(row: Row) -> tuple[str, ...]:
    value = _value(row, "flags")
    bits = 0 if value is None else int(value)
    return tuple((flag.name or "").lower().replace("_", " ") for flag in SourceFlag if bits & flag)


def _magnitude(row: Row) -> tuple[str, float] | None:
    for name in row.colnames:
        if name.endswith(_MAGNITUDE) and math.isfinite(value := _number(row, name)):
            return name.removesuffix(_MAGNITUDE), value
    return None
