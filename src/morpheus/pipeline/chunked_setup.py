"""A run in chunks before it begins: what it is of, how the field is divided, what tasks know."""

import dataclasses
from pathlib import Path
from typing import Any

from astropy.table import Table

from morpheus.distributed.chunks import ChunkGrid, MemoryNeeds, memory_needs, plan_chunks
from morpheus.distributed.classify import maps_of
from morpheus.distributed.execution import Execution
from morpheus.distributed.manifest import MANIFEST_FORMAT, check_same_run, digest_of_positions
from morpheus.distributed.spec import FieldSpec, devices
from morpheus.distributed.store import STORE_FOLDER, FieldStore
from morpheus.errors import OptionError
from morpheus.inference import InferenceOptions, preset
from morpheus.inference.engine import available_threads
from morpheus.model import ModelConfig
from morpheus.pipeline.field import FieldOptions
from morpheus.pipeline.opening import OpenField
from morpheus.provenance import morpheus_version
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

    def begin(
        self, field: OpenField, begun: dict[str, Any] | None
    ) -> tuple[FieldSpec, Table | None]:
        """Divide the field and make an empty store, or take those of a run that was begun.

        Parameters
        ----------
        field : OpenField
            The field.
        begun : dict or None
            Manifest of the run to go on with.

        Returns
        -------
        spec : FieldSpec
            What tasks know.
        positions : astropy.table.Table or None
            External positions.

        Raises
        ------
        OptionError
            If the memory is not enough.
        ProductError
            If the run that was begun is another one, or the store cannot be written.
        """
        positions = None
        if self.options.positions is not None:
            positions = read_positions(self.options.positions, field.wcs)
        manifest = self._manifest(field, positions)
        if begun is None:
            grid = self.divide(field.shape, field.origin)
            maps = maps_of(dense=self.config.is_dense, n_classes=len(self.config.classes))
            store = FieldStore.create(self.folder / STORE_FOLDER, grid, maps)
            store.write_manifest({**manifest, "grid": dataclasses.asdict(grid)})
        else:
            # Records are of the chunks that the run was begun with.
            known = {key: value for key, value in begun.items() if key != "grid"}
            check_same_run(known, manifest, str(self.folder))
            stored = begun["grid"]
            grid = ChunkGrid(*(tuple(stored[key]) for key in ("shape", "size", "offset")))
        return self._spec(field, grid), positions

    def _spec(self, field: OpenField, grid: ChunkGrid) -> FieldSpec:
        options = self.options.segmentation
        known = dataclasses.asdict(self.config.detection)
        return FieldSpec(
            store=str((self.folder / STORE_FOLDER).absolute()),
            grid=grid,
            inputs=field.inputs,
            origin=field.origin,
            image_shape=field.image_shape,
            model=str(self.model_folder.absolute()),
            model_bands=field.given.choice.bands,
            skies=field.skies,
            inference=self.inference,
            segmentation=options,
            statistic=statistic_of(options),
            thresholds=detection_thresholds(known, options),
            catalog=self.options.catalog,
        )

    def _manifest(self, field: OpenField, positions: Table | None) -> dict[str, Any]:
        """Say what the results depend on."""
        how = dataclasses.asdict(self.inference)
        for name in ("threads", "batch_size", "device"):  # which make no difference
            del how[name]
        return {
            "format": MANIFEST_FORMAT,
            "morpheus": morpheus_version(),
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
