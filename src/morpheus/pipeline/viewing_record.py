"""What a run's report says of itself, as far as a page needs it; each part is looked at here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from morpheus.errors import ProductError
from morpheus.inference.product import STATISTICS
from morpheus.mosaic.report import REPORT_FILE, read_report

__all__ = ["RecordedImage", "RunRecord", "read_record"]


@dataclass(frozen=True)
class RecordedImage:
    """An image that was classified.

    Parameters
    ----------
    band : str
        Its band.
    path : str or None
        The file; None if it was an array.
    hdu : str or None
        Which HDU of the file.
    sha256 : str or None
        Digest of the file.
    """

    band: str
    path: str | None
    hdu: str | None
    sha256: str | None


@dataclass(frozen=True)
class RunRecord:
    """What ran.

    Parameters
    ----------
    folder : Path
        Of the run.
    classes : tuple of str
        Names of the model's classes.
    statistics : tuple of str
        Of which there are class maps.
    products : tuple of Path
        The files of the class maps.
    images : tuple of RecordedImage
        What was classified.
    region : str or None
        The part of the images that was classified; None: all.
    started, model, version : str or None
        When, with which model, by which version of Morpheus.
    """

    folder: Path
    classes: tuple[str, ...]
    statistics: tuple[str, ...]
    products: tuple[Path, ...]
    images: tuple[RecordedImage, ...]
    region: str | None
    started: str | None
    model: str | None
    version: str | None


def read_record(folder: Path) -> RunRecord:
    """Read the report of a run.

    Parameters
    ----------
    folder : Path
        Of the run.

    Returns
    -------
    RunRecord
        What it says. Of the names of products the last part counts, so that all are in the folder.

    Raises
    ------
    ProductError
        If there is no such folder or report, or something that is needed is not in it.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        raise ProductError(f"{folder} {what}; morpheus run makes such a folder")
    content = read_report(folder)
    if not content:
        raise ProductError(
            f"{folder} holds no complete classification: there is no {REPORT_FILE} in it;"
            " morpheus run makes such a folder"
        )
    report = _Part(folder, "", content)
    model = report.part("model")
    statistics = report.texts("statistics") if "statistics" in report.content else STATISTICS
    inputs = [
        _Part(folder, f" in an entry of inputs ({number} from 0)", entry)
        for number, entry in enumerate(report.get("inputs", list))
    ]
    return RunRecord(
        folder=folder,
        classes=model.texts("classes"),
        statistics=tuple(statistics),
        products=tuple(folder / Path(name).name for name in report.texts("products")),
        images=tuple(
            RecordedImage(
                band=entry.get("band", str),
                path=entry.get("path", str, NoneType),
                hdu=entry.get("hdu", str, NoneType),
                sha256=entry.get("sha256", str, NoneType),
            )
            for entry in inputs
            if entry.get("kind", str) == "image"
        ),
        region=report.optional("region"),
        started=report.optional("started"),
        model=model.optional("name"),
        version=report.part("software").optional("morpheus")
        if "software" in report.content
        else None,
    )


@dataclass(frozen=True)
class _Part:
    """A part of a report, of which what is wrong is said."""

    folder: Path
    where: str
    content: Any

    def get(self, key: str, *kinds: type) -> Any:
        if not (
            isinstance(self.content, Mapping)
            and key in self.content
            and isinstance(self.content[key], kinds)
        ):
            raise ProductError(
                f"{self.folder} holds no complete classification: its {REPORT_FILE} has no"
                f" {key}{self.where}, or a wrong one; bring the file back, or make the folder anew"
                " with morpheus run"
            )
        return self.content[key]

    def optional(self, key: str) -> str | None:
        found: str | None = self.get(key, str, NoneType) if key in self.content else None
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.get(key, list)
        return tuple(_Part(self.folder, self.where, {key: value}).get(key, str) for value in values)

    def part(self, key: str) -> "_Part":
        return _Part(self.folder, f" in {key}", self.get(key, dict))
