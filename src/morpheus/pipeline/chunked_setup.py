"""A run in chunks before it begins: what it is of, how the field is divided, what tasks know."""

import dataclasses
import uuid
from pathlib import Path
from typing import Any

from astropy.table import Table

from morpheus.distributed.chunks import ChunkGrid, MemoryNeeds, memory_needs, plan_chunks
from morpheus.distributed.classify import maps_of
from morpheus.distributed.execution import Execution
from morpheus.distributed.manifest import MANIFEST_FORMAT, check_same_run, digest_of_positions
from morpheus.distributed.spec import FieldSpec, devices
from morpheus.distributed.store import STORE_FOLDER, FieldStore, clear_folder
from morpheus.errors import OptionError, ProductError
from morpheus.inference import InferenceOptions, preset
from morpheus.inference.engine import available_threads
from morpheus.model import ModelConfig
from morpheus.pipeline.field import FieldOptions
from morpheus.pipeline.opening import FieldPlace, OpenField
from morpheus.provenance import software
from morpheus.segmentation import detection_thresholds, read_positions
from morpheus.segmentation.segment import statistic_of

__all__ = ["ChunkedSetup"]


class ChunkedSetup:
    """What is asked for.

    Parameters
    ----------
    folder, model_folder : Path
        Of the products, and of the model.
    config : ModelConfig
        The model.
    options : FieldOptions
        How everything is done.
    execution : Execution
        Who does it.

    Raises
    ------
    OptionError
        If it cannot be done in chunks.
    """

    def __init__(
        self,
        folder: Path,
        model_folder: Path,
        config: ModelConfig,
        options: FieldOptions,
        execution: Execution,
    ) -> None:
        self.folder, self.model_folder, self.config = folder, model_folder, config
        self.options, self.execution = options, execution
        given = options.inference
        self.inference: InferenceOptions = preset(given) if isinstance(given, str) else given
        for what, needs_all, instead in (
            ("the published method", options.segmentation.method == "published", "probability"),
            ("the background 'mesh'", options.catalog.background == "mesh", "global"),
        ):
            if needs_all:
                raise OptionError(
                    f"{what} is made of the whole image at once, and cannot be run in chunks: use"
                    f" {instead!r}, or morpheus classify, segment and catalog one after the other"
                )

    def n_workers(self, grid: ChunkGrid) -> int:
        """Count the workers that there is work and memory for.

        Parameters
        ----------
        grid : ChunkGrid
            The chunks.

        Returns
        -------
        int
            At least 1.
        """
        most = min(self._most_workers, len(grid))
        if self.execution.memory is None:
            return most
        there_is = (self.execution.memory - self._needs.main) // self._needs.of_worker(grid.size)
        return max(1, min(most, there_is))

    def divide(self, shape: tuple[int, int], origin: tuple[int, int] = (0, 0)) -> ChunkGrid:
        """Divide a field.

        Parameters
        ----------
        shape : tuple of int
            Size (y, x) of the field in pixels.
        origin : tuple of int, optional
            Where its first pixel (y, x) lies in the images.

        Returns
        -------
        ChunkGrid
            The chunks.

        Raises
        ------
        OptionError
            If the memory is not enough.
        """
        return plan_chunks(
            shape,
            origin,
            self.config,
            self._needs,
            memory=self.execution.memory,
            workers=self._most_workers,
            side=self.execution.chunk,
        )[0]

    @property
    def _needs(self) -> MemoryNeeds:
        return memory_needs(self.config, len(self.config.bands))

    @property
    def _most_workers(self) -> int:
        if self.execution.scheduler == "serial":
            return 1
        if self.inference.device != "cpu":
            return len(devices(self.inference.device))
        return self.inference.threads or available_threads()

    def grid(self, place: FieldPlace, begun: dict[str, Any] | None) -> ChunkGrid:
        """Divide the field, or take the chunks of a run that was begun.

        Parameters
        ----------
        place : FieldPlace
            Where the field lies in its images.
        begun : dict or None
            Manifest of the run to go on with: records are of the chunks that it was begun with.

        Returns
        -------
        ChunkGrid
            The chunks.

        Raises
        ------
        OptionError
            If the memory is not enough.
        ProductError
            If the manifest is none.
        """
        if begun is None:
            return self.divide(place.shape, place.origin)
        try:
            return ChunkGrid(*(tuple(begun["grid"][key]) for key in ("shape", "size", "offset")))
        except (KeyError, TypeError) as error:
            raise self._damaged(error) from error

    def plan(self, field: OpenField, grid: ChunkGrid, begun: dict[str, Any] | None) -> FieldSpec:
        """Say what tasks know.

        Parameters
        ----------
        field : OpenField
            The field.
        grid : ChunkGrid
            Its chunks.
        begun : dict or None
            Manifest of the run to go on with.

        Returns
        -------
        FieldSpec
            What tasks know.

        Raises
        ------
        ProductError
            If the manifest is none.
        """
        try:
            return self._spec(field, grid, uuid.uuid4().hex if begun is None else str(begun["id"]))
        except KeyError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> ProductError:
        return ProductError(
            f"{self.folder / STORE_FOLDER} is damaged (no {error}); start anew with --overwrite"
        )

    def begin(
        self,
        field: OpenField,
        spec: FieldSpec,
        engine: tuple[str, str],
        begun: dict[str, Any] | None,
    ) -> tuple[FieldSpec, Table | None]:
        """Make an empty store, or make sure that the run that was begun is this one.

        Parameters
        ----------
        field : OpenField
            The field.
        spec : FieldSpec
            What `plan` gave.
        engine : tuple of str
            Library and arithmetic that evaluate the network.
        begun : dict or None
            Manifest of the run to go on with.

        Returns
        -------
        spec : FieldSpec
            The same, with the arithmetic that all workers are to use.
        positions : astropy.table.Table or None
            External positions.

        Raises
        ------
        ProductError
            If the run that was begun is another one, or the store cannot be written.
        """
        positions = None
        if self.options.positions is not None:
            positions = read_positions(self.options.positions, field.wcs)
        manifest = self._manifest(field, positions, engine)
        folder = self.folder / STORE_FOLDER
        if begun is None:
            maps = maps_of(dense=self.config.is_dense, n_classes=len(self.config.classes))
            clear_folder(folder)
            # A folder of its own: what an earlier run has still at work writes to no other's.
            FieldStore.create(Path(spec.store), spec.grid, maps)
            run = {"id": Path(spec.store).name, "grid": dataclasses.asdict(spec.grid)}
            FieldStore(folder, spec.grid).write_manifest({**manifest, **run})
        else:
            known = {key: value for key, value in begun.items() if key not in ("id", "grid")}
            check_same_run(known, manifest, str(self.folder))
        inference = dataclasses.replace(spec.inference, precision=engine[1])  # type: ignore[arg-type]
        return dataclasses.replace(spec, inference=inference), positions

    def _spec(self, field: OpenField, grid: ChunkGrid, run: str) -> FieldSpec:
        options = self.options.segmentation
        known = dataclasses.asdict(self.config.detection)
        return FieldSpec(
            store=str((self.folder / STORE_FOLDER / run).absolute()),
            grid=grid,
            inputs=field.inputs,
            origin=field.origin,
            image_shape=field.image_shape,
            model=str(self.model_folder.absolute()),
            weights_sha256=self.config.weights_sha256,
            model_bands=field.given.choice.bands,
            skies=field.skies,
            inference=self.inference,
            segmentation=options,
            statistic=statistic_of(options),
            thresholds=detection_thresholds(known, options),
            catalog=self.options.catalog,
        )

    def _manifest(
        self, field: OpenField, positions: Table | None, engine: tuple[str, str]
    ) -> dict[str, Any]:
        """Say what the results depend on."""
        how = dataclasses.asdict(self.inference)
        # Which make no difference, but for what the engine tells.
        for name in ("threads", "batch_size", "device"):
            del how[name]
        programs = {k: v for k, v in software().items() if k not in ("platform", "processor")}
        return {
            "format": MANIFEST_FORMAT,
            "software": programs,
            "engine": {"name": engine[0], "precision": engine[1]},
            "inputs": [
                {
                    "of": f"{one.band} {one.kind}",
                    "path": one.path,
                    "hdu": one.hdu,
                    "sha256": one.sha256,
                }
                for one in field.records
            ],
            "section": {"origin": field.origin, "shape": field.shape},
            "model": self.config.as_dict(),
            "inference": how,
            "segmentation": dataclasses.asdict(self.options.segmentation),
            "positions_sha256": digest_of_positions(positions),
            "catalog": dataclasses.asdict(self.options.catalog),
            "catalog_file": self.options.catalog_file,
            "rgb": self.options.rgb,
        }
