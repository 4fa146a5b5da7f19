"""What is known of an image: its sources, and whose each pixel is."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.dataset.columns import class_votes, column_numbers, find_column, vote_columns
from morpheus.dataset.layout import SOURCE_CLASSES
from morpheus.errors import MosaicWarning, OptionError
from morpheus.segmentation import open_positions, read_positions

__all__ = ["ROLES", "SOURCE_CLASSES", "Truth", "read_labels", "truth_of_field"]

Array = NDArray[np.float64]

_MAGNITUDES = ("mag", "mag_f160w", "hmag", "mag_auto", "kron_mag", "mag_best")
_RADII = ("r_e", "re", "r_half", "half_light_radius_arcsec")
_UNKNOWN = 90.0  # catalogues write magnitudes that are not known as 99 or -99

ROLES = ("mag", "r_e", "class")
"""Columns of a table of labels that can be named, beside those of the votes."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of an image.

    Parameters
    ----------
    sources : astropy.table.Table
        A row a source: `id`, `x` and `y` (0-based pixels), `mag` (AB), `r_e` (arcsec),
        `surface_brightness` (mag / arcsec2, mean within `r_e`) and `votes`, shape (4,): shares of
        the votes of `SOURCE_CLASSES`, which add up to 1. NaN where something is not known.
    owner : ndarray of int, shape (y, x), optional
        The `id` of the source that each pixel belongs to; 0 for the sky.
    classes : ndarray, shape (5, y, x), optional
        Shares of `CLASS_NAMES` in each pixel; they add up to 1.
    complete : bool, optional
        Whether every source is listed, so that what is found and not listed is false.
    """

    sources: Table
    owner: NDArray[np.int32] | None = None
    classes: NDArray[np.float32] | None = None
    complete: bool = False

    def __len__(self) -> int:
        return len(self.sources)


def truth_of_field(
    catalog: Table,
    band: str,
    owner: NDArray[np.int32] | None = None,
    classes: NDArray[np.float32] | None = None,
) -> Truth:
    """Take the truth of a simulated field.

    Parameters
    ----------
    catalog : astropy.table.Table
        Its sources, as `morpheus simulate field` writes them.
    band : str
        Reference band, whose magnitudes are compared.
    owner : ndarray of int, shape (y, x), optional
        Whose each pixel is.
    classes : ndarray, shape (5, y, x), optional
        Shares of the classes.

    Returns
    -------
    Truth
        Complete.
    """
    mag = np.asarray(catalog[f"mag_{band.lower()}"], dtype=float)
    radius = np.asarray(catalog["r_e"], dtype=float)
    radius = np.where(radius > 0, radius, np.nan)  # of stars
    ratio = np.asarray(catalog["axis_ratio"], dtype=float)
    table = Table(
        {
            "id": np.asarray(catalog["id"], dtype=np.int64),
            "x": np.asarray(catalog["x"], dtype=float),
            "y": np.asarray(catalog["y"], dtype=float),
            "mag": mag,
            "r_e": radius,
            "surface_brightness": _surface_brightness(mag, radius, ratio),
            "votes": np.array([catalog[f"votes_{name}"] for name in SOURCE_CLASSES]).T.reshape(
                -1, len(SOURCE_CLASSES)
            ),
        }
    )
    return Truth(table, owner, classes, complete=True)


def read_labels(
    labels: Any,
    wcs: WCS | None,
    *,
    columns: Mapping[str, str] | None = None,
    complete: bool = False,
) -> Truth:
    """Read a table of labelled sources: experts' votes, or a reference catalogue.

    Parameters
    ----------
    labels : path or astropy.table.Table
        In any format that astropy reads. Positions are found as `morpheus segment --positions`
        finds them. Votes are the columns `spheroid`, `disk`, `irregular` and `point_source`, also
        with `votes_`, `p_` or `f_` before them: shares or numbers; or a `class` column has names.
        Magnitudes (`mag`, `mag_f160w`, ...) and half-light radii (`r_e`, ...; in arcsec, unless
        their unit is another angle) are used where they are.
    wcs : astropy.wcs.WCS or None
        Of the image.
    columns : mapping of str to str, optional
        Names of the columns for the classes and for `ROLES`, where they are others.
    complete : bool, optional
        Whether every source of the image is listed.

    Returns
    -------
    Truth
        Without maps.

    Raises
    ------
    OptionError
        If the table cannot be read, has no positions, or a column is missing or not numbers.

    Warns
    -----
    MosaicWarning
        If there is a column of classes, but none of them is one of Morpheus'.
    """
    table = open_positions(labels, what="labels")
    found = read_positions(table, wcs, what="labels")
    given = dict(columns or {})
    unknown = sorted(set(given) - {*ROLES, *SOURCE_CLASSES})
    if unknown:
        raise OptionError(
            f"{unknown[0]} is no column that labels have; known are"
            f" {', '.join((*ROLES, *SOURCE_CLASSES))}"
        )
    mag = column_numbers(table, find_column(table, given.get("mag"), _MAGNITUDES))
    mag[np.abs(mag) >= _UNKNOWN] = np.nan
    radius = column_numbers(table, find_column(table, given.get("r_e"), _RADII), u.arcsec)
    radius[~(radius > 0)] = np.nan
    sources = Table(
        {
            "id": found["id"],
            "x": np.asarray(found["x"], dtype=float),
            "y": np.asarray(found["y"], dtype=float),
            "mag": mag,
            "r_e": radius,
            "surface_brightness": _surface_brightness(mag, radius, np.ones(len(table))),
            "votes": _votes(table, given),
        }
    )
    return Truth(sources, complete=complete)


def _surface_brightness(mag: Array, radius: Array, ratio: Array) -> Array:
    """Mean within the half-light ellipse: half of the light over its area."""
    return mag + 2.5 * np.log10(2 * np.pi * ratio * radius**2)


def _votes(table: Table, given: Mapping[str, str]) -> Array:
    """Shares of the votes; NaN where there are none."""
    columns = vote_columns(table, given)
    if columns:
        votes = np.array([column_numbers(table, columns[name]) for name in SOURCE_CLASSES]).T
        if (votes < 0).any():
            raise OptionError("some votes of the labels are negative")
    else:
        votes = _one_hot(table, given)
    total = votes.sum(axis=1, keepdims=True)
    shares: Array = np.divide(votes, total, out=np.full_like(votes, np.nan), where=total > 0)
    return shares


def _one_hot(table: Table, given: Mapping[str, str]) -> Array:
    column = find_column(table, given.get("class"), ("class",))
    if column is None:
        return np.zeros((len(table), len(SOURCE_CLASSES)))
    votes, others = class_votes(table[column])
    if others:
        warnings.warn(
            f"{len(others)} of {len(table)} labels have in the column {column} none of the classes"
            f" {', '.join(SOURCE_CLASSES)}, but such as {others[0]!r}: they count in detection"
            " only",
            MosaicWarning,
            stacklevel=2,
        )
    return votes
