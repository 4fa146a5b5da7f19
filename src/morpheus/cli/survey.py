"""`morpheus survey`: a table of tiles in; each tile done, and one catalogue of all, out."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from morpheus.cli.arguments import OUTPUT, Check, ModelName, Quiet
from morpheus.cli.catalog import (
    MEASURE,
    Apertures,
    Exposures,
    NoiseScale,
    Saturations,
    ZeroPoints,
    catalog_options,
)
from morpheus.cli.chunks import Chunk, Memory, Scheduler, execution_options
from morpheus.cli.segment import (
    Contrast,
    Deblend,
    Grow,
    MinArea,
    Positions,
    Prominence,
    Seed,
    Statistic,
    Unmatched,
    segmentation_options,
)
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
from morpheus.defaults import DEFAULT_MODEL
from morpheus.errors import IncompleteError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from morpheus.survey import TileStatus

__all__ = ["survey"]


def survey(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="A row for each tile: its name (tile), the image of each band (F160W, ...), maps"
            " (F160W_weight, F160W_rms, F160W_dq) and a region. CSV, ECSV, FITS, VOTable, ...;"
            " files relative to it; empty cells for what there is not.",
        ),
    ],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for all products.")],
    model: ModelName = DEFAULT_MODEL,
    status: Annotated[
        bool, typer.Option("--status", help="Say how far the tiles are, and do nothing.")
    ] = False,
    match_radius: Annotated[
        float,
        typer.Option(
            metavar="ARCSEC",
            help="How far apart two tiles may see one source: of such a pair one is listed.",
        ),
    ] = 0.3,
    check_filters: Check = True,
    preset: Preset = "exact",
    stride: Stride = None,
    lattice: Lattice = None,
    edges: Edges = None,
    precision: Precision = None,
    device: Device = None,
    threads: Threads = None,
    batch_size: BatchSize = None,
    statistic: Statistic = None,
    seed: Seed = None,
    grow: Grow = None,
    min_area: MinArea = None,
    deblend: Deblend = True,
    contrast: Contrast = None,
    prominence: Prominence = None,
    positions: Positions = None,
    unmatched: Unmatched = "keep",
    aperture: Apertures = None,
    zero_point: ZeroPoints = None,
    exposure: Exposures = None,
    saturation: Saturations = None,
    background: Annotated[
        str,
        typer.Option(
            metavar="global|none",
            help="What sky is subtracted: one level a band, or nothing.",
            rich_help_panel=MEASURE,
        ),
    ] = "global",
    noise_scale: NoiseScale = "measured",
    memory: Memory = None,
    scheduler: Scheduler = None,
    chunk: Chunk = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Do tiles anew whose files or options have changed.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Do every tile of a survey, and list each source once in one catalogue.

    Makes a folder for each tile, as `morpheus run` does, catalog.parquet of all tiles that are
    done, survey_footprints.reg and survey.json. Tiles are done one after the other, in chunks, by
    all cores or a Dask cluster.

    The same command again goes on: tiles that are done are kept, one that was interrupted is gone
    on with, those that failed are tried again. If some fail the others are done, and the exit code
    is 3.
    """
    from morpheus.inference import check_placement
    from morpheus.model import find_model, load_model
    from morpheus.pipeline import FieldOptions
    from morpheus.survey import SurveyOptions, run_survey, survey_status

    if status:
        _show(survey_status(table, output, model=model))
        return
    options = FieldOptions(
        inference=inference_options(
            preset,
            stride=stride,
            lattice=lattice,
            edges=edges,
            precision=precision,
            device=device,
            threads=threads,
            batch_size=batch_size,
        ),
        segmentation=segmentation_options(
            statistic=statistic,
            seed=seed,
            grow=grow,
            min_area=min_area,
            deblend=deblend,
            contrast=contrast,
            prominence=prominence,
            unmatched=unmatched,
        ),
        catalog=catalog_options(
            aperture, zero_point, exposure, saturation, background, noise_scale
        ),
        positions=positions,
    )
    config = load_model(find_model(model)).config
    check_placement(config, stride=stride, lattice=lattice, edges=edges)
    with warnings_as_lines(quiet=quiet), stage_bar(quiet=quiet, noun="pixels", whole=True) as show:
        done = run_survey(
            table,
            output,
            model=model,
            options=SurveyOptions(options, match_radius, check_filters),
            execution=execution_options(memory, scheduler, chunk, resume=False, keep=False),
            overwrite=overwrite,
            progress=show,
            announce=None if quiet else partial(typer.echo, err=True),
        )
    if not quiet:
        listed = sum(done.n_listed.values())
        n_done = sum(one.state == "done" for one in done.tiles)
        text = f"{n_done} of {count(len(done.tiles), 'tile')} done"
        if done.catalog is not None:
            text += f"; {count(listed, 'source')} in {done.catalog}"
        typer.echo(text)
    if done.failed:
        for one in done.failed:
            typer.echo(f"tile {one.name} failed: {one.error}", err=True)
        raise IncompleteError(
            f"{len(done.failed)} of {count(len(done.tiles), 'tile')} failed; the others are done"
            " and kept: mend the cause, and give the same command again"
        )


def _show(tiles: "Sequence[TileStatus]") -> None:
    """Print a table of what became of the tiles."""
    rows: list[tuple[str, ...]] = [("tile", "status", "sources", "pixels", "seconds", "")]
    for one in tiles:
        numbers = ["" if n is None else f"{n:,}" for n in (one.n_sources, one.n_pixels)]
        seconds = "" if one.seconds is None else f"{one.seconds:,.1f}"
        rows.append((one.name, one.state, *numbers, seconds, one.error or ""))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        left = [row[i].ljust(widths[i]) for i in range(2)]
        right = [row[i].rjust(widths[i]) for i in range(2, 5)]
        typer.echo("  ".join([*left, *right, row[5]]).rstrip())
