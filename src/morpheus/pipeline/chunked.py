"""Everything, as `run` does it, for a field of any size: in chunks, on all cores or a cluster."""

import contextlib
import dataclasses
import glob
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from astropy.table import Table

from morpheus.catalog import Catalog
from morpheus.catalog.setup import CatalogSetup
from morpheus.defaults import DEFAULT_MODEL
from morpheus.distributed.chunks import ChunkGrid
from morpheus.distributed.cluster import connecting, load_workers
from morpheus.distributed.crew import Crew
from morpheus.distributed.execution import Execution
from morpheus.distributed.kept import KEPT
from morpheus.distributed.pictures import CoarseField
from morpheus.distributed.products import write_maps, write_segmentation
from morpheus.distributed.progress import StageProgress, WholeProgress
from morpheus.distributed.spec import FieldSpec
from morpheus.distributed.stages import (
    classify_field,
    coarse_pictures,
    measure_field,
    segment_field,
)
from morpheus.distributed.store import STORE_FOLDER, FieldStore, clear_folder
from morpheus.distributed.stored import StoredField
from morpheus.errors import ImageError, ProductError
from morpheus.inference.product import MapsProduct, all_map_files
from morpheus.model import ModelConfig, find_model, load_model
from morpheus.mosaic import Region
from morpheus.mosaic.locking import working_in
from morpheus.mosaic.opened import open_mosaic
from morpheus.mosaic.report import add_record, read_report
from morpheus.pipeline.chunked_products import bands_shown, draw, maps_product, sources_record
from morpheus.pipeline.chunked_setup import ChunkedSetup
from morpheus.pipeline.classification import warn_of_empty_sky
from morpheus.pipeline.field import PRODUCTS, FieldOptions, check_field_targets
from morpheus.pipeline.given import images_for
from morpheus.pipeline.opening import FieldPlace, OpenField, files_only
from morpheus.provenance import Stopwatch, now
from morpheus.segmentation.sources import source_table

# Execution is here for `__init__.pyi`, which can name what is in this folder only.
__all__ = ["ChunkedField", "Execution", "run_in_chunks"]


@dataclass(frozen=True, eq=False)
class ChunkedField:
    """What `run_in_chunks` made of a field; the maps are in the files.

    Parameters
    ----------
    shape : tuple of int
        Size (y, x) in pixels.
    catalog : Catalog
        The sources.
    sources : astropy.table.Table
        Their table, as `Segmentation.sources`.
    positions : astropy.table.Table or None
        External positions of a guided segmentation.
    paths : tuple of Path
        The files.
    seconds : mapping of str to float
        Time by stage.
    provenance : dict
        What made the class maps.
    """

    shape: tuple[int, int]
    catalog: Catalog
    sources: Table
    positions: Table | None
    paths: tuple[Path, ...]
    seconds: Mapping[str, float]
    provenance: dict[str, Any]


def run_in_chunks(
    images: Any,
    output: str | Path,
    *,
    model: str | Path = DEFAULT_MODEL,
    weights: Mapping[str, Any] | None = None,
    rms: Mapping[str, Any] | None = None,
    dq: Mapping[str, Any] | None = None,
    region: Region | str | None = None,
    options: FieldOptions | None = None,
    execution: Execution | None = None,
    check_filters: bool = True,
    overwrite: bool = False,
    resume: bool = False,
    crew: Crew | None = None,
    progress: StageProgress | None = None,
    announce: Callable[[str], None] | None = None,
) -> ChunkedField:
    """Do what `run` does for a field of any size: classify, find and measure sources, draw.

    The field is divided into chunks, each of which a worker reads with what is around it. The
    class maps, labels and catalogue are those of `run`, bit by bit, whatever the chunks.
    What is done is stored in the folder `unfinished` of the output until all is.

    Parameters
    ----------
    images : mapping of str to path, or sequence of paths
        The bands, as for `run`; files only.
    output : str or Path
        Folder for the products, as for `run`. Pictures of fields of more than 2048 pixels a side
        are coarse.
    model : str or Path, optional
        Name of an installed model, or a model folder.
    weights, rms, dq : mapping of str to path, optional
        Inverse-variance, noise and data-quality maps by band.
    region : Region or str, optional
        Part of the sky.
    options : FieldOptions, optional
        How everything is done. The published method of segmentation and the mesh background need
        the whole field, and are refused.
    execution : Execution, optional
        Who does it, with how much memory.
    check_filters : bool, optional
        Whether a FILTER header that contradicts the band is an error.
    overwrite : bool, optional
        Whether products and an unfinished run may be replaced.
    resume : bool, optional
        Whether to go on with a run that was begun: what its records vouch for is not done again.
    crew : Crew, optional
        Workers that are there already, as `connect` gives them; they stay.
    progress : callable, optional
        Told the stage, and how many pixels' worth of work of how many is done.
    announce : callable, optional
        Given a line for the user, such as the address of the dashboard.

    Returns
    -------
    ChunkedField
        What was made.

    Raises
    ------
    IncompleteError
        If chunks failed; the others are done and kept.
    MorpheusError
        If images, model or options cannot be used, or a product cannot be written.
    """
    options = FieldOptions() if options is None else options
    execution = Execution() if execution is None else execution
    folder, found = Path(output), find_model(model)
    setup = ChunkedSetup(folder, Path(found), load_model(found).config, options, execution)
    given = files_only(images_for(setup.config, images, weights, rms, dq))
    with working_in(folder):
        begun = _begun(folder, resume=resume, overwrite=overwrite)
        if begun is None:
            check_field_targets(
                folder, setup.config, given.choice.given, options, overwrite=overwrite
            )
        with _saying_how_to_go_on(folder):
            with contextlib.ExitStack() as stack:
                with open_mosaic(
                    given.images,
                    bands=given.choice.given,
                    weights=given.weights,
                    rms=given.rms,
                    dq=given.dq,
                    check_filters=check_filters,
                ) as opened:
                    # Workers take as long to come as the images to be looked at.
                    if crew is None:
                        load_workers(execution.scheduler)
                    place = FieldPlace.of(opened, setup.config, region)
                    grid = setup.grid(place, begun)
                    if crew is None:
                        workers = connecting(execution.scheduler, setup.n_workers(grid))
                        awaited = stack.enter_context(workers)
                    field = OpenField.of(opened, given, setup.config, place)
                    del place  # and its sample of the pixels
                crew = awaited() if crew is None else crew
                spec = setup.plan(field, grid, begun)
                spec, positions = setup.begin(field, spec, crew.engine_of(spec), begun)
                _remove_remains(folder, setup.config, options.catalog_file)
                if announce is not None:
                    announce(_who(crew, spec.grid))
                work = _Work(crew.anew(), setup, field, overwrite=overwrite or resume)
                if progress is not None:
                    n_pixels, stride = _n_pixels(spec.shape), setup.inference.stride
                    work.progress = WholeProgress(progress, n_pixels, setup.config, stride)
                done = work.run(spec, positions)
            try:
                # Pictures take as much memory as a worker, which is free again.
                return work.finish(done)
            finally:
                KEPT.release()


@contextlib.contextmanager
def _saying_how_to_go_on(folder: Path) -> Iterator[None]:
    """Add to what is wrong with the disk that what was done is kept, if something was."""
    try:
        yield
    except ProductError as error:
        known = "--resume" in str(error) or not isinstance(error.__cause__, OSError)
        if known or FieldStore.manifest(folder / STORE_FOLDER) is None:
            raise
        raise ProductError(
            f"{error}; what is done is kept: mend that, and go on with --resume"
        ) from error


def _begun(folder: Path, *, resume: bool, overwrite: bool) -> dict[str, Any] | None:
    """Give the manifest of the run to go on with; None to start anew."""
    begun = FieldStore.manifest(folder / STORE_FOLDER)
    if begun is None and resume and "run" in read_report(folder):
        clear_folder(folder / STORE_FOLDER)  # killed while it was removed
        raise ProductError(f"{folder} holds a run that is complete: there is nothing to go on with")
    if begun is not None and not (resume or overwrite):
        raise ProductError(
            f"{folder} holds an unfinished run: go on with --resume (resume=True), or start anew"
            " with --overwrite"
        )
    return begun if resume else None


def _remove_remains(folder: Path, config: ModelConfig, catalog: str) -> None:
    """Remove what was being written when a run was killed."""
    maps = (path.name for path in all_map_files(folder, config.classes))
    for name in (*maps, *PRODUCTS, catalog):
        for remains in folder.glob(f".{glob.escape(name)}-????????.part"):
            remains.unlink(missing_ok=True)


def _who(crew: Crew, grid: ChunkGrid) -> str:
    rows, columns = grid.size
    workers = f"{crew.n_workers} worker{'' if crew.n_workers == 1 else 's'}"
    where = "" if crew.dashboard is None else f"; dashboard {crew.dashboard}"
    return f"{len(grid)} chunks of {columns} x {rows} pixels (x, y), {workers}{where}"


def _n_pixels(shape: tuple[int, int]) -> int:
    return shape[0] * shape[1]


class _Work:
    """The stages of a run in their order."""

    def __init__(
        self, crew: Crew, setup: ChunkedSetup, field: OpenField, *, overwrite: bool
    ) -> None:
        self.crew, self.setup, self.field, self.overwrite = crew, setup, field, overwrite
        self.folder, self.watch, self.started = setup.folder, Stopwatch(), now()
        self.progress: StageProgress | None = None

    def run(self, spec: FieldSpec, positions: Table | None) -> "_Done":
        """Go through those that need workers."""
        field, crew, watch = self.field, self.crew, self.watch
        with watch.stage("classify"):
            classified = classify_field(crew, spec, self.progress)
        if not classified.classified and classified.masked == _n_pixels(spec.shape):
            raise ImageError(f"no valid pixel in the region {field.region}: all are masked")
        warn_of_empty_sky(classified.empty, _n_pixels(spec.shape), stacklevel=4)
        spec = dataclasses.replace(spec, single=classified.n_max <= 1)
        stored = StoredField(spec)
        product = maps_product(self.setup, spec, field, classified, self.started, watch.seconds)
        write = partial(
            write_maps,
            stored,
            product,
            self.folder,
            n_max=classified.n_max,
            overwrite=self.overwrite,
        )
        with ThreadPoolExecutor(1) as beside:
            written = beside.submit(write)  # while the workers go on
            with watch.stage("segment"):
                found = segment_field(crew, spec, positions, self.progress)
            with watch.stage("write maps"):
                self._tell("write maps")
                paths = written.result()
        if positions is not None:
            positions["label"] = found.position_labels
        sources = source_table(found.parents, found.flags, positions)
        record = sources_record(self.setup, spec, product.provenance, found, positions)
        with watch.stage("write segmentation"):
            self._tell("write segmentation")
            path, digest = write_segmentation(
                stored,
                (sources, positions),
                record,
                field.wcs,
                self.folder,
                overwrite=self.overwrite,
            )
        with watch.stage("catalog"):
            how = self._catalog_setup(spec, path.name, digest)
            catalog = measure_field(crew, spec, found, sources, how, self.progress)
            target = self.folder / self.setup.options.catalog_file
            paths += [path, catalog.write(target, overwrite=self.overwrite)]
        with watch.stage("pictures"):
            shown = coarse_pictures(crew, spec, bands_shown(self.setup, spec), self.progress)
        return _Done(stored, product, catalog, sources, positions, paths, shown)

    def finish(self, done: "_Done") -> ChunkedField:
        """Draw what was found, say what ran, and remove what was stored."""
        with self.watch.stage("pictures"):
            paths = draw(
                self.setup,
                done.stored,
                done.catalog,
                done.shown,
                self.field.wcs,
                overwrite=self.overwrite,
            )
        spec, costs = done.stored.spec, self.crew.costs
        record = {
            "seconds": self.watch.seconds,
            "stages": {name: dataclasses.asdict(cost) for name, cost in costs.items()},
            "chunks": dataclasses.asdict(spec.grid),
            "workers": self.crew.n_workers,
        }
        add_record(self.folder, "run", record)
        if not self.setup.execution.keep:
            clear_folder(self.folder / STORE_FOLDER)
        return ChunkedField(
            spec.shape,
            done.catalog,
            done.sources,
            done.positions,
            (*done.paths, *paths),
            self.watch.seconds,
            done.product.provenance,
        )

    def _catalog_setup(self, spec: FieldSpec, segmap: str, digest: str) -> CatalogSetup:
        inputs, config = spec.inputs, self.setup.config
        return CatalogSetup(
            bands=inputs.bands,
            units=tuple(inputs.units[band] for band in inputs.bands),
            classes=config.classes,
            detection=inputs.bands[0],
            statistic=spec.statistic,
            options=spec.catalog,
            wcs=self.field.wcs,
            model={"name": config.name, "weights_sha256": config.weights_sha256},
            segmentation={"file": segmap, "labels_sha256": digest},
        )

    def _tell(self, stage: str) -> None:
        if self.progress is not None:
            self.progress(stage, 0, 1)


@dataclass(frozen=True, eq=False)
class _Done:
    """What the workers have done."""

    stored: StoredField
    product: MapsProduct
    catalog: Catalog
    sources: Table
    positions: Table | None
    paths: list[Path]
    shown: CoarseField
