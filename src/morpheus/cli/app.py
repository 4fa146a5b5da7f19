"""The command line's frame: version, errors in one line, interruptions."""

import sys
from typing import Annotated

import typer

from morpheus import __version__
from morpheus.errors import MorpheusError

__all__ = ["app", "main"]

_INTERRUPTED = 130  # 128 + SIGINT, as shells have it

app = typer.Typer(
    name="morpheus",
    help="Classify every pixel of astronomical images: spheroid, disk, irregular, point source or"
    " background.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"morpheus {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; what is wrong is said in one line, with exit code 2."""
    try:
        app()
    except MorpheusError as error:
        typer.echo(f"morpheus: error: {' '.join(str(error).split())}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("morpheus: interrupted; nothing was written", err=True)
        sys.exit(_INTERRUPTED)
