"""Everything, in one folder: classification, segmentation, catalogue and pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from morpheus.catalog import BandImage, Catalog, CatalogOptions, measure
from morpheus.catalog.formats import check_catalog_path
from morpheus.errors import OptionError
from morpheus.inference import Classification, InferenceOptions
from morpheus.model import find_model, load_model
from morpheus.mosaic import Region
from morpheus.mosaic.filters import wavelength
from morpheus.mosaic.products import check_targets
from morpheus.mosaic.report import REPORT_FILE, add_stage, discard_stages
from morpheus.pipeline.classification import classify
from morpheus.pipeline.recorded import ImageFiles, read_images
from morpheus.provenance import Stopwatch
from morpheus.segmentation import (
    GUIDED_FILE,
    SEGMENTATION_FILE,
    Segmentation,
    SegmentationOptions,
    segment,
)
from morpheus.visual import (
    choose_sources,
    colorize,
    lupton_rgb,
    stamp_sheet,
    write_classes,
    write_picture,
)

__all__ = ["Field", "FieldOptions", "run", "write_catalog"]

CLASSES_FILE, RGB_FILE, STAMPS_FILE = "classes.png", "rgb.png", "stamps.png"
_CHANNELS = 3


@dataclass(frozen=True)
class FieldOptions:
    """What `run` does beside the classification.

    Parameters
    ----------
    inference : InferenceOptions or str
        How the windows are placed and computed, or the name of a preset.
    segmentation : SegmentationOptions
        How pixels become sources.
    catalog : CatalogOptions
        How sources are measured.
    positions : path, table or SkyCoord, optional
        External positions for a guided segmentation.
    catalog_file : str
        Name of the catalogue in the folder; its suffix is its format.
    rgb : tuple of 3 str, optional
        Bands of the colour picture: red, green and blue. By default the reddest, the middle and
        the bluest, if their names are known.
    """

    inference: InferenceOptions | str = "exact"
    segmentation: SegmentationOptions = field(default_factory=SegmentationOptions)
    catalog: CatalogOptions = field(default_factory=CatalogOptions)
    positions: Any = None
    catalog_file: str = "catalog.fits"
    rgb: tuple[str, str, str] | None = None


@dataclass(frozen=True, eq=False)
class Field:
    """What `run` made of a field.

    Parameters
    ----------
    classification : Classification
        Class maps.
    segmentation : Segmentation
        Sources.
    catalog : Catalog
        Their measurements.
    paths : tuple of Path
        The files.
    """

    classification: Classification
    segmentation: Segmentation
    catalog: Catalog
    paths: tuple[Path, ...]


def run(
    images: Any,
    output: str | Path,
    *,
    model: str | Path,
    weights: Mapping[str, Any] | None = None,
    rms: Mapping[str, Any] | None = None,
    dq: Mapping[str, Any] | None = None,
    region: Region | str | None = None,
    options: FieldOptions | None = None,
    check_filters: bool = True,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Field:
    """Classify a field, find and measure its sources, and draw it.

    Parameters
    ----------
    images : mapping of str to image, sequence of images, or array of shape (band, y, x)
        The bands, as for `classify`.
    output : str or Path
        Folder for the products: those of `Classification.write`, `Segmentation.write`, the
        catalogue, `classes.png`, `rgb.png` and `stamps.png`, and one `report.json` for all.
    model : str or Path
        Name of an installed model, or a model folder.
    weights, rms, dq : mapping of str to image, optional
        Inverse-variance, noise and data-quality maps by band.
    region : Region or str, optional
        Part of the sky.
    options : FieldOptions, optional
        How everything is done.
    check_filters : bool, optional
        Whether a FILTER header that contradicts the band is an error.
    overwrite : bool, optional
        Whether products that exist may be replaced.
    progress : callable, optional
        Called with the number of windows done and their total number.

    Returns
    -------
    Field
        What was made.

    Raises
    ------
    MorpheusError
        If images, model or options cannot be used, or a product cannot be written. What was
        written before is complete.
    """
    options = FieldOptions() if options is None else options
    folder, watch = Path(output), Stopwatch()
    _check_all(folder, model, options, overwrite=overwrite)
    with watch.stage("classify"):
        classification = classify(
            images,
            model=model,
            weights=weights,
            rms=rms,
            dq=dq,
            region=region,
            options=options.inference,
            check_filters=check_filters,
            progress=progress,
        )
        paths = classification.write(folder, overwrite=overwrite)
    with watch.stage("segment"):
        files = ImageFiles(images, weights, rms, dq, check_filters)
        bands = read_images(classification, files)
        found = segment(
            classification,
            bands[0].data,
            options=options.segmentation,
            positions=options.positions,
            detection_band=bands[0].band,
        )
        paths.append(found.write(folder, overwrite=overwrite))
    with watch.stage("catalog"):
        catalog = measure(
            found,
            classification,
            bands,
            statistic=found.provenance["statistic"],
            options=options.catalog,
        )
        paths.append(write_catalog(catalog, folder / options.catalog_file, overwrite=overwrite))
    with watch.stage("pictures"):
        paths += _draw(folder, classification, found, catalog, bands, options.rgb, overwrite)
    add_stage(folder, "run", {"seconds": watch.seconds, "n_sources": len(catalog)}, ())
    return Field(classification, found, catalog, tuple(paths))


def write_catalog(catalog: Catalog, path: Path, *, overwrite: bool) -> Path:
    """Write a catalogue, and what made it into the report of its folder if that has one.

    Parameters
    ----------
    catalog : Catalog
        The catalogue.
    path : Path
        The file; its suffix is its format.
    overwrite : bool
        Whether it may be replaced if it exists.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OptionError
        If the suffix is that of no format.
    ProductError
        If it cannot be written.
    """
    catalog.write(path, overwrite=overwrite)
    if (path.parent / REPORT_FILE).exists():
        add_stage(path.parent, "catalog", catalog.provenance, [path])
    return path


def _check_all(folder: Path, model: str | Path, options: FieldOptions, *, overwrite: bool) -> None:
    """Find out what would be overwritten before any work is done."""
    config = load_model(find_model(model)).config
    if Path(options.catalog_file).name != options.catalog_file:
        raise OptionError(f"{options.catalog_file}: give the name of a file in the output folder")
    check_catalog_path(folder / options.catalog_file, readable=True)
    if options.rgb is not None and not set(options.rgb) <= set(config.bands):
        raise OptionError(
            f"the colour picture is of {', '.join(options.rgb)}; the bands are"
            f" {', '.join(config.bands)}"
        )
    Classification.check_targets(folder, config.classes, overwrite=overwrite)
    names = (
        SEGMENTATION_FILE,
        GUIDED_FILE,
        options.catalog_file,
        CLASSES_FILE,
        RGB_FILE,
        STAMPS_FILE,
    )
    check_targets([folder / name for name in names], overwrite=overwrite)


def _draw(
    folder: Path,
    classification: Classification,
    found: Segmentation,
    catalog: Catalog,
    images: Sequence[BandImage],
    rgb: tuple[str, str, str] | None,
    overwrite: bool,
) -> list[Path]:
    statistic = found.provenance["statistic"]
    by_band = {image.band: image for image in images}
    discard_stages(folder, "colors", "stamps")
    paths = [
        write_classes(
            folder / CLASSES_FILE, classification, statistic=statistic, overwrite=overwrite
        )
    ]
    channels = _channels(tuple(by_band)) if rgb is None else rgb
    if channels is not None:
        picture = lupton_rgb(*(by_band[band].data for band in channels), mask=classification.mask)
        paths.append(write_picture(folder / RGB_FILE, picture, overwrite=overwrite))
    add_stage(folder, "colors", {"rgb": channels}, paths)
    if len(catalog):
        sheet = stamp_sheet(
            choose_sources(catalog.table),
            {image.band: image.data for image in images},
            found.labels,
            colorize(classification, statistic=statistic),
            detection=images[0].band,
            pixel_scale=catalog.provenance["pixel_scale"],
        )
        paths.append(write_picture(folder / STAMPS_FILE, sheet, overwrite=overwrite))
        add_stage(folder, "stamps", {}, paths[-1:])
    return paths


def _channels(bands: tuple[str, ...]) -> tuple[str, ...] | None:
    """Choose the reddest, the middle and the bluest band; None if that is not known."""
    order = {band: wavelength(band) for band in bands}
    known = sorted((band for band in bands if order[band]), key=lambda band: -(order[band] or 0))
    if len(known) < _CHANNELS:
        return None
    return known[0], known[len(known) // 2], known[-1]
