"""What ran in a folder: `report.json`, a section for every stage after the classification."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from morpheus.errors import ProductError
from morpheus.mosaic.products import remove, write_json

__all__ = ["REPORT_FILE", "add_stage", "discard_stages", "listed_products", "read_report"]

REPORT_FILE = "report.json"

# What each stage is made from, beside the classification: when that is made anew, it goes.
_MADE_FROM: dict[str, tuple[str, ...]] = {
    "segmentation": (),
    "guided_segmentation": (),
    "catalog": ("segmentation", "guided_segmentation"),
    "stamps": ("segmentation", "guided_segmentation", "catalog"),
    "colors": (),
}


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
    if not isinstance(report, dict):
        raise ProductError(f"{path} is not a report of Morpheus")
    return report


def add_stage(
    folder: Path, stage: str, record: Mapping[str, Any], products: Sequence[Path]
) -> None:
    """Add what a stage did to the report of its folder.

    Parameters
    ----------
    folder : Path
        The folder.
    stage : str
        Name of the section.
    record : mapping
        What was done.
    products : sequence of Path
        The files it made. Those in the folder itself are listed, beside those of the same stage
        that were listed before and were not discarded.

    Raises
    ------
    ProductError
        If the report cannot be read or written.
    """
    names = [path.name for path in products if path.parent.resolve() == folder.resolve()]
    report = read_report(folder)
    before = _products(report.get(stage))
    report[stage] = {**record, "products": list(dict.fromkeys([*before, *names]))}
    write_json(folder / REPORT_FILE, report, overwrite=True)


def discard_stages(folder: Path, *stages: str) -> None:
    """Remove the products of stages, and what was made from them, before they are made anew.

    Parameters
    ----------
    folder : Path
        The folder.
    *stages : str
        The stages; without any, every stage after the classification.

    Raises
    ------
    ProductError
        If the report cannot be read, or a file cannot be removed.
    """
    report = read_report(folder)
    gone = [
        stage
        for stage, sources in _MADE_FROM.items()
        if stage in report and (not stages or {stage, *sources} & set(stages))
    ]
    if not gone:
        return
    # The report first: where it lists a file, the file is there.
    sections = [report.pop(stage) for stage in gone]
    write_json(folder / REPORT_FILE, report, overwrite=True)
    remove([folder / name for section in sections for name in _products(section)])


def listed_products(folder: Path, stage: str) -> list[Path]:
    """Give the products of a stage that the report of a folder lists.

    Parameters
    ----------
    folder : Path
        The folder.
    stage : str
        Name of the section.

    Returns
    -------
    list of Path
        They need not exist.

    Raises
    ------
    ProductError
        If the report cannot be read.
    """
    return [folder / name for name in _products(read_report(folder).get(stage))]


def _products(section: Any) -> list[str]:
    """Read the files of a section, by their names alone; a damaged section has none."""
    listed = section.get("products") if isinstance(section, dict) else None
    return [Path(str(name)).name for name in listed] if isinstance(listed, list) else []
