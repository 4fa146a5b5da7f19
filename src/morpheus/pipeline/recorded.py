"""The images that a classification was made from, found again by what its report says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from morpheus.catalog import BandImage, Catalog, read_band_images
from morpheus.catalog.formats import FORMATS
from morpheus.errors import ImageError, OptionError, ProductError
from morpheus.inference import Classification
from morpheus.mosaic.bands import images_by_band, maps_by_band
from morpheus.mosaic.report import files_of_stage
from morpheus.segmentation import GUIDED_FILE, SEGMENTATION_FILE, Segmentation

__all__ = [
    "ImageFiles",
    "bands_classified",
    "find_catalog",
    "map_of",
    "read_catalog",
    "read_images",
]

_OPTIONS = {"image": "images", "weight": "weights", "rms": "rms", "dq": "dq"}


@dataclass(frozen=True)
class ImageFiles:
    """Images and their maps, as `read_band_images` takes them.

    Parameters
    ----------
    images : mapping of str to image, sequence of images, or None
        By band, or in the order of the model's bands; None: those that were classified, with
        their maps.
    weights, rms, dq : mapping of str to image, optional
        Inverse-variance, noise and data-quality maps by band.
    check_filters : bool
        Whether a FILTER header that contradicts the band is an error.
    """

    images: Any = None
    weights: Mapping[str, Any] | None = None
    rms: Mapping[str, Any] | None = None
    dq: Mapping[str, Any] | None = None
    check_filters: bool = True


def bands_classified(classification: Classification) -> tuple[str, ...]:
    """Give the bands that a classification was made from.

    Parameters
    ----------
    classification : Classification
        The field.

    Returns
    -------
    tuple of str
        In the order of the model's bands; in the place of one, what was given instead of it.
    """
    record = classification.provenance
    model = record.get("model", {}).get("bands", ())
    return tuple(record.get("bands", {}).get("given", model))


def read_images(
    classification: Classification, files: ImageFiles, *, only: tuple[str, ...] | None = None
) -> list[BandImage]:
    """Read the images of a classified field, each with a mask of its own.

    Parameters
    ----------
    classification : Classification
        The field; its region is cut out of the images if it was made from one.
    files : ImageFiles
        What to read.
    only : tuple of str, optional
        The bands to read, of those that were classified.

    Returns
    -------
    list of BandImage
        In the order of the model's bands, and then of `files`.

    Raises
    ------
    OptionError
        If images are needed, since those that were classified were not files, or if they do not
        fit the bands.
    ImageError
        If an image cannot be read, or is not the one that was classified.
    """
    recorded = files.images is None
    options = _recorded(classification) if recorded else vars(files)
    images = options["images"]
    order = bands_classified(classification)
    if not isinstance(images, Mapping):
        images = dict(zip(order, images_by_band(images, order), strict=True))
    names = {band.casefold(): band for band in order}
    images = {names.get(str(band).casefold(), band): image for band, image in images.items()}
    bands = (*(b for b in order if b in images), *(b for b in images if b not in order))
    maps = {
        kind: {band: one for on, one in maps_by_band(options[kind], bands, kind) for band in on}
        for kind in ("weights", "rms", "dq")
    }
    if only is not None:
        bands = tuple(band for band in bands if band in only)
    found = read_band_images(
        {band: images[band] for band in bands},
        bands=bands,
        region=classification.provenance.get("region"),
        check_filters=files.check_filters and not recorded,
        **{kind: {b: one for b, one in by.items() if b in bands} for kind, by in maps.items()},
    )
    if recorded:
        _check_unchanged(classification, found)
    return found


def _recorded(classification: Classification) -> dict[str, Any]:
    """Give the files that were classified, as options of `read_band_images`."""
    options: dict[str, dict[str, str]] = {name: {} for name in _OPTIONS.values()}
    for entry in classification.provenance.get("inputs", ()):
        path = entry["path"]
        if path is None:
            raise OptionError("the classification was not made from files: give the images")
        if not Path(path).exists():
            raise ImageError(
                f"{path}, which was classified, is not there: run from the folder in which"
                " it was classified, or give the images (catalog: --images; segment: --flux)"
            )
        options[_OPTIONS[entry["kind"]]][entry["band"]] = (
            f"{path}[{entry['hdu']}]" if entry["hdu"] else path
        )
    if not options["images"]:
        raise OptionError("the classification does not say what it was made from: give the images")
    return options


def _check_unchanged(classification: Classification, images: list[BandImage]) -> None:
    known = {
        (entry["band"], entry["kind"]): entry["sha256"]
        for entry in classification.provenance["inputs"]
    }
    for image in images:
        for record in image.inputs:
            if record.sha256 != known.get((record.band, record.kind)):
                raise ImageError(
                    f"{record.path} has changed since it was classified; classify it again, or"
                    " give the images"
                )


def read_catalog(folder: Path) -> tuple[Path, Catalog] | None:
    """Read the catalogue of a folder.

    Parameters
    ----------
    folder : Path
        With a report.

    Returns
    -------
    (Path, Catalog) or None
        The file and the catalogue: the first that the report lists, that can be read, and that
        says which segmentation map it was made from. None if there is none.

    Raises
    ------
    ProductError
        If the report or the catalogue is damaged.
    """
    for path in files_of_stage(folder, "catalog"):
        known = FORMATS.get(path.suffix.lower())
        if known is None or known.read is None:
            continue
        catalog = Catalog.read(path)
        if "segmentation" in catalog.provenance:  # .csv and .mrt do not keep it
            return path, catalog
    return None


def find_catalog(folder: Path) -> tuple[Path, Catalog, Segmentation]:
    """Read the catalogue of a folder and the segmentation map that it was made from.

    Parameters
    ----------
    folder : Path
        With a report.

    Returns
    -------
    Path
        The file.
    Catalog
        As `read_catalog` gives it.
    Segmentation
        Its map, the guided one or the other.

    Raises
    ------
    ProductError
        If there is no catalogue, or it was made from a map that the folder does not hold.
    """
    found = read_catalog(folder)
    if found is None:
        raise ProductError(
            f"{folder} holds no catalogue that says what it was made from; morpheus catalog"
            f" {folder} -o {folder / 'catalog.fits'} makes one"
        )
    path, catalog = found
    return path, catalog, map_of(catalog, folder)


def map_of(catalog: Catalog, folder: Path) -> Segmentation:
    """Find the segmentation map that a catalogue was made from.

    Parameters
    ----------
    catalog : Catalog
        The catalogue, in a format that keeps its provenance.
    folder : Path
        Where the map is.

    Returns
    -------
    Segmentation
        The map.

    Raises
    ------
    ProductError
        If no map in the folder has the labels that were measured.
    """
    wanted = catalog.provenance.get("segmentation", {})
    # The one of that name first: a guided map can have the same labels.
    for name in sorted((SEGMENTATION_FILE, GUIDED_FILE), key=lambda n: n != wanted.get("file")):
        if (folder / name).exists():
            found = Segmentation.read(folder / name)
            if found.sha256 == wanted.get("labels_sha256"):
                return found
    raise ProductError(
        f"the catalogue was made from another segmentation map than those in {folder}; make it"
        f" again with morpheus catalog {folder}"
    )
