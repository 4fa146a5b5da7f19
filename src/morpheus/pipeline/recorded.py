"""The images that a classification was made from, found again by what its report says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from morpheus.catalog import BandImage, read_band_images
from morpheus.catalog.formats import FORMATS
from morpheus.errors import ImageError, OptionError, ProductError
from morpheus.inference import Classification
from morpheus.mosaic.bands import images_by_band
from morpheus.mosaic.report import listed_products

__all__ = ["ImageFiles", "find_catalog", "read_images"]

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
        The bands, the first of the model first.

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
    if isinstance(images, Mapping):
        bands = tuple(images)
    else:
        bands = tuple(classification.provenance.get("model", {}).get("bands", ()))
        images = dict(zip(bands, images_by_band(images, bands), strict=True))
    if only is not None:
        bands = tuple(band for band in bands if band in only)
    found = read_band_images(
        {band: images[band] for band in bands},
        bands=bands,
        region=classification.provenance.get("region"),
        check_filters=files.check_filters and not recorded,
        **{
            kind: {band: one for band, one in (options[kind] or {}).items() if band in bands}
            for kind in ("weights", "rms", "dq")
        },
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
                f"{path}, which was classified, is not there; give the images, or run from the"
                " folder in which they were classified"
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


def find_catalog(folder: Path) -> Path:
    """Find the catalogue of a folder.

    Parameters
    ----------
    folder : Path
        With a report.

    Returns
    -------
    Path
        The first that the report lists, that is there and that can be read.

    Raises
    ------
    ProductError
        If there is none.
    """
    for path in listed_products(folder, "catalog"):
        known = FORMATS.get(path.suffix.lower())
        if known is not None and known.read is not None and path.exists():
            return path
    raise ProductError(
        f"{folder} holds no catalogue; morpheus catalog {folder} -o {folder / 'catalog.fits'}"
        " makes one"
    )
