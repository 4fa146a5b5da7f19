"""`morpheus evaluate`: what models and other detectors find, against the truth."""

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    WeightFiles,
    by_band,
    images_given,
    numbers_by_band,
    one_of,
)
from morpheus.cli.catalog import ZeroPoints
from morpheus.cli.detectors import (
    DETECTORS,
    Baselines,
    Instead,
    Models,
    Without,
    detectors,
    images_by_name,
    summary,
)
from morpheus.cli.terminal import stage_bar, warnings_as_lines
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
from morpheus.errors import OptionError, missing_package

if TYPE_CHECKING:
    from collections.abc import Iterable

    from morpheus.evaluate import KnownImage
    from morpheus.pipeline import Detector

__all__ = ["evaluate"]

TRUTH = "Simulated truth"


def evaluate(
    more: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", hidden=True, show_default=False)
    ] = None,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder.", rich_help_panel=OUTPUT)],
    model: Models = None,
    without: Without = None,
    instead: Instead = None,
    baseline: Baselines = None,
    segmap: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PATH",
            help="What was found before: a segmentation map (FITS) of any program, or a folder of"
            " morpheus run. For one image.",
            rich_help_panel=DETECTORS,
        ),
    ] = None,
    survey: Annotated[
        str | None,
        typer.Option(
            help="Simulate fields of this survey; morpheus simulate surveys lists them.",
            rich_help_panel=TRUTH,
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            help="Side of a field, in pixels (1024).", rich_help_panel=TRUTH, show_default=False
        ),
    ] = None,
    fields: Annotated[
        int | None,
        typer.Option(help="How many (2).", rich_help_panel=TRUTH, show_default=False),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Of the first field, from which they rise (1000).",
            rich_help_panel=TRUTH,
            show_default=False,
        ),
    ] = None,
    density: Annotated[
        float | None,
        typer.Option(
            help="Sources per square arcminute with F160W < 26 (150).",
            rich_help_panel=TRUTH,
            show_default=False,
        ),
    ] = None,
    tests: Annotated[
        bool | None,
        typer.Option(
            "--tests/--no-tests",
            help="The published tests as well: single Sersic profiles, and noise (with --survey"
            " unless --no-tests is given).",
            rich_help_panel=TRUTH,
            show_default=False,
        ),
    ] = None,
    field: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of morpheus simulate field, in place of --survey; once for each.",
            rich_help_panel=TRUTH,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Table of labelled sources in the images: x and y, or ra and dec; votes"
            " (spheroid, disk, irregular, point_source) or a class; mag; r_e.",
            rich_help_panel=IMAGES,
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IMAGE...",
            help="One FITS image per band, in the first model's order. A name may hold a column of"
            " the labels, frames/{frame}/h.fits: an image for each of its values.",
            rich_help_panel=IMAGES,
        ),
    ] = None,
    band: BandFiles = None,
    weight: WeightFiles = None,
    rms: RmsFiles = None,
    dq: DataQualityFiles = None,
    check_filters: Check = True,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=NAME",
            help="Column of the labels for mag, r_e, class or one of the classes.",
            rich_help_panel=IMAGES,
        ),
    ] = None,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete",
            help="The labels list every source: what is not among them is false.",
            rich_help_panel=IMAGES,
        ),
    ] = False,
    zero_point: ZeroPoints = None,
    match_radius: Annotated[
        float, typer.Option(help="Pixels between a source and what is it.")
    ] = 5.0,
    faintest: Annotated[
        float | None,
        typer.Option(
            help="Magnitude to which totals count; by default 1 mag brighter than the 5 sigma depth"
            " of the simulated survey, rounded down to a half.",
            show_default=False,
        ),
    ] = None,
    preset: Preset = "fast",
    stride: Stride = None,
    lattice: Lattice = None,
    edges: Edges = None,
    precision: Precision = None,
    device: Device = None,
    threads: Threads = None,
    batch_size: BatchSize = None,
    jobs: Annotated[int, typer.Option(help="Processes that simulate.", rich_help_panel=TRUTH)] = 1,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Measure what a model finds, how complete and pure it is, and how well calibrated.

    On simulated fields (--survey, --field), or on real images with experts' votes or a reference
    catalogue (--images, --labels). Several models, other programs' detectors and segmentation maps
    are compared side by side. Writes report.html, evaluation.json, figures/ and a table of sources
    for each.
    """
    given = images_given(images, more)
    simulation = {"--size": size, "--fields": fields, "--seed": seed, "--density": density}
    real: dict[str, Any] = {
        "--images": given,
        "--band": band,
        "--weight": weight,
        "--rms": rms,
        "--dq": dq,
    }
    real |= {"--column": column, "--complete": complete or None, "--zero-point": zero_point}
    if survey is None:
        _refuse(simulation | {"--tests": tests or None}, "--survey")
    if labels is None:
        _refuse(real, "--labels")
    if sum([survey is not None, bool(field), labels is not None]) != 1:
        raise OptionError(
            "give one of --survey (simulate), --field (simulated before) and --labels with --images"
        )
    try:
        from morpheus.evaluate.report import report_files, write_report
        from morpheus.mosaic.products import check_targets
        from morpheus.pipeline import ImageFiles, known
        from morpheus.pipeline.evaluation import evaluate as run
    except ModuleNotFoundError as error:
        raise missing_package(error, "evaluation", "evaluate") from error

    options = inference_options(
        preset,
        stride=stride,
        lattice=lattice,
        edges=edges,
        precision=precision,
        device=device,
        threads=threads,
        batch_size=batch_size,
    )
    found = detectors(
        model,
        baseline,
        options,
        segmap,
        without=without,
        instead=instead,
        stride=stride,
        lattice=lattice,
        edges=edges,
    )
    check_targets(report_files(output, [one.name for one in found]), overwrite=overwrite)
    setup: dict[str, Any]
    truths: Iterable[KnownImage]
    if labels is not None:
        files = ImageFiles(
            images_by_name(one_of(given, by_band("--band", band)), found),
            by_band("--weight", weight),
            by_band("--rms", rms),
            by_band("--dq", dq),
            check_filters,
        )
        points = numbers_by_band("--zero-point", zero_point)
        columns = by_band("--column", column, "WHAT=NAME, such as mag=F160W_MAG")
        setup = {"kind": "labelled", "labels": str(labels), "complete": complete}
        setup |= {"columns": columns, "zero_points": points or None}
        truths = known.labelled_images(
            files, labels, columns=columns, complete=complete, zero_points=points
        )
    elif field:
        setup = known.field_setup(field)
        truths = (known.read_field(one) for one in field)
    else:
        chosen = {name: value for name, value in simulation.items() if value is not None}
        setup, truths = _simulated(survey or "", chosen, jobs, found)
    if faintest is None and "depth" in setup:
        faintest = math.floor(2 * (setup["depth"] - 1)) / 2
    with warnings_as_lines(quiet=quiet), stage_bar(quiet=quiet) as progress:
        evaluation = run(
            truths,
            found,
            radius=match_radius,
            faintest=math.inf if faintest is None else faintest,
            setup=setup,
            tests=None if tests is False else survey,
            progress=progress,
        )
    write_report(evaluation, output, overwrite=overwrite)
    if not quiet:
        typer.echo(summary(evaluation))
        typer.echo(f"{output / 'report.html'}")


def _refuse(options: dict[str, Any], needed: str) -> None:
    """Refuse options that would do nothing."""
    for name, value in options.items():
        if value is not None:
            raise OptionError(f"{name} needs {needed}")


def _simulated(
    survey: str, chosen: dict[str, Any], jobs: int, found: "list[Detector]"
) -> "tuple[dict[str, Any], Iterable[KnownImage]]":
    """Prepare fields, which are simulated when they are needed."""
    try:
        from morpheus.simulate import FieldOptions, find_survey, simulate_field
        from morpheus.simulate.psf import point_source_depth
    except ModuleNotFoundError as error:
        raise missing_package(error, "simulation", "evaluate") from error
    from morpheus.pipeline.known import simulated_image

    number, first = chosen.get("--fields", 2), chosen.get("--seed", 1000)
    if number < 1:
        raise OptionError(f"--fields {number}: it must be at least 1")
    plain = FieldOptions(
        survey=survey,
        size=chosen.get("--size", 1024),
        density=chosen.get("--density", 150.0),
        seed=first,
        jobs=jobs,
    )
    plain.check()
    fields = [replace(plain, seed=first + index) for index in range(number)]
    known = find_survey(survey)
    for one in found:
        one.check_bands([band.name for band in known.bands], survey)
    setup = {
        "kind": "simulated",
        "survey": survey,
        "size": plain.size,
        "seeds": [one.seed for one in fields],
        "density": plain.density,
        "depth": point_source_depth(known, known.bands[0]),
    }
    truths = (simulated_image(simulate_field(one)) for one in fields)
    return setup, truths
