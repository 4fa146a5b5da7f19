"""What reading gives: the bands of one field on one pixel grid."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.mosaic.calibration import Calibration
from morpheus.mosaic.scale import pixel_scale
from morpheus.mosaic.sky import SkyLevel

__all__ = ["InputRecord", "Kind", "Mosaic"]

Kind: TypeAlias = Literal["image", "weight", "rms", "dq"]
"""What an input says about a band: its pixels, their inverse variance, noise or flags."""


@dataclass(frozen=True)
class InputRecord:
    """One image or map that a mosaic was made from.

    Parameters
    ----------
    band : str
        The band that it belongs to. A map that serves every band has a record for each.
    kind : {"image", "weight", "rms", "dq"}
        What it says about the band.
    path : str or None
        The file that it was read from, None for data in memory.
    hdu : str or None
        The HDU, as ``file.fits[...]`` takes it, None for an array.
    sha256 : str or None
        Digest of the whole file, None for data in memory.
    shape : tuple of int
        Size (y, x) in pixels of the whole image, whatever region was read.
    """

    band: str
    kind: Kind
    path: str | None
    hdu: str | None
    sha256: str | None
    shape: tuple[int, int]


# eq=False: comparing arrays has no single truth value, so two mosaics are equal if identical.
@dataclass(frozen=True, eq=False)
class Mosaic:
    """A multi-band image on one pixel grid. Made by `read_mosaic`.

    Parameters
    ----------
    data : ndarray of float32, shape (band, y, x)
        The images, native byte order, C-contiguous, in the units of the files. Never NaN or
        infinite: invalid pixels are 0.
    bands : tuple of str
        Names of the bands, in the order of `data`.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid in any band.
    wcs : `~astropy.wcs.WCS` or None
        Celestial coordinates of the pixel grid (of the region, where one was read).
    units : tuple of (str or None)
        Unit of each band, as written in the file (BUNIT).
    weight : ndarray of float32, shape (band, y, x), or None
        Inverse variance, in ``1 / unit**2``; 0 where the mask is True. None unless every band
        came with a weight or rms map.
    inputs : tuple of InputRecord
        What was read.
    core : tuple of slice
        Rows and columns that were asked for; what lies around them is context.
    calibrations : tuple of Calibration, optional
        What each band's header says of its flux scale. Empty if nothing was looked up.
    origin : tuple of int, optional
        Where the first row and column that were read lie in the whole image.
    skies : tuple of SkyLevel, optional
        Sky of each band in the whole image, whatever region was read. Empty if it was not asked
        for.
    """

    data: NDArray[np.float32]
    bands: tuple[str, ...]
    mask: NDArray[np.bool_]
    wcs: WCS | None
    units: tuple[str | None, ...]
    weight: NDArray[np.float32] | None
    inputs: tuple[InputRecord, ...]
    core: tuple[slice, slice]
    calibrations: tuple[Calibration, ...] = ()
    origin: tuple[int, int] = (0, 0)
    skies: tuple[SkyLevel, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Size (y, x) in pixels."""
        n_y, n_x = self.data.shape[1:]
        return n_y, n_x

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return len(self.bands)

    @property
    def pixel_scale(self) -> float | None:
        """Side of a pixel in arcsec: the root of its area at the reference point of the WCS."""
        return pixel_scale(self.wcs)
