"""External positions claim pixels: a source for each, with the identifier it came with."""

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io.registry import IORegistryError
from astropy.table import Column, Table
from astropy.wcs import WCS
from numpy.typing import NDArray
from skimage.segmentation import watershed

from morpheus.errors import OptionError

__all__ = ["claim", "open_positions", "position_columns", "read_positions", "read_table"]

_IDENTIFIERS = ("id", "number", "source_id", "objid", "name")
_PIXELS = (("x", "y"), ("x_centroid", "y_centroid"))
_SKY = (
    ("ra", "dec"),
    ("raj2000", "dej2000"),
    ("alpha_j2000", "delta_j2000"),
    ("alphawin_j2000", "deltawin_j2000"),
    ("ra_icrs", "de_icrs"),
)


def read_positions(positions: Any, wcs: WCS | None, *, what: str = "positions") -> Table:
    """Read external positions and find them on the pixel grid.

    Parameters
    ----------
    positions : path, astropy.table.Table, SkyCoord or array of shape (n, 2)
        A table in any format that astropy reads, with an identifier (`id`, `number`, ...; without
        the blanks around it; else they are counted from 1) and either sky positions in ICRS
        (`ra` and `dec`, `RAJ2000`, `ALPHA_J2000`, ...; degrees unless their unit says otherwise)
        or pixels (`x` and `y`, 0-based); sky positions are preferred if there is a WCS. Or an
        array of pixels (x, y).
    wcs : astropy.wcs.WCS or None
        World coordinates of the pixel grid.
    what : str, optional
        What messages call them.

    Returns
    -------
    astropy.table.Table
        `id`, and `x`, `y` in pixels (float64; NaN where the position is not on this side of the
        sky).

    Raises
    ------
    OptionError
        If the table cannot be read, lacks columns, holds no finite positions, repeats an
        identifier, or has one with control characters such as a line break.
    """
    positions = open_positions(positions, what=what)
    names = {name.lower(): name for name in positions.colnames}
    x, y = _on_grid(positions, names, wcs, what)
    identifier = next((names[name] for name in _IDENTIFIERS if name in names), None)
    ids: NDArray[Any] = np.arange(1, len(x) + 1)
    if identifier is not None:
        ids = _identifiers(positions[identifier])
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise OptionError(f"the {what} have the identifier {values[counts > 1][0]} twice")
    return Table({"id": Column(ids), "x": x, "y": y})


def open_positions(positions: Any, *, what: str = "positions") -> Table:
    """Read external positions as a table.

    Parameters
    ----------
    positions : path, astropy.table.Table, SkyCoord or array of shape (n, 2)
        As for `read_positions`.
    what : str, optional
        What messages call them.

    Returns
    -------
    astropy.table.Table
        With sky positions or pixels.

    Raises
    ------
    OptionError
        If it cannot be read, or has neither.
    """
    if isinstance(positions, SkyCoord):
        sky = positions.icrs.reshape(-1)
        positions = Table({"ra": sky.ra, "dec": sky.dec})
    elif isinstance(positions, str | Path):
        positions = read_table(Path(positions), what=what)
    elif not isinstance(positions, Table):
        try:
            array = np.asarray(positions)
        except ValueError as error:  # rows of different length
            raise OptionError(f"the positions are no (x, y) pairs: {error}") from error
        if array.ndim != 2 or array.shape[1] != 2:  # noqa: PLR2004 (x and y)
            raise OptionError(
                f"positions have shape {array.shape}; give a table, a SkyCoord or (x, y) pairs"
            )
        positions = Table({"x": array[:, 0], "y": array[:, 1]})
    names = {name.lower() for name in positions.colnames}
    if not any(set(pair) <= names for pair in (*_SKY, *_PIXELS)):
        raise OptionError(
            f"the {what} have the columns {', '.join(positions.colnames)}; needed are ra and"
            " dec, or x and y in pixels"
        )
    return positions


def _identifiers(column: Any) -> NDArray[Any]:
    if np.ma.is_masked(column) or "" in column.tolist():
        raise OptionError(f"some positions have no identifier in the column {column.name}")
    ids = np.asarray(column)
    if ids.dtype.kind in "iu" and ids.max() <= np.iinfo(np.int64).max:
        return ids.astype(np.int64)
    return _texts(ids, column.name)


def _texts(ids: NDArray[Any], column: str) -> NDArray[np.str_]:
    try:
        texts = [text.strip() for text in ids.astype(str).tolist()]
    except UnicodeError as error:
        raise OptionError(f"the column {column} of the positions is no text: {error}") from error
    if "" in texts:
        raise OptionError(f"some positions have no identifier in the column {column}")
    for text in texts:
        if any(unicodedata.category(character) == "Cc" for character in text):
            raise OptionError(
                f"the identifier {text!r} of a position has a control character, which no"
                " catalogue can hold"
            )
    return np.array(texts)


def position_columns(table: Table) -> dict[str, str]:
    """Find the columns of identifiers and positions.

    Parameters
    ----------
    table : astropy.table.Table
        The table.

    Returns
    -------
    dict of str to str
        Names of the columns that there are, for 'id', 'ra' and 'dec', 'x' and 'y'.
    """
    names = {name.lower(): name for name in table.colnames}
    identifier = next((names[name] for name in _IDENTIFIERS if name in names), None)
    found = {} if identifier is None else {"id": identifier}
    for axes, pairs in ((("ra", "dec"), _SKY), (("x", "y"), _PIXELS)):
        pair = next((pair for pair in pairs if set(pair) <= set(names)), None)
        if pair is not None:
            found |= {axis: names[name] for axis, name in zip(axes, pair, strict=True)}
    return found


def read_table(path: Path, *, what: str) -> Table:
    """Read a table in any format that astropy reads.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What messages call it: the option that it was given with.

    Returns
    -------
    astropy.table.Table
        With one row at least.

    Raises
    ------
    OptionError
        If it cannot be read.
    """
    if not path.is_file():
        raise OptionError(f"{path}: no such file; --{what} takes a table")
    try:
        try:
            table = Table.read(path)
        except IORegistryError:
            table = Table.read(path, format="ascii")
    except Exception as error:  # astropy's readers raise whatever the file makes them
        raise OptionError(f"{path}: not a table that can be read ({error})") from error
    if len(table) == 0:  # any text, or none, is a table to a reader that guesses
        raise OptionError(f"{path}: not a table that can be read, or one without rows")
    return table


def _on_grid(
    positions: Table, names: dict[str, str], wcs: WCS | None, what: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sky = next((pair for pair in _SKY if set(pair) <= set(names)), None)
    pixels = next((pair for pair in _PIXELS if set(pair) <= set(names)), None)
    if sky is not None and wcs is not None:
        ra, dec = (
            u.Quantity(_floats(positions[names[name]]), positions[names[name]].unit or u.deg)
            for name in sky
        )
        try:
            x, y = wcs.world_to_pixel(SkyCoord(ra, dec))
        except (ValueError, u.UnitsError) as error:
            raise OptionError(f"the positions are no ICRS coordinates: {error}") from error
    elif pixels is not None:
        x, y = (_floats(positions[names[name]]) for name in pixels)
    else:
        raise OptionError(
            f"the {what} have the columns {', '.join(positions.colnames)}; needed are x and y"
            " in pixels (the image has no WCS)"
        )
    x, y = np.atleast_1d(x), np.atleast_1d(y)
    if not (np.isfinite(x) & np.isfinite(y)).any():
        raise OptionError(
            "there are no positions, or none is finite and on this side of the sky: are right"
            " ascension and declination swapped?"
        )
    return x, y


def _floats(column: Any) -> NDArray[np.float64]:
    try:
        values = np.ma.filled(np.ma.asarray(column).astype(float), np.nan)
    except (TypeError, ValueError) as error:
        raise OptionError(f"the column {column.name} of the positions is not numbers") from error
    if values.ndim > 1:
        raise OptionError(f"the column {column.name} of the positions holds arrays, not numbers")
    return np.asarray(values, np.float64)


def claim(
    regions: NDArray[np.int32],
    image: NDArray[np.floating[Any]],
    positions: Table,
    *,
    connectivity: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Share out the regions among the positions in them, by a watershed from the positions.

    Parameters
    ----------
    regions : ndarray of int32, shape (y, x)
        0 for sky, 1 to N for regions of one or more sources.
    image : ndarray of float, shape (y, x)
        The detection image, smoothed; finite.
    positions : astropy.table.Table
        `x`, `y` in pixels.
    connectivity : {1, 2}
        Whether pixels hang together by sides (1) or also by corners (2), as in `regions`.

    Returns
    -------
    labels : ndarray of int32, shape (y, x)
        The row of the position that claims the pixel, counted from 1; 0 where none does: in the
        sky, and in regions without a position.
    label_of : ndarray of int32, shape (n,)
        The label of each position: its own, 0 if it is in the sky or off the image, or that of
        an earlier position in the same pixel.
    """
    height, width = regions.shape
    x, y = (np.rint(np.nan_to_num(positions[axis], nan=-1.0)).clip(-1, 2**31) for axis in "xy")
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    column, row = (np.where(inside, axis, 0).astype(np.int64) for axis in (x, y))
    detected = inside & (regions[row, column] > 0)
    markers = np.zeros(regions.shape, np.int32)
    rows = np.flatnonzero(detected)
    # Backwards, so that the first of several positions in one pixel has it.
    markers[row[rows][::-1], column[rows][::-1]] = rows[::-1] + 1
    labels = watershed(-image, markers, mask=regions > 0, connectivity=connectivity)
    return np.asarray(labels, np.int32), np.where(detected, markers[row, column], 0).astype(
        np.int32
    )
