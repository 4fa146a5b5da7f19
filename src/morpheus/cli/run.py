"""`morpheus run`: images in; maps, sources, catalogue, pictures and one report out."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from morpheus.cli.arguments import (
    BandFiles,
    Check,
    DataQualityFiles,
    Images,
    ModelName,
    Overwrite,
    Quiet,
    RmsFiles,
    SkyRegion,
    WeightFiles,
    by_band,
    one_of,
)
from morpheus.cli.catalog import (
    Apertures,
    Background,
    Exposures,
    NoiseScale,
    Saturations,
    ZeroPoints,
    catalog_options,
    remarks,
)
from morpheus.cli.chunks import (
    Chunk,
    Keep,
    Memory,
    Resume,
    Scheduler,
    execution_options,
    is_large,
)
from morpheus.cli.segment import (
    Contrast,
    Deblend,
    Grow,
    Method,
    MinArea,
    Positions,
    Prominence,
    Seed,
    Statistic,
    Threshold,
    Unmatched,
    segmentation_options,
    summary,
)
from morpheus.cli.terminal import bands_used, progress_bar, stage_bar, warnings_as_lines
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
from morpheus.errors import OptionError

__all__ = ["run"]

_CHANNELS = 3


def run(
    images: Images = None,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for all products.")],
    model: ModelName = DEFAULT_MODEL,
    band: BandFiles = None,
    weight: WeightFiles = None,
    rms: RmsFiles = None,
    dq: DataQualityFiles = None,
    region: SkyRegion = None,
    check_filters: Check = True,
    preset: Preset = "exact",
    stride: Stride = None,
    lattice: Lattice = None,
    edges: Edges = None,
    precision: Precision = None,
    device: Device = None,
    threads: Threads = None,
    batch_size: BatchSize = None,
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
    aperture: Apertures = None,
    zero_point: ZeroPoints = None,
    exposure: Exposures = None,
    saturation: Saturations = None,
    background: Background = "global",
    noise_scale: NoiseScale = "measured",
    catalog_file: Annotated[
        str,
        typer.Option(
            "--catalog",
            metavar="NAME",
            help="The catalogue; its suffix is its format: .fits, .ecsv, .vot, .parquet, .csv or"
            " .mrt.",
        ),
    ] = "catalog.fits",
    rgb: Annotated[
        str | None,
        typer.Option(
            metavar="R,G,B",
            help="Bands of the colour picture; by default the reddest, the middle, the bluest.",
            show_default=False,
        ),
    ] = None,
    memory: Memory = None,
    scheduler: Scheduler = None,
    chunk: Chunk = None,
    resume: Resume = False,
    keep_chunks: Keep = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Do everything: classify, find the sources, measure them, draw them.

    Makes the class maps, segmap.fits, the catalogue, classes.png, rgb.png, stamps.png and one
    report.json. The first band is the one for shapes and deblending.

    Fields of more than 4 million pixels are worked on in chunks, by all cores or a Dask cluster,
    in as much memory as chunks take; a --region is held in memory, unless --memory is given. A run
    that was interrupted is gone on with by --resume.
    """
    from morpheus import pipeline
    from morpheus.inference import check_placement
    from morpheus.model import find_model, load_model

    channels = None if rgb is None else tuple(rgb.split(","))
    if channels is not None and len(channels) != _CHANNELS:
        raise OptionError(f"--rgb {rgb}: expected three bands, such as F160W,F850LP,F606W")
    inference = inference_options(
        preset,
        stride=stride,
        lattice=lattice,
        edges=edges,
        precision=precision,
        device=device,
        threads=threads,
        batch_size=batch_size,
    )
    options = pipeline.FieldOptions(
        inference=inference,
        segmentation=segmentation_options(
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
        ),
        catalog=catalog_options(
            aperture, zero_point, exposure, saturation, background, noise_scale
        ),
        positions=positions,
        catalog_file=catalog_file,
        rgb=channels,  # type: ignore[arg-type]
    )
    config = load_model(find_model(model)).config
    check_placement(config, stride=stride, lattice=lattice, edges=edges)
    files = one_of(images, by_band("--band", band))
    execution = execution_options(memory, scheduler, chunk, resume=resume, keep=keep_chunks)
    if execution is None and is_large(files, config, inference, region):
        execution = pipeline.Execution()
    common: dict[str, Any] = {
        "model": model,
        "weights": by_band("--weight", weight),
        "rms": by_band("--rms", rms),
        "dq": by_band("--dq", dq),
        "region": region,
        "options": options,
        "check_filters": check_filters,
        "overwrite": overwrite,
    }
    with warnings_as_lines(quiet=quiet):
        if execution is None:
            with progress_bar(quiet=quiet) as progress:
                field = pipeline.run(files, output, **common, progress=progress)
            sources, positions = field.segmentation.sources, field.segmentation.positions
            shape, provenance = field.classification.shape, field.classification.provenance
            catalog, paths = field.catalog, field.paths
        else:
            with stage_bar(quiet=quiet, noun="pixels", whole=True) as show:
                done = pipeline.run_in_chunks(
                    files,
                    output,
                    **common,
                    execution=execution,
                    resume=resume,
                    progress=show,
                    announce=None if quiet else partial(typer.echo, err=True),
                )
            sources, positions, shape = done.sources, done.positions, done.shape
            provenance, catalog, paths = done.provenance, done.catalog, done.paths
    if not quiet:
        height, width = shape
        typer.echo(
            f"{width} x {height} pixels (x, y); {summary(sources, positions)}; {len(paths)}"
            f" files in {output}{bands_used(provenance)}{remarks(catalog)}"
        )
