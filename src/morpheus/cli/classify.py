"""`morpheus classify`: FITS images in, class maps out."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from morpheus.errors import OptionError

__all__ = ["classify"]

_INPUT, _WINDOWS, _OUTPUT = "Images", "How it is computed", "Output"
_BAND_FILE = "BAND=FILE"  # or BAND=FILE[HDU]


def classify(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE",
            help="One FITS image per band, in the model's order; FILE[HDU] chooses an HDU.",
            show_default=False,
        ),
    ] = None,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the class maps and report.json.")
    ],
    model: Annotated[str, typer.Option("-m", "--model", help="Installed model or model folder.")],
    band: Annotated[
        list[str] | None,
        typer.Option(
            metavar=_BAND_FILE,
            help="Image of a band, by name and in any order: F160W=h.fits or F160W=h.fits[SCI];"
            " once for each band.",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            metavar=_BAND_FILE,
            help="Inverse-variance map of a band. Pixels that are not positive are masked.",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    rms: Annotated[
        list[str] | None,
        typer.Option(
            metavar=_BAND_FILE,
            help="Noise map of a band. Pixels that are not positive are masked.",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    dq: Annotated[
        list[str] | None,
        typer.Option(
            metavar=_BAND_FILE,
            help="Data-quality map of a band. Pixels that are not 0 are masked.",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="RA,DEC,SIZE",
            help="Part of the sky to read: 53.12,-27.80,30arcsec, or with width and height:"
            " 53.12,-27.80,60arcsec,30arcsec.",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    check_filters: Annotated[
        bool,
        typer.Option(
            "--check-filters/--no-check-filters",
            help="Refuse images whose FILTER header is another band's.",
            rich_help_panel=_INPUT,
        ),
    ] = True,
    preset: Annotated[
        str,
        typer.Option(
            metavar="exact|fast",
            help="exact: the published result, a window at every pixel. fast: a window per 9"
            " pixels on a lattice, bfloat16 where the processor has it.",
            rich_help_panel=_WINDOWS,
        ),
    ] = "exact",
    stride: Annotated[
        int | None,
        typer.Option(
            help="Pixels between windows; on a lattice, one window per stride squared pixels.",
            rich_help_panel=_WINDOWS,
        ),
    ] = None,
    lattice: Annotated[
        bool | None,
        typer.Option(
            "--lattice/--grid",
            help="Windows on a sheared lattice (strides 2, 3, 4) or on a square grid.",
            rich_help_panel=_WINDOWS,
        ),
    ] = None,
    edges: Annotated[
        str | None,
        typer.Option(
            metavar="skip|pad",
            help="skip: the outermost pixels stay unclassified, as published. pad: they are"
            " classified from reflected windows.",
            rich_help_panel=_WINDOWS,
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="float32|bfloat16|auto",
            help="Arithmetic of the network; auto: bfloat16 where the processor has it.",
            rich_help_panel=_WINDOWS,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu, or a PyTorch device such as cuda.", rich_help_panel=_WINDOWS),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Processor cores to use; default all.", rich_help_panel=_WINDOWS),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Windows per evaluation of the network.", rich_help_panel=_WINDOWS),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace products.", rich_help_panel=_OUTPUT)
    ] = False,
    compress: Annotated[
        bool,
        typer.Option(
            "--compress",
            help="Tile-compress the products without loss (.fits.fz).",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    single_file: Annotated[
        bool,
        typer.Option(
            "--single-file",
            help="One multi-extension FITS file instead of one file per class and statistic.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("-q", "--quiet", help="Say nothing but errors.", rich_help_panel=_OUTPUT),
    ] = False,
) -> None:
    """Classify every pixel of a multi-band image.

    Writes each class's mean probability, its variance and its share of votes as FITS images.
    """
    import dataclasses

    from morpheus import pipeline
    from morpheus.inference import Classification
    from morpheus.inference import preset as find_preset
    from morpheus.model import find_model, load_model

    if bool(images) == bool(band):
        raise OptionError(
            "give either one image per band, in the model's order, or --band for each"
        )
    chosen: dict[str, Any] = {
        "stride": stride,
        "lattice": lattice,
        "edges": edges,
        "precision": precision,
        "device": device,
        "threads": threads,
        "batch_size": batch_size,
    }
    options = dataclasses.replace(
        find_preset(preset), **{k: v for k, v in chosen.items() if v is not None}
    )
    classes = load_model(find_model(model)).config.classes
    Classification.check_targets(output, classes, overwrite=overwrite)
    with _warnings_as_lines(quiet=quiet), _progress(quiet=quiet) as progress:
        result = pipeline.classify(
            _by_band("--band", band) or images,
            model=model,
            weights=_by_band("--weight", weight),
            rms=_by_band("--rms", rms),
            dq=_by_band("--dq", dq),
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
            f" {len(paths)} files in {output}"
        )


def _by_band(option: str, values: list[str] | None) -> dict[str, str] | None:
    """Split BAND=FILE arguments."""
    if not values:
        return None
    images: dict[str, str] = {}
    for value in values:
        name, equals, image = value.partition("=")
        if not (name and equals and image):
            raise OptionError(f"{option} {value}: expected BAND=FILE, such as F160W=h.fits[SCI]")
        if name in images:
            raise OptionError(f"{option} gives {name} twice")
        images[name] = image
    return images


@contextmanager
def _warnings_as_lines(*, quiet: bool) -> Iterator[None]:
    """Say what is doubtful at once, in one line each, without Python's file names."""
    from morpheus.mosaic import MosaicWarning

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        typer.echo(f"morpheus: warning: {message}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("ignore" if quiet else "always", MosaicWarning)
        warnings.showwarning = show  # catch_warnings puts it back
        yield


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar with rate and time left on a terminal, and nothing elsewhere."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if not task.speed else f"{task.speed:,.0f} windows/s")

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("reading", total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, description="classifying", completed=done, total=total)

        yield update
