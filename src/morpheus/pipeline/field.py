"""Everything, in one folder: classification, segmentation, catalogue and pictures."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from morpheus.catalog import BandImage, Catalog, CatalogOptions, measure
from morpheus.catalog.formats import check_catalog_path
from morpheus.defaults import DEFAULT_MODEL
from morpheus.distributed.store import STORE_FOLDER, FieldStore, clear_folder
from morpheus.errors import OptionError, ProductError
from morpheus.inference import Classification, InferenceOptions
from morpheus.inference.product import all_map_files
from morpheus.model import ModelConfig, find_model, load_model
from morpheus.mosaic import Region
from morpheus.mosaic.locking import working_in
from morpheus.mosaic.products import check_targets
from morpheus.mosaic.report import add_file, add_record
from morpheus.pipeline.classification import classify
from morpheus.pipeline.given import images_for
from morpheus.pipeline.pictures import (
    CLASSES_FILE,
    RGB_FILE,
    STAMPS_FILE,
    color_channels,
    draw_stamps,
)
from morpheus.pipeline.recorded import ImageFiles, read_images
from morpheus.provenance import Stopwatch
from morpheus.segmentation import (
    GUIDED_FILE,
    SEGMENTATION_FILE,
    Segmentation,
    SegmentationOptions,
    detection_thresholds,
    open_positions,
    segment,
)
from morpheus.visual import (
    choose_sources,
    lupton_rgb,
    rgb_planes,
    write_classes,
    write_picture,
)

__all__ = [
    "Field",
    "FieldOptions",
    "check_field_targets",
    "run",
]

PRODUCTS = (SEGMENTATION_FILE, GUIDED_FILE, CLASSES_FILE, RGB_FILE, STAMPS_FILE)
"""What `run` makes beside class maps and catalogue."""


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
        the bluest, if their names are known; with two bands these and their mean, and with one a
        grey picture.
    """

    inference: InferenceOptions | str = "exact"
    segmentation: SegmentationOptions = dataclasses.field(default_factory=SegmentationOptions)
    catalog: CatalogOptions = dataclasses.field(default_factory=CatalogOptions)
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
    options : FieldOptions
        How everything was done.
    """

    classification: Classification
    segmentation: Segmentation
    catalog: Catalog
    paths: tuple[Path, ...]
    options: FieldOptions


def run(
    images: Any,
    output: str | Path,
    *,
    model: str | Path = DEFAULT_MODEL,
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
    model : str or Path, optional
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
    config = load_model(find_model(model)).config
    given = images_for(config, images, weights, rms, dq)
    with working_in(folder):
        check_field_targets(folder, config, given.choice.given, options, overwrite=overwrite)
        clear_folder(folder / STORE_FOLDER)  # of what is about to be replaced
        with watch.stage("classify"):
            classification = classify(
                given.images,
                model=model,
                weights=given.weights,
                rms=given.rms,
                dq=given.dq,
                region=region,
                options=options.inference,
                check_filters=check_filters,
                progress=progress,
            )
            paths = classification.write(folder, overwrite=overwrite)
        with watch.stage("segment"):
            files = ImageFiles(given.images, given.weights, given.rms, given.dq, check_filters)
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
            paths.append(catalog.write(folder / options.catalog_file, overwrite=overwrite))
        field = Field(classification, found, catalog, tuple(paths), options)
        with watch.stage("pictures"):
            paths += _draw(folder, field, bands, options.rgb, overwrite=overwrite)
        add_record(folder, "run", {"seconds": watch.seconds})
        return dataclasses.replace(field, paths=tuple(paths))


def check_field_targets(
    folder: Path,
    config: ModelConfig,
    bands: tuple[str, ...],
    options: FieldOptions,
    *,
    overwrite: bool,
) -> None:
    """Find out before any work is done what cannot be done after it.

    Parameters
    ----------
    folder : Path
        Where the products go.
    config : ModelConfig
        The model.
    bands : tuple of str
        The bands that are given.
    options : FieldOptions
        What is to be done.
    overwrite : bool
        Whether products that exist may be replaced.

    Raises
    ------
    MorpheusError
        If options cannot be used, or products cannot be written.
    """
    name = options.catalog_file
    if FieldStore.manifest(folder / STORE_FOLDER) is not None and not overwrite:
        raise ProductError(
            f"{folder} holds an unfinished run: go on with --resume, or start anew with --overwrite"
        )
    check_catalog_path(folder / name, readable=True)
    maps = all_map_files(folder, config.classes)
    if Path(name).name != name or name in {*PRODUCTS, *(path.name for path in maps)}:
        raise OptionError(
            f"the catalogue cannot be called {name}: give the name of a file in the output folder"
            " that is none of the other products"
        )
    if options.rgb is not None and not set(options.rgb) <= set(bands):
        raise OptionError(
            f"the colour picture is of {', '.join(options.rgb)}; the bands are {', '.join(bands)}"
        )
    options.catalog.check_bands(bands)
    detection_thresholds(dataclasses.asdict(config.detection), options.segmentation)
    if options.positions is not None:
        open_positions(options.positions)
    check_targets(maps, overwrite=overwrite)
    check_targets([folder / one for one in (*PRODUCTS, name)], overwrite=overwrite)


def _draw(
    folder: Path,
    field: Field,
    images: Sequence[BandImage],
    rgb: tuple[str, str, str] | None,
    *,
    overwrite: bool,
) -> list[Path]:
    """Draw the classes, the sky in colour and some sources."""
    classification, found = field.classification, field.segmentation
    statistic = found.provenance["statistic"]
    by_band = {image.band: image for image in images}
    path = folder / CLASSES_FILE
    paths = [
        write_classes(
            path,
            classification,
            statistic=statistic,
            unclassified="grey",
            overwrite=overwrite,
        )
    ]
    add_file(path, "colors", {"statistic": statistic})
    channels = color_channels(tuple(by_band)) if rgb is None else rgb
    if channels is not None:
        planes = rgb_planes([by_band[band].data for band in channels])
        picture = lupton_rgb(*planes, mask=classification.mask)
        paths.append(write_picture(folder / RGB_FILE, picture, overwrite=overwrite))
        add_file(paths[-1], "rgb", {"bands": channels})
    if len(field.catalog):
        paths.append(
            draw_stamps(
                folder / STAMPS_FILE,
                choose_sources(field.catalog.table),
                classification,
                found,
                images,
                overwrite=overwrite,
            )
        )
        add_file(paths[-1], "stamps", {}, made_from=[found.file_name, field.options.catalog_file])
    return paths
