"""Pixel grids: whose pixels fall on whose."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, WcsError
from astropy.wcs.utils import wcs_to_celestial_frame
from numpy.typing import NDArray

from morpheus.errors import GridMismatchError, ImageError
from morpheus.mosaic.files import astropy_chatter_off

__all__ = ["MAX_OFFSET", "celestial_wcs", "check_same_shape", "check_same_sky"]

MAX_OFFSET = 0.01
"""Largest distance, in pixels, between places that count as the same."""

_POINTS = 5  # along each axis: corners, edges, centre and what lies between
_REMEDY = "put them on one pixel grid first, e.g. with reproject.reproject_interp"


def celestial_wcs(source: Any, *, name: str, hdus: fits.HDUList | None = None) -> WCS | None:
    """Give the celestial coordinates of an image.

    Parameters
    ----------
    source : `~astropy.wcs.WCS`, Header or None
        Its coordinates, or the header that holds them.
    name : str
        What messages call the image.
    hdus : HDUList, optional
        The file of the header, which holds the tables of some distortions.

    Returns
    -------
    `~astropy.wcs.WCS` or None
        A copy with two axes. None if `source` holds no celestial coordinates.

    Raises
    ------
    ImageError
        If the coordinates cannot be used.
    """
    if source is None:
        return None
    if not isinstance(source, WCS | fits.Header):
        raise ImageError(
            f"{name}: its coordinates are a {type(source).__name__}; "
            "give an astropy.wcs.WCS (of a gwcs: its to_fits_sip())"
        )
    try:
        with astropy_chatter_off():
            wcs = source.deepcopy() if isinstance(source, WCS) else WCS(source, fobj=hdus)
            wcs.wcs.set()
            if not wcs.has_celestial:
                return None
    except (WcsError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise ImageError(
            f"{name}: its WCS cannot be used ({' '.join(str(error).split())}); "
            "correct its header, or give (array, WCS)"
        ) from error
    if wcs.naxis > 2:  # noqa: PLR2004 (a third axis that the image does not have)
        wcs = wcs.celestial
    try:
        wcs_to_celestial_frame(wcs)
    except ValueError:  # of the Sun or a planet
        return None
    return wcs


@dataclass(frozen=True)
class _Offsets:
    """Where pixels of one grid fall on another, minus where they would if it were the same."""

    dx: NDArray[np.float64]
    dy: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]

    @property
    def size(self) -> NDArray[np.float64]:
        return np.hypot(self.dx, self.dy)


def check_same_shape(
    name: str, shape: tuple[int, int], reference: str, reference_shape: tuple[int, int]
) -> None:
    """Check that two images have the same size.

    Parameters
    ----------
    name : str
        What messages call the image.
    shape : tuple of int
        Its size (y, x).
    reference : str
        What messages call the image that it is compared with.
    reference_shape : tuple of int
        The size of that one.

    Raises
    ------
    GridMismatchError
        If they differ.
    """
    if shape != reference_shape:
        (n_y, n_x), (m_y, m_x) = shape, reference_shape
        raise GridMismatchError(
            f"{name} is {n_x}x{n_y} while {reference} is {m_x}x{m_y} pixels (x, y); {_REMEDY}"
        )


def check_same_sky(
    name: str, wcs: WCS, reference: str, reference_wcs: WCS, shape: tuple[int, int]
) -> None:
    """Check that each pixel of two images shows the same place on the sky.

    Points from corner to corner of the reference are mapped to the sky and from there into
    the pixels of the other image, through all distortions and between celestial frames.

    Parameters
    ----------
    name : str
        What messages call the image.
    wcs : `~astropy.wcs.WCS`
        Its coordinates.
    reference : str
        What messages call the image that it is compared with.
    reference_wcs : `~astropy.wcs.WCS`
        The coordinates of that one.
    shape : tuple of int
        The size (y, x) of both.

    Raises
    ------
    GridMismatchError
        If a point is off by more than `MAX_OFFSET` pixels; says by how much.
    """
    offsets = _offsets(wcs, reference_wcs, shape)
    size = offsets.size
    if not np.isfinite(size).all():
        raise GridMismatchError(f"{name} shows another part of the sky than {reference}; {_REMEDY}")
    worst = int(size.argmax())
    if size[worst] <= MAX_OFFSET:
        return
    dx, dy = offsets.dx.mean(), offsets.dy.mean()
    if np.hypot(offsets.dx - dx, offsets.dy - dy).max() <= MAX_OFFSET:
        how = f"shifted by (dx, dy) = ({_signed(dx)}, {_signed(dy)}) pixels"
    else:
        how = "rotated, scaled or distorted"
    frames = [wcs_to_celestial_frame(each).name for each in (wcs, reference_wcs)]
    remark = ""
    if frames[0] != frames[1]:
        remark = f" (the one is in {frames[0].upper()}, the other in {frames[1].upper()})"
    raise GridMismatchError(
        f"{name} is {how} relative to {reference} (largest offset {size[worst]:.2f} px "
        f"at x = {offsets.x[worst]:.0f}, y = {offsets.y[worst]:.0f}){remark}; {_REMEDY}"
    )


def _offsets(wcs: WCS, reference: WCS, shape: tuple[int, int]) -> _Offsets:
    n_y, n_x = shape
    y, x = (
        grid.ravel()
        for grid in np.meshgrid(
            np.linspace(0, n_y - 1, _POINTS), np.linspace(0, n_x - 1, _POINTS), indexing="ij"
        )
    )
    # A distortion that does not converge is a warning of astropy's and gives far-off pixels.
    with astropy_chatter_off(), np.errstate(all="ignore"):
        x_other, y_other = wcs.world_to_pixel(reference.pixel_to_world(x, y))
    return _Offsets(x_other - x, y_other - y, x, y)


def _signed(value: float) -> str:
    text = f"{value:+.2f}"
    return text if float(text) else "0.00"
