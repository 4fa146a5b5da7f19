"""A part of the sky to read instead of the whole image."""

import math
import re
import warnings
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.nddata import overlap_slices
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from morpheus.errors import MosaicWarning, OptionError
from morpheus.mosaic.files import astropy_chatter_off

__all__ = ["Region", "parse_region"]

_UNITS = {"arcsec": u.arcsec, "arcmin": u.arcmin, "deg": u.deg, "pix": u.pix}
_SIZE = re.compile(r"(?P<value>[-+.\d]+(?:e[-+]?\d+)?)\s*(?P<unit>[a-z]*)", re.IGNORECASE)
_EXAMPLE = 'e.g. "53.12,-27.80,30arcsec" or "03:32:28.8,-27:48:00,2arcmin,1arcmin"'


@dataclass(frozen=True)
class Region:
    """A rectangle along the pixel axes, around a place on the sky.

    Parameters
    ----------
    ra, dec : float
        Its centre, ICRS, in degrees.
    width, height : `~astropy.units.Quantity`
        Its size along x and along y, an angle or a number of pixels.

    Raises
    ------
    OptionError
        If the centre is not on the sky or the size is not positive.
    """

    ra: float
    dec: float
    width: u.Quantity
    height: u.Quantity

    def __post_init__(self) -> None:
        if not (0 <= self.ra <= 360 and -90 <= self.dec <= 90):  # noqa: PLR2004 (degrees)
            raise OptionError(
                f"region centre RA = {self.ra:g}, Dec = {self.dec:g} deg is not on the sky; "
                "RA is 0 to 360, Dec -90 to +90"
            )
        for side in (self.width, self.height):
            if not (0 < side.value < math.inf):
                raise OptionError(f"region size {side} must be positive")

    def __str__(self) -> str:
        sides = (f"{side.value:g}{side.unit}" for side in (self.width, self.height))
        return ",".join((f"{self.ra:.6f}", f"{self.dec:+.6f}", *sides))

    def section(self, wcs: WCS, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Find the pixels of an image that lie in the region.

        Parameters
        ----------
        wcs : `~astropy.wcs.WCS`
            Coordinates of the image.
        shape : tuple of int
            Its size (y, x) in pixels.

        Returns
        -------
        tuple of slice
            Rows and columns, cut off at the edges of the image.

        Raises
        ------
        OptionError
            If none do.
        """
        n_x, n_y = self._size_in_pixels(wcs)
        centre = SkyCoord(self.ra, self.dec, unit="deg", frame="icrs")
        # A place that the projection cannot show is NaN, or a distortion that does not
        # converge (a warning).
        with astropy_chatter_off(), np.errstate(all="ignore"):
            x, y = (float(value) for value in wcs.world_to_pixel(centre))
        try:
            (rows, columns), _ = overlap_slices(shape, (n_y, n_x), (y, x), mode="trim")
        except ValueError:  # NoOverlapError, or NaN
            raise OptionError(
                f"region {self} does not overlap the image, {_footprint(wcs, shape)}"
            ) from None
        found = (rows.stop - rows.start, columns.stop - columns.start)
        if found != (n_y, n_x):
            warnings.warn(
                f"region {self} reaches beyond the image: {found[1]} x {found[0]} of"
                f" {n_x} x {n_y} pixels (x, y) are there",
                MosaicWarning,
                stacklevel=4,
            )
        return rows, columns

    def _size_in_pixels(self, wcs: WCS) -> tuple[int, int]:
        sizes = []
        for side, scale in zip((self.width, self.height), _pixel_sides(wcs), strict=True):
            size = side if side.unit == u.pix else (side / scale).to(u.pix)
            if size.value < 0.5:  # noqa: PLR2004 (rounds to 0)
                side_arcsec = scale.to_value(u.arcsec / u.pix)
                raise OptionError(
                    f"region {self} is smaller than a pixel ({side_arcsec:.3g} arcsec)"
                )
            sizes.append(round(size.value))
        return sizes[0], sizes[1]


def parse_region(text: str) -> Region:
    """Read a region as it is written on the command line.

    Parameters
    ----------
    text : str
        ``"RA,DEC,SIZE"`` or ``"RA,DEC,WIDTH,HEIGHT"``: ICRS, in degrees or sexagesimal (RA in
        hours then); sizes with a unit: arcsec, arcmin, deg or pix.

    Returns
    -------
    Region
        The region.

    Raises
    ------
    OptionError
        If it cannot be understood.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (3, 4):
        raise OptionError(f'region "{text}" is not RA,DEC,SIZE or RA,DEC,WIDTH,HEIGHT; {_EXAMPLE}')
    ra, dec, *sizes = parts
    sexagesimal = re.search(r"\d[:\s]+\d", ra) is not None
    try:
        centre = SkyCoord(ra, dec, unit=(u.hourangle if sexagesimal else u.deg, u.deg))
    except (ValueError, u.UnitsError) as error:
        raise OptionError(
            f'region "{text}": its centre is not on the sky ({" ".join(str(error).split())}); '
            f"{_EXAMPLE}"
        ) from error
    width = _parse_size(sizes[0], text)
    height = _parse_size(sizes[-1], text)
    return Region(float(centre.ra.deg), float(centre.dec.deg), width, height)


def _parse_size(size: str, text: str) -> u.Quantity:
    match = _SIZE.fullmatch(size)
    try:
        value = float(match["value"]) if match else math.nan
    except ValueError:
        value = math.nan
    if match is None or math.isnan(value):
        raise OptionError(f'region "{text}": "{size}" is not a size; {_EXAMPLE}')
    unit = match["unit"].lower()
    if unit not in _UNITS:
        raise OptionError(
            f'region "{text}": the size "{size}" needs a unit: {", ".join(_UNITS)}; {_EXAMPLE}'
        )
    return value * _UNITS[unit]


def _pixel_sides(wcs: WCS) -> u.Quantity:
    return proj_plane_pixel_scales(wcs) * u.deg / u.pix


def _footprint(wcs: WCS, shape: tuple[int, int]) -> str:
    n_y, n_x = shape
    with astropy_chatter_off():
        centre = wcs.pixel_to_world((n_x - 1) / 2, (n_y - 1) / 2).icrs
    width, height = (np.array([n_x, n_y]) * u.pix * _pixel_sides(wcs)).to_value(u.arcsec)
    return (
        f"which is centred on {centre.ra.deg:.6f},{centre.dec.deg:+.6f} and is "
        f"{n_x}x{n_y} pixels = {width:.4g}x{height:.4g} arcsec in size"
    )
