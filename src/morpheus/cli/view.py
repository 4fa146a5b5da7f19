"""`morpheus view`: the map of a field in the browser, or as files for a web server."""

import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from morpheus.cli.arguments import Overwrite, Quiet
from morpheus.cli.terminal import progress_bar, warnings_as_lines
from morpheus.errors import OptionError

if TYPE_CHECKING:
    from morpheus.viewer import Pyramid, ViewedRun

__all__ = ["NoBrowser", "Port", "Tiles", "announce", "opened", "view"]

_MOST_RUNS = 2

Port = Annotated[
    int,
    typer.Option(min=0, max=65535, help="Where to listen, on this machine only; 0: where free."),
]
NoBrowser = Annotated[
    bool, typer.Option("--no-browser", help="Only say the address; open no browser.")
]
Tiles = Annotated[
    Path | None,
    typer.Option(
        "--tiles",
        metavar="FOLDER",
        help="Where maps at lower zooms and unpacked images are kept; by default tiles/ in the"
        " run's folder.",
    ),
]


def view(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER [OTHER]",
            help="What `morpheus run` made; another one, of the same images, is compared with it.",
        ),
    ],
    *,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="SITE", help="Write the map as files for any web server into this folder."
        ),
    ] = None,
    port: Port = 0,
    no_browser: NoBrowser = False,
    tiles: Tiles = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Show the map of a field in the browser: the sky, the classes, the sources."""
    from morpheus.pipeline.viewing import check_same_grid
    from morpheus.viewer import Workers, export_site, n_files, run_routes, serve, static_route

    if len(folders) > _MOST_RUNS:
        raise OptionError(f"{len(folders)} folders are given; two can be compared")
    places = [
        tiles / str(number) if tiles is not None and len(folders) > 1 else tiles
        for number in range(len(folders))
    ]
    with ExitStack() as stack:
        runs = [
            stack.enter_context(opened(folder, place, quiet=quiet))
            for folder, place in zip(folders, places, strict=True)
        ]
        check_same_grid(runs)
        if len({run.title for run in runs}) < len(runs):  # out/ of two places
            runs = [
                replace(run, title=f"{run.title} ({number})")
                for number, run in enumerate(runs, start=1)
            ]
        if export is not None:
            _prepare(runs, quiet=quiet)
            with progress_bar(quiet=quiet, work="writing", noun="files") as show:
                page = export_site(
                    runs, export, overwrite=overwrite, advance=_adding(show, n_files(runs))
                )
            if not quiet:
                typer.echo(page)
            return
        _prepare(runs, quiet=quiet, only=next(iter(runs[0].pyramid.sets)))
        with Workers() as workers:
            workers.halve(runs)
            serve(
                [*run_routes(runs, workers), static_route("index.html")],
                port=port,
                started=lambda address: announce(address, browser=not no_browser),
            )


@contextmanager
def opened(folder: Path, tiles: Path | None, *, quiet: bool) -> Iterator["ViewedRun"]:
    """Open a run; what is doubtful is said, and a bar shows what takes long.

    Parameters
    ----------
    folder : Path
        Of the run.
    tiles : Path or None
        As `open_run` takes it.
    quiet : bool
        Whether to say nothing.

    Yields
    ------
    ViewedRun
        The run.
    """
    from morpheus.pipeline.viewing import open_run

    with ExitStack() as stack:
        with (
            warnings_as_lines(quiet=quiet),
            progress_bar(quiet=quiet, work="unpacking images", noun="pixels") as show,
        ):
            run = stack.enter_context(open_run(folder, tiles=tiles, progress=show))
        yield run


def _prepare(runs: "list[ViewedRun]", *, quiet: bool, only: str | None = None) -> None:
    """Halve the maps of runs, all or those of one tile set, with a bar."""
    jobs: list[tuple[Pyramid, str]] = [
        (run.pyramid, name) for run in runs for name in run.pyramid.sets if only in {None, name}
    ]
    with progress_bar(quiet=quiet, work="making tiles", noun="pixels") as show:
        advance = _adding(show, sum(p.shape[0] * p.shape[1] for p, _ in jobs))
        for pyramid, name in jobs:
            pyramid.prepare(name, advance)


def _adding(show: Callable[[int, int], None] | None, total: int) -> Callable[[int], None] | None:
    """Turn a bar that is told how much is done into one that is told how much more."""
    if show is None:
        return None
    done = 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        show(done, total)

    return advance


def announce(address: str, *, browser: bool) -> None:
    """Say where a page is, and open it.

    Parameters
    ----------
    address : str
        Of the page.
    browser : bool
        Whether to open it.
    """
    typer.echo(f"{address} (Ctrl-C ends it)")
    if browser:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
