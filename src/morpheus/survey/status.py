"""What became of the tiles of a survey, as the files on disk say.

A tile is done if its report says that the whole run is and nothing of it is unfinished; so a status
cannot say what is not so, whenever the program was killed. Beside the products a tile's folder has
`tile.json`: what it was begun with, and why it failed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from morpheus.errors import ProductError
from morpheus.mosaic.locking import take_lock
from morpheus.mosaic.report import read_report
from morpheus.survey.inputs import is_unfinished, read_record

__all__ = ["State", "TileStatus", "is_at_work", "status_of", "working"]

State: TypeAlias = Literal["waiting", "running", "interrupted", "done", "failed"]

_LOCK_FILE = "survey.lock"


@dataclass(frozen=True)
class TileStatus:
    """What became of a tile.

    Parameters
    ----------
    name : str
        The tile.
    state : {'waiting', 'running', 'interrupted', 'done', 'failed'}
        How far it is. One that is interrupted is gone on with by the same command.
    seconds : float or None
        Time that it took, of a run that was gone on with the last part; None unless done.
    n_sources : int or None
        Number of its sources, listed or not; None unless done.
    n_pixels : int or None
        Number of its pixels; None unless done.
    error : str or None
        Why it failed, in a line.
    """

    name: str
    state: State
    seconds: float | None = None
    n_sources: int | None = None
    n_pixels: int | None = None
    error: str | None = None


def status_of(folder: Path, name: str, catalog_file: str, *, at_work: bool) -> TileStatus:
    """Find out what became of a tile.

    Parameters
    ----------
    folder : Path
        Of the survey.
    name : str
        The tile.
    catalog_file : str
        Name of a tile's catalogue.
    at_work : bool
        Whether a process works on the survey.

    Returns
    -------
    TileStatus
        Its status.

    Raises
    ------
    ProductError
        If its record or its report cannot be read.
    """
    record = read_record(folder / name)
    if record is None:
        return TileStatus(name, "waiting")
    if record["state"] == "failed":
        return TileStatus(name, "failed", error=str(record.get("error")))
    report = read_report(folder / name)
    entry = report.get("files", {}).get(catalog_file)
    if "run" in report and entry is not None and not is_unfinished(folder / name):
        height, width = report["shape"]
        seconds = sum(report["run"]["seconds"].values())
        return TileStatus(name, "done", round(seconds, 2), entry["n_sources"], height * width)
    return TileStatus(name, "running" if at_work else "interrupted")


@contextmanager
def working(folder: Path) -> Iterator[None]:
    """Be the one process that works on a survey.

    The lock is the operating system's, and is gone when the process is, however it ended.

    Parameters
    ----------
    folder : Path
        Of the survey, which is made.

    Yields
    ------
    None
        Control.

    Raises
    ------
    ProductError
        If another process works on it, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / _LOCK_FILE).open("w")
    except OSError as error:
        raise ProductError(f"cannot write to {folder}: {error.strerror or error}") from error
    with file:
        if not take_lock(file):
            raise ProductError(
                f"another process works on the survey in {folder}: wait for it, or end it"
            )
        yield


def is_at_work(folder: Path) -> bool:
    """Tell whether a process works on a survey.

    Parameters
    ----------
    folder : Path
        Of the survey.

    Returns
    -------
    bool
        False, too, where the file system has no locks.
    """
    try:
        with (folder / _LOCK_FILE).open("r") as file:
            return not take_lock(file, shared=True)
    except OSError:
        return False
