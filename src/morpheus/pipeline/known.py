"""Images whose truth is known: simulated, on disk, or real ones with labels."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.catalog import BandImage, read_band_images
from morpheus.classes import CLASS_NAMES
from morpheus.errors import OptionError, ProductError
from morpheus.evaluate import KnownImage, Truth, read_labels, truth_of_field
from morpheus.mosaic.grid import check_same_shape, check_same_sky
from morpheus.mosaic.report import read_report
from morpheus.pipeline.recorded import ImageFiles
from morpheus.segmentation import open_positions

if TYPE_CHECKING:
    from morpheus.simulate import SimulatedField

__all__ = ["field_setup", "labelled_images", "read_field", "simulated_image"]


TRUTH_FILE, MAPS_FILE = "truth.fits", "truth_maps.fits"


def simulated_image(field: "SimulatedField") -> KnownImage:
    """Take a simulated field and its truth.

    Parameters
    ----------
    field : SimulatedField
        The field.

    Returns
    -------
    KnownImage
        With its truth.
    """
    names = [band.name for band in field.survey.bands]
    return KnownImage(
        f"{field.survey.name}, seed {field.options.seed}",
        dict(zip(names, field.images, strict=True)),
        truth_of_field(field.catalog, names[0], field.truth.owner, field.truth.classes),
        weights=dict(zip(names, field.weights, strict=True)),
        wcs=field.wcs,
        unit=field.survey.unit,
        zero_point=field.survey.bands[0].zero_point,
    )


def labelled_images(
    files: ImageFiles,
    labels: Any,
    *,
    columns: Mapping[str, str] | None = None,
    complete: bool = False,
    zero_points: Mapping[str, float] | None = None,
) -> Iterator[KnownImage]:
    """Put real images and their labels together.

    Parameters
    ----------
    files : ImageFiles
        Images by band, the reference band first, and their maps. Names may hold columns of the
        labels in braces, such as 'frames/{frame}/h.fits': there is an image for every value then,
        with the labels that have it.
    labels : path or astropy.table.Table
        As `read_labels` takes it.
    columns : mapping of str to str, optional
        Names of its columns.
    complete : bool, optional
        Whether every source of the images is listed.
    zero_points : mapping of str to float, optional
        AB magnitude of one unit of a band; by default what its header says. That of the reference
        band is used.

    Yields
    ------
    KnownImage
        With the truth that the labels tell.

    Raises
    ------
    ImageError
        If an image cannot be read.
    OptionError
        If the labels cannot be used, or none lies in an image.
    """
    table = open_positions(labels, what="labels")
    names = _placeholders(files)
    missing = [name for name in names if name not in table.colnames]
    if missing:
        raise OptionError(
            f"file names hold {{{missing[0]}}}, but the labels have no such column; they have"
            f" {', '.join(table.colnames)}"
        )
    if not names:
        yield _labelled(files, table, columns, complete, zero_points)
        return
    keys = [tuple(_value(row[name]) for name in names) for row in table]
    for key in dict.fromkeys(keys):
        values = dict(zip(names, key, strict=True))
        maps = (files.images, files.weights, files.rms, files.dq)
        images, weights, rms, dq = (_filled(one, values) for one in maps)
        here = ImageFiles(images, weights, rms, dq, files.check_filters)
        rows = table[[one == key for one in keys]]
        yield _labelled(here, rows, columns, complete, zero_points, name=", ".join(map(str, key)))


def _placeholders(files: ImageFiles) -> list[str]:
    """Columns that file names hold, in order and once."""
    names: dict[str, None] = {}
    for one in (files.images, files.weights, files.rms, files.dq):
        for path in (one or {}).values():
            if isinstance(path, str):
                try:
                    names |= {name: None for _, name, _, _ in Formatter().parse(path) if name}
                except ValueError as error:
                    raise OptionError(f"{path}: {error}; braces hold a column's name") from error
    return list(names)


def _value(value: Any) -> Any:
    """Value of a column, as file names are written with it."""
    return value.strip() if isinstance(value, str) else value


def _filled(paths: Mapping[str, Any] | None, values: Mapping[str, Any]) -> dict[str, Any] | None:
    if paths is None:
        return None
    filled = {}
    for band, path in paths.items():
        try:
            filled[band] = path.format_map(values) if isinstance(path, str) else path
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise OptionError(f"{path}: {error}; braces hold a column, as {{frame}}") from error
    return filled


def _labelled(
    files: ImageFiles,
    labels: Table,
    columns: Mapping[str, str] | None,
    complete: bool,
    zero_points: Mapping[str, float] | None,
    name: str | None = None,
) -> KnownImage:
    bands = list(files.images)
    images = read_band_images(
        files.images,
        bands=bands,
        weights=files.weights,
        rms=files.rms,
        dq=files.dq,
        check_filters=files.check_filters,
        zero_points=zero_points,
    )
    title = name or str(files.images[bands[0]])
    first = images[0]
    truth = read_labels(labels, first.wcs, columns=columns, complete=complete)
    height, width = first.shape
    x, y = np.asarray(truth.sources["x"]), np.asarray(truth.sources["y"])
    inside = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)  # noqa: PLR2004
    if not inside.any():
        raise OptionError(
            f"none of the {len(truth)} labelled sources lies in {title}"
            f" ({width} x {height} pixels): are these the labels of this image?"
        )
    return _known(title, images, truth)


def field_setup(folders: Sequence[Path]) -> dict[str, Any]:
    """Say which simulated fields these are.

    Parameters
    ----------
    folders : sequence of Path
        Where they are.

    Returns
    -------
    dict
        `kind`; `fields`, a line each; `depth` (AB mag, 5 sigma, point source) of the shallowest.

    Raises
    ------
    OptionError
        If one is given twice.
    ProductError
        If one is no simulated field.
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise OptionError("a field is given twice: it would count twice")
    records = [_simulation(folder) for folder in folders]
    fields = [
        "{survey}, seed {seed}, {size} pixels, {density:g} sources per arcmin²".format(
            **record["options"]
        )
        for record in records
    ]
    depths = [next(iter(one["bands"].values()))["point_source_depth"] for one in records]
    return {"kind": "simulated", "fields": fields, "depth": min(depths)}


def _simulation(folder: Path) -> dict[str, Any]:
    """Read what the report of a simulated field says."""
    report = read_report(folder).get("simulation")
    if not isinstance(report, dict):
        raise ProductError(
            f"{folder} is not a simulated field; morpheus simulate field -o {folder} makes one"
        )
    return report


def read_field(folder: str | Path) -> KnownImage:
    """Read a field that `morpheus simulate field` wrote.

    Parameters
    ----------
    folder : str or Path
        Where its files are.

    Returns
    -------
    KnownImage
        With its truth.

    Raises
    ------
    ProductError
        If it is not such a folder, or a file is missing or damaged.
    """
    folder = Path(folder)
    report = _simulation(folder)
    bands = list(report["bands"])
    suffix = "fits.fz" if f"{MAPS_FILE}.fz" in report["products"] else "fits"
    images = read_band_images(
        {band: folder / f"{band.lower()}_sci.{suffix}" for band in bands},
        bands=bands,
        weights={band: folder / f"{band.lower()}_wht.{suffix}" for band in bands},
    )
    try:
        catalog = Table.read(folder / TRUTH_FILE, hdu="TRUTH")
        with fits.open((folder / MAPS_FILE).with_suffix(f".{suffix}")) as maps:
            owner = np.array(maps["OWNER"].data, dtype=np.int32)
            classes = np.array([maps[name.upper()].data for name in CLASS_NAMES], np.float32)
    except (OSError, KeyError, ValueError) as error:
        raise ProductError(f"cannot read the truth of {folder}: {error}") from error
    return _known(str(folder), images, truth_of_field(catalog, bands[0], owner, classes))


def _known(name: str, images: list[BandImage], truth: Truth) -> KnownImage:
    first = images[0]
    for image in images[1:]:
        check_same_shape(image.band, image.shape, first.band, first.shape)
        if image.wcs is not None and first.wcs is not None:
            check_same_sky(image.band, image.wcs, first.band, first.wcs, first.shape)
    weights = {
        image.band: _weight(image.error, image.invalid())
        for image in images
        if image.error is not None
    }
    return KnownImage(
        name,
        {image.band: np.where(image.invalid(), np.float32(np.nan), image.data) for image in images},
        truth,
        weights=weights,
        wcs=first.wcs,
        unit=first.unit,
        zero_point=first.calibration.zero_point,
        inputs=tuple(record for image in images for record in image.inputs),
    )


def _weight(error: NDArray[np.floating[Any]], invalid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Inverse variance; 0 where a pixel is invalid."""
    weight = np.zeros(error.shape, dtype=np.float32)
    weight[~invalid] = np.float32(1) / np.square(error[~invalid], dtype=np.float32)
    return weight
