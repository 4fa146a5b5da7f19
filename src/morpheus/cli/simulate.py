"""`morpheus simulate`: a sky with known truth."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from morpheus.cli.arguments import OUTPUT, Compress, Overwrite, Quiet
from morpheus.cli.terminal import count, progress_bar

if TYPE_CHECKING:
    from morpheus.simulate import DatasetOptions

__all__ = ["app"]

_INTERRUPTED = 130  # 128 + SIGINT, as shells have it

app = typer.Typer(help="Simulate a sky with known truth.")

_Survey = Annotated[
    str,
    typer.Option(help="Name of the survey; 'morpheus simulate surveys' lists them."),
]
_Seed = Annotated[int, typer.Option(help="Of the random numbers.")]
_Density = Annotated[float, typer.Option(help="Sources per square arcminute with F160W < 26.")]
_Defects = Annotated[
    bool,
    typer.Option(
        "--defects/--no-defects",
        help="Misaligned bands, uneven depth, sky residuals, cosmic rays, holes and edges.",
    ),
]
_Threshold = Annotated[
    float, typer.Option(help="A pixel is a source's from this fraction of the noise on.")
]
_Jobs = Annotated[int, typer.Option(help="Processes; they do not change the result.")]
_Number = Annotated[int, typer.Option("-n", "--n", help="Number of examples.")]
_Size = Annotated[int, typer.Option(help="Side of an example, in pixels.")]
_Store = Annotated[Path, typer.Option("-o", "--output", help="Zarr store.", rich_help_panel=OUTPUT)]


@app.callback()
def _group() -> None:
    """Simulate a sky with known truth."""


@contextlib.contextmanager
def _extra() -> Iterator[None]:
    """Say which package of the extra is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        from morpheus.errors import missing_package

        raise missing_package(error, "simulation", "simulate") from error


@app.command("field")
def field(
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder.", rich_help_panel=OUTPUT)],
    survey: _Survey = "candels-deep",
    size: Annotated[int, typer.Option(help="Side of the field, in pixels.")] = 1024,
    seed: _Seed = 0,
    density: _Density = 150.0,
    defects: _Defects = True,
    truth_threshold: _Threshold = 1.0,
    jobs: _Jobs = 1,
    noiseless: Annotated[
        bool,
        typer.Option(
            "--noiseless/--no-noiseless",
            help="Noiseless images beside the truth maps.",
            rich_help_panel=OUTPUT,
        ),
    ] = True,
    compress: Compress = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a field: images and weights as the survey delivers them, and the truth.

    Writes BAND_sci.fits and BAND_wht.fits, the catalogue truth.fits, truth_maps.fits (classes and
    owner of every pixel, noiseless images) and report.json.
    """
    with _extra():
        from morpheus.simulate import FieldOptions, make_field

    options = FieldOptions(
        survey=survey,
        size=size,
        seed=seed,
        density=density,
        defects=defects,
        truth_threshold=truth_threshold,
        jobs=jobs,
    )
    made = make_field(output, options, compress=compress, noiseless=noiseless, overwrite=overwrite)
    if not quiet:
        typer.echo(f"{len(made.catalog)} sources in {output}")


@app.command("dataset")
def dataset(
    *,
    output: _Store,
    survey: _Survey = "candels-deep",
    n: _Number = 1000,
    size: _Size = 128,
    seed: _Seed = 0,
    density: _Density = 150.0,
    defects: _Defects = True,
    truth_threshold: _Threshold = 1.0,
    jobs: _Jobs = 1,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate random pieces of sky, to train and test networks with.

    Writes a Zarr store of images, weights, class shares, owners and a table of sources. The same
    command goes on where it was ended; until the end all lies in OUTPUT.partial.
    """
    with _extra():
        from morpheus.simulate import DatasetOptions

    options = DatasetOptions(
        kind="dataset",
        survey=survey,
        n=n,
        size=size,
        seed=seed,
        density=density,
        defects=defects,
        truth_threshold=truth_threshold,
        jobs=jobs,
    )
    _make(output, options, overwrite=overwrite, quiet=quiet)


@app.command("stamps")
def stamps(
    *,
    output: _Store,
    survey: _Survey = "candels-deep",
    n: _Number = 1000,
    size: _Size = 84,
    seed: _Seed = 0,
    faintest: Annotated[
        float, typer.Option(help="F160W magnitude of the faintest source at a centre.")
    ] = 26.0,
    balance: Annotated[
        bool,
        typer.Option(
            "--balance",
            help="As many spheroids, disks, irregulars and point sources at the centres (class of"
            " most votes).",
        ),
    ] = False,
    shift: Annotated[
        float,
        typer.Option(help="The source lies within so many pixels of the centre, in x and in y."),
    ] = 0.5,
    alone: Annotated[
        bool,
        typer.Option(
            "--alone",
            help="No other sources, no noise but that of the sources' photons, no defects: to be"
            " added to other images in a training.",
        ),
    ] = False,
    density: _Density = 150.0,
    defects: _Defects = True,
    truth_threshold: _Threshold = 1.0,
    jobs: _Jobs = 1,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate pieces of sky with a source at the centre, to train and test networks with.

    The other sources are as many as there are in the sky. Writes a Zarr store of images, weights,
    class shares, owners and a table of sources. The same command goes on where it was ended; until
    the end all lies in OUTPUT.partial.
    """
    with _extra():
        from morpheus.simulate import DatasetOptions

    options = DatasetOptions(
        kind="stamps",
        survey=survey,
        n=n,
        size=size,
        seed=seed,
        density=density,
        defects=defects,
        truth_threshold=truth_threshold,
        faintest=faintest,
        balance=balance,
        shift=shift,
        alone=alone,
        jobs=jobs,
    )
    _make(output, options, overwrite=overwrite, quiet=quiet)


def _make(path: Path, options: "DatasetOptions", *, overwrite: bool, quiet: bool) -> None:
    from morpheus.simulate import make_dataset

    complete = 0
    with progress_bar(quiet=quiet, work="simulating", noun="examples") as show:

        def tell(done: int, total: int) -> None:
            nonlocal complete
            complete = done
            if show is not None:
                show(done, total)

        try:
            make_dataset(path, options, overwrite=overwrite, progress=tell)
        except KeyboardInterrupt:
            interrupted = True
        else:
            interrupted = False
    if interrupted:
        typer.echo(
            f"morpheus: interrupted after {complete:,} of {count(options.n, 'example')}; the same"
            " command goes on from there",
            err=True,
        )
        sys.exit(_INTERRUPTED)
    if not quiet:
        typer.echo(f"{count(options.n, 'example')} in {path}")


@app.command("surveys")
def surveys() -> None:
    """List the surveys: bands, pixels, unit, depth and PSF."""
    with _extra():
        from morpheus.simulate import SURVEYS
        from morpheus.simulate.psf import point_source_depth, psf_fwhm
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "survey",
        "band",
        "arcsec/pixel",
        "unit",
        "depth (AB mag, 5 sigma)",
        "PSF FWHM (arcsec)",
        box=None,
        padding=(0, 2, 0, 0),
    )
    for survey in SURVEYS.values():
        for number, band in enumerate(survey.bands):
            about = (survey.name, f"{survey.pixel_scale:g}", survey.unit)
            name, scale, unit = about if number == 0 else ("", "", "")
            depth, fwhm = point_source_depth(survey, band), psf_fwhm(survey, band)
            table.add_row(name, band.name, scale, unit, f"{depth:.1f}", f"{fwhm:.3f}")
    Console().print(table)
