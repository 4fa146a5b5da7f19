"""The folder of a report: page, numbers, figures and tables."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from astropy.table import Table

from morpheus.errors import missing_package
from morpheus.evaluate.evaluation import Evaluation
from morpheus.evaluate.names import plain_names
from morpheus.evaluate.report.findings import gather
from morpheus.evaluate.report.style import render
from morpheus.mosaic.products import check_targets, remove, replacing, write_json
from morpheus.provenance import now, software

__all__ = ["report_files", "write_report"]

_PAGE, _RECORD, _FIGURES = "report.html", "evaluation.json", "figures"
_FORMATS = ("png", "pdf")


def report_files(folder: str | Path, detectors: Iterable[str]) -> list[Path]:
    """Name the files of a report, to find out early whether it can be written.

    Parameters
    ----------
    folder : str or Path
        Where they are to be.
    detectors : iterable of str
        Names of the detectors.

    Returns
    -------
    list of Path
        Page, numbers and tables of sources. Which figures there are is not known beforehand.

    Raises
    ------
    OptionError
        If a package that reports need is not installed.
    """
    _check_packages()
    folder = Path(folder)
    tables = [folder / name for name in _table_names(list(detectors))]
    return [folder / _PAGE, folder / _RECORD, *tables]


def write_report(
    evaluation: Evaluation, folder: str | Path, *, overwrite: bool = False
) -> list[Path]:
    """Write the report of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        The evaluation.
    folder : str or Path
        Where to; it is made if it does not exist.
    overwrite : bool, optional
        Whether to replace an earlier report, with all its files.

    Returns
    -------
    list of Path
        `report.html`, `evaluation.json`, `sources_DETECTOR.ecsv` for each detector, and
        `figures/NAME.png` and `figures/NAME.pdf` for each figure.

    Raises
    ------
    OptionError
        If a package that reports need is not installed.
    ProductError
        If a file exists and `overwrite` is false, or cannot be written.
    """
    folder = Path(folder)
    targets = report_files(folder, evaluation.results)
    check_targets(targets, overwrite=overwrite)
    from morpheus.evaluate.report.page import make_document, render_page  # noqa: PLC0415
    from morpheus.evaluate.report.setup_text import title_of  # noqa: PLC0415

    provenance: dict[str, Any] = {"created": now(), "software": software()}
    findings = gather(evaluation)
    document = make_document(findings, provenance)
    figures = {
        folder / _FIGURES / f"{one.name}.{form}": (one.figure, form)
        for one in document.pictures
        for form in _FORMATS
    }
    if figures:
        check_targets(list(figures), overwrite=overwrite)
    drawn = {path: render(figure, form) for path, (figure, form) in figures.items()}
    images = {path.stem: content for path, content in drawn.items() if path.suffix == ".png"}
    page = render_page(document, title_of(findings), provenance, images)
    paths = [*targets, *figures]
    tables = {
        path: result.sample.sources
        for path, result in zip(targets[2:], evaluation.results.values(), strict=True)
    }
    names = [path.relative_to(folder).as_posix() for path in paths]
    record = {**evaluation.record(), **provenance, "files": names}
    # The page is removed first and written last: it never stands beside other numbers than its own.
    remove([folder / _PAGE, *_earlier(folder, paths)])
    _write_files(drawn, tables, overwrite=overwrite)
    write_json(folder / _RECORD, record, overwrite=overwrite)
    with replacing(folder / _PAGE, overwrite=overwrite) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return paths


def _write_files(
    drawn: Mapping[Path, bytes], tables: Mapping[Path, Table], *, overwrite: bool
) -> None:
    for path, content in drawn.items():
        with replacing(path, overwrite=overwrite) as temporary:
            temporary.write_bytes(content)
    for path, table in tables.items():
        with replacing(path, overwrite=overwrite) as temporary:
            table.write(temporary, format="ascii.ecsv", overwrite=True)


def _check_packages() -> None:
    try:
        import jinja2  # noqa: F401, PLC0415 (of the evaluate extra)
    except ModuleNotFoundError as error:
        raise missing_package(error, "the report", "evaluate") from error


def _table_names(detectors: list[str]) -> list[str]:
    return [f"sources_{name}.ecsv" for name in plain_names(detectors)]


def _earlier(folder: Path, paths: list[Path]) -> list[Path]:
    """Find what an earlier report left that this one does not have."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        names = [str(name) for name in record["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    ours = re.compile(rf"({_FIGURES}/\w+\.(png|pdf)|sources_[\w.-]+\.ecsv)")
    return [folder / name for name in names if ours.fullmatch(name) and folder / name not in paths]
