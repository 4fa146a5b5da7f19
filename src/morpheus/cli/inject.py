"""`morpheus inject`: artificial sources in the user's images, and what is found of them."""

from pathlib import Path
from typing import Annotated

import typer

from morpheus.cli.arguments import (
    IMAGES,
    OUTPUT,
    BandFiles,
    Check,
    DataQualityFiles,
    Overwrite,
    Quiet,
    RmsFiles,
    SkyRegion,
    WeightFiles,
    by_band,
    images_given,
    numbers_by_band,
    one_of,
)
from morpheus.cli.detectors import Baselines, Models, detectors, images_by_name, summary
from morpheus.cli.terminal import count, stage_bar, warnings_as_lines
from morpheus.cli.windows import (
    BatchSize,
    Device,
    Edges,
    Lattice,
    Precision,
    Preset,
    Stride,
    Threads,
    inference_options,
)
from morpheus.errors import missing_package

__all__ = ["inject"]

SOURCES = "What is injected"
_KEPT = "images"
_BAND_NUMBER = "BAND=NUMBER"


def inject(
    more: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", hidden=True, show_default=False)
    ] = None,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder.", rich_help_panel=OUTPUT)],
    model: Models = None,
    baseline: Baselines = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IMAGE...",
            help="One FITS image per band, in the first model's order.",
            rich_help_panel=IMAGES,
        ),
    ] = None,
    band: BandFiles = None,
    weight: WeightFiles = None,
    rms: RmsFiles = None,
    dq: DataQualityFiles = None,
    region: SkyRegion = None,
    check_filters: Check = True,
    zero_point: Annotated[
        list[str] | None,
        typer.Option(
            metavar=_BAND_NUMBER,
            help="AB magnitude of one image unit, where the header does not say it.",
            rich_help_panel=IMAGES,
        ),
    ] = None,
    exposure: Annotated[
        list[str] | None,
        typer.Option(
            metavar=_BAND_NUMBER,
            help="Exposure time in seconds, for the photon noise of the sources; by default the"
            " header's or, if that says 1 or nothing, the survey's.",
            rich_help_panel=IMAGES,
        ),
    ] = None,
    pixel_scale: Annotated[
        float | None,
        typer.Option(
            help="Arcsec per pixel of images without a WCS.",
            rich_help_panel=IMAGES,
            show_default=False,
        ),
    ] = None,
    survey: Annotated[
        str | None,
        typer.Option(
            help="Survey for PSFs, spectra and gains (morpheus simulate surveys); by default the"
            " first that has the bands.",
            rich_help_panel=SOURCES,
            show_default=False,
        ),
    ] = None,
    psf: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BAND=FILE",
            help="Image of a band's PSF at the images' pixel scale, in place of the survey's.",
            rich_help_panel=SOURCES,
        ),
    ] = None,
    n: Annotated[
        int, typer.Option("-n", "--n", help="Number of sources.", rich_help_panel=SOURCES)
    ] = 200,
    mag: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LOW HIGH",
            help="AB magnitudes in the first band, between which theirs are uniform; by default"
            " from 6 mag brighter than the 5 sigma depth to 1 mag fainter.",
            rich_help_panel=SOURCES,
            show_default=False,
        ),
    ] = None,
    max_density: Annotated[
        float,
        typer.Option(
            help="Most sources at a time, per square arcminute: there are as many passes as this"
            " takes.",
            rich_help_panel=SOURCES,
        ),
    ] = 20.0,
    seed: Annotated[int, typer.Option(help="Of the sources.", rich_help_panel=SOURCES)] = 0,
    match_radius: Annotated[
        float, typer.Option(help="Pixels between a source and what is it.")
    ] = 5.0,
    preset: Preset = "fast",
    stride: Stride = None,
    lattice: Lattice = None,
    edges: Edges = None,
    precision: Precision = None,
    device: Device = None,
    threads: Threads = None,
    batch_size: BatchSize = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Write the images with the sources in them, passN_BAND.fits, into images/.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Put artificial sources into your own images, and measure what is found of them, and as what.

    The images are not changed. Writes report.html, evaluation.json, figures/, a table of sources
    for each detector, and injected.fits: what was put in, where, and what became of it.
    """
    try:
        from morpheus.evaluate.report import report_files, write_report
        from morpheus.mosaic.products import check_targets
        from morpheus.pipeline.injection import InjectionOptions
        from morpheus.pipeline.injection import inject as run
        from morpheus.pipeline.injection_files import TABLE_FILE, remove_passes, write_table
    except ModuleNotFoundError as error:
        raise missing_package(error, "injection", "evaluate") from error

    options = InjectionOptions(
        survey=survey,
        n=n,
        mag=mag,
        density=max_density,
        seed=seed,
        psf=by_band("--psf", psf) or {},
        zero_points=numbers_by_band("--zero-point", zero_point),
        exposure=numbers_by_band("--exposure", exposure),
        pixel_scale=pixel_scale,
        radius=match_radius,
        check_filters=check_filters,
    )
    options.check()
    given = one_of(images_given(images, more), by_band("--band", band))
    found = detectors(
        model,
        baseline,
        inference_options(
            preset,
            stride=stride,
            lattice=lattice,
            edges=edges,
            precision=precision,
            device=device,
            threads=threads,
            batch_size=batch_size,
        ),
        stride=stride,
        lattice=lattice,
        edges=edges,
    )
    targets = report_files(output, [one.name for one in found])
    check_targets([*targets, output / TABLE_FILE], overwrite=overwrite)
    with warnings_as_lines(quiet=quiet), stage_bar(quiet=quiet) as progress:
        result = run(
            images_by_name(given, found),
            found,
            weights=by_band("--weight", weight),
            rms=by_band("--rms", rms),
            dq=by_band("--dq", dq),
            region=region,
            options=options,
            keep=output / _KEPT if keep else None,
            overwrite=overwrite,
            progress=progress,
        )
    if overwrite and not keep:
        remove_passes(output / _KEPT)  # they are not of these numbers
    write_table(output / TABLE_FILE, result.injected, overwrite=overwrite)
    write_report(result, output, overwrite=overwrite)
    if not quiet:
        passes = len(result.setup["images"])
        times = f"{passes} passes" if passes > 1 else "one pass"
        typer.echo(f"{count(len(result.injected), 'source')} injected in {times}")
        typer.echo(summary(result))
        typer.echo(f"{output / 'report.html'}")
