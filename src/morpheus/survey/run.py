"""A survey: a table of tiles in; each of them done, and one catalogue of all, out."""

from collections.abc import Callable
from pathlib import Path

from morpheus.catalog.serialise import need_pyarrow
from morpheus.defaults import DEFAULT_MODEL
from morpheus.distributed.execution import Execution
from morpheus.distributed.progress import StageProgress
from morpheus.model import find_model, load_model
from morpheus.pipeline.field import FieldOptions
from morpheus.survey.options import SurveyOptions
from morpheus.survey.plan import begun_with
from morpheus.survey.status import TileStatus, is_at_work, status_of, working
from morpheus.survey.table import read_tiles
from morpheus.survey.work import Survey, SurveyWork

__all__ = ["run_survey", "survey_status"]


def survey_status(
    table: str | Path, output: str | Path, *, model: str | Path = DEFAULT_MODEL
) -> tuple[TileStatus, ...]:
    """Tell how far a survey is; nothing is done or written.

    Parameters
    ----------
    table : str or Path
        The table, as for `run_survey`.
    output : str or Path
        Folder of the survey.
    model : str or Path, optional
        Name of an installed model, or a model folder.

    Returns
    -------
    tuple of TileStatus
        For each tile, in the order of the table.

    Raises
    ------
    MorpheusError
        If the table or a record cannot be read.
    """
    config, folder = load_model(find_model(model)).config, Path(output)
    tiles = read_tiles(Path(table), config, check_files=False)
    name = begun_with(folder).get("catalog_file", FieldOptions.catalog_file)
    at_work = is_at_work(folder)
    return tuple(status_of(folder, tile.name, name, at_work=at_work) for tile in tiles)


def run_survey(
    table: str | Path,
    output: str | Path,
    *,
    model: str | Path = DEFAULT_MODEL,
    options: SurveyOptions | None = None,
    execution: Execution | None = None,
    overwrite: bool = False,
    progress: StageProgress | None = None,
    announce: Callable[[str], None] | None = None,
) -> Survey:
    """Do every tile of a survey as `run_in_chunks` does, and list each source once.

    Tiles are done one after the other, each by all workers. What is done is not done again; a run
    that was interrupted is gone on with, and tiles that failed are tried again. A tile that fails
    does not stop the others.

    Parameters
    ----------
    table : str or Path
        The tiles, in any format that astropy reads: a row for each, with its name (`tile`), and the
        file of each band in the column of the band's name. `F160W_weight`, `F160W_rms` and
        `F160W_dq` are maps, `region` a part of the sky; cells may be empty.
    output : str or Path
        Folder for `catalog.parquet`, the combined catalogue of the tiles that are done;
        `survey_footprints.reg`; `survey.json`; and a folder for each tile.
    model : str or Path, optional
        Name of an installed model, or a model folder.
    options : SurveyOptions, optional
        How everything is done.
    execution : Execution, optional
        Who does it, with how much memory.
    overwrite : bool, optional
        Whether tiles whose inputs or options have changed are done anew; otherwise they are an
        error.
    progress : callable, optional
        Told the tile and stage, and how many pixels' worth of work of how many is done.
    announce : callable, optional
        Given a line for the user, such as which tile is begun.

    Returns
    -------
    Survey
        What became of the tiles. Those that failed are no error: see `Survey.failed`.

    Raises
    ------
    MorpheusError
        If the table, the model or options cannot be used, or the survey was begun with others. No
        tile is begun then.
    """
    options = SurveyOptions() if options is None else options
    need_pyarrow()
    work = SurveyWork(Path(table), Path(output), model, options, execution or Execution())
    with working(work.folder):
        plans = work.plans(overwrite=overwrite)
        work.begin(plans)
        work.do(plans, progress, announce)
        return work.end()
