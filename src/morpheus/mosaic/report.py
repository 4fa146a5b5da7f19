"""What ran in a folder: `report.json`, with an entry for every file made after the classification.

An entry says which stage made the file, how, and from which files of the folder. So when one of
them is made anew, what was made from it can be removed, and nothing stale is left.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from morpheus.errors import ProductError
from morpheus.mosaic.products import remove, write_json

__all__ = [
    "REPORT_FILE",
    "add_file",
    "add_record",
    "check_not_replaced",
    "discard_files",
    "files_of_stage",
    "read_report",
]

REPORT_FILE = "report.json"
_FILES, _RUN = "files", "run"


def read_report(folder: Path) -> dict[str, Any]:
    """Read the report of a folder.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    dict
        Its contents; empty if there is none.

    Raises
    ------
    ProductError
        If it is there but cannot be read.
    """
    path = folder / REPORT_FILE
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ProductError(f"cannot read {path}: {error}") from error
    if not isinstance(report, dict) or not isinstance(report.get(_FILES, {}), dict):
        raise ProductError(f"{path} is not a report of Morpheus")
    return report


def add_file(
    path: Path, stage: str, record: Mapping[str, Any], *, made_from: Sequence[str] = ()
) -> None:
    """Add a file to the report of its folder.

    Parameters
    ----------
    path : Path
        The file.
    stage : str
        What made it: 'segmentation', 'catalog', 'colors', 'rgb' or 'stamps'.
    record : mapping
        How.
    made_from : sequence of str
        Names of the files in its folder that it was made from, beside the classification.

    Raises
    ------
    ProductError
        If the report cannot be read or written.
    """
    report = read_report(path.parent)
    report.pop(_RUN, None)  # it was of the files as they were
    entry = {"stage": stage, "made_from": list(made_from), **record}
    report[_FILES] = report.get(_FILES, {}) | {path.name: entry}
    write_json(path.parent / REPORT_FILE, report, overwrite=True)


def add_record(folder: Path, name: str, record: Mapping[str, Any]) -> None:
    """Add what was done as a whole to the report of a folder.

    Parameters
    ----------
    folder : Path
        The folder.
    name : str
        Name of the section, such as 'run'.
    record : mapping
        What was done.

    Raises
    ------
    ProductError
        If the report cannot be read or written.
    """
    write_json(folder / REPORT_FILE, {**read_report(folder), name: dict(record)}, overwrite=True)


def discard_files(folder: Path, made_from: str | None = None) -> None:
    """Remove what was made from a file, before that is made anew.

    Parameters
    ----------
    folder : Path
        The folder.
    made_from : str or None
        Name of the file; None: the classification, from which everything was made.

    Raises
    ------
    ProductError
        If the report cannot be read, or a file cannot be removed.
    """
    report = read_report(folder)
    entries = _entries(report)
    gone = set(entries) if made_from is None else _dependents(entries, made_from)
    if not gone:
        return
    # The report first: where it lists a file, the file is there.
    report[_FILES] = {name: entry for name, entry in entries.items() if name not in gone}
    report.pop(_RUN, None)
    write_json(folder / REPORT_FILE, report, overwrite=True)
    remove([folder / name for name in sorted(gone)])


def files_of_stage(folder: Path, stage: str) -> list[Path]:
    """Give the files of a stage that the report of a folder lists.

    Parameters
    ----------
    folder : Path
        The folder.
    stage : str
        What made them.

    Returns
    -------
    list of Path
        Those that exist, in the order in which they were made.

    Raises
    ------
    ProductError
        If the report cannot be read.
    """
    entries = _entries(read_report(folder))
    paths = [folder / name for name, entry in entries.items() if entry.get("stage") == stage]
    return [path for path in paths if path.is_file()]


def check_not_replaced(path: Path, stage: str, folder: Path) -> None:
    """Make sure that a new file takes the place of none that is needed.

    Parameters
    ----------
    path : Path
        The new file.
    stage : str
        What makes it; a file of the same stage may be replaced.
    folder : Path
        With the report of the classification that it is made from.

    Raises
    ------
    ProductError
        If the file is an image that was classified, or is listed in a report as a class map or as
        the product of another stage.
    """
    target = path.resolve()
    inputs = [entry.get("path") for entry in read_report(folder).get("inputs", ())]
    if target in {Path(name).resolve() for name in inputs if name}:
        raise ProductError(f"{path} is an input and would be replaced; choose another name")
    report = read_report(path.parent)
    entry = _entries(report).get(path.name, {"stage": stage})
    maps = {*report.get("products", ()), *([REPORT_FILE] if report else [])}
    if path.name in maps or entry.get("stage") != stage:
        raise ProductError(
            f"{path} is a product of another kind and would be replaced; choose another name"
        )


def _entries(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Read the entries of files; what is no plain name or no entry is left out."""
    return {
        name: entry
        for name, entry in report.get(_FILES, {}).items()
        if isinstance(entry, dict) and name == Path(name).name and name not in {"", ".", ".."}
    }


def _dependents(entries: dict[str, dict[str, Any]], source: str) -> set[str]:
    """Find what was made from a file, directly or not."""
    found: set[str] = set()
    new = {source}
    while new:
        new = {
            name for name, entry in entries.items() if new & set(entry.get("made_from", ()))
        } - found
        found |= new
    return found - {source}
