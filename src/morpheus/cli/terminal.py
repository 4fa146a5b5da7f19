"""What a command says while it works: warnings in one line each, and a bar."""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import typer

from morpheus.errors import MosaicWarning

__all__ = ["bands_used", "count", "progress_bar", "stage_bar", "warnings_as_lines"]


def bands_used(provenance: Mapping[str, Any]) -> str:
    """Say which bands a model did without, and which took the place of others.

    Parameters
    ----------
    provenance : mapping
        What made the class maps.

    Returns
    -------
    str
        A line of its own, such as 'without F606W; F105W for F125W'; '' if there is nothing to say.
    """
    record = provenance.get("bands", {})
    absent, substituted = record.get("absent", ()), record.get("substituted", {})
    parts = [f"without {', '.join(absent)}"] if absent else []
    parts += [f"{other} for {band}" for band, other in substituted.items()]
    return f"\n{'; '.join(parts)}" if parts else ""


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

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        typer.echo(f"morpheus: warning: {message}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("ignore" if quiet else "always", MosaicWarning)
        warnings.showwarning = show  # catch_warnings puts it back
        yield


@contextmanager
def progress_bar(
    *, quiet: bool, work: str = "classifying", noun: str = "windows"
) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar with rate and time left on a terminal, and nothing elsewhere.

    Parameters
    ----------
    quiet : bool
        Whether to show nothing.
    work : str, optional
        What is done.
    noun : str, optional
        Of what there are so many.

    Yields
    ------
    callable or None
        Takes the number of things done and their total number.
    """
    with stage_bar(quiet=quiet, noun=noun) as show:
        yield None if show is None else partial(show, work)


@contextmanager
def stage_bar(
    *, quiet: bool, noun: str = "windows", whole: bool = False
) -> Iterator[Callable[[str, int, int], None] | None]:
    """Show a bar for what is done now, on a terminal, and nothing elsewhere.

    Parameters
    ----------
    quiet : bool
        Whether to show nothing.
    noun : str, optional
        Of what there are so many.
    whole : bool, optional
        Whether what is told is of the whole run, and not of what is done now.

    Yields
    ------
    callable or None
        Takes what is done, how much of it is done, and how much there is to do.
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
            return Text("" if not task.speed else f"{task.speed:,.0f} {noun}/s")

    console = Console(stderr=True)
    # rich takes FORCE_COLOR, which Jupyter sets, for a terminal; bars would fill a cell.
    if quiet or not sys.stderr.isatty():
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
        task, shown = bar.add_task("reading", total=None), ""

        def update(title: str, done: int, total: int) -> None:
            nonlocal shown
            if shown and title != shown and not whole:  # another stage has its own rate
                bar.reset(task)
            shown = title
            bar.update(task, description=title, completed=done, total=total)

        yield update
