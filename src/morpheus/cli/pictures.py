"""`morpheus colorize`, `rgb` and `stamps`: pictures."""

from pathlib import Path
from typing import Annotated

import typer

from morpheus.cli.arguments import OUTPUT, Overwrite, Quiet
from morpheus.cli.terminal import warnings_as_lines
from morpheus.errors import OptionError

__all__ = ["colorize", "rgb", "stamps"]

_PICTURE = "The picture: .png, .jpg, .tif or .pdf."
_CHANNELS = 3

_Picture = Annotated[Path, typer.Option("-o", "--output", help=_PICTURE)]
_Statistic = Annotated[
    str, typer.Option("--statistic", metavar="mean|votes", help="Which class maps.")
]


def colorize(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="What `morpheus classify` made.")
    ],
    *,
    output: _Picture,
    statistic: _Statistic = "mean",
    unclassified: Annotated[
        str,
        typer.Option(metavar="black|white|grey", help="Colour of pixels that were not classified."),
    ] = "grey",
    legend: Annotated[
        bool,
        typer.Option(
            "--legend/--plain", help="With a legend, or a pixel of the picture for one of the maps."
        ),
    ] = True,
    title: Annotated[str | None, typer.Option(help="A line above the picture.")] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Draw the classes in colour, as in Hausen & Robertson (2020).

    The hue is the most probable class, the saturation its lead over the second, the brightness
    1 - P(background).
    """
    from morpheus.inference import Classification
    from morpheus.mosaic.report import add_file, check_not_replaced
    from morpheus.visual import check_picture_path, write_classes

    check_picture_path(output, overwrite=overwrite)
    check_not_replaced(output, "colors", folder)
    classification = Classification.read(folder)
    write_classes(
        output,
        classification,
        statistic=statistic,
        unclassified=unclassified,
        legend=legend,
        title=title,
        overwrite=overwrite,
    )
    if output.parent.resolve() == folder.resolve():
        add_file(output, "colors", {"statistic": statistic})
    if not quiet:
        typer.echo(output)


def rgb(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="RED GREEN BLUE",
            help="Three FITS images on one pixel grid, from the longest wavelength on.",
        ),
    ],
    *,
    output: _Picture,
    region: Annotated[
        str | None,
        typer.Option(metavar="RA,DEC,SIZE", help="Part of the sky: 53.12,-27.80,30arcsec."),
    ] = None,
    stretch: Annotated[
        float | None,
        typer.Option(
            help="In units of the noise; smaller shows fainter light. By default from the image.",
            show_default=False,
        ),
    ] = None,
    q: Annotated[
        float, typer.Option("--softening", help="How soon the stretch is logarithmic.")
    ] = 8.0,
    overwrite: Overwrite = False,
) -> None:
    """Make a colour picture of three bands (Lupton et al. 2004)."""
    from morpheus.mosaic import read_mosaic
    from morpheus.visual import check_picture_path, lupton_rgb, write_picture

    if len(images) != _CHANNELS:
        raise OptionError(f"{len(images)} images were given; a colour picture is made of three")
    check_picture_path(output, overwrite=overwrite)
    with warnings_as_lines(quiet=False):
        mosaic = read_mosaic(
            images, bands=("red", "green", "blue"), region=region, check_filters=False
        )
    picture = lupton_rgb(
        *(plane[mosaic.core] for plane in mosaic.data),
        mask=mosaic.mask[mosaic.core],
        stretch=stretch,
        q=q,
    )
    write_picture(output, picture, overwrite=overwrite)
    typer.echo(output)


def stamps(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="With class maps, segmap.fits and the catalogue."),
    ],
    *,
    output: _Picture,
    ids: Annotated[
        list[int] | None,
        typer.Option("--id", help="Number of a source; once for each. By default random ones."),
    ] = None,
    n: Annotated[int, typer.Option("-n", "--number", help="How many random sources.")] = 12,
    seed: Annotated[int, typer.Option(help="Of the random choice.")] = 0,
    catalog: Annotated[
        Path | None,
        typer.Option(
            help="The catalogue; by default the one in FOLDER.",
            rich_help_panel=OUTPUT,
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw a sheet of sources: their stamps, outlines and class probabilities."""
    from morpheus.catalog import Catalog
    from morpheus.inference import Classification
    from morpheus.mosaic.report import add_file, check_not_replaced
    from morpheus.pipeline import ImageFiles, draw_stamps, find_catalog, map_of, read_images
    from morpheus.visual import check_picture_path, choose_sources

    check_picture_path(output, overwrite=overwrite)
    check_not_replaced(output, "stamps", folder)
    if catalog is None:
        catalog, measured, found = find_catalog(folder)
    else:
        measured = Catalog.read(catalog)
        found = map_of(measured, folder)
    chosen = choose_sources(measured.table, ids, n=n, seed=seed)
    classification = Classification.read(folder)
    with warnings_as_lines(quiet=False):
        images = read_images(classification, ImageFiles())
    draw_stamps(output, chosen, classification, found, images, overwrite=overwrite)
    if output.parent.resolve() == folder.resolve():
        add_file(output, "stamps", {}, made_from=[found.file_name, catalog.name])
    typer.echo(output)
