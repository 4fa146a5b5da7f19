"""Pixels out: images and reports, written whole or not at all."""

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from morpheus.errors import ImageError, ProductError
from morpheus.mosaic.files import READ_ERRORS, FitsFiles

__all__ = [
    "Plane",
    "check_targets",
    "compressed",
    "read_planes",
    "remove",
    "replacing",
    "to_json",
    "write_hdus",
    "write_json",
    "write_planes",
]


@dataclass(frozen=True)
class Plane:
    """One image of a product.

    Parameters
    ----------
    name : str
        Extension name, such as 'SPHEROID_MEAN'.
    data : ndarray, shape (y, x)
        Pixels.
    header : astropy.io.fits.Header
        WCS and what made it.
    """

    name: str
    data: NDArray[Any]
    header: fits.Header


def check_targets(paths: Sequence[Path], *, overwrite: bool) -> None:
    """Find out whether files can be written, before any work is done for them.

    Parameters
    ----------
    paths : sequence of Path
        The files, all in one folder, which need not exist.
    overwrite : bool
        Whether files that exist may be replaced.

    Raises
    ------
    ProductError
        If a file exists and may not be replaced, or the folder cannot be made or written to.
    """
    folder = paths[0].parent
    try:
        ground = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        with tempfile.TemporaryFile(dir=ground):
            pass
    except OSError as error:
        raise ProductError(f"cannot write to {folder}: {error.strerror or error}") from error
    existing = [path for path in paths if path.exists()]
    if existing and not overwrite:
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise ProductError(
            f"{existing[0]}{more} would be overwritten; choose another folder or give --overwrite"
            " (in Python: overwrite=True)"
        )


def write_planes(
    path: Path, planes: Sequence[Plane], *, overwrite: bool = False, compress: bool = False
) -> None:
    """Write one FITS file.

    Parameters
    ----------
    path : Path
        The file.
    planes : sequence of Plane
        One plane becomes the primary HDU; several, or compressed ones, become extensions.
    overwrite : bool, optional
        Whether to replace a file that exists.
    compress : bool, optional
        Tile-compress without loss (GZIP_2).

    Raises
    ------
    ProductError
        If the file exists and `overwrite` is false, or cannot be written.
    """
    hdus = fits.HDUList()
    if compress:
        hdus.append(fits.PrimaryHDU())
        hdus.extend(compressed(plane) for plane in planes)
    elif len(planes) == 1:
        hdus.append(fits.PrimaryHDU(planes[0].data, planes[0].header))
        hdus[0].name = planes[0].name
    else:
        hdus.append(fits.PrimaryHDU())
        for plane in planes:
            hdus.append(fits.ImageHDU(plane.data, plane.header, name=plane.name))
    write_hdus(path, hdus, overwrite=overwrite)


def compressed(plane: Plane) -> fits.CompImageHDU:
    """Tile-compress an image without loss (GZIP_2).

    Parameters
    ----------
    plane : Plane
        The image.

    Returns
    -------
    astropy.io.fits.CompImageHDU
        To be written.
    """
    return fits.CompImageHDU(
        plane.data,
        plane.header,
        name=plane.name,
        compression_type="GZIP_2",
        quantize_level=0,  # 0: floating-point pixels are kept bit by bit
    )


def write_hdus(path: Path, hdus: fits.HDUList, *, overwrite: bool = False) -> None:
    """Write one FITS file, with checksums.

    Parameters
    ----------
    path : Path
        The file.
    hdus : astropy.io.fits.HDUList
        Its contents.
    overwrite : bool, optional
        Whether to replace a file that exists.

    Raises
    ------
    ProductError
        If the file exists and `overwrite` is false, or cannot be written.
    """
    with replacing(path, overwrite=overwrite) as temporary, temporary.open("wb") as file:
        hdus.writeto(file, checksum=True)


def read_planes(path: Path) -> dict[str, Plane]:
    """Read what `write_planes` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict of str to Plane
        By extension name; pixels in native byte order.

    Raises
    ------
    ProductError
        If the file cannot be read, or is damaged.
    """
    try:
        with FitsFiles(verify=True) as files:
            return {
                hdu.name: Plane(
                    hdu.name, hdu.data.astype(hdu.data.dtype.newbyteorder("=")), hdu.header
                )
                for hdu in files.open(path)
                if hdu.data is not None
            }
    except (ImageError, *READ_ERRORS) as error:
        raise ProductError(f"cannot read the product: {error}") from error


def write_json(path: Path, content: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """Write a report.

    Parameters
    ----------
    path : Path
        The file.
    content : mapping
        What JSON can hold, and paths.
    overwrite : bool, optional
        Whether to replace a file that exists.

    Raises
    ------
    ProductError
        If the file exists and `overwrite` is false, or cannot be written.
    """
    text = to_json(content) + "\n"
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def to_json(content: Mapping[str, Any]) -> str:
    """Write a record as JSON.

    Parameters
    ----------
    content : mapping
        What JSON can hold; NumPy's numbers and arrays, and paths. What is not finite becomes null.

    Returns
    -------
    str
        Indented by two spaces.
    """
    return json.dumps(_plain(content), indent=2, allow_nan=False, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def remove(paths: Sequence[Path]) -> None:
    """Remove files that exist.

    Parameters
    ----------
    paths : sequence of Path
        The files; they need not exist.

    Raises
    ------
    ProductError
        If one cannot be removed.
    """
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ProductError(f"cannot remove {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def replacing(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a name to write to; what was written gets its own name when it is complete and on disk.

    Parameters
    ----------
    path : Path
        The file; its folder is made if it does not exist.
    overwrite : bool, optional
        Whether to replace a file that exists.

    Yields
    ------
    Path
        An empty file in the same folder, which is renamed at the end or, after an error, removed.

    Raises
    ------
    ProductError
        If the file exists and `overwrite` is false, or cannot be written.
    """
    if path.exists() and not overwrite:
        raise ProductError(f"{path} exists; choose another name or give --overwrite")
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".part")
        os.close(number)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        # The temporary file is private to its owner; a product is as readable as any new file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise ProductError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
