"""Where on the sky the pixels are, for a page that knows no projections."""

import base64
from typing import Any

import numpy as np
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray

from morpheus.mosaic.files import astropy_chatter_off

__all__ = ["sky_grid"]

_FEWEST, _MOST = 8, 512  # cells along each axis
_TOLERANCE = 0.02  # pixels


def sky_grid(wcs: WCS, shape: tuple[int, int]) -> dict[str, Any] | None:
    """Tabulate the sky over a field: a page interpolates, whatever the projection is.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Celestial coordinates of the pixels, with any distortion.
    shape : tuple of int
        Size (y, x) of the field in pixels.

    Returns
    -------
    dict or None
        `n`, cells along each axis; `vectors`, base64 of little-endian float64 (n + 1, n + 1, 3):
        unit vectors towards ICRS positions at n + 1 places from the field's edge at -0.5 to the
        other, rows first. Between them they are to be interpolated along both axes. `n` is doubled
        until that is right to 0.02 pixel in the middles of all cells and their edges, or `n` is
        512: then it is as good as 512 cells are. None where pixels of the field are not on the sky.
    """
    with astropy_chatter_off(), np.errstate(all="ignore"):
        scale = np.deg2rad(float(np.mean(proj_plane_pixel_scales(wcs))))
        n = _FEWEST
        while True:
            vectors = _vectors(wcs, shape, n, 1)
            if not np.isfinite(vectors).all():
                return None
            if n >= _MOST or _error(wcs, shape, vectors) < _TOLERANCE * scale:
                break
            n *= 2
    content = base64.b64encode(vectors.astype("<f8").tobytes()).decode()
    return {"n": n, "vectors": content}


def _vectors(wcs: WCS, shape: tuple[int, int], n: int, finer: int) -> NDArray[np.float64]:
    y, x = (np.linspace(-0.5, size - 0.5, n * finer + 1) for size in shape)
    sky = wcs.pixel_to_world(*np.meshgrid(x, y)).icrs
    return np.moveaxis(np.asarray(sky.cartesian.xyz.value), 0, -1)


def _error(wcs: WCS, shape: tuple[int, int], vectors: NDArray[np.float64]) -> float:
    """Give the largest distance, in radians, in the middles of edges and cells."""
    true = _vectors(wcs, shape, len(vectors) - 1, 2)
    guess = np.empty_like(true)
    guess[::2, ::2] = vectors
    guess[1::2, ::2] = (vectors[1:] + vectors[:-1]) / 2
    guess[:, 1::2] = (guess[:, 2::2] + guess[:, :-2:2]) / 2
    guess /= np.linalg.norm(guess, axis=-1, keepdims=True)
    return float(np.linalg.norm(guess - true, axis=-1).max())
