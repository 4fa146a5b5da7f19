"""Stage 3 on a chunk, a band, or a cell: sources in, rows of the catalogue out."""

import dataclasses
import gc
import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from morpheus.catalog.band_sky import BandSky, measure_band_sky
from morpheus.catalog.cell import CellResult, measure_cell
from morpheus.catalog.lattice import Cell, SourceBoxes
from morpheus.catalog.setup import CatalogSetup
from morpheus.catalog.shapes import Failures
from morpheus.catalog.thinned import ThinnedSky, thinned_sky
from morpheus.distributed.chunks import Chunk
from morpheus.distributed.records import Record
from morpheus.distributed.spec import FieldSpec
from morpheus.distributed.store import FieldStore
from morpheus.distributed.stored import StoredField
from morpheus.mosaic.calibration import Calibration
from morpheus.mosaic.sky import grid_step

__all__ = [
    "band_sky_of",
    "cell_result_of",
    "measure_band_task",
    "measure_cell_task",
    "save_thinned",
    "thinned_of",
    "thinned_task",
]

_THINNED_TABLE = "sky"
_COLUMN, _FAILED = "column_", "failed"


def thinned_task(spec: FieldSpec, chunk: Chunk) -> Record:
    """Give the points of a chunk that the sky of every band is measured from.

    Parameters
    ----------
    spec : FieldSpec
        The field.
    chunk : Chunk
        Which part of it.

    Returns
    -------
    dict of str to ndarray
        What `thinned_of` reads.
    """
    step = grid_step(spec.shape)
    return _flat(thinned_sky(StoredField(spec), chunk.section, step, spec.inputs.bands))


def _flat(sky: ThinnedSky) -> Record:
    return {
        "blank": sky.blank,
        "far": sky.far,
        **{f"data_{band}": data for band, data in sky.data.items()},
        **{f"valid_{band}": valid for band, valid in sky.valid.items()},
    }


def thinned_of(record: Record, bands: tuple[str, ...]) -> ThinnedSky:
    """Read what `thinned_task` gave.

    Parameters
    ----------
    record : dict of str to ndarray
        That.
    bands : tuple of str
        The bands.

    Returns
    -------
    ThinnedSky
        Of the chunk.
    """
    return ThinnedSky(
        record["blank"],
        record["far"],
        {band: record[f"data_{band}"] for band in bands},
        {band: record[f"valid_{band}"] for band in bands},
    )


def save_thinned(store: FieldStore, sky: ThinnedSky) -> None:
    """Write the even grid of the whole field where the tasks of the bands find it.

    Parameters
    ----------
    store : FieldStore
        Of the run.
    sky : ThinnedSky
        The grid.
    """
    store.save_table(_THINNED_TABLE, _flat(sky))


def measure_band_task(spec: FieldSpec, chunk: Chunk, band: str) -> Record:  # noqa: ARG001
    """Measure the sky of a band.

    Parameters
    ----------
    spec : FieldSpec
        The field.
    chunk : Chunk
        The whole field.
    band : str
        The band.

    Returns
    -------
    dict of str to ndarray
        What `band_sky_of` reads.
    """
    field = StoredField(spec)
    thinned = thinned_of(field.store.table(_THINNED_TABLE), spec.inputs.bands)
    sky = measure_band_sky(field, band, thinned, spec.catalog)
    # As text, in which numbers are exact: a record holds arrays only.
    return {"sky": np.array(json.dumps(dataclasses.asdict(sky)))}


def band_sky_of(record: Record) -> BandSky:
    """Read what `measure_band_task` gave.

    Parameters
    ----------
    record : dict of str to ndarray
        That.

    Returns
    -------
    BandSky
        Of the band.
    """
    values = json.loads(str(record["sky"]))
    return BandSky(**values | {"calibration": Calibration(**values["calibration"])})


def measure_cell_task(
    spec: FieldSpec,
    chunk: Chunk,
    boxes: Mapping[str, NDArray[np.int64]],
    skies: Mapping[str, BandSky],
    setup: CatalogSetup,
) -> Record:
    """Measure the sources of a cell.

    Parameters
    ----------
    spec : FieldSpec
        The field.
    chunk : Chunk
        The cell.
    boxes : mapping of str to ndarray
        Fields of `SourceBoxes`, of the sources of the cell.
    skies : mapping of str to BandSky
        What is known of each band.
    setup : CatalogSetup
        How to measure.

    Returns
    -------
    dict of str to ndarray
        What `cell_result_of` reads.
    """
    cell = Cell(chunk.section, SourceBoxes(**boxes))
    result = measure_cell(StoredField(spec), cell, skies, setup)
    gc.collect()  # photutils' catalogues refer to themselves, and hold cutouts of all sources
    return {
        "label": result.label,
        "flags": result.flags,
        _FAILED: np.array([str(result.failed.n), str(result.failed.error or "")]),
        **{f"{_COLUMN}{name}": values for name, values in result.columns.items()},
    }


def cell_result_of(record: Record) -> CellResult:
    """Read what `measure_cell_task` gave.

    Parameters
    ----------
    record : dict of str to ndarray
        That.

    Returns
    -------
    CellResult
        Of the cell.
    """
    n, error = record[_FAILED].tolist()
    return CellResult(
        label=record["label"],
        columns={
            name.removeprefix(_COLUMN): values
            for name, values in record.items()
            if name.startswith(_COLUMN)
        },
        flags=record["flags"],
        failed=Failures(int(n), ValueError(error) if error else None),
    )
