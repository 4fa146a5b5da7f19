"""Columns of tables that others made: found by their name, read as numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.dataset.layout import SOURCE_CLASSES
from morpheus.errors import OptionError

__all__ = ["class_votes", "column_numbers", "find_column", "vote_columns"]

Array = NDArray[np.float64]

_VOTES = ("votes_{}", "{}", "p_{}", "f_{}")  # names of the columns of votes, by class
_SYNONYMS = {
    "spheroid": ("spheroid", "sph"),
    "irregular": ("irregular", "irr"),
    "point_source": ("point_source", "ps", "psf", "compact"),
    "unknown": ("unknown", "unc", "unclassifiable"),
}


def find_column(table: Table, name: str | None, known: tuple[str, ...]) -> str | None:
    """Find a column, in any case.

    Parameters
    ----------
    table : astropy.table.Table
        The labels.
    name : str or None
        The name that was given.
    known : tuple of str
        Where none was: names that it may have, in lower case; the first has precedence.

    Returns
    -------
    str or None
        As the table spells it; None if none was given and there is none.

    Raises
    ------
    OptionError
        If there is no column of the name that was given.
    """
    names = {column.lower(): column for column in table.colnames}
    if name is not None:
        if name.lower() not in names:
            raise OptionError(
                f"the labels have no column {name}; they have {', '.join(table.colnames)}"
            )
        return str(names[name.lower()])
    return next((names[one] for one in known if one in names), None)


def column_numbers(table: Table, column: str | None, unit: u.UnitBase | None = None) -> Array:
    """Read a column of numbers.

    Parameters
    ----------
    table : astropy.table.Table
        The labels.
    column : str or None
        Its name.
    unit : astropy.units.UnitBase, optional
        Wanted unit, if the column has one.

    Returns
    -------
    ndarray, shape (n,)
        NaN where there is no number, and everywhere without a column.

    Raises
    ------
    OptionError
        If the column is not numbers, or is in another unit.
    """
    if column is None:
        return np.full(len(table), np.nan)
    values = table[column]
    factor = 1.0
    if unit is not None and values.unit is not None:
        try:
            factor = float(u.Unit(values.unit).to(unit))
        except (u.UnitConversionError, TypeError, ValueError) as error:
            raise OptionError(
                f"the column {column} of the labels is in {values.unit}, which is no {unit}"
            ) from error
    # A Quantity of logarithmic units does not become an array by itself.
    plain = values.value if isinstance(values, u.Quantity) else values
    try:
        numbers = np.ma.filled(np.ma.asarray(plain).astype(float), np.nan)
    except (TypeError, ValueError) as error:
        raise OptionError(f"the column {column} of the labels is not numbers") from error
    if numbers.ndim != 1:
        raise OptionError(f"the column {column} of the labels holds arrays, not numbers")
    scaled: Array = factor * numbers
    return scaled


def vote_columns(table: Table, given: Mapping[str, str]) -> dict[str, str]:
    """Find the columns of experts' votes.

    Parameters
    ----------
    table : astropy.table.Table
        The labels.
    given : mapping of str to str
        Names of columns, by class, where they are no usual ones: `spheroid`, `disk`, `irregular`,
        `point_source` and `unknown`, also with `votes_`, `p_` or `f_` before them, or in short.

    Returns
    -------
    dict of str to str
        Name of the column for each class and, where there is one, for 'unknown'. Empty if there
        are no votes.

    Raises
    ------
    OptionError
        If there are columns of some classes only, or there is none of a given name.
    """
    columns = {}
    for name in (*SOURCE_CLASSES, "unknown"):
        spellings = _SYNONYMS.get(name, (name,))
        known = tuple(form.format(one) for form in _VOTES for one in spellings)
        column = find_column(table, given.get(name), known)
        if column is not None:
            columns[name] = column
    missing = [name for name in SOURCE_CLASSES if name not in columns]
    if len(missing) == len(SOURCE_CLASSES):
        return {}
    if missing:
        raise OptionError(
            f"the labels have votes, but no column for {', '.join(missing)}; name them, such as"
            f" {missing[0]}=NAME (there are {', '.join(table.colnames)})"
        )
    return columns


def class_votes(column: Any) -> tuple[Array, list[str]]:
    """Read classes as one vote each.

    Parameters
    ----------
    column : astropy.table.Column
        Names of classes.

    Returns
    -------
    votes : ndarray, shape (n, 4)
        1 for the class that is named, or all 0.
    others : list of str
        Names that are no class of a source.
    """
    names = [str(value).strip().lower().replace(" ", "_") for value in column]
    votes = np.zeros((len(names), len(SOURCE_CLASSES)))
    for number, name in enumerate(SOURCE_CLASSES):
        spellings = _SYNONYMS.get(name, (name,))
        votes[:, number] = [one in spellings for one in names]
    return votes, [name for name, vote in zip(names, votes, strict=True) if not vote.any()]
