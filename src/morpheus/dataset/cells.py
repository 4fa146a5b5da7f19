"""Areas of the sky: examples of one area go to training, or to validation, together."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["cell_number", "grid_places", "simulated_cells", "sky_places"]

_ARCSEC = 3600.0
_OPTIONS = "n", "jobs"  # options on which the examples of a group do not depend


def sky_places(
    ra: NDArray[np.float64], dec: NDArray[np.float64], side: float
) -> list[tuple[int, int]]:
    """Find the cells of positions in a grid that covers the sky.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        ICRS, in degrees.
    side : float
        Side of a cell in arcsec.

    Returns
    -------
    list of tuple of int
        Row in declination and column in right ascension: the same for the same place on the sky,
        whatever image it is in.
    """
    rows = np.floor((dec + 90) * _ARCSEC / side).astype(int)
    middle = np.radians(np.clip((rows + 0.5) * side / _ARCSEC - 90, -90, 90))
    columns = np.maximum(1, np.floor(360 * _ARCSEC * np.cos(middle) / side))
    places = np.floor(ra % 360 / 360 * columns).astype(int)
    return list(zip(rows.tolist(), places.tolist(), strict=True))


def grid_places(
    x: NDArray[np.float64], y: NDArray[np.float64], side: float | None
) -> list[tuple[int, int]]:
    """Find the cells of positions in an image.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        In pixels.
    side : float or None
        Side of a cell in pixels; None: the whole image is one.

    Returns
    -------
    list of tuple of int
        Row and column.
    """
    if side is None:
        return [(0, 0)] * len(x)
    return [(int(b // side), int(a // side)) for a, b in zip(x, y, strict=True)]


def cell_number(*key: object) -> int:
    """Give a cell a number that no cell of another grid has.

    Parameters
    ----------
    *key : object
        What tells the cell from others; text and numbers.

    Returns
    -------
    int
        From 0 to 2^63 - 1.
    """
    digest = hashlib.sha256(json.dumps(key).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def simulated_cells(card: Mapping[str, Any], cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the cells of a simulated dataset numbers that no others have.

    Parameters
    ----------
    card : mapping
        Of the dataset.
    cells : ndarray, shape (n,)
        Numbers of its groups.

    Returns
    -------
    ndarray of int64, shape (n,)
        The same for groups of the same seed and options, which are the same examples.
    """
    options = {k: v for k, v in card.get("options", {}).items() if k not in _OPTIONS}
    key = options or card["checksum"]
    return np.array([cell_number("simulated", key, int(cell)) for cell in cells], np.int64)
