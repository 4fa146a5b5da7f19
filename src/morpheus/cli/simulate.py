"""`morpheus simulate`: a sky with known truth."""

from pathlib import Path
from typing import Annotated

import typer

from morpheus.cli.arguments import OUTPUT, Overwrite, Quiet

__all__ = ["app"]

app = typer.Typer(help="Simulate a sky with known truth.")


@app.callback()
def _group() -> None:
    """Simulate a sky with known truth."""


@app.command("field")
def field(
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder.", rich_help_panel=OUTPUT)],
    survey: Annotated[
        str,
        typer.Option(
            help="candels-deep, candels-wide, xdf, nircam, euclid-vis or lsst: bands, pixels,"
            " PSF and noise."
        ),
    ] = "candels-deep",
    size: Annotated[int, typer.Option(help="Side of the field, in pixels.")] = 1024,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 0,
    density: Annotated[
        float, typer.Option(help="Sources per square arcminute with F160W < 26.")
    ] = 150.0,
    defects: Annotated[
        bool,
        typer.Option(
            "--defects/--no-defects",
            help="Misaligned bands, uneven depth, sky residuals, cosmic rays, holes and edges.",
        ),
    ] = True,
    truth_threshold: Annotated[
        float,
        typer.Option(help="A pixel is a source's from this fraction of the noise on."),
    ] = 1.0,
    jobs: Annotated[int, typer.Option(help="Processes; they do not change the result.")] = 1,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a field: images and weights as the survey delivers them, and the truth.

    Writes BAND_sci.fits and BAND_wht.fits, the catalogue truth.fits, truth_maps.fits (classes and
    owner of every pixel, noiseless images) and report.json.
    """
    try:
        from morpheus.simulate import FieldOptions, make_field
    except ModuleNotFoundError as error:
        from morpheus.errors import OptionError

        raise OptionError(
            f"simulation needs {error.name}: pip install 'morpheus-sky[simulate]'"
            " (in a checkout: '.[simulate]')"
        ) from error

    options = FieldOptions(
        survey=survey,
        size=size,
        seed=seed,
        density=density,
        defects=defects,
        truth_threshold=truth_threshold,
        jobs=jobs,
    )
    made = make_field(output, options, overwrite=overwrite)
    if not quiet:
        typer.echo(f"{len(made.catalog)} sources in {output}")
