"""`morpheus catalog`: class maps, a segmentation map and images in, a table of sources out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from morpheus.cli.arguments import (
    BandFiles,
    Check,
    DataQualityFiles,
    MoreImages,
    Overwrite,
    Quiet,
    RmsFiles,
    WeightFiles,
    by_band,
    images_given,
    numbers_by_band,
    one_of,
)
from morpheus.cli.terminal import count, warnings_as_lines

if TYPE_CHECKING:
    from morpheus.catalog import Catalog, CatalogOptions

__all__ = [
    "Apertures",
    "Background",
    "Exposures",
    "NoiseScale",
    "Saturations",
    "ZeroPoints",
    "catalog",
    "catalog_options",
    "remarks",
]

MEASURE = "How it is measured"
_BAND_NUMBER = "BAND=NUMBER"

Apertures = Annotated[
    list[float] | None,
    typer.Option(
        "--aperture",
        metavar="ARCSEC",
        help="Diameter of a circular aperture (pixels without a WCS); once for each.",
        rich_help_panel=MEASURE,
    ),
]
ZeroPoints = Annotated[
    list[str] | None,
    typer.Option(
        "--zero-point",
        metavar=_BAND_NUMBER,
        help="AB magnitude of one image unit, where the header does not say it.",
        rich_help_panel=MEASURE,
    ),
]
Exposures = Annotated[
    list[str] | None,
    typer.Option(
        "--exposure",
        metavar=_BAND_NUMBER,
        help="Exposure time in seconds of an image in electrons per second: adds the photon noise"
        " of the sources to the errors.",
        rich_help_panel=MEASURE,
    ),
]
Saturations = Annotated[
    list[str] | None,
    typer.Option(
        "--saturation",
        metavar=_BAND_NUMBER,
        help="Level from which a pixel is saturated, where the header does not say it.",
        rich_help_panel=MEASURE,
    ),
]
NoiseScale = Annotated[
    str,
    typer.Option(
        "--noise-scale",
        metavar="measured|none",
        help="Whether errors are scaled to the noise of sums that is measured in the sky, for"
        " correlated noise and maps of another scale.",
        rich_help_panel=MEASURE,
    ),
]
Background = Annotated[
    str,
    typer.Option(
        "--background",
        metavar="global|mesh|none",
        help="What sky is subtracted: one level a band, a smooth map, or nothing.",
        rich_help_panel=MEASURE,
    ),
]


def catalog(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="What `morpheus classify` and `segment` made.")
    ],
    more: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", hidden=True, show_default=False)
    ] = None,
    *,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="The catalogue: .fits, .ecsv, .vot, .parquet, .csv, .mrt (CDS) or .reg (DS9).",
        ),
    ],
    images: MoreImages = None,
    band: BandFiles = None,
    weight: WeightFiles = None,
    rms: RmsFiles = None,
    dq: DataQualityFiles = None,
    check_filters: Check = True,
    segmap: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Segmentation map; by default segmap.fits in FOLDER.",
            show_default=False,
        ),
    ] = None,
    detection_band: Annotated[
        str | None,
        typer.Option(
            metavar="BAND",
            help="Band for shapes and weights; by default that of the segmentation.",
            rich_help_panel=MEASURE,
            show_default=False,
        ),
    ] = None,
    statistic: Annotated[
        str | None,
        typer.Option(
            metavar="mean|votes",
            help="Which class maps; by default those of the segmentation.",
            rich_help_panel=MEASURE,
            show_default=False,
        ),
    ] = None,
    aperture: Apertures = None,
    zero_point: ZeroPoints = None,
    exposure: Exposures = None,
    saturation: Saturations = None,
    background: Background = "global",
    noise_scale: NoiseScale = "measured",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Measure every source: position, fluxes, shape, classes and flags.

    Without images, it measures in those that were classified, with their weight maps.
    """
    from morpheus.catalog import measure
    from morpheus.catalog.formats import check_catalog_path
    from morpheus.inference import Classification
    from morpheus.mosaic.products import check_targets
    from morpheus.mosaic.report import check_not_replaced
    from morpheus.pipeline import ImageFiles, read_images
    from morpheus.segmentation import Segmentation

    given = images_given(images, more)
    named = by_band("--band", band)
    files = ImageFiles(
        one_of(given, named) if given or named else None,
        by_band("--weight", weight),
        by_band("--rms", rms),
        by_band("--dq", dq),
        check_filters,
    )
    options = catalog_options(aperture, zero_point, exposure, saturation, background, noise_scale)
    check_catalog_path(output)
    check_not_replaced(output, "catalog", folder)
    check_targets([output], overwrite=overwrite)
    with warnings_as_lines(quiet=quiet):
        classification = Classification.read(folder)
        found = Segmentation.read(segmap or folder)
        result = measure(
            found,
            classification,
            read_images(classification, files),
            detection_band=detection_band,
            statistic=statistic or found.provenance.get("statistic", "mean"),
            options=options,
        )
        result.write(output, overwrite=overwrite)
    if not quiet:
        columns = len(result.table.colnames)
        typer.echo(f"{count(len(result), 'source')}, {columns} columns; {output}{remarks(result)}")


def remarks(catalog: "Catalog") -> str:
    """Say what a user may miss in a catalogue, and why.

    Parameters
    ----------
    catalog : Catalog
        The catalogue.

    Returns
    -------
    str
        A part of a sentence; empty if nothing is missing.
    """
    record = catalog.provenance
    text = ""
    bands = record.get("bands", {})
    unknown = [band for band, known in bands.items() if known.get("zero_point") is None]
    if unknown:
        text += (
            f"; no magnitudes in {', '.join(unknown)}, whose headers have no zero point"
            f" (--zero-point {unknown[0]}=...)"
        )
    if record.get("pixel_scale") is None:
        sizes = ", ".join(f"{size:g}" for size in record["options"]["apertures"])
        text += f"; no WCS, so that the apertures are of {sizes} pixels (--aperture)"
    return text


def catalog_options(
    apertures: list[float] | None,
    zero_points: list[str] | None,
    exposures: list[str] | None,
    saturations: list[str] | None,
    background: str,
    noise_scale: str,
) -> "CatalogOptions":
    """Take the options of a command.

    Parameters
    ----------
    apertures : list of float or None
        Diameters; None: the default.
    zero_points, exposures, saturations : list of str or None
        BAND=NUMBER, each.
    background : str
        What sky is subtracted.
    noise_scale : str
        Whether errors are scaled to the measured noise.

    Returns
    -------
    CatalogOptions
        The options, validated.

    Raises
    ------
    OptionError
        If a value is out of range or not of this form.
    """
    from morpheus.catalog import CatalogOptions

    given = {} if not apertures else {"apertures": tuple(apertures)}
    return CatalogOptions(
        **given,  # type: ignore[arg-type]
        zero_points=numbers_by_band("--zero-point", zero_points),
        exposure=numbers_by_band("--exposure", exposures),
        saturation=numbers_by_band("--saturation", saturations),
        background=background,  # type: ignore[arg-type]
        noise_scale=noise_scale,  # type: ignore[arg-type]
    )
