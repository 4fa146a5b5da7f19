"""What a command says while it works: warnings in one line each, and a bar."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

__all__ = ["count", "progress_bar", "warnings_as_lines"]


def count(number: int, noun: str) -> str:
    """Write a number of things.

    Parameters
    ----------
    number : int
        How many.
    noun : str
        One of them; the plural ends in s.

    Returns
    -------
    str
        Such as '1 source' or '1,200 sources'.
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@contextmanager
def warnings_as_lines(*, quiet: bool) -> Iterator[None]:
    """Say what is doubtful at once, in one line each, without Python's file names.

    Parameters
    ----------
    quiet : bool
        Whether to say nothing.

    Yields
    ------
    None
        Control, to what may warn.
    """
    from morpheus.mosaic import MosaicWarning

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        typer.echo(f"morpheus: warning: {message}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("ignore" if quiet else "always", MosaicWarning)
        warnings.showwarning = show  # catch_warnings puts it back
        yield


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar with rate and time left on a terminal, and nothing elsewhere.

    Parameters
    ----------
    quiet : bool
        Whether to show nothing.

    Yields
    ------
    callable or None
        Takes the number of windows done and their total number.
    """
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
