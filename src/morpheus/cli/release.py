"""`morpheus release`: the files that a survey paper releases, from what a run made."""

from pathlib import Path
from typing import Annotated

import typer

from morpheus.cli.arguments import Overwrite

__all__ = ["release"]


def release(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="With class maps, segmap.fits and a catalogue.")
    ],
    *,
    field: Annotated[str, typer.Option(help="Name of the field, such as GOODS-S.")],
    version: Annotated[str, typer.Option(help="Version of the release, such as 1.0.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Where the archive and its folder go; by default FOLDER.",
            show_default=False,
        ),
    ] = None,
    statistic: Annotated[
        str, typer.Option(metavar="mean|votes", help="What the class images hold first.")
    ] = "mean",
    overwrite: Overwrite = False,
) -> None:
    """Make a data release: images by class, segmentation map, catalogue, README, checksums, tar.gz.

    A guided segmentation and the picture of the classes are released too where FOLDER has them.
    """
    from morpheus.pipeline import make_release

    archive = make_release(
        folder, output, field=field, version=version, statistic=statistic, overwrite=overwrite
    )
    typer.echo(archive)
