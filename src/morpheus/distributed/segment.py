"""Stage 2 on a chunk: class maps in, sources out.

A source is named by its first pixel in the field, counted row by row from 1. Sorted, these names
are in the order in which labelling the whole field numbers the sources; so chunks need not agree on
anything, and a label is the place of a name in the sorted list of all.
"""

import math
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.distributed.chunks import Chunk
from morpheus.distributed.kept import KEPT
from morpheus.distributed.records import Record
from morpheus.distributed.regions import Regions, label_chunk
from morpheus.distributed.spec import FieldSpec
from morpheus.distributed.stored import EngineKey, StoredField
from morpheus.mosaic.images import Section
from morpheus.mosaic.sky import grid_step
from morpheus.segmentation.prepare import reach, smoothed
from morpheus.segmentation.separate import Separator, irregularity
from morpheus.segmentation.sources import touches

__all__ = [
    "POSITIONS_TABLE",
    "DetectionSky",
    "detect_chunk",
    "noise_chunk",
    "separate_chunk",
    "sky_chunk",
]

POSITIONS_TABLE = "positions"
# Regions that reach farther than this beyond a chunk are worked on one by one.
_FAR = 256


@dataclass(frozen=True)
class DetectionSky:
    """What is known of the detection image as a whole.

    Parameters
    ----------
    level : float
        Its sky.
    holes : bool
        Whether it has pixels that tell nothing.
    noise : float, optional
        Its noise when it is smoothed.
    """

    level: float
    holes: bool
    noise: float = math.nan


def detect_chunk(spec: FieldSpec, chunk: Chunk) -> Record:
    """Find the pixels of sources in a chunk, and what hangs together among them.

    Parameters
    ----------
    spec : FieldSpec
        The field.
    chunk : Chunk
        Which part of it.

    Returns
    -------
    dict of str to ndarray
        As `label_chunk` gives it.
    """
    KEPT.forget(EngineKey)  # its memory is for others from now on
    field = StoredField(spec)
    source = 1 - field.some(chunk.section, ("background",))["background"]
    valid = field.valid(chunk.section)
    labels, record = label_chunk(
        valid & (source > spec.thresholds.grow),
        valid & (source >= spec.thresholds.seed),
        chunk,
        spec.shape[1],
    )
    return {"sha256_regions": np.array(field.store.write("regions", chunk, labels)), **record}


def sky_chunk(spec: FieldSpec, chunk: Chunk) -> Record:
    """Give the pixels that the sky of the detection image is measured from.

    Parameters
    ----------
    spec : FieldSpec
        The field.
    chunk : Chunk
        Which part of it.

    Returns
    -------
    dict of str to ndarray
        `image`, every n-th pixel of the chunk that is on the grid of the field, and `sky`, whether
        it is of no source; `holes`, whether any pixel of the chunk tells nothing.
    """
    field = StoredField(spec)
    image = _detection_image(field, chunk.section)
    regions = Regions.load(field.store).read(field.store, chunk.section)
    grid = _grid(chunk.section, grid_step(spec.shape))
    sky = field.valid(chunk.section) & (regions == 0)
    holes = not np.isfinite(image).all()
    return {"image": image[grid], "sky": sky[grid], "holes": np.array(holes)}


def noise_chunk(spec: FieldSpec, chunk: Chunk, sky: DetectionSky) -> Record:
    """Give the pixels that the noise of the smoothed detection image is measured from.

    Parameters
    ----------
    spec : FieldSpec
        The field.
    chunk : Chunk
        Which part of it.
    sky : DetectionSky
        Its level.

    Returns
    -------
    dict of str to ndarray
        `image`, as in `sky_chunk`, but smoothed.
    """
    smooth = _smoothed(StoredField(spec), chunk.section, sky)
    return {"image": smooth[_grid(chunk.section, grid_step(spec.shape))]}


def _grid(section: Section, step: int) -> Section:
    """Find the rows and columns of a section that are on the grid of the field."""
    rows, columns = (slice(-part.start % step, None, step) for part in section)
    return rows, columns


def _detection_image(field: StoredField, section: Section) -> NDArray[np.float32]:
    """Give the detection image, NaN where it tells nothing."""
    image = field.band(field.spec.inputs.bands[0], section).data
    good = np.isfinite(image) & ~field.invalid(section)
    return np.where(good, image, np.float32(np.nan))


def _smoothed(field: StoredField, section: Section, sky: DetectionSky) -> NDArray[np.float32]:
    smoothing = field.spec.segmentation.deblending.smoothing
    around = _grown(section, reach(smoothing), field.shape)
    image = smoothed(_detection_image(field, around), sky.level, smoothing, holes=sky.holes)
    return image[_within(section, around)]


def _grown(section: Section, halo: int, shape: tuple[int, int]) -> Section:
    rows, columns = (
        slice(max(0, part.start - halo), min(n, part.stop + halo))
        for part, n in zip(section, shape, strict=True)
    )
    return rows, columns


def _within(section: Section, around: Section) -> Section:
    """Give the place of a section in a larger one."""
    rows, columns = (
        slice(part.start - outer.start, part.stop - outer.start)
        for part, outer in zip(section, around, strict=True)
    )
    return rows, columns


def separate_chunk(spec: FieldSpec, chunk: Chunk, sky: DetectionSky, guided: bool) -> Record:
    """Share out the regions that have a part in a chunk among their sources.

    All pixels of such a region are looked at, also those in other chunks, whose tasks come to the
    same result.

    Parameters
    ----------
    spec : FieldSpec
        The field.
    chunk : Chunk
        Which part of it.
    sky : DetectionSky
        Level and noise of the detection image.
    guided : bool
        Whether there are external positions.

    Returns
    -------
    dict of str to ndarray
        Of each source that has a part in the chunk its `name`, `parent`, bounding `box` (y_min,
        y_max, x_min, x_max), and the `flags` of its pixels in the chunk; of each position in the
        chunk its row in `position` and the name of the source there in `claimed`.
    """
    field = StoredField(spec)
    regions = Regions.load(field.store)
    own = regions.read(field.store, chunk.section)
    numbers = np.unique(own[own > 0])
    positions = field.store.table(POSITIONS_TABLE) if guided else None
    names = np.zeros(own.shape, np.int64)
    parts = [_empty()]
    for section, wanted in _portions(numbers, regions.box, chunk):
        portion = _separated(field, regions, (section, wanted), sky, positions)
        here = portion.names[_within(chunk.section, section)]
        names = np.where(here > 0, here, names)
        parts.append(portion.record(chunk))
    record = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    present = np.isin(record["name"], names)
    for key in ("name", "parent", "box"):
        record[key] = record[key][present]
    record["flags"] = _flags(field, chunk, names, record["name"])
    return {"sha256_sources": np.array(field.store.write("sources", chunk, names)), **record}


def _empty() -> Record:
    return {
        "name": np.zeros(0, np.int64),
        "parent": np.zeros(0, np.int32),
        "box": np.zeros((0, 4), np.int64),
        "position": np.zeros(0, np.int64),
        "claimed": np.zeros(0, np.int64),
    }


def _portions(
    numbers: NDArray[np.int32], box: NDArray[np.int64], chunk: Chunk
) -> list[tuple[Section, NDArray[np.int32]]]:
    """Divide regions into those that lie about the chunk, and single ones that reach far."""
    rows, columns = chunk.section
    own = np.array([rows.start, rows.stop - 1, columns.start, columns.stop - 1])
    boxes = box[numbers]
    beyond = np.max((boxes - own) * np.array([-1, 1, -1, 1]), axis=1, initial=0)
    near = numbers[beyond <= _FAR]
    groups = [near] if len(near) else []
    groups += [numbers[i : i + 1] for i in np.flatnonzero(beyond > _FAR)]
    portions = []
    for group in groups:
        y_min, _, x_min, _ = np.minimum(own, box[group].min(axis=0)).tolist()
        _, y_max, _, x_max = np.maximum(own, box[group].max(axis=0)).tolist()
        section = (slice(y_min, y_max + 1), slice(x_min, x_max + 1))
        portions.append((section, group))
    return portions


@dataclass(frozen=True, eq=False)
class _Portion:
    """Sources in a section that holds all pixels of some regions."""

    section: Section
    names: NDArray[np.int64]
    labels: NDArray[np.int32]
    regions: NDArray[np.int32]
    positions: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None

    def record(self, chunk: Chunk) -> Record:
        """Tell of each source its name, parent and box, and which positions in a chunk it has."""
        found, first = np.unique(self.names, return_index=True)
        found, first = found[found > 0], first[found > 0]
        y, x = np.nonzero(self.names)
        index = np.searchsorted(found, self.names[y, x])
        box = np.tile(np.array([2**62, -1, 2**62, -1], np.int64), (len(found), 1))
        for axis, values in ((0, y + self.section[0].start), (2, x + self.section[1].start)):
            np.minimum.at(box[:, axis], index, values)
            np.maximum.at(box[:, axis + 1], index, values)
        record = _empty() | {"name": found, "parent": self.regions.ravel()[first], "box": box}
        if self.positions is not None:
            rows, columns = chunk.section
            number, place_y, place_x = self.positions
            claimed = self.names[place_y - self.section[0].start, place_x - self.section[1].start]
            inside = (
                (place_y >= rows.start)
                & (place_y < rows.stop)
                & (place_x >= columns.start)
                & (place_x < columns.stop)
                & (claimed > 0)
            )
            record |= {"position": number[inside], "claimed": claimed[inside]}
        return record


def _separated(
    field: StoredField,
    regions: Regions,
    portion: tuple[Section, NDArray[np.int32]],
    sky: DetectionSky,
    positions: Record | None,
) -> _Portion:
    """Separate some regions, of which a section holds all pixels."""
    section, wanted = portion
    spec, options = field.spec, field.spec.segmentation
    is_wanted = np.zeros(len(regions.box), bool)
    is_wanted[wanted] = True
    here = regions.read(field.store, section)
    here = np.where(is_wanted[here], here, 0)
    separator = Separator(
        _smoothed(field, section, sky),
        sky.noise,
        irregularity(field.some(section, ("irregular", "background"))),
        spec.thresholds.min_area,
        options,
    )
    table, at = None, None
    if positions is not None:
        x, y = (np.rint(np.nan_to_num(positions[axis], nan=-1.0)).clip(-1, 2**31) for axis in "xy")
        rows, columns = section
        number = np.flatnonzero(
            (y >= rows.start) & (y < rows.stop) & (x >= columns.start) & (x < columns.stop)
        )
        at = (number, y[number].astype(np.int64), x[number].astype(np.int64))
        table = Table({"x": at[2] - columns.start, "y": at[1] - rows.start})
    labels, _ = separator.separate(here, table)
    return _Portion(section, _named(labels, section, field.shape[1]), labels, here, at)


def _named(labels: NDArray[np.int32], section: Section, width: int) -> NDArray[np.int64]:
    """Name sources by their first pixels."""
    place = np.flatnonzero(labels)
    found, first, inverse = np.unique(labels.ravel()[place], return_index=True, return_inverse=True)
    y, x = np.divmod(place[first], labels.shape[1])
    name = (y + section[0].start) * np.int64(width) + x + section[1].start + 1
    names = np.zeros(labels.size, np.int64)
    names[place] = name[inverse] if len(found) else 0
    return names.reshape(labels.shape)


def _flags(
    field: StoredField, chunk: Chunk, names: NDArray[np.int64], known: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Tell of each source what its pixels in the chunk touch."""
    around = _grown(chunk.section, 1, field.shape)
    own = _within(chunk.section, around)
    flags = np.zeros(len(known), np.int32)
    order = np.argsort(known)
    for flag, near in touches(field.valid(around), field.invalid(around)).items():
        found = np.unique(names[near[own] & (names > 0)])
        flags[order[np.searchsorted(known[order], found)]] |= flag
    return flags
