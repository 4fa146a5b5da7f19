"""The work on a survey: what there is to do, tile after tile, and what it comes to."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from morpheus.distributed.cluster import connect
from morpheus.distributed.crew import Crew
from morpheus.distributed.execution import Execution
from morpheus.distributed.manifest import check_same_run
from morpheus.distributed.progress import StageProgress
from morpheus.model import find_model, load_model
from morpheus.mosaic.products import remove, write_json
from morpheus.pipeline.chunked import run_in_chunks
from morpheus.pipeline.chunked_setup import ChunkedSetup
from morpheus.provenance import now, software
from morpheus.survey.catalog import FinishedTile, combine
from morpheus.survey.footprint import Footprint, write_footprints
from morpheus.survey.headers import footprints_of
from morpheus.survey.inputs import (
    digest_of,
    inputs_of,
    read_record,
    write_record,
)
from morpheus.survey.options import SurveyOptions, survey_record
from morpheus.survey.plan import SURVEY_FILE, Plan, begun_with, plan_of, unmake
from morpheus.survey.status import TileStatus, status_of
from morpheus.survey.table import Tile, read_tiles

__all__ = ["Survey", "SurveyWork"]

CATALOG_FILE, FOOTPRINTS_FILE = "catalog.parquet", "survey_footprints.reg"
_WINDOWS_FILE = "n.fits"


@dataclass(frozen=True)
class Survey:
    """What became of a survey.

    Parameters
    ----------
    tiles : tuple of TileStatus
        What became of each tile, in the order of the table.
    catalog : Path or None
        The combined catalogue; None if no tile is done.
    n_listed : dict of str to int
        How many sources of each tile it lists.
    """

    tiles: tuple[TileStatus, ...]
    catalog: Path | None
    n_listed: dict[str, int]

    @property
    def failed(self) -> tuple[TileStatus, ...]:
        """The tiles that failed."""
        return tuple(one for one in self.tiles if one.state == "failed")


class SurveyWork:
    """A survey that is worked on; when it is made, everything is found to be usable.

    Parameters
    ----------
    table, folder : Path
        The tiles, and where the products go.
    model : str or Path
        Name of an installed model, or a model folder.
    options : SurveyOptions
        How everything is done.
    execution : Execution
        Who does it.

    Raises
    ------
    MorpheusError
        If something cannot be used.
    """

    def __init__(
        self,
        table: Path,
        folder: Path,
        model: str | Path,
        options: SurveyOptions,
        execution: Execution,
    ) -> None:
        self.folder, self.options, self.execution = folder, options, execution
        self.model = Path(find_model(model))
        self.config = load_model(self.model).config
        setup = ChunkedSetup(folder, self.model, self.config, options.field, execution)
        self.tiles = read_tiles(table, self.config)
        options.check(self.config, self.tiles)
        self.record = survey_record(self.config, options)
        self.digest = digest_of(self.record)
        self.footprints = footprints_of(table, self.tiles)
        largest = max((one.shape for one in self.footprints.values()), key=math.prod)
        self.n_workers = setup.n_workers(setup.divide(largest))
        if "://" in execution.scheduler:  # or every tile would fail for it
            with connect(execution.scheduler, 1):
                pass

    def _status(self, name: str) -> TileStatus:
        return status_of(self.folder, name, self.options.field.catalog_file, at_work=False)

    def plans(self, *, overwrite: bool) -> dict[str, Plan]:
        """Find out what there is to do for each tile.

        Parameters
        ----------
        overwrite : bool
            Whether tiles whose inputs or options have changed are done anew.

        Returns
        -------
        dict of str to str
            By tile: 'keep' what is done, 'start', 'resume' an unfinished run, do 'again' what was
            interrupted before or failed, or do 'anew' what has changed.

        Raises
        ------
        ProductError
            If inputs or options have changed and may not, or a folder is not the survey's.
        """
        begun = begun_with(self.folder)
        if begun and not overwrite:
            # Inputs are each tile's own affair.
            same = {**begun, "inputs": []}, {**self.record, "inputs": []}
            check_same_run(*same, str(self.folder))
        name = self.options.field.catalog_file
        return {
            tile.name: plan_of(self.folder, tile, self.digest, name, overwrite=overwrite)
            for tile in self.tiles
        }

    def begin(self, plans: dict[str, Plan]) -> None:
        """Write what the survey is of; remove what is stale.

        Parameters
        ----------
        plans : dict of str to str
            What there is to do.
        """
        write_json(self.folder / SURVEY_FILE, self.record, overwrite=True)
        self._outline()
        if "anew" in plans.values():
            remove([self.folder / CATALOG_FILE])
        for tile in self.tiles:
            folder, inputs = self.folder / tile.name, inputs_of(tile)
            if plans[tile.name] == "keep" and (read_record(folder) or {}).get("inputs") != inputs:
                # Only moved or touched: its files need not be read again the next time.
                write_record(folder, "begun", self.digest, inputs)

    def do(
        self,
        plans: dict[str, Plan],
        progress: StageProgress | None,
        announce: Callable[[str], None] | None,
    ) -> None:
        """Do the tiles one after the other.

        Parameters
        ----------
        plans : dict of str to str
            What there is to do.
        progress : callable or None
            Told the tile and stage, and how many pixels of how many are done.
        announce : callable or None
            Given a line for the user.
        """
        todo = [tile for tile in self.tiles if plans[tile.name] != "keep"]
        if announce is not None and len(todo) < len(self.tiles):
            n_kept = len(self.tiles) - len(todo)
            announce(f"{n_kept} of {len(self.tiles)} tiles were done before")
        if not todo:
            return
        with connect(self.execution.scheduler, self.n_workers) as crew:
            self._do_all(crew, todo, plans, progress, announce)

    def _do_all(
        self,
        crew: Crew,
        todo: list[Tile],
        plans: dict[str, Plan],
        progress: StageProgress | None,
        announce: Callable[[str], None] | None,
    ) -> None:
        sizes = [_n_pixels(self.footprints[tile.name]) for tile in todo]
        say = announce or (lambda _: None)
        for i, tile in enumerate(todo):
            say(f"tile {tile.name}, {i + 1} of {len(todo)}")
            told = None
            if progress is not None:
                told = _Part(progress, tile.name, sum(sizes[:i]), sizes[i], sum(sizes))
            self._do(crew, tile, plans[tile.name], told, announce)
            done = self._status(tile.name)
            say(
                f"tile {tile.name} failed: {done.error}"
                if done.state == "failed"
                else f"tile {tile.name}: {done.n_sources} sources, {done.seconds} s"
            )

    def _do(
        self,
        crew: Crew,
        tile: Tile,
        plan: Plan,
        progress: StageProgress | None,
        announce: Callable[[str], None] | None,
    ) -> None:
        folder, inputs = self.folder / tile.name, inputs_of(tile)
        if plan == "anew":
            unmake(folder)
        write_record(folder, "begun", self.digest, inputs)
        try:
            run_in_chunks(
                tile.images,
                folder,
                model=self.model,
                weights=tile.maps["weight"] or None,
                rms=tile.maps["rms"] or None,
                dq=tile.maps["dq"] or None,
                region=tile.region,
                options=self.options.for_tile(self.config, tile),
                execution=self.execution,
                check_filters=self.options.check_filters,
                overwrite=plan in ("again", "anew"),
                resume=plan == "resume",
                crew=crew,
                progress=progress,
                announce=announce,
            )
        except Exception as error:  # noqa: BLE001 (whatever its files make libraries raise)
            line = " ".join(str(error).split()) or type(error).__name__
            write_record(folder, "failed", self.digest, inputs, line)

    def end(self) -> Survey:
        """Combine what is done.

        Returns
        -------
        Survey
            What became of the tiles.
        """
        statuses = tuple(self._status(tile.name) for tile in self.tiles)
        self._outline()
        done = [one for one in statuses if one.state == "done"]
        path = self.folder / CATALOG_FILE
        if not done:
            remove([path])
            return Survey(statuses, None, {})
        finished = [
            FinishedTile(
                one.name,
                self.footprints[one.name],
                self.folder / one.name / self.options.field.catalog_file,
                self.folder / one.name / _WINDOWS_FILE,
            )
            for one in done
        ]
        provenance = {
            "started": now(),
            "software": software(),
            "survey": self.record,
            "match_radius": self.options.match_radius,
            "tiles": [one.name for one in done],
            "missing_tiles": [one.name for one in statuses if one.state != "done"],
        }
        counts = combine(finished, path, provenance, radius=self.options.match_radius)
        return Survey(statuses, path, counts)

    def _outline(self) -> None:
        states = {tile.name: self._status(tile.name).state for tile in self.tiles}
        write_footprints(self.folder / FOOTPRINTS_FILE, self.footprints, states)


class _Part:
    """Tells of a tile's progress as of a part of the survey's."""

    def __init__(
        self, show: StageProgress, name: str, before: int, n_pixels: int, total: int
    ) -> None:
        self._show, self._name = show, name
        self._before, self._n_pixels, self._total = before, n_pixels, total

    def __call__(self, stage: str, done: int, total: int) -> None:
        here = self._n_pixels * done // max(total, 1)
        self._show(f"{self._name}: {stage}", self._before + here, self._total)


def _n_pixels(footprint: Footprint) -> int:
    return footprint.shape[0] * footprint.shape[1]
