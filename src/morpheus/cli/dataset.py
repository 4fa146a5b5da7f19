"""`morpheus dataset`: examples of real sources with labels, and what is in a dataset."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

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
from morpheus.cli.terminal import count, progress_bar, warnings_as_lines

__all__ = ["app"]

_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
LABELS, EXAMPLES = "Labels", "Examples"

app = typer.Typer(help="Datasets of real sources with labels; what is in a dataset.")

_Store = Annotated[Path, typer.Option("-o", "--output", help="Zarr store.", rich_help_panel=OUTPUT)]


@app.callback()
def _group() -> None:
    """Datasets of real sources with labels; what is in a dataset."""


@contextlib.contextmanager
def _extra() -> Iterator[None]:
    """Say which package of the extra is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        from morpheus.errors import missing_package

        raise missing_package(error, "a dataset", "simulate") from error


@app.command("build")
def build(
    more: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", hidden=True, show_default=False)
    ] = None,
    *,
    output: _Store,
    segmap: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Segmentation map on the pixels of the images, FILE or FILE[HDU]: 0 is sky, below"
            " 0 unknown.",
            rich_help_panel=LABELS,
        ),
    ],
    labels: Annotated[
        Path,
        typer.Option(
            help="Table of votes (CSV, FITS, VOTable, ECSV, ...): ra and dec or x and y, or the"
            " segments' numbers as id; spheroid, disk, irregular, point_source, unknown, or class.",
            rich_help_panel=LABELS,
        ),
    ],
    images: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IMAGE...",
            help="FITS images whose headers name their filters; or give --band for each.",
            rich_help_panel=IMAGES,
        ),
    ] = None,
    band: BandFiles = None,
    weight: WeightFiles = None,
    rms: RmsFiles = None,
    dq: DataQualityFiles = None,
    check_filters: Check = True,
    zero_point: ZeroPoints = None,
    pixel_scale: Annotated[
        float | None,
        typer.Option(
            help="Side of a pixel in arcsec; by default that of the WCS.",
            rich_help_panel=IMAGES,
            show_default=False,
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=NAME",
            help="Column of the labels for a class, unknown, n_experts, id, ra, dec, x or y.",
            rich_help_panel=LABELS,
        ),
    ] = None,
    votes: Annotated[
        str,
        typer.Option(
            metavar="experts|galaxy-zoo",
            help="What the table holds: votes for the classes, or answers of Galaxy Zoo: CANDELS.",
            rich_help_panel=LABELS,
        ),
    ] = "experts",
    match_radius: Annotated[
        float,
        typer.Option(
            help="Pixels from a position that lies in no segment to its own.",
            rich_help_panel=LABELS,
        ),
    ] = 3.0,
    most_unknown: Annotated[
        float,
        typer.Option(
            help="Largest share of 'unclassifiable' with which a source's votes count.",
            rich_help_panel=LABELS,
        ),
    ] = 0.5,
    grow: Annotated[
        float,
        typer.Option(
            help="Pixels around segments that are unknown, and not background.",
            rich_help_panel=LABELS,
        ),
    ] = 2.0,
    known: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Map that is 0 where it is not known what there is.",
            rich_help_panel=LABELS,
        ),
    ] = None,
    size: Annotated[
        int, typer.Option(help="Side of an example, in pixels.", rich_help_panel=EXAMPLES)
    ] = 128,
    cell: Annotated[
        float,
        typer.Option(
            help="Side in arcsec of the areas of the sky that go to training or validation whole.",
            rich_help_panel=EXAMPLES,
        ),
    ] = 60.0,
    survey_name: Annotated[
        str, typer.Option(help="For the dataset's card.", rich_help_panel=OUTPUT)
    ] = "",
    reference: Annotated[
        str,
        typer.Option(
            help="Whose labels these are, for the dataset's card.", rich_help_panel=OUTPUT
        ),
    ] = "",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Make examples from real images with labels, to train and test networks with.

    Each labelled source is at the centre of one. Its pixels in the segmentation map have the shares
    of its votes; sky is background; what has no votes is unknown. Writes a Zarr store as
    morpheus simulate dataset does.
    """
    with _extra():
        from morpheus.dataset import LabelledOptions, LabelledSources, build_dataset

    sources = LabelledSources(
        images=one_of(images_given(images, more), by_band("--band", band)),
        segmap=segmap,
        votes=labels,
        columns=by_band("--column", column, "WHAT=NAME, such as spheroid=f_sph") or {},
        vote_kind=votes,
        weights=by_band("--weight", weight),
        rms=by_band("--rms", rms),
        dq=by_band("--dq", dq),
        known=known,
        check_filters=check_filters,
    )
    options = LabelledOptions(
        size=size,
        grow=grow,
        match_radius=match_radius,
        most_unknown=most_unknown,
        cell=cell,
        pixel_scale=pixel_scale,
        zero_points=numbers_by_band("--zero-point", zero_point),
        survey=survey_name,
        reference=reference,
    )

    def make(show: Callable[[int, int], None] | None) -> dict[str, Any]:
        return build_dataset(output, sources, options, overwrite=overwrite, progress=show)

    card = _run(make, "cutting", quiet=quiet)
    if not quiet:
        typer.echo(f"{count(card['n'], 'example')} in {output}; {_rows(card['labels']['rows'])}")


@app.command("join")
def join(
    parts: Annotated[list[Path], typer.Argument(metavar="DATASET...", help="Two or more.")],
    *,
    output: _Store,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Put datasets together: of labelled sources, simulated, or both.

    They must have the same bands, size, unit and pixels.
    """
    with _extra():
        from morpheus.dataset import join_datasets

    def make(show: Callable[[int, int], None] | None) -> dict[str, Any]:
        return join_datasets(output, parts, overwrite=overwrite, progress=show)

    card = _run(make, "joining", quiet=quiet)
    if not quiet:
        typer.echo(f"{count(card['n'], 'example')} in {output}")


@app.command("distil")
def distil(
    source: Annotated[Path, typer.Argument(metavar="DATASET", help="Zarr store.")],
    *,
    output: _Store,
    model: Annotated[
        str, typer.Option("-m", "--model", help="Installed model or model folder that is asked.")
    ],
    share: Annotated[float, typer.Option(help="The model's share of the labels.")] = 0.5,
    depth: Annotated[
        str,
        typer.Option(
            help="Survey whose noise images are given before the model sees them; '' leaves them."
        ),
    ] = "candels-deep",
    faintest: Annotated[
        float | None,
        typer.Option(help="AB magnitude, in the first band, of the faintest it is asked about."),
    ] = None,
    border: Annotated[
        int, typer.Option(help="Outer pixels of an example that the model is not shown.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    threads: Annotated[
        int | None, typer.Option(help="Processor cores to use; all if not given.")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Mix the labels of sources with what a model says of them, for another to learn.

    The same command goes on where it was ended.
    """
    with _extra():
        from morpheus.pipeline.distillation import DistillationOptions
        from morpheus.pipeline.distillation import distil as run_distillation

    options = DistillationOptions(share, depth, faintest, border, seed, threads)

    def make(show: Callable[[int, int], None] | None) -> dict[str, Any]:
        return run_distillation(output, source, model, options, overwrite=overwrite, progress=show)

    card = _run(make, "asking", quiet=quiet)
    if not quiet:
        said = card["distilled"]
        typer.echo(
            f"{count(card['n'], 'example')} in {output}, labels by {model}: {share:.0%};"
            f" asked about {count(said['asked'], 'source')}, {said['changed']:,} of them changed"
        )


@app.command("info")
def info(
    path: Annotated[Path, typer.Argument(metavar="DATASET", help="Zarr store.")],
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read everything and compare it with the checksum.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole card as JSON.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Say what is in a dataset."""
    with _extra():
        from morpheus.dataset import Dataset

    dataset = Dataset.open(path)
    if verify:
        dataset.verify()
    if as_json:
        typer.echo(json.dumps(dataset.card, indent=2))
        return
    lines = list(_described(dataset.card))
    lines.append(("areas of the sky", f"{len(set(dataset.cells.tolist())):,}"))
    if verify:
        lines.append(("verified", "the arrays and the table have the checksum of the card"))
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        typer.echo(f"{name:{width}}  {text}")


def _run(
    make: Callable[[Callable[[int, int], None] | None], dict[str, Any]], work: str, *, quiet: bool
) -> dict[str, Any]:
    """Run with a bar; say how to go on after an interruption."""
    try:
        with (
            warnings_as_lines(quiet=quiet),
            progress_bar(quiet=quiet, work=work, noun="examples") as show,
        ):
            return make(show)
    except KeyboardInterrupt:
        typer.echo("morpheus: interrupted; the same command goes on from there", err=True)
        sys.exit(_INTERRUPTED)


_FATES = {
    "no_answer": "without an answer",
    "outside": "outside the image",
    "no_segment": "in no segment",
    "ambiguous": "with another in their segment",
    "unclassifiable": "unclassifiable",
}


def _rows(rows: dict[str, int]) -> str:
    """Say what became of the rows of the labels."""
    text = f"votes for {rows['used']:,} of {count(rows['rows'], 'row')} of the labels count"
    lost = [f"{rows[name]:,} {what}" for name, what in _FATES.items() if rows[name]]
    return f"{text} ({', '.join(lost)})" if lost else text


def _described(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "kind", card["kind"]
    if card["survey"]:
        yield "survey", card["survey"]
    yield "examples", f"{card['n']:,} of {card['size']} x {card['size']} pixels"
    yield "bands", " ".join(card["bands"])
    scale = card["pixel_scale"]
    yield "pixel scale", "not known" if scale is None else f"{scale:.4g} arcsec"
    yield "unit", card["unit"] or "not known"
    points = ("not known" if p is None else f"{p:.3f}" for p in card["zero_points"])
    yield "zero points (AB mag)", ", ".join(points)
    for what, counts in card["counts"].items():
        yield what, ", ".join(f"{number:,.0f} {name}" for name, number in counts.items())
    if "labels" in card:
        labels = card["labels"]
        yield "labels", f"{labels['file'] or 'a table'}: {_rows(labels['rows'])}"
        if labels["reference"]:
            yield "reference", labels["reference"]
    if "distilled" in card:
        said = card["distilled"]
        asked, changed = said.get("asked"), said.get("changed")
        more = "" if asked is None else f": {changed:,} of the {asked:,} sources that it was asked"
        yield "distilled", f"{said['share']:.0%} of the labels are what {said['model']} says{more}"
    for part in card.get("parts", ()):
        yield "part", f"{part['name']}: {part['n']:,} examples, {part['kind']} {part['survey']}"
    yield "made by", f"morpheus {card['software']['morpheus']}, {card['created']}"
    yield "checksum", card["checksum"]
