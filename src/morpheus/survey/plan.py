"""What there is to do for the tiles of a survey that may have been begun before."""

import json
from pathlib import Path
from typing import Any, Literal, TypeAlias

from morpheus.distributed.store import STORE_FOLDER, clear_folder
from morpheus.errors import ProductError
from morpheus.mosaic.products import write_json
from morpheus.mosaic.report import REPORT_FILE, read_report
from morpheus.survey.inputs import difference, inputs_of, is_unfinished, read_record
from morpheus.survey.status import status_of
from morpheus.survey.table import Tile

__all__ = ["SURVEY_FILE", "Plan", "begun_with", "plan_of", "unmake"]

SURVEY_FILE = "survey.json"

Plan: TypeAlias = Literal["keep", "start", "resume", "again", "anew"]
"""Keep what is done, start, resume an unfinished run, do again what failed or was interrupted
before there was one, or do anew what has changed."""


def begun_with(folder: Path) -> dict[str, Any]:
    """Read what a survey was begun with.

    Parameters
    ----------
    folder : Path
        Of the survey.

    Returns
    -------
    dict
        As `survey_record` made it; empty if it was not begun.

    Raises
    ------
    ProductError
        If it cannot be read.
    """
    path = folder / SURVEY_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ProductError(f"cannot read {path} ({error}); choose another folder") from error
    if not isinstance(content, dict):
        raise ProductError(f"{path} is of no survey; choose another folder")
    return content


def plan_of(survey: Path, tile: Tile, options: str, catalog_file: str, *, overwrite: bool) -> Plan:
    """Find out what there is to do for a tile.

    Parameters
    ----------
    survey : Path
        Folder of the survey.
    tile : Tile
        The tile.
    options : str
        Digest of what its results depend on beside its inputs.
    catalog_file : str
        Name of its catalogue.
    overwrite : bool
        Whether it is done anew if its inputs or options have changed.

    Returns
    -------
    Plan
        What there is to do.

    Raises
    ------
    ProductError
        If inputs or options have changed and may not, or its folder is not the survey's.
    """
    folder = survey / tile.name
    record = read_record(folder)
    if record is None:
        if not read_report(folder) and not is_unfinished(folder):
            return "start"
        if not overwrite:
            raise ProductError(
                f"{folder} holds a run that is not this survey's: choose another folder, or do the"
                " tile anew with --overwrite"
            )
        return "anew"
    state = status_of(survey, tile.name, catalog_file, at_work=False).state
    changed = difference(folder, record, inputs_of(tile))
    if changed is None and record["options"] != options:
        changed = "its options were others"
    if changed is None:
        if state == "done":
            return "keep"
        return "resume" if is_unfinished(folder) else "again"
    if state != "failed" and not overwrite:  # what failed was to be mended
        raise ProductError(
            f"{tile} was begun with something else: {changed}. Put it back, or do the tile anew"
            " with --overwrite"
        )
    return "anew"


def unmake(folder: Path) -> None:
    """Say that a tile is not done, before it is done anew; the new run replaces its files.

    Parameters
    ----------
    folder : Path
        Of the tile.

    Raises
    ------
    ProductError
        If it cannot be written.
    """
    report = read_report(folder)
    try:
        if report.pop("run", None) is not None:
            write_json(folder / REPORT_FILE, report, overwrite=True)
        clear_folder(folder / STORE_FOLDER)
    except OSError as error:
        raise ProductError(f"cannot write to {folder}: {error.strerror or error}") from error
