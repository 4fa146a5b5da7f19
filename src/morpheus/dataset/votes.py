"""What people said of sources: tables of votes, reduced to shares of the four classes."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from astropy.table import Column, Table
from numpy.typing import NDArray

from morpheus.dataset.columns import class_votes, column_numbers, find_column, vote_columns
from morpheus.dataset.layout import SOURCE_CLASSES, UNKNOWN
from morpheus.errors import OptionError
from morpheus.segmentation import position_columns, read_table

__all__ = ["GALAXY_ZOO_SHARES", "VOTE_KINDS", "read_votes"]

Array = NDArray[np.float64]

VOTE_KINDS = "experts", "galaxy-zoo"
"""Votes for the classes, or answers of Galaxy Zoo: CANDELS."""

GALAXY_ZOO_SHARES = MappingProxyType(
    {
        "smooth": (0.35, 0.65, 0.0, 0.0),
        "features": (0.0, 0.6, 0.4, 0.0),
        "artifact": (0.2, 0.2, 0.29, 0.31),
    }
)
"""What experts say of sources for each answer to Galaxy Zoo's first question; a measured rule.

Shares of `SOURCE_CLASSES` that make the votes of Kartaltepe et al. (2015) most probable as a
mixture of the answers, on the 7,424 sources of GOODS-S that have both (`benchmarks/votes.py`).
"""

_ANSWERS = {
    "smooth": ("gz_smooth", "t00_smooth_or_featured_a0_smooth{}_frac"),
    "features": ("gz_feat", "t00_smooth_or_featured_a1_features{}_frac"),
    "artifact": ("gz_star", "t00_smooth_or_featured_a2_artifact{}_frac"),
}
_WEIGHTS = "_weighted", ""  # of the published catalogue, the consensus-weighted fractions first
_EXPERTS = "n_experts", "n_votes", "num_classifications"
_PLACES = "id", "ra", "dec", "x", "y"
_OTHERS = "class", "n_experts"


def read_votes(
    votes: Any, columns: Mapping[str, str] | None = None, *, kind: str = "experts"
) -> Table:
    """Read a table of votes.

    Parameters
    ----------
    votes : path or astropy.table.Table
        In any format that astropy reads. Votes are columns `spheroid`, `disk`, `irregular`,
        `point_source` and perhaps `unknown`, also with `votes_`, `p_` or `f_` before them or in
        short (`f_sph`, `f_irr`, `f_ps`, `f_unc`): shares, per cent or numbers; or a column `class`
        has one name.
    columns : mapping of str to str, optional
        Names of columns where they are others: for the classes and `unknown` (of Galaxy Zoo:
        `smooth`, `features` and `artifact`), `class`, `n_experts`, `id`, `ra`, `dec`, `x`, `y`.
    kind : {'experts', 'galaxy-zoo'}, optional
        Votes for the classes, or answers to the first question of Galaxy Zoo: CANDELS, which become
        shares of the classes by `GALAXY_ZOO_SHARES`.

    Returns
    -------
    astropy.table.Table
        `id` (from 1 where there is none), `ra` and `dec`, or `x` and `y`, or both, where there are;
        shares of `SOURCE_CLASSES` among those who named a class, which add up to 1 (NaN where
        nobody did); `unknown`, the share of all votes that the source cannot be classified;
        `n_experts`, 0 where it is not known. Rows without any vote are left out; their number is
        the metadatum `no_answer`.

    Raises
    ------
    OptionError
        If the table cannot be read, a column is missing, a vote is negative, infinite or missing
        where others are not (with the number of the row, the first being 1), or no row has votes.
    """
    table = votes if isinstance(votes, Table) else read_table(Path(votes), what="labels")
    given = dict(columns or {})
    if kind not in VOTE_KINDS:
        raise OptionError(f"votes are {kind!r}; they must be one of {', '.join(VOTE_KINDS)}")
    known = (
        *(_ANSWERS if kind == "galaxy-zoo" else (*SOURCE_CLASSES, UNKNOWN)),
        *_OTHERS,
        *_PLACES,
    )
    for name in given:
        if name not in known:
            raise OptionError(f"{name} is no column of such votes; known are {', '.join(known)}")
    read = _galaxy_zoo if kind == "galaxy-zoo" else _experts
    numbers = read(table, given)
    answered = numbers.sum(axis=1) > 0
    if not answered.any():
        raise OptionError(f"none of the {len(table)} rows of the labels has votes")
    found = _places(table, given)
    named = numbers[:, : len(SOURCE_CLASSES)]
    total = named.sum(axis=1, keepdims=True)
    shares = np.divide(named, total, out=np.full_like(named, np.nan), where=total > 0)
    for name, share in zip(SOURCE_CLASSES, shares.T, strict=True):
        found[name] = share
    everything = np.where(answered, numbers.sum(axis=1), 1.0)
    found[UNKNOWN] = numbers[:, len(SOURCE_CLASSES)] / everything
    experts = column_numbers(table, find_column(table, given.get("n_experts"), _EXPERTS))
    found["n_experts"] = np.nan_to_num(experts, posinf=0, neginf=0).clip(0, 2**31 - 1).astype("i4")
    found = found[answered]
    found.meta["no_answer"] = int((~answered).sum())
    return found


def _experts(table: Table, given: Mapping[str, str]) -> Array:
    """Give votes for the four classes, then 'unknown'."""
    columns = vote_columns(table, given)
    if columns:
        numbers = _checked(table, columns)
        if UNKNOWN not in columns:
            numbers = np.column_stack([numbers, np.zeros(len(table))])
        return numbers
    name = find_column(table, given.get("class"), ("class",))
    if name is None:
        try:
            _answers(table, given)
        except OptionError:
            hint = ""
        else:
            hint = "; those of Galaxy Zoo are read with --votes galaxy-zoo"
        raise OptionError(
            f"the labels have no votes: needed are columns {', '.join(SOURCE_CLASSES)}, or class;"
            f" there are {', '.join(table.colnames)}{hint}"
        )
    votes, _ = class_votes(table[name])
    return np.column_stack([votes, np.zeros(len(table))])


def _galaxy_zoo(table: Table, given: Mapping[str, str]) -> Array:
    columns = _answers(table, given)
    answers = _checked(table, columns)
    return np.column_stack(
        [answers @ np.array([GALAXY_ZOO_SHARES[name] for name in columns]), np.zeros(len(table))]
    )


def _answers(table: Table, given: Mapping[str, str]) -> dict[str, str]:
    columns = {}
    for answer, names in _ANSWERS.items():
        known = tuple(dict.fromkeys(name.format(w) for name in names for w in _WEIGHTS))
        column = find_column(table, given.get(answer), known)
        if column is None:
            raise OptionError(
                f"the labels have no column of the answer {answer}, such as {known[-2]}; there are"
                f" {', '.join(table.colnames)}"
            )
        columns[answer] = column
    return columns


def _checked(table: Table, columns: Mapping[str, str]) -> Array:
    """Read votes; rows without any become 0."""
    numbers = np.array([column_numbers(table, name) for name in columns.values()]).T
    numbers[np.isnan(numbers).all(axis=1)] = 0
    wrong = ~(np.isfinite(numbers) & (numbers >= 0))
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        value = numbers[row, place]
        raise OptionError(
            f"row {row + 1} of the labels has"
            f" {'no number' if np.isnan(value) else format(value, 'g')} in the column"
            f" {list(columns.values())[place]}; votes are finite, and 0 or more"
        )
    return numbers


def _places(table: Table, given: Mapping[str, str]) -> Table:
    """Take the identifiers and positions; `read_positions` looks at their values."""
    names: dict[str, str] = position_columns(table)
    for role in _PLACES:
        if role in given:
            names[role] = str(find_column(table, given[role], ()))
    for one, other in (("ra", "dec"), ("x", "y")):
        if (one in names) != (other in names):
            raise OptionError(f"the labels have a column for one of {one} and {other}; name both")
    places = Table()
    places["id"] = (
        table[names["id"]] if "id" in names else Column(np.arange(1, len(table) + 1), name="id")
    )
    for role in _PLACES[1:]:
        if role in names:
            places[role] = table[names[role]]
    return places
