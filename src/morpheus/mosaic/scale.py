"""The size of a pixel on the sky."""

import math

from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area

__all__ = ["pixel_scale"]


def pixel_scale(wcs: WCS | None) -> float | None:
    """Give the side of a pixel: the root of its area at the reference point of the WCS.

    Parameters
    ----------
    wcs : astropy.wcs.WCS or None
        Celestial coordinates.

    Returns
    -------
    float or None
        In arcsec; None without a WCS.
    """
    return None if wcs is None else 3600.0 * math.sqrt(proj_plane_pixel_area(wcs))
