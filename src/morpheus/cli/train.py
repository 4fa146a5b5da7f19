"""`morpheus train`: datasets in, a model out."""

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from morpheus.cli.arguments import OUTPUT, Quiet
from morpheus.cli.terminal import warnings_as_lines

if TYPE_CHECKING:
    from morpheus.train import TrainOptions

__all__ = ["train"]

_DEVICES = "Devices"
_COLUMNS = {
    # column of the history: title, format
    "epoch": ("epoch", "{:.0f}"),
    "step": ("step", "{:.0f}"),
    "loss": ("loss", "{:.4f}"),
    "val_loss": ("validation", "{:.4f}"),
    "val_iou": ("IoU", "{:.3f}"),
    "val_top1": ("top-1", "{:.3f}"),
    "val_entropy": ("entropy", "{:.3f}"),
    "seconds": ("seconds", "{:.1f}"),
}


def train(
    config: Annotated[
        Path | None,
        typer.Argument(
            metavar="CONFIG", help="TOML file that says what to train.", show_default=False
        ),
    ] = None,
    *,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Dataset to train on, without a configuration; once for each."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="MODEL", help="Model to start from (fine-tuning)."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model that is made, without a configuration.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the configuration's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the configuration's.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Folder of the training; by default NAME-training. The same command goes on with"
            " what was begun there.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    accelerator: Annotated[
        str, typer.Option(help="auto, cpu, gpu, ... as Lightning has it.", rich_help_panel=_DEVICES)
    ] = "auto",
    devices: Annotated[
        str, typer.Option(help="How many, or which: 2, or 0,1.", rich_help_panel=_DEVICES)
    ] = "auto",
    nodes: Annotated[int, typer.Option(help="Machines.", rich_help_panel=_DEVICES)] = 1,
    strategy: Annotated[
        str,
        typer.Option(help="How several work together: auto, ddp, ...", rich_help_panel=_DEVICES),
    ] = "auto",
    workers: Annotated[
        int,
        typer.Option(
            min=0,
            help="Processes that read examples; 0: the one that trains.",
            rich_help_panel=_DEVICES,
        ),
    ] = 0,
    quiet: Quiet = False,
) -> None:
    """Train a model, or go on with a training; or fine-tune one on a dataset of your own.

    morpheus train config.toml, or morpheus train --from MODEL --data mine.zarr. The folder gets the
    configuration, history.csv, logs for TensorBoard, a picture of a few examples for each epoch,
    and at the end model/, which every command takes: morpheus run -m FOLDER/model ...
    """  # fmt: skip
    from morpheus.errors import missing_package

    try:
        from morpheus.train import Devices
        from morpheus.train import train as run_training
        from morpheus.train.card import write_card
        from morpheus.train.processes import is_first
    except ModuleNotFoundError as error:
        raise missing_package(error, "training", "train") from error
    from morpheus.model import save_model

    options = _options(config, data, start, name)
    quiet = quiet or not is_first()
    if epochs is not None:
        options = dataclasses.replace(
            options, optimiser=dataclasses.replace(options.optimiser, epochs=epochs)
        )
    if seed is not None:
        options = dataclasses.replace(options, seed=seed)
    folder = Path(f"{options.name}-training") if output is None else output
    chosen = Devices(
        accelerator, int(devices) if devices.isdigit() else devices, nodes, strategy, workers
    )
    with warnings_as_lines(quiet=quiet), _table(options, quiet=quiet) as (row, step):
        trained = run_training(options, folder, devices=chosen, progress=row, step=step)
    card = write_card(trained, options)
    model = save_model(trained.model, folder / "model", card, overwrite=True)
    if trained.report["ended"]:
        typer.echo(
            "morpheus: warning: the validation loss became not a number, and the training ended;"
            " the model is that of the best epoch before. A lower learning rate may help",
            err=True,
        )
    if not quiet:
        typer.echo(
            f"{model.config.name}: {model.n_parameters:,} values in {folder / 'model'}; use it by"
            f" -m {folder / 'model'}, or by its name after: morpheus models import"
            f" {folder / 'model'}"
        )


def _options(
    config: Path | None, data: list[Path] | None, start: str | None, name: str | None
) -> "TrainOptions":
    from morpheus.errors import OptionError
    from morpheus.train import fine_tuning, read_options

    if config is not None:
        if data or start or name:
            raise OptionError(
                "a configuration says what to train: leave out --data, --from, --name"
            )
        return read_options(config)
    if not data or start is None:
        raise OptionError("give a configuration, or --from MODEL and --data DATASET")
    return fine_tuning(start, data, name)


@contextlib.contextmanager
def _table(
    options: "TrainOptions", *, quiet: bool
) -> Iterator[tuple[Callable[[dict[str, float]], None] | None, Callable[[int, int], None] | None]]:
    """Show a row for each epoch: live on a terminal, as lines elsewhere."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Table

    console = Console(stderr=True)
    if quiet:
        yield None, None
        return
    if not sys.stderr.isatty():  # as in terminal.py
        yield _say, None
        return
    table = Table(title=f"{options.name}: {options.optimiser.epochs} epochs", title_justify="left")
    for title, _ in _COLUMNS.values():
        table.add_column(title, justify="right")
    columns: tuple[Any, ...] = (
        TextColumn("step {task.completed:.0f} of {task.total:.0f}"),
        BarColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console)
    task = bar.add_task("", total=options.optimiser.total)

    def add(row: dict[str, float]) -> None:
        table.add_row(
            *(form.format(row[key]) if key in row else "" for key, (_, form) in _COLUMNS.items())
        )

    with Live(Group(table, bar), console=console, refresh_per_second=4):
        yield add, lambda done, total: bar.update(task, completed=done, total=total)


def _say(row: dict[str, float]) -> None:
    values = (
        f"{title} {form.format(row[key])}" for key, (title, form) in _COLUMNS.items() if key in row
    )
    typer.echo("  ".join(values))
