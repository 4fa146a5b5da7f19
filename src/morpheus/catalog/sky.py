"""Pixels to the sky: positions and angles."""

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.mosaic.files import astropy_chatter_off

__all__ = ["position_angles", "sky_positions"]

# Length of the arrow whose direction on the sky is taken, in pixels: long enough for its ends to
# be told apart, short enough to be straight.
_ARROW = 1.0


def sky_positions(
    wcs: WCS | None, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the sky positions of pixels.

    Parameters
    ----------
    wcs : astropy.wcs.WCS or None
        World coordinates.
    x, y : ndarray of float64, shape (source,)
        Pixels, 0-based.

    Returns
    -------
    tuple of ndarray of float64
        Right ascension and declination, ICRS, in degrees; NaN without a WCS, or off the sky.
    """
    if wcs is None or not len(x):
        return np.full(len(x), np.nan), np.full(len(x), np.nan)
    position = _to_sky(wcs, x, y)
    return np.asarray(position.ra.deg), np.asarray(position.dec.deg)


def position_angles(
    wcs: WCS | None,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    theta: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Give the position angles of directions in an image.

    Parameters
    ----------
    wcs : astropy.wcs.WCS or None
        World coordinates.
    x, y : ndarray of float64, shape (source,)
        Pixels, 0-based.
    theta : ndarray of float64, shape (source,)
        Directions, radians from x towards y.

    Returns
    -------
    ndarray of float64
        Degrees from north through east, 0 to 180; without a WCS from y towards -x, which is the
        same where north is up and east is left.
    """
    if wcs is None or not len(x):
        angle = np.rad2deg(theta) - 90
    else:
        start = _to_sky(wcs, x, y)
        end = _to_sky(wcs, x + _ARROW * np.cos(theta), y + _ARROW * np.sin(theta))
        angle = np.asarray(start.position_angle(end).deg)
    folded: NDArray[np.float64] = np.mod(angle, 180)
    return folded


def _to_sky(wcs: WCS, x: NDArray[np.float64], y: NDArray[np.float64]) -> SkyCoord:
    with astropy_chatter_off(), np.errstate(all="ignore"):
        return wcs.pixel_to_world(x, y).icrs
