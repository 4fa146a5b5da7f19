"""The set of files that a survey paper releases."""

import gzip
import hashlib
import re
import tarfile
import tempfile
from pathlib import Path

from astropy.io import fits

from morpheus.catalog import Catalog
from morpheus.errors import OptionError, ProductError
from morpheus.inference import STATISTICS, Classification
from morpheus.mosaic.products import Plane, check_targets, replacing, write_hdus
from morpheus.pipeline.recorded import find_catalog
from morpheus.provenance import morpheus_version
from morpheus.segmentation import FLAG_MEANINGS, GUIDED_FILE, SEGMENTATION_FILE, Segmentation
from morpheus.visual import write_classes

__all__ = ["make_release"]

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_CHECKSUMS = "SHA256SUMS"
_EPOCH = 315532800  # 1980-01-01: an archive depends on its contents alone


def make_release(
    folder: str | Path,
    output: str | Path | None = None,
    *,
    field: str,
    version: str,
    statistic: str = "mean",
    overwrite: bool = False,
) -> Path:
    """Make the files of a data release, as those of Hausen & Robertson (2020), and one archive.

    Parameters
    ----------
    folder : str or Path
        A folder with a classification, a segmentation and a catalogue.
    output : str or Path, optional
        Where the archive and its folder go; by default `folder`.
    field, version : str
        Name of the field and version of the release: letters, digits, '.', '_', '+' and '-'.
    statistic : {"mean", "votes"}, optional
        What the class images hold first; the others are extensions.
    overwrite : bool, optional
        Whether a release that exists may be replaced.

    Returns
    -------
    Path
        ``morpheus_<field>.v<version>.tar.gz``. Beside it is the folder
        ``morpheus_<field>.v<version>`` with the same files.

    Raises
    ------
    OptionError
        If the field, the version or the statistic cannot be used.
    ProductError
        If something is missing in `folder`, or the release cannot be written.
    """
    folder = Path(folder)
    for what, text in (("field", field), ("version", version)):
        if not _PLAIN.fullmatch(text):
            raise OptionError(
                f"the {what} {text!r} becomes part of file names: use letters, digits, '.', '_',"
                " '+' and '-'"
            )
    name = f"morpheus_{field}.v{version}"
    where = folder if output is None else Path(output)
    target, archive = where / name, where / f"{name}.tar.gz"
    check_targets([archive, target], overwrite=overwrite)
    if target.is_dir() and not (target / _CHECKSUMS).is_file():
        raise ProductError(f"{target} is there but is no release; choose another folder")
    classification = Classification.read(folder)
    _, catalog, measured = find_catalog(folder)
    segmentations = {
        Path(name).stem: Segmentation.read(folder / name)
        for name in (SEGMENTATION_FILE, GUIDED_FILE)
        if (folder / name).exists()
    }
    try:
        where.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=where, prefix=f".{name}-") as temporary:
            made = Path(temporary) / name
            made.mkdir()
            files = _Names(made, field, version)
            contents = _write_images(files, classification, segmentations, statistic)
            contents |= _write_catalog(files, catalog, measured)
            contents |= _write_picture(files, classification, statistic)
            contents[_CHECKSUMS] = "checksums of all other files: sha256sum -c SHA256SUMS"
            readme = _readme(name, contents, classification, catalog)
            (made / "README.md").write_text(readme, encoding="utf-8")
            _write_checksums(made)
            if target.exists():
                # Removed with the temporary folder, once the new one is in its place.
                target.replace(Path(temporary) / "old")
            made.replace(target)
            _pack(target, archive, overwrite=overwrite)
    except OSError as error:
        raise ProductError(
            f"cannot write the release {target}: {error.strerror or error}"
        ) from error
    return archive


class _Names:
    """How the files of a release are called."""

    def __init__(self, folder: Path, field: str, version: str) -> None:
        self.folder, self.field, self.version = folder, field, version

    def __call__(self, what: str, suffix: str) -> Path:
        return self.folder / f"morpheus_{self.field}_{what}.v{self.version}.{suffix}"


def _write_images(
    names: _Names,
    classification: Classification,
    segmentations: dict[str, Segmentation],
    statistic: str,
) -> dict[str, str]:
    """Write the images; say what each is."""
    order = [statistic, *(s for s in classification.statistics if s != statistic)]
    planes = {plane.name: plane for plane in classification.planes(order)}
    contents = {}
    for name in classification.maps(statistic):
        path = names(name, "fits")
        _write_group(path, [planes[f"{name}_{s}".upper()] for s in order])
        more = ", ".join(f"{name.upper()}_{s.upper()} ({STATISTICS[s]})" for s in order[1:])
        contents[path.name] = f"{name}: {STATISTICS[statistic]}"
        if more:
            contents[path.name] += f"; extensions {more}"
    path = names("mask", "fits")
    _write_group(path, [planes["MASK"], planes["N"]])
    contents[path.name] = "1 where a pixel is invalid in any band; extension N: number of windows"
    for what, segmentation in segmentations.items():
        path = names(what, "fits")
        write_hdus(path, segmentation.hdus())
        guided = segmentation.positions is not None
        contents[path.name] = (
            f"{segmentation.n_sources} sources"
            + (", claimed by external positions" if guided else "")
            + ": 0 for the sky, 1 to N for the sources; extensions MASK, SOURCES (parent, flags"
            + (", position_id), POSITIONS" if guided else ")")
        )
    return contents


def _write_group(path: Path, planes: list[Plane]) -> None:
    """Write the first plane as the primary image, which is what viewers open."""
    hdus = fits.HDUList([fits.PrimaryHDU(planes[0].data, planes[0].header)])
    hdus[0].name = planes[0].name
    for plane in planes[1:]:
        hdus.append(fits.ImageHDU(plane.data, plane.header, name=plane.name))
    write_hdus(path, hdus)


def _write_catalog(names: _Names, catalog: Catalog, measured: Segmentation) -> dict[str, str]:
    image = names(Path(measured.file_name).stem, "fits").name
    forms = {
        "csv": f"catalogue of the sources in {image}, comma-separated",
        "mrt": "the same as a machine-readable table (AAS, CDS), with units and descriptions",
        "fits": "the same as a FITS table, with units, descriptions and UCDs",
    }
    for suffix in forms:
        catalog.write(names("catalog", suffix))
    return {names("catalog", suffix).name: text for suffix, text in forms.items()}


def _write_picture(names: _Names, classification: Classification, statistic: str) -> dict[str, str]:
    path = names("classes", "png")
    write_classes(path, classification, statistic=statistic, title=names.field)
    return {path.name: "the classes in colour"}


def _readme(
    release: str,
    contents: dict[str, str],
    classification: Classification,
    catalog: Catalog,
) -> str:
    """Describe every file, and what made them."""
    record = classification.provenance
    height, width = classification.shape
    files = "\n".join(f"| `{name}` | {text} |" for name, text in contents.items())
    inputs = "\n".join(
        f"| {entry['band']} | {entry['kind']} | {Path(entry['path'] or '(array)').name} |"
        f" {entry['sha256'] or ''} |"
        for entry in record.get("inputs", ())
    )
    columns = "\n".join(
        f"| `{column.name}` | {column.unit or ''} | {column.description} |"
        for column in catalog.table.itercols()
    )
    flags = "\n".join(
        f"| {flag.value} | {flag.name} | {meaning} |" for flag, meaning in FLAG_MEANINGS.items()
    )
    model = record.get("model", {})
    return f"""# {release}

Pixel-level morphological classification of {width} x {height} pixels (x, y):
{len(catalog)} sources.

- program: Morpheus {morpheus_version()}
- model: {model.get("name", "(unknown)")}, sha256 {model.get("weights_sha256", "(unknown)")}
- run: {record.get("started", "(unknown)")} UTC

| file | |
|---|---|
{files}

All images are on one pixel grid, with its world coordinates. Class images are NaN where nothing was
classified. Method: Hausen & Robertson 2020, ApJS 248, 20 (https://doi.org/10.3847/1538-4365/ab8868).

## What it was made from

| band | | file | sha256 |
|---|---|---|---|
{inputs}

## The catalogue's columns

| column | unit | |
|---|---|---|
{columns}

The bits of `flags`:

| | | |
|---|---|---|
{flags}
"""


def _write_checksums(folder: Path) -> None:
    """Write the checksums, in the form that sha256sum reads."""
    lines = []
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    (folder / _CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def _pack(folder: Path, archive: Path, *, overwrite: bool) -> None:
    """Make an archive that says nothing of the machine or its user."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = _EPOCH, 0, 0, "", ""
        entry.mode = 0o755 if entry.isdir() else 0o644
        return entry

    with (
        replacing(archive, overwrite=overwrite) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=_EPOCH) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        tar.add(folder, folder.name, filter=plain, recursive=False)
        for path in sorted(folder.iterdir()):
            tar.add(path, f"{folder.name}/{path.name}", filter=plain)
