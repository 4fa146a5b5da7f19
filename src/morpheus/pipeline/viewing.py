"""A run's folder opened for a page that shows it: tiles are read when they are asked for."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from morpheus.errors import OptionError
from morpheus.mosaic.files import FitsFiles
from morpheus.mosaic.grid import check_same_sky
from morpheus.mosaic.scale import pixel_scale
from morpheus.pipeline.recorded import read_catalog
from morpheus.pipeline.viewing_files import open_files, reader
from morpheus.pipeline.viewing_record import read_record
from morpheus.pipeline.viewing_sky import band_views, bands_of, picture_of
from morpheus.viewer import Pyramid, SourceColumns, ViewedRun, keep, label_set

__all__ = ["TILES_FOLDER", "check_same_grid", "open_run"]

TILES_FOLDER = "tiles"
"""Where in a run's folder the halved maps are kept."""


@contextmanager
def open_run(
    folder: Path,
    *,
    tiles: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[ViewedRun]:
    """Open the folder of a run for a page.

    Parameters
    ----------
    folder : Path
        What `morpheus classify` or `morpheus run` made, whole or not: without a segmentation map
        there are no outlines, without a catalogue no sources, without the images no sky.
    tiles : Path, optional
        Where the halved maps are kept; by default in the folder, or, where nothing can be written
        there, in a temporary one.
    progress : callable, optional
        Takes the number of pixels that are unpacked of compressed images, and of all that are.

    Yields
    ------
    ViewedRun
        Valid until the context ends.

    Raises
    ------
    ProductError
        If the folder holds no classification, a product in it is damaged, or the catalogue is of
        another segmentation map; or if nothing can be written to `tiles`.
    ImageError
        If an image has changed since it was classified.

    Warns
    -----
    MosaicWarning
        If the images are not there.
    """
    record = read_record(folder)
    found = read_catalog(folder)
    catalog = None if found is None else found[1]
    with ExitStack() as stack:
        run = open_files(record, catalog, stack.enter_context(FitsFiles()))
        kept = tiles or stack.enter_context(_place_of_tiles(folder))
        signature = run.signature()
        keep(kept / "checked", {}, signature, lambda _: run.check())
        views = band_views(run, kept, signature, progress)
        bands, sets = bands_of(run, views)
        labels = [] if run.labels is None else [label_set(reader(run.labels))]
        shown = [*picture_of(run, views), *run.maps.sets(), *labels, *sets]
        wcs = run.maps.wcs
        yield ViewedRun(
            title=folder.resolve().name,
            pyramid=Pyramid(kept, run.maps.shape, shown, signature),
            classes=record.classes,
            bands=tuple(bands),
            sources=None if catalog is None else SourceColumns(catalog.table),
            wcs=wcs,
            pixel_scale=None if wcs is None else pixel_scale(wcs),
            facts={
                "model": record.model,
                "started": record.started,
                "version": record.version,
                "detection_band": None
                if catalog is None
                else catalog.provenance.get("detection_band"),
            },
        )


@contextmanager
def _place_of_tiles(folder: Path) -> Iterator[Path]:
    if os.access(folder, os.W_OK):
        yield folder / TILES_FOLDER
        return
    with tempfile.TemporaryDirectory(prefix="morpheus-tiles-") as temporary:
        yield Path(temporary)


def check_same_grid(runs: list[ViewedRun]) -> None:
    """Make sure that two runs can be compared pixel by pixel.

    Parameters
    ----------
    runs : list of ViewedRun
        The runs.

    Raises
    ------
    OptionError
        If their sizes or classes differ.
    GridMismatchError
        If their pixels are elsewhere on the sky.
    """
    first, *others = runs
    for other in others:
        if other.pyramid.shape != first.pyramid.shape:
            raise OptionError(
                f"{first.title} and {other.title} are of other sizes: {first.pyramid.shape} and"
                f" {other.pyramid.shape} pixels (y, x); only runs on one pixel grid are compared"
            )
        if first.wcs is not None and other.wcs is not None:
            check_same_sky(other.title, other.wcs, first.title, first.wcs, first.pyramid.shape)
        if other.classes != first.classes:
            raise OptionError(
                f"{first.title} and {other.title} have other classes; they cannot be compared"
            )
