"""`morpheus animate`: a film for a talk."""

from pathlib import Path
from typing import Annotated

import typer

from morpheus.cli.arguments import Overwrite, Quiet
from morpheus.cli.terminal import warnings_as_lines
from morpheus.errors import OptionError

__all__ = ["animate"]

_CHANNELS = 3


def animate(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `morpheus run` made.")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The film: .mp4 or .gif.")],
    rgb: Annotated[
        str | None,
        typer.Option(
            metavar="RED,GREEN,BLUE", help="Bands of the sky in colour; by default by wavelength."
        ),
    ] = None,
    statistic: Annotated[
        str, typer.Option("--statistic", metavar="mean|votes", help="Which class maps.")
    ] = "mean",
    seconds: Annotated[float, typer.Option(min=1, max=60, help="How long the film is.")] = 10.0,
    side: Annotated[
        int,
        typer.Option(
            min=100,
            max=4000,
            help="Pixels of the longer side of the picture, at most; more are averaged.",
        ),
    ] = 1080,
    title: Annotated[str | None, typer.Option(help="A line above the picture.")] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Make a film of the classes that sweep over the sky, for a talk."""
    from morpheus.inference import Classification
    from morpheus.pipeline import draw_film
    from morpheus.visual import check_film_path

    check_film_path(output, overwrite=overwrite)
    channels = None if rgb is None else tuple(rgb.split(","))
    if channels is not None and len(channels) != _CHANNELS:
        raise OptionError(f"--rgb {rgb}: three bands are needed, such as F160W,F125W,F606W")
    classification = Classification.read(folder)
    with warnings_as_lines(quiet=quiet):
        draw_film(
            output,
            classification,
            rgb=channels,
            statistic=statistic,
            seconds=seconds,
            side=side,
            title=title,
            overwrite=overwrite,
        )
    if not quiet:
        typer.echo(output)
