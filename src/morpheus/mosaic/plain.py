"""Floating-point images that stand in a file as they are: any part is read without what is around.

astropy's `section` reads row by row too, but takes 60 microseconds for each, which is most of the
time that chunks of a large mosaic take to read; and a memory map counts, as long as it lives, all
that was ever looked at as this process's memory.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

__all__ = ["plain_reader"]

_MAGIC = b"SIMPLE  ="
_BLOCK = 1 << 26  # bytes that are read at a time, of rows that lie one behind the other


def plain_reader(path: Path, hdu: Any) -> Callable[[tuple[slice, slice]], NDArray[Any]] | None:
    """Give what reads sections of an image, if it stands in the file as it is.

    Parameters
    ----------
    path : Path
        The file.
    hdu : astropy.io.fits HDU
        The image in it.

    Returns
    -------
    callable or None
        Takes rows and columns (slices with start and stop) and gives their pixels, big-endian;
        it raises OSError or EOFError. None for images that are scaled, of whole numbers or
        compressed, and for files that are compressed as a whole.
    """
    header = hdu.header
    if (
        not isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU)
        or isinstance(hdu, fits.CompImageHDU)
        or header["BITPIX"] > 0
        or header.get("BSCALE", 1) != 1
        or header.get("BZERO", 0) != 0
        or len(hdu.shape) != 2  # noqa: PLR2004 (two axes)
    ):
        return None
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return None
    dtype, (_, width) = np.dtype(f">f{-header['BITPIX'] // 8}"), hdu.shape
    offset = hdu.fileinfo()["datLoc"]

    def read(section: tuple[slice, slice]) -> NDArray[Any]:
        rows, columns = section
        pixels = np.empty((rows.stop - rows.start, columns.stop - columns.start), dtype)
        at_once = 1
        if pixels.shape[1] == width:
            at_once = max(1, _BLOCK // (width * dtype.itemsize))
        with path.open("rb", buffering=0) as file:
            for i in range(0, len(pixels), at_once):
                part = pixels[i : i + at_once]
                file.seek(offset + ((rows.start + i) * width + columns.start) * dtype.itemsize)
                if file.readinto(part.data) != part.nbytes:
                    raise EOFError("the file ends early")
        return pixels

    return read
