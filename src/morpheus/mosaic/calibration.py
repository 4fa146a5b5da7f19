"""Photometric calibration of an image: what its header and unit say, and no guesses."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area

from morpheus.errors import MosaicWarning
from morpheus.mosaic.units import parse_unit

__all__ = ["Calibration", "calibrate"]

# Keywords under which surveys give the AB magnitude of one image unit.
_ZERO_POINTS = ("ABMAGZP", "MAGZERO", "MAGZPT", "MAGZP", "ZEROPNT", "ZEROPOINT", "ABZPT")
_EXPOSURES = ("EXPTIME", "TEXPTIME")
# Space Telescope's AB zero point: PHOTFLAM (erg / s / cm2 / Angstrom) and PHOTPLAM (Angstrom).
_AB_CONSTANT = 2.408
_AREA_TOLERANCE = 0.05
_COUNTS = (u.electron, u.ct, u.DN, u.adu)


@dataclass(frozen=True)
class Calibration:
    """What is known of the flux scale of an image.

    Parameters
    ----------
    zero_point : float or None, optional
        AB magnitude of a flux of 1 image unit. None if it is not known.
    zero_point_source : str or None, optional
        Where it is from, such as 'PHOTFLAM' or 'BUNIT'.
    exposure : float or None, optional
        Exposure time of the header, in seconds.
    saturation : float or None, optional
        Level from which pixels are saturated (SATURATE), in image units.
    """

    zero_point: float | None = None
    zero_point_source: str | None = None
    exposure: float | None = None
    saturation: float | None = None


def calibrate(
    headers: Sequence[fits.Header], unit: str | None, wcs: WCS | None = None
) -> Calibration:
    """Find the flux scale of an image.

    The zero point is that of the unit, if this is a flux density (nJy, uJy, Jy, erg / s / cm2 /
    Hz) or a surface brightness (MJy / sr, of a pixel whose area is PIXAR_SR or, if they differ by
    more than 5%, that of the WCS);
    else that of PHOTFLAM and PHOTPLAM,
    ``-2.5 log10(PHOTFLAM) - 5 log10(PHOTPLAM) - 2.408``, for counts per second, to which
    ``2.5 log10(EXPTIME)`` is added for counts; else that of a keyword such as MAGZERO.

    Parameters
    ----------
    headers : sequence of Header
        Where keywords are looked up, in this order.
    unit : str or None
        Unit of the pixels, as written.
    wcs : astropy.wcs.WCS, optional
        World coordinates, for the area of a pixel.

    Returns
    -------
    Calibration
        None for all that is not known, or not a positive finite number.

    Warns
    -----
    MosaicWarning
        If PIXAR_SR is needed, and is not the area of a pixel of the WCS.
    """
    exposure = _first(headers, _EXPOSURES)[0]
    zero_point, source = _zero_point(headers, unit, wcs, exposure)
    return Calibration(zero_point, source, exposure, _positive(headers, "SATURATE"))


def _zero_point(
    headers: Sequence[fits.Header], unit: str | None, wcs: WCS | None, exposure: float | None
) -> tuple[float | None, str | None]:
    parsed = None if unit is None else parse_unit(unit)
    if parsed is not None:
        flux_density = _flux_density(parsed, headers, wcs)
        if flux_density is not None:
            return float(flux_density.to_value(u.ABmag)), "BUNIT"
        photflam, photplam = (_positive(headers, key) for key in ("PHOTFLAM", "PHOTPLAM"))
        seconds = _seconds(parsed, exposure)
        if photflam is not None and photplam is not None and seconds is not None:
            rate = -2.5 * math.log10(photflam) - 5 * math.log10(photplam) - _AB_CONSTANT
            return rate + 2.5 * math.log10(seconds), "PHOTFLAM"
    return _first(headers, _ZERO_POINTS)


def _flux_density(
    unit: u.UnitBase, headers: Sequence[fits.Header], wcs: WCS | None
) -> u.Quantity | None:
    """Flux density of one image unit in one pixel."""
    try:
        if unit.is_equivalent(u.Jy):
            return (1 * unit).to(u.Jy)
        if not unit.is_equivalent(u.Jy / u.sr):
            return None
        area = _pixel_area(headers, wcs)
        return None if area is None else (1 * unit * area * u.sr).to(u.Jy)
    except (u.UnitsError, TypeError, AttributeError):  # a logarithmic unit, such as mag
        return None


def _pixel_area(headers: Sequence[fits.Header], wcs: WCS | None) -> float | None:
    """Area of a pixel in steradians."""
    stated = _positive(headers, "PIXAR_SR")
    if wcs is None:
        return stated
    area = float((proj_plane_pixel_area(wcs) * u.deg**2).to_value(u.sr))
    if stated is None or not (math.isfinite(area) and area > 0):
        return stated if stated is not None else area
    if abs(stated / area - 1) <= _AREA_TOLERANCE:
        return stated
    warnings.warn(
        f"PIXAR_SR is {stated:.4g} but a pixel of the WCS has {area:.4g} sr: the image was"
        " resampled, or its header is another's; the zero point is that of the WCS",
        MosaicWarning,
        stacklevel=2,
    )
    return area


def _seconds(unit: u.UnitBase, exposure: float | None) -> float | None:
    """Over how many seconds one image unit was counted."""
    if any(unit == count / u.s for count in _COUNTS):
        return 1.0
    return exposure if unit in _COUNTS else None


def _first(
    headers: Sequence[fits.Header], keywords: Sequence[str]
) -> tuple[float | None, str | None]:
    for keyword in keywords:
        value = _positive(headers, keyword)
        if value is not None:
            return value, keyword
    return None, None


def _positive(headers: Sequence[fits.Header], keyword: str) -> float | None:
    for header in headers:
        value = _number(header, keyword)
        if value is not None and math.isfinite(value) and value > 0:
            return value
    return None


def _number(header: fits.Header, keyword: str) -> float | None:
    try:
        value: Any = header.get(keyword)
    except (fits.VerifyError, ValueError):  # a card that cannot be parsed
        return None
    # Text is no number even where it looks like one; True would be 1.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
