"""`morpheus classify`: FITS images in, class maps out."""

from pathlib import Path
from typing import Annotated

import typer

from morpheus.cli.arguments import (
    BandFiles,
    Check,
    Compress,
    DataQualityFiles,
    Images,
    ModelName,
    Overwrite,
    Quiet,
    RmsFiles,
    SingleFile,
    SkyRegion,
    WeightFiles,
    by_band,
    one_of,
)
from morpheus.cli.terminal import bands_used, progress_bar, warnings_as_lines
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

__all__ = ["classify"]


def classify(
    images: Images = None,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the class maps and report.json.")
    ],
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
    overwrite: Overwrite = False,
    compress: Compress = False,
    single_file: SingleFile = False,
    quiet: Quiet = False,
) -> None:
    """Classify every pixel of a multi-band image.

    Writes each class's mean probability, its variance and its share of votes as FITS images; of a
    dense model, which sees every pixel once, the probability alone.
    """
    from morpheus import pipeline
    from morpheus.inference import check_placement
    from morpheus.inference.product import all_map_files
    from morpheus.model import find_model, load_model
    from morpheus.mosaic.products import check_targets

    files = one_of(images, by_band("--band", band))
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
    config = load_model(find_model(model)).config
    check_placement(config, stride=stride, lattice=lattice, edges=edges)
    check_targets(all_map_files(output, config.classes), overwrite=overwrite)
    with warnings_as_lines(quiet=quiet), progress_bar(quiet=quiet) as progress:
        result = pipeline.classify(
            files,
            model=model,
            weights=by_band("--weight", weight),
            rms=by_band("--rms", rms),
            dq=by_band("--dq", dq),
            region=region,
            options=options,
            check_filters=check_filters,
            progress=progress,
        )
        paths = result.write(
            output, overwrite=overwrite, compress=compress, single_file=single_file
        )
    if not quiet:
        height, width = result.shape
        n = result.provenance["classified_pixels"]
        seconds = result.provenance["seconds"]["classify"]
        typer.echo(
            f"{width} x {height} pixels (x, y), {n:,} of them classified in {seconds:.1f} s;"
            f" {len(paths)} files in {output}{bands_used(result.provenance)}"
        )
