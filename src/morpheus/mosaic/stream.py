"""FITS files larger than memory: written as a stream of rows, whole or not at all."""

import datetime as dt
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from morpheus.mosaic.products import replacing

__all__ = ["StreamedPlane", "write_stream"]

_DTYPES = tuple(np.dtype(t) for t in ("uint8", "int16", "int32", "float32", "float64"))
_BLOCK = 2880  # bytes; headers and data are padded to whole blocks
_PIECE = 2**20  # bytes that are swapped and summed at a time, while they are in the cache


@dataclass(frozen=True, eq=False)  # headers have no single truth value
class StreamedPlane:
    """One image of a product, which is made band of rows by band of rows.

    Parameters
    ----------
    name : str
        Extension name, such as 'SPHEROID_MEAN'.
    shape : tuple of int
        Shape of the image (y, x).
    dtype : numpy.dtype
        One of uint8, int16, int32, float32 and float64, in either byte order.
    header : astropy.io.fits.Header
        WCS and what made it.
    rows : callable
        Gives, when it is called, an iterator of arrays of `dtype` (in either byte order) and shape
        (n_i, x): all rows from the first to the last, in bands of any heights.
    """

    name: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    header: fits.Header
    rows: Callable[[], Iterator[NDArray[Any]]]


def write_stream(
    path: Path,
    parts: Sequence[StreamedPlane | fits.BinTableHDU],
    *,
    overwrite: bool = False,
    first_is_primary: bool = False,
) -> None:
    """Write one FITS file, with checksums, without ever holding an image in memory.

    The file is what `write_planes` or `write_hdus` make of the same pixels, byte for byte (but for
    the time in the comments of the checksums).

    Parameters
    ----------
    path : Path
        The file.
    parts : sequence of StreamedPlane or astropy.io.fits.BinTableHDU
        Its contents. One plane alone becomes the primary HDU; otherwise all become extensions.
    overwrite : bool, optional
        Whether to replace a file that exists.
    first_is_primary : bool, optional
        Whether the first of several parts, which must be a plane, becomes the primary HDU.

    Raises
    ------
    ProductError
        If the file exists and `overwrite` is false, or cannot be written; or for any other OSError
        while the rows are made.
    ValueError
        If the rows are not what their plane says, or there is no plane to become the primary HDU.
    """
    hdus = _without_pixels(parts, first_is_primary=first_is_primary)
    # An empty primary HDU, where there is one, has no part.
    sources = [None] * (len(hdus) - len(parts)) + list(parts)
    with replacing(path, overwrite=overwrite) as temporary, temporary.open("wb") as file:
        for hdu, source in zip(hdus, sources, strict=True):
            if isinstance(hdu, fits.BinTableHDU):
                file.write(_table(hdu))
            else:
                _write_image(file, hdu.header, source)


def _without_pixels(
    parts: Sequence[StreamedPlane | fits.BinTableHDU], *, first_is_primary: bool
) -> fits.HDUList:
    """Make HDUs whose headers are those of the file."""
    if first_is_primary or (len(parts) == 1 and isinstance(parts[0], StreamedPlane)):
        if not parts or not isinstance(parts[0], StreamedPlane):
            raise ValueError("what becomes the primary HDU must be a plane")
        hdus = fits.HDUList([fits.PrimaryHDU(_blank(parts[0]), parts[0].header)])
        hdus[0].name = parts[0].name
        parts = parts[1:]
    else:
        hdus = fits.HDUList([fits.PrimaryHDU()])
    for part in parts:
        if isinstance(part, StreamedPlane):
            hdus.append(fits.ImageHDU(_blank(part), part.header, name=part.name))
        else:
            hdus.append(part)
    hdus.verify("exception")
    hdus.update_extend()
    return hdus


def _blank(plane: StreamedPlane) -> NDArray[Any]:
    """Give an image of the plane's shape that takes no memory: one pixel, repeated."""
    if plane.dtype.newbyteorder("=") not in _DTYPES:
        raise ValueError(f"{plane.name}: {plane.dtype} is none of {', '.join(map(str, _DTYPES))}")
    return np.broadcast_to(np.zeros((), plane.dtype), plane.shape)


def _table(hdu: fits.BinTableHDU) -> bytes:
    """Give a table as it stands in a file: without the empty primary HDU, which is one block."""
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(file, checksum=True)
    return file.getvalue()[_BLOCK:]


def _write_image(file: BinaryIO, header: fits.Header, plane: StreamedPlane | None) -> None:
    """Write an HDU, first the pixels, of which the header has the sum."""
    header["DATASUM"] = ("0", f"data unit checksum updated {_now()}")
    header.set("CHECKSUM", "0" * 16, f"HDU checksum updated {_now()}", before="DATASUM")
    start = file.tell()
    file.seek(len(header.tostring()), io.SEEK_CUR)
    data_sum = _Sum()
    for piece in _pieces(plane) if plane is not None else ():
        data_sum.add(piece)
        file.write(piece)
    padding = bytes(-file.tell() % _BLOCK)
    data_sum.add(padding)
    file.write(padding)
    end = file.tell()
    header["DATASUM"] = str(data_sum.value)
    whole = _Sum(data_sum.value)
    whole.add(header.tostring().encode("ascii"))
    header["CHECKSUM"] = _encoded(~whole.value & 0xFFFFFFFF)
    file.seek(start)
    file.write(header.tostring().encode("ascii"))
    file.seek(end)


def _now() -> str:
    """Give the local time as astropy does in the same comments."""
    return f"{dt.datetime.now().astimezone():%Y-%m-%dT%H:%M:%S}"


def _pieces(plane: StreamedPlane) -> Iterator[bytes]:
    """Give the pixels as bytes of a FITS file, some rows at a time."""
    height, width = plane.shape
    dtype = plane.dtype.newbyteorder(">")
    step = max(1, _PIECE // max(1, width * dtype.itemsize))
    done = 0
    for band in plane.rows():
        if band.ndim != 2 or band.shape[1] != width:  # noqa: PLR2004
            raise ValueError(
                f"{plane.name}: rows of shape {band.shape} in an image of width {width}"
            )
        if band.dtype.newbyteorder(">") != dtype:
            raise ValueError(f"{plane.name}: rows of {band.dtype} in an image of {plane.dtype}")
        done += len(band)
        if done > height:
            raise ValueError(f"{plane.name}: {done} rows or more in an image of {height}")
        for first in range(0, len(band), step):
            yield band[first : first + step].astype(dtype, copy=False).tobytes()
        del band  # or it would be held while the next is made
    if done < height:
        raise ValueError(f"{plane.name}: only {done} rows in an image of {height}")


class _Sum:
    """Ones'-complement sum of big-endian 32-bit words: FITS Standard 4.0, appendix J.

    Parameters
    ----------
    start : int, optional
        The sum of what came before.
    """

    def __init__(self, start: int = 0) -> None:
        self._total = start
        self._rest = b""

    def add(self, data: bytes) -> None:
        """Add bytes; a word may begin in these and end in the next."""
        data = self._rest + data
        n_words, n_rest = divmod(len(data), 4)
        self._total += int(np.frombuffer(data, ">u4", n_words).sum(dtype=np.uint64))
        self._rest = data[len(data) - n_rest :]

    @property
    def value(self) -> int:
        """The sum of all whole words: what overflows 32 bits is added at the lower end."""
        value = self._total
        while value >> 32:
            value = (value & 0xFFFFFFFF) + (value >> 32)
        return value


def _encoded(value: int) -> str:
    """Write 32 bits as 16 letters and digits: FITS Standard 4.0, appendix J.

    Each byte becomes four characters that add up to it, above four times '0'. Where one would be
    a punctuation mark, one of a pair goes up and the other down until none is.
    """
    columns = []
    for byte in value.to_bytes(4, "big"):
        quarter, rest = divmod(byte, 4)
        column = [ord("0") + quarter + (rest if i == 0 else 0) for i in range(4)]
        for i in (0, 2):
            while not (chr(column[i]) + chr(column[i + 1])).isalnum():
                column[i] += 1
                column[i + 1] -= 1
        columns.append(column)
    text = "".join(chr(column[i]) for i in range(4) for column in columns)
    # In a card the string begins at the last byte of a word, so it is rotated by one.
    return text[-1] + text[:-1]
