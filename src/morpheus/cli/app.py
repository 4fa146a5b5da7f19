"""The command line's frame: version, errors in one line, interruptions."""

import signal
import sys
from typing import Annotated, Any, NoReturn

import typer

from morpheus import __version__
from morpheus.cli.original import is_original, original
from morpheus.errors import IncompleteError, MorpheusError

__all__ = ["app", "main"]

_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_INCOMPLETE = 3  # a part of the work failed, the rest is kept
_UsageError: Any = typer.BadParameter.__bases__[0]  # typer does not export it

app = typer.Typer(
    name="morpheus",
    help="Classify every pixel of astronomical images: spheroid, disk, irregular, point source or"
    " background.",
    invoke_without_command=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"morpheus {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 (its callback prints it)
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line; what is wrong is said in one line, with exit code 2 or 3."""
    # A batch system ends a job with SIGTERM: end like Ctrl-C, with files closed and removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = _run(sys.argv[1:])
    except IncompleteError as error:
        _fail(str(error), _INCOMPLETE)
    except MorpheusError as error:
        _fail(str(error))
    except MemoryError:
        _fail("out of memory; 'morpheus run --memory 4GB' works in chunks, --region on a part")
    except OSError as error:
        _fail(f"{error.filename or 'the operating system'}: {error.strerror or error}")
    except _UsageError as error:
        context = error.ctx
        command = context.command_path if context is not None else "morpheus"
        _fail(f"{error.format_message()} (see {command} --help)")
    if code == _INTERRUPTED:  # typer's answer to Ctrl-C
        typer.echo("morpheus: interrupted; an output without its report is incomplete", err=True)
    sys.exit(code)


def _run(arguments: list[str]) -> Any:
    """Run a command, or what the original program does with such arguments; give its exit code."""
    if not is_original(arguments):
        return app(standalone_mode=False)
    try:
        original(arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _fail(message: str, code: int = 2) -> NoReturn:
    typer.echo(f"morpheus: error: {' '.join(message.split())}", err=True)
    sys.exit(code)
