"""The images and maps that a dataset is made from, read."""

import hashlib
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morpheus.dataset.labelled import LabelledSources
from morpheus.errors import OptionError
from morpheus.mosaic import Mosaic, read_mosaic
from morpheus.mosaic.files import FitsFiles
from morpheus.mosaic.filters import header_filters
from morpheus.mosaic.grid import check_same_shape, check_same_sky
from morpheus.mosaic.images import open_image

__all__ = ["read_images", "read_plane", "text_digest"]


def read_images(sources: LabelledSources) -> Mosaic:
    """Read the images; bands are named, or the headers name them.

    Parameters
    ----------
    sources : LabelledSources
        The images and their maps.

    Returns
    -------
    Mosaic
        The images on one grid.

    Raises
    ------
    ImageError
        If one cannot be read, or they are on different pixels.
    OptionError
        If a band is not known, or two images are of one band.
    """
    images = sources.images
    if not isinstance(images, Mapping):
        images = _by_filter(images)
    return read_mosaic(
        images,
        bands=list(images),
        weights=sources.weights,
        rms=sources.rms,
        dq=sources.dq,
        check_filters=sources.check_filters,
    )


def _by_filter(images: Sequence[Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    with FitsFiles() as files:
        for number, image in enumerate(images, 1):
            opened = open_image(image, label=f"image {number}", kind="image", files=files)
            filters = header_filters(opened.headers)
            if len(filters) != 1:
                said = f"names {' and '.join(filters)}" if filters else "names no filter"
                raise OptionError(
                    f"{opened.name}: its header {said}; give it with --band NAME=FILE"
                )
            if filters[0] in named:
                raise OptionError(f"{opened.name} is a second image of {filters[0]}")
            named[filters[0]] = image
    return named


def read_plane(source: Any, kind: str, mosaic: Mosaic) -> tuple[NDArray[Any], dict[str, Any]]:
    """Read a map on the pixels of the images.

    Parameters
    ----------
    source : path, HDU, (array, WCS) or array, shape (y, x)
        The map.
    kind : {'segmap', 'known'}
        What messages and the card call it.
    mosaic : Mosaic
        The images.

    Returns
    -------
    plane : ndarray, shape (y, x)
        Its values.
    record : dict
        What was read.

    Raises
    ------
    ImageError
        If it cannot be read, or is on other pixels.
    """
    with FitsFiles() as files:
        image = open_image(source, label=f"the {kind} map", kind="image", files=files)
        reference = f"the {mosaic.bands[0]} image"
        check_same_shape(image.name, image.shape, reference, mosaic.shape)
        if image.wcs is not None and mosaic.wcs is not None:
            check_same_sky(image.name, image.wcs, reference, mosaic.wcs, mosaic.shape)
        plane = image.read((slice(0, image.shape[0]), slice(0, image.shape[1])))
        path = str(image.path) if isinstance(source, str | PathLike) else None
        # Of data in memory the values themselves are digested.
        digest = (
            files.digest([image.path])[image.path]
            if image.path is not None
            else hashlib.sha256(plane.tobytes()).hexdigest()
        )
        copy = np.array(plane, dtype=plane.dtype.newbyteorder("="))
    return copy, {"kind": kind, "path": path, "hdu": image.hdu, "sha256": digest}


def text_digest(path: Any) -> str:
    """Digest a file.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    str
        SHA-256, in hexadecimal.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
