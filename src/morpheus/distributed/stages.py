"""The stages over all chunks of a field, with what has to be known of the whole in between."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.catalog import Catalog
from morpheus.catalog.assemble import assemble_catalog
from morpheus.catalog.lattice import SourceBoxes, cells_of
from morpheus.catalog.setup import CatalogSetup
from morpheus.catalog.thinned import assemble
from morpheus.distributed.chunks import Chunk
from morpheus.distributed.classify import classify_chunk
from morpheus.distributed.crew import Crew, Task
from morpheus.distributed.measure import (
    band_sky_of,
    cell_result_of,
    measure_band_task,
    measure_cell_task,
    save_thinned,
    thinned_of,
    thinned_task,
)
from morpheus.distributed.pictures import (
    CoarseField,
    coarse_field,
    coarseness,
    picture_chunk,
)
from morpheus.distributed.progress import StageProgress
from morpheus.distributed.records import Record
from morpheus.distributed.regions import join_regions
from morpheus.distributed.segment import (
    POSITIONS_TABLE,
    DetectionSky,
    detect_chunk,
    noise_chunk,
    separate_chunk,
    sky_chunk,
)
from morpheus.distributed.spec import SOURCES_TABLE, FieldSpec
from morpheus.distributed.store import FieldStore
from morpheus.mosaic.sky import grid_step
from morpheus.segmentation.prepare import level_and_noise, sky_or_all

__all__ = [
    "Classified",
    "Sources",
    "classify_field",
    "coarse_pictures",
    "measure_field",
    "segment_field",
]


@dataclass(frozen=True)
class Classified:
    """What became of the pixels of a field.

    Parameters
    ----------
    masked, classified, empty : int
        Numbers of pixels that are masked, were classified, and are 0 in every band.
    n_max : int
        The most windows that saw a pixel.
    engines : tuple of tuple of str
        Name, precision and batch size of what evaluated the network; several if workers differ.
    """

    masked: int
    classified: int
    empty: int
    n_max: int
    engines: tuple[tuple[str, str, str], ...]


def classify_field(crew: Crew, spec: FieldSpec, progress: StageProgress | None) -> Classified:
    """Classify all chunks.

    Parameters
    ----------
    crew : Crew
        Who does it.
    spec : FieldSpec
        The field.
    progress : callable or None
        Told how far it is.

    Returns
    -------
    Classified
        What became of the pixels.
    """
    tasks = [Task("classify", chunk, classify_chunk) for chunk in spec.grid]
    records = list(crew.run(spec, tasks, progress).values())
    masked, classified, empty = (
        sum(int(record[name]) for record in records) for name in ("masked", "classified", "empty")
    )
    engines = {(str(a), str(b), str(c)) for a, b, c in (record["engine"] for record in records)}
    n_max = max(int(record["n_max"]) for record in records)
    return Classified(masked, classified, empty, n_max, tuple(sorted(engines)))


@dataclass(frozen=True, eq=False)
class Sources:
    """The sources of a field, in the order of their labels.

    Parameters
    ----------
    parents : ndarray of int32, shape (source,)
        Number of the region that each is a part of.
    flags : ndarray of int32, shape (source,)
        What each touches: bits of `SourceFlag`.
    boxes : SourceBoxes
        Where each is.
    noise : float
        Noise of the smoothed detection image.
    position_labels : ndarray of int32, shape (position,), or None
        Label at each external position, 0 where there is no source.
    """

    parents: NDArray[np.int32]
    flags: NDArray[np.int32]
    boxes: SourceBoxes
    noise: float
    position_labels: NDArray[np.int32] | None


def segment_field(
    crew: Crew, spec: FieldSpec, positions: Table | None, progress: StageProgress | None
) -> Sources:
    """Find the sources of a classified field.

    Parameters
    ----------
    crew : Crew
        Who does it.
    spec : FieldSpec
        The field.
    positions : astropy.table.Table or None
        External positions, `x` and `y` in pixels of the field.
    progress : callable or None
        Told how far it is.

    Returns
    -------
    Sources
        The sources; their pixels are in the store.
    """
    store, grid = FieldStore(spec.store, spec.grid), spec.grid
    found = crew.run(spec, [Task("detect", chunk, detect_chunk) for chunk in grid], progress)
    join_regions(grid, found, spec.thresholds.min_area).save(store)
    sky = _detection_sky(crew, spec, progress)
    if positions is not None:
        store.save_table(POSITIONS_TABLE, {axis: np.asarray(positions[axis]) for axis in "xy"})
    arguments = (sky, positions is not None)
    tasks = [Task("separate", chunk, separate_chunk, arguments) for chunk in grid]
    records = list(crew.run(spec, tasks, progress).values())
    names, parents, flags, box = _merged(records)
    store.save_table(SOURCES_TABLE, {"name": names})
    y_min, y_max, x_min, x_max = box.T
    label = np.arange(1, len(names) + 1, dtype=np.int64)
    boxes = SourceBoxes(label, (names - 1) % spec.shape[1], x_min, x_max, y_min, y_max)
    labels = None
    if positions is not None:
        labels = np.zeros(len(positions), np.int32)
        for record in records:
            labels[record["position"]] = np.searchsorted(names, record["claimed"]) + 1
    return Sources(parents, flags, boxes, sky.noise, labels)


def _merged(
    records: Iterable[Record],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Put together what chunks say of sources, some of which lie in several."""
    columns = ("name", "parent", "flags", "box")
    name, parent, flags, box = (
        np.concatenate([record[column] for record in records]) for column in columns
    )
    names, first, inverse = np.unique(name, return_index=True, return_inverse=True)
    together = np.zeros(len(names), np.int32)
    np.bitwise_or.at(together, inverse, flags)
    return names, parent[first], together, box[first]


def _detection_sky(crew: Crew, spec: FieldSpec, progress: StageProgress | None) -> DetectionSky:
    """Measure the sky of the detection image, and its noise when it is smoothed."""
    step = grid_step(spec.shape)
    found = crew.run(spec, [Task("sky", chunk, sky_chunk) for chunk in spec.grid], progress)
    image, sky = (_thinned(spec, found, name, step) for name in ("image", "sky"))
    few = sky_or_all(image, sky)
    level, _ = level_and_noise(image, few)
    known = DetectionSky(level, any(bool(record["holes"]) for record in found.values()))
    tasks = [Task("noise", chunk, noise_chunk, (known,)) for chunk in spec.grid]
    smooth = _thinned(spec, crew.run(spec, tasks, progress), "image", step)
    return dataclasses.replace(known, noise=level_and_noise(smooth, few)[1])


def _thinned(
    spec: FieldSpec, records: dict[tuple[int, int], Record], name: str, step: int
) -> NDArray[Any]:
    """Put together every n-th pixel of the field."""
    whole: NDArray[Any] | None = None
    for chunk in spec.grid:
        block = records[chunk.row, chunk.column][name]
        if whole is None:
            whole = np.zeros(tuple(-(-n // step) for n in spec.shape), block.dtype)
        rows, columns = (slice(-(-s.start // step), -(-s.stop // step)) for s in chunk.section)
        whole[rows, columns] = block
    assert whole is not None  # noqa: S101 (a grid has chunks)
    return whole


def measure_field(
    crew: Crew,
    spec: FieldSpec,
    sources: Sources,
    table: Table,
    setup: CatalogSetup,
    progress: StageProgress | None,
) -> Catalog:
    """Measure the sources of a field.

    Parameters
    ----------
    crew : Crew
        Who does it.
    spec : FieldSpec
        The field.
    sources : Sources
        What `segment_field` gave.
    table : astropy.table.Table
        Their table, as `Segmentation.sources`.
    setup : CatalogSetup
        How.
    progress : callable or None
        Told how far it is.

    Returns
    -------
    Catalog
        That of the whole field measured at once, bit by bit.
    """
    if not len(table):
        return assemble_catalog(setup, table, sources.boxes, {}, [])
    bands, store = spec.inputs.bands, FieldStore(spec.store, spec.grid)
    found = crew.run(spec, [Task("background", c, thinned_task) for c in spec.grid], progress)
    blocks = [
        (chunk.section, thinned_of(found[chunk.row, chunk.column], bands)) for chunk in spec.grid
    ]
    save_thinned(store, assemble(spec.shape, grid_step(spec.shape), blocks))
    whole = (slice(0, spec.shape[0]), slice(0, spec.shape[1]))
    tasks = [
        Task("noise of bands", Chunk(i, 0, whole), measure_band_task, (band,))
        for i, band in enumerate(bands)
    ]
    records = crew.run(spec, tasks, progress)
    skies = {band: band_sky_of(records[i, 0]) for i, band in enumerate(bands)}
    cells = [
        Task(
            "measure",
            Chunk(cell.section[0].start, cell.section[1].start, cell.section),
            measure_cell_task,
            (vars(cell.sources), skies, setup),
        )
        for cell in cells_of(sources.boxes, spec.shape)
    ]
    measured = crew.run(spec, cells, progress)
    results = [cell_result_of(record) for record in measured.values()]
    return assemble_catalog(setup, table, sources.boxes, skies, results)


def coarse_pictures(
    crew: Crew, spec: FieldSpec, bands: tuple[str, ...], progress: StageProgress | None
) -> CoarseField:
    """Give what pictures show of a classified field.

    Parameters
    ----------
    crew : Crew
        Who does it.
    spec : FieldSpec
        The field.
    bands : tuple of str
        Those of the colour picture.
    progress : callable or None
        Told how far it is.

    Returns
    -------
    CoarseField
        Means of squares of pixels.
    """
    step = coarseness(spec.shape)
    tasks = [Task("pictures", chunk, picture_chunk, (step, bands)) for chunk in spec.grid]
    return coarse_field(spec, crew.run(spec, tasks, progress), step, bands)
