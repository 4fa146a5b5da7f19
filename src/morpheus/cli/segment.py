"""`morpheus segment`: class maps in, a segmentation map out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from morpheus.cli.arguments import OUTPUT, Overwrite, Quiet
from morpheus.cli.terminal import count, warnings_as_lines
from morpheus.errors import OptionError

if TYPE_CHECKING:
    from astropy.table import Table

    from morpheus.catalog import BandImage
    from morpheus.inference import Classification
    from morpheus.segmentation import SegmentationOptions

__all__ = [
    "Contrast",
    "Deblend",
    "Grow",
    "Method",
    "MinArea",
    "Positions",
    "Prominence",
    "Seed",
    "Statistic",
    "Threshold",
    "Unmatched",
    "segment",
    "segmentation_options",
    "summary",
]

SOURCES = "What is a source"

Method = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="probability|published",
        help="probability: hysteresis on P(source). published: the watershed of Hausen &"
        " Robertson (2020), for votes.",
        rich_help_panel=SOURCES,
    ),
]
Statistic = Annotated[
    str | None,
    typer.Option(
        "--statistic",
        metavar="mean|votes",
        help="Which class maps; by default the means, for the published method the votes.",
        rich_help_panel=SOURCES,
        show_default=False,
    ),
]
Seed = Annotated[
    float | None,
    typer.Option(
        "--seed",
        help="P(source) that a source reaches somewhere; by default the model's.",
        rich_help_panel=SOURCES,
    ),
]
Grow = Annotated[
    float | None,
    typer.Option(
        "--grow",
        help="P(source) that every pixel of it exceeds; by default the model's.",
        rich_help_panel=SOURCES,
    ),
]
MinArea = Annotated[
    int | None,
    typer.Option(
        "--min-area",
        help="Fewest pixels of a source; by default the model's.",
        rich_help_panel=SOURCES,
    ),
]
Threshold = Annotated[
    float,
    typer.Option(
        "--background-threshold",
        help="Published method: largest P(background) of a seed.",
        rich_help_panel=SOURCES,
    ),
]
Deblend = Annotated[
    bool,
    typer.Option(
        "--deblend/--no-deblend",
        help="Separate neighbours that touch.",
        rich_help_panel=SOURCES,
    ),
]
Contrast = Annotated[
    float | None,
    typer.Option(
        "--contrast",
        help="Deblending: least flux above the saddle, as a fraction of the neighbour's.",
        rich_help_panel=SOURCES,
    ),
]
Prominence = Annotated[
    float | None,
    typer.Option(
        "--prominence",
        help="Deblending: how far a peak is above the saddle, as a fraction of its height.",
        rich_help_panel=SOURCES,
    ),
]
Positions = Annotated[
    str | None,
    typer.Option(
        "--positions",
        metavar="TABLE",
        help="External positions (FITS, VOTable, ECSV, CSV, ...) that claim the pixels: columns"
        " id, and ra and dec, or x and y.",
        rich_help_panel=SOURCES,
    ),
]
Unmatched = Annotated[
    str,
    typer.Option(
        "--unmatched",
        metavar="keep|drop",
        help="With --positions: what becomes of sources that no position lies in.",
        rich_help_panel=SOURCES,
    ),
]


def segment(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="What `morpheus classify` made.")
    ],
    *,
    flux: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Detection image, FILE or FILE[HDU], on the pixels of the maps; by default the"
            " first band that was classified.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Folder for segmap.fits (with --positions, guided_segmap.fits); by default"
            " FOLDER.",
            rich_help_panel=OUTPUT,
            show_default=False,
        ),
    ] = None,
    method: Method = "probability",
    statistic: Statistic = None,
    seed: Seed = None,
    grow: Grow = None,
    min_area: MinArea = None,
    background_threshold: Threshold = 0.0,
    deblend: Deblend = True,
    contrast: Contrast = None,
    prominence: Prominence = None,
    positions: Positions = None,
    unmatched: Unmatched = "keep",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Find the sources in class maps: a segmentation map, deblended.

    Every source has a row in the extension SOURCES of the map: its parent (before deblending) and
    flags.
    """
    from morpheus.inference import Classification
    from morpheus.mosaic.products import check_targets
    from morpheus.segmentation import GUIDED_FILE, SEGMENTATION_FILE
    from morpheus.segmentation import segment as find_sources

    options = segmentation_options(
        method=method,
        statistic=statistic,
        seed=seed,
        grow=grow,
        min_area=min_area,
        background_threshold=background_threshold,
        deblend=deblend,
        contrast=contrast,
        prominence=prominence,
        unmatched=unmatched,
    )
    where = folder if output is None else output
    name = SEGMENTATION_FILE if positions is None else GUIDED_FILE
    check_targets([where / name], overwrite=overwrite)
    with warnings_as_lines(quiet=quiet):
        classification = Classification.read(folder)
        image = _detection_image(classification, flux)
        found = find_sources(
            classification,
            image.data,
            options=options,
            positions=positions,
            detection_band=image.band,
        )
        path = found.write(where, overwrite=overwrite)
    if not quiet:
        typer.echo(f"{summary(found.sources, found.positions)}; {path}")


def segmentation_options(
    *, contrast: float | None, prominence: float | None, **chosen: object
) -> "SegmentationOptions":
    """Take the options of a command.

    Parameters
    ----------
    contrast, prominence : float or None
        Of the deblending; None: the default.
    **chosen : object
        Fields of `SegmentationOptions`.

    Returns
    -------
    SegmentationOptions
        The options, validated.

    Raises
    ------
    OptionError
        If a value is out of range.
    """
    from morpheus.segmentation import DeblendingOptions, SegmentationOptions

    given = {"contrast": contrast, "prominence": prominence}
    deblending = DeblendingOptions(**{k: v for k, v in given.items() if v is not None})
    return SegmentationOptions(deblending=deblending, **chosen)  # type: ignore[arg-type]


def summary(sources: "Table", positions: "Table | None") -> str:
    """Say what was found.

    Parameters
    ----------
    sources : astropy.table.Table
        The sources.
    positions : astropy.table.Table or None
        External positions of a guided segmentation.

    Returns
    -------
    str
        A part of a sentence.
    """
    import numpy as np

    from morpheus.segmentation import SourceFlag

    flags = np.asarray(sources["flags"])
    blended = np.count_nonzero(flags & SourceFlag.DEBLENDED)
    text = f"{count(len(sources), 'source')}, {blended:,} of them deblended"
    if positions is not None:
        lost = np.asarray(positions["label"]) == 0
        text += f"; {len(lost) - lost.sum():,} of {len(lost):,} positions detected"
        if lost.any():
            names = [str(name) for name in positions["id"][lost]]
            more = "" if len(names) <= 10 else f" and {len(names) - 10} more"  # noqa: PLR2004
            text += f" (not: {', '.join(names[:10])}{more})"
    return text


def _detection_image(classification: "Classification", flux: str | None) -> "BandImage":
    """Read the image that was given, or the first that was classified."""
    from morpheus.pipeline import ImageFiles, read_images
    from morpheus.pipeline.recorded import bands_classified

    bands = bands_classified(classification)
    if flux is None:
        return read_images(classification, ImageFiles(), only=tuple(bands[:1]))[0]
    if not flux:
        raise OptionError("--flux needs the name of a file")
    known = {
        entry["path"]: entry["band"]
        for entry in classification.provenance.get("inputs", ())
        if entry["kind"] == "image"
    }
    band = known.get(flux.partition("[")[0], "detection")
    return read_images(classification, ImageFiles({band: flux}, check_filters=False))[0]
