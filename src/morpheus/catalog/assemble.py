"""What the cells gave, put together to a catalogue."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from astropy.table import Column as TableColumn
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.catalog.band_sky import BandSky
from morpheus.catalog.catalog import Catalog, build_table
from morpheus.catalog.cell import CellResult, join
from morpheus.catalog.lattice import SourceBoxes
from morpheus.catalog.setup import CatalogSetup, position_dtype
from morpheus.catalog.shapes import Failures
from morpheus.catalog.sky import position_angles, sky_positions
from morpheus.errors import MosaicWarning, ProductError

__all__ = ["assemble_catalog"]


def assemble_catalog(
    setup: CatalogSetup,
    sources: Table,
    boxes: SourceBoxes,
    skies: Mapping[str, BandSky],
    results: Iterable[CellResult],
) -> Catalog:
    """Make the catalogue of what was measured in the cells of a field.

    Parameters
    ----------
    setup : CatalogSetup
        What was measured.
    sources : astropy.table.Table
        The sources of the segmentation in the order of their labels, 1 to N: `parent`, `flags` and,
        of a guided one, `position_id`.
    boxes : SourceBoxes
        Where they are, in the same order.
    skies : mapping of str to BandSky
        What is known of each band.
    results : iterable of CellResult
        What `measure_cell` gave, in any order.

    Returns
    -------
    Catalog
        A row for each source, in the order of the labels. If there is none, nothing is said of
        the bands.

    Raises
    ------
    ProductError
        If not every source was measured once.
    Exception
        If the shapes of not a single source could be measured: what was raised for one.

    Warns
    -----
    MosaicWarning
        If those of some could not be measured.
    """
    columns, n_sources = setup.columns(sources), len(sources)
    if not n_sources:
        return Catalog(build_table(columns), setup.record(0, {}))
    found = join(list(results))
    if not np.array_equal(found.label, np.arange(1, n_sources + 1)):
        raise ProductError(
            f"{len(found.label)} sources were measured of {n_sources}, or some of them twice"
        )
    _report(found.failed, n_sources)
    done = {band: skies[band].record for band in setup.bands}
    done[setup.detection] = done[setup.detection] | {"failed_sources": found.failed.n}
    values = found.columns | _identity(sources) | _boxes(boxes) | _on_sky(setup, found.columns)
    values["flags"] = np.asarray(sources["flags"], dtype=np.int64) | found.flags
    return Catalog(build_table(columns, values), setup.record(n_sources, done))


def _report(failed: Failures, n_sources: int) -> None:
    """Warn of sources that could not be measured; if it is all of them, something is wrong."""
    if failed.error is not None and failed.n == n_sources:
        raise failed.error
    if failed.n:
        warnings.warn(
            f"the shapes of {failed.n} sources could not be measured, and are NaN",
            MosaicWarning,
            stacklevel=4,
        )


def _identity(sources: Table) -> dict[str, Any]:
    columns = {"id": np.arange(1, len(sources) + 1), "parent": np.asarray(sources["parent"])}
    dtype = position_dtype(sources)
    if dtype is not None:
        fill = {"int": -1, "float": np.nan, "str": ""}
        given = sources["position_id"]
        # Not every format can tell a missing value from an empty one; these can be told in all.
        values = given.filled(fill[dtype]) if hasattr(given, "filled") else given
        columns["position_id"] = TableColumn(values).data
    return columns


def _boxes(boxes: SourceBoxes) -> dict[str, NDArray[np.int64]]:
    return {name: getattr(boxes, name) for name in ("x_min", "x_max", "y_min", "y_max")}


def _on_sky(
    setup: CatalogSetup, columns: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[np.float64]]:
    """Give what world coordinates say, for all sources in one go."""
    x, y = columns["x"], columns["y"]
    ra, dec = sky_positions(setup.wcs, x, y)
    with np.errstate(all="ignore"):
        return {
            "ra": ra,
            "dec": dec,
            "position_angle": position_angles(setup.wcs, x, y, columns["theta"]),
            "half_light_radius_arcsec": columns["half_light_radius"] * (setup.scale or np.nan),
        }
