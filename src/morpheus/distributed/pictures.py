"""What pictures show of a field that is not in memory: all of it coarsely, or a few places."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.distributed.products import bands_of_rows
from morpheus.distributed.spec import StoredField
from morpheus.inference import ClassMaps
from morpheus.mosaic.images import Section
from morpheus.visual.colors import class_colors

__all__ = ["Places", "coarse_band", "coarse_classes", "coarseness", "places_of"]

_LARGEST_PICTURE = 4096  # pixels a side: what is larger is drawn coarsely
_STAMP = 402  # pixels; the largest that a sheet shows, and a frame


def coarseness(shape: tuple[int, int]) -> int:
    """Tell how many pixels of a field are one of its picture, along each axis.

    Parameters
    ----------
    shape : tuple of int
        Size (y, x) of the field.

    Returns
    -------
    int
        1 for fields of up to 4096 pixels a side.
    """
    return math.ceil(max(shape) / _LARGEST_PICTURE)


def _coarse(
    field: StoredField,
    step: int,
    n_planes: int,
    read: Callable[[Section], Iterable[NDArray[Any]]],
) -> NDArray[np.float32]:
    """Average over squares of pixels, those that are finite; NaN where none is."""
    size = tuple(-(-n // step) for n in field.shape)
    result = np.full((n_planes, *size), np.nan, np.float32)
    for section in bands_of_rows(field, 8 * n_planes, step):
        first, last = section[0].start // step, -(-section[0].stop // step)
        for plane, values in zip(result, read(section), strict=True):
            plane[first:last] = _block_means(np.asarray(values, np.float32), step)
    return result


def _block_means(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    if step == 1:
        return values
    good = np.isfinite(values)
    edges = [np.arange(0, n, step) for n in values.shape]

    def blocks(plane: NDArray[Any]) -> NDArray[Any]:
        rows = np.add.reduceat(plane, edges[0], axis=0, dtype=np.float64)
        summed: NDArray[Any] = np.add.reduceat(rows, edges[1], axis=1)
        return summed

    n = blocks(good)
    total = blocks(np.where(good, values, 0))
    means: NDArray[np.float64] = np.full(n.shape, np.nan)
    np.divide(total, n, out=means, where=n > 0)
    return means.astype(np.float32)


def coarse_classes(field: StoredField, step: int) -> ClassMaps:
    """Give the class probabilities of a field for a picture.

    Parameters
    ----------
    field : StoredField
        The classified field.
    step : int
        What `coarseness` gives.

    Returns
    -------
    ClassMaps
        Means of squares of pixels; NaN where none was classified.
    """
    classes = field.config.classes

    def read(section: Section) -> Iterable[NDArray[Any]]:
        maps = field.probabilities(section)
        return (maps[name] for name in classes)

    return ClassMaps(classes, _coarse(field, step, len(classes), read))


def coarse_band(field: StoredField, band: str, step: int) -> NDArray[np.float32]:
    """Give a band of a field for a picture.

    Parameters
    ----------
    field : StoredField
        The field.
    band : str
        Its name.
    step : int
        What `coarseness` gives.

    Returns
    -------
    ndarray of float32, shape (y, x)
        Means of squares of pixels that are masked in no band; NaN where there is none.
    """

    def read(section: Section) -> Iterable[NDArray[Any]]:
        return [np.where(field.invalid(section), np.nan, field.band(band, section).data)]

    plane: NDArray[np.float32] = _coarse(field, step, 1, read)[0]
    return plane


@dataclass(frozen=True, eq=False)
class Places:
    """Some sources with what is around them, one above the other in small images.

    Parameters
    ----------
    table : astropy.table.Table
        Their rows of the catalogue, with positions in these images.
    images : mapping of str to ndarray, shape (y, x)
        The bands; NaN where a place reaches beyond the field.
    labels : ndarray of int32, shape (y, x)
        The sources.
    colors : ndarray of float32, shape (y, x, 3)
        Colours of the classes.
    """

    table: Table
    images: Mapping[str, NDArray[np.float32]]
    labels: NDArray[np.int32]
    colors: NDArray[np.float32]


def places_of(field: StoredField, chosen: Table) -> Places:
    """Cut some sources out of a field.

    Parameters
    ----------
    field : StoredField
        The segmented field.
    chosen : astropy.table.Table
        Their rows of the catalogue.

    Returns
    -------
    Places
        What a sheet of stamps shows.
    """
    bands, n = field.spec.inputs.bands, len(chosen)
    shape = (n * _STAMP, _STAMP)
    images = {band: np.full(shape, np.nan, np.float32) for band in bands}
    labels = np.zeros(shape, np.int32)
    colors = np.zeros((*shape, 3), np.float32)
    table = chosen.copy()
    for i, row in enumerate(chosen):
        corner = [round(float(row[axis])) - _STAMP // 2 for axis in "yx"]
        section = tuple(
            slice(max(0, start), min(size, start + _STAMP))
            for start, size in zip(corner, field.shape, strict=True)
        )
        here = (section[0], section[1])
        target = tuple(
            slice(part.start - start + offset, part.stop - start + offset)
            for part, start, offset in zip(section, corner, (i * _STAMP, 0), strict=True)
        )
        for band, image in images.items():
            image[target] = field.band(band, here).data
        labels[target] = field.labels(here)
        maps = field.probabilities(here)
        colors[target] = class_colors(maps, hidden=~field.valid(here))
        for name, by in (("x", -corner[1]), ("y", i * _STAMP - corner[0])):
            for column in (name, f"{name}_min", f"{name}_max"):
                table[column][i] += by
    return Places(table, images, labels, colors)
