"""What pictures show of a field that is not in memory: all of it coarsely, or a few places."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.distributed.chunks import Chunk
from morpheus.distributed.records import Record
from morpheus.distributed.spec import FieldSpec
from morpheus.distributed.stored import StoredField
from morpheus.mosaic.images import Section
from morpheus.visual.blocks import block_means
from morpheus.visual.colors import class_colors

__all__ = ["CoarseField", "Places", "coarse_field", "coarseness", "picture_chunk", "places_of"]

_LARGEST_PICTURE = 2048  # pixels a side: what is larger is drawn coarsely
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
        1 for fields of up to 2048 pixels a side.
    """
    return math.ceil(max(shape) / _LARGEST_PICTURE)


def picture_chunk(spec: FieldSpec, chunk: Chunk, step: int, bands: tuple[str, ...]) -> Record:
    """Give what pictures show of a chunk: means of squares of pixels.

    Parameters
    ----------
    spec : FieldSpec
        The field.
    chunk : Chunk
        Which part of it; squares that begin in it are its.
    step : int
        What `coarseness` gives.
    bands : tuple of str
        Those of the colour picture.

    Returns
    -------
    dict of str to ndarray
        `classes`, of shape (class, y, x), NaN where no pixel was classified; and for each band
        `band_<name>`, of shape (y, x), of the pixels that are masked in no band.
    """
    field = StoredField(spec)
    section = _whole_squares(chunk.section, step, spec.shape)
    if any(part.start == part.stop for part in section):  # less than a square
        size = tuple(-(-(part.stop - part.start) // step) for part in section)
        record = {"classes": np.zeros((len(field.config.classes), *size), np.float32)}
        return record | {f"band_{band}": np.zeros(size, np.float32) for band in bands}
    maps, invalid = field.probabilities(section), field.invalid(section)
    record = {"classes": np.stack([block_means(maps[name], step) for name in maps])}
    for band in bands:
        data = np.where(invalid, np.float32(np.nan), field.band(band, section).data)
        record[f"band_{band}"] = block_means(data, step)
    return record


def _whole_squares(section: Section, step: int, shape: tuple[int, int]) -> Section:
    edges = [
        (min(-(-part.start // step) * step, n), min(-(-part.stop // step) * step, n))
        for part, n in zip(section, shape, strict=True)
    ]
    rows, columns = (slice(start, max(start, stop)) for start, stop in edges)
    return rows, columns


@dataclass(frozen=True, eq=False)
class CoarseField:
    """What pictures show of a field.

    Parameters
    ----------
    classes : ndarray of float32, shape (class, y, x)
        Class probabilities; NaN where nothing was classified.
    images : mapping of str to ndarray of float32, shape (y, x)
        Bands; NaN where pixels are masked.
    step : int
        How many pixels of the field are one of these, along each axis.
    """

    classes: NDArray[np.float32]
    images: Mapping[str, NDArray[np.float32]]
    step: int


def coarse_field(
    spec: FieldSpec, records: Mapping[tuple[int, int], Record], step: int, bands: tuple[str, ...]
) -> CoarseField:
    """Put together what pictures show of a field.

    Parameters
    ----------
    spec : FieldSpec
        The field.
    records : mapping of (int, int) to Record
        What `picture_chunk` gave.
    step : int
        What `coarseness` gives.
    bands : tuple of str
        Those of the colour picture.

    Returns
    -------
    CoarseField
        All of it.
    """
    size = tuple(-(-n // step) for n in spec.shape)
    planes: dict[str, NDArray[np.float32]] = {}
    for chunk in spec.grid:
        rows, columns = (slice(-(-s.start // step), -(-s.stop // step)) for s in chunk.section)
        for name in ("classes", *(f"band_{band}" for band in bands)):
            block = records[chunk.row, chunk.column][name]
            whole = planes.setdefault(name, np.empty((*block.shape[:-2], *size), np.float32))
            whole[..., rows, columns] = block
    classes = planes.pop("classes")
    images = {name.removeprefix("band_"): plane for name, plane in planes.items()}
    return CoarseField(classes, images, step)


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
