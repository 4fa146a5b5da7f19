"""`morpheus label`: a page on which people vote on sources; the votes as a table."""

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from morpheus.cli.arguments import Overwrite, Quiet
from morpheus.cli.terminal import count, warnings_as_lines
from morpheus.cli.view import NoBrowser, Port, Tiles, announce, opened
from morpheus.errors import OptionError

if TYPE_CHECKING:
    from astropy.table import Table

    from morpheus.labelling import Agreement
    from morpheus.pipeline.voting import Chosen, OpenVotes

__all__ = ["label"]

_SHOWN = 15  # sources of most disagreement


def label(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `morpheus run` made.")],
    *,
    panel: Annotated[
        list[str] | None,
        typer.Option(
            "--panel",
            metavar="NAME",
            help="Who votes; several times for several people, who choose their name on the page."
            " With --import, what the table is called.",
        ),
    ] = None,
    order: Annotated[
        str,
        typer.Option(
            metavar="active|random",
            help="Ask first where the model is unsure or voters disagree, or by chance.",
        ),
    ] = "active",
    faintest: Annotated[
        float | None,
        typer.Option(metavar="MAG", help="Only sources to this magnitude in the detection band."),
    ] = None,
    min_snr: Annotated[
        float | None,
        typer.Option(min=0, help="Only sources of at least this signal to noise in that band."),
    ] = None,
    sources: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="Only the sources of this table: by ra and dec, x and y, or else by id.",
        ),
    ] = None,
    n: Annotated[
        int | None, typer.Option("-n", min=1, help="At most so many sources, chosen by chance.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what is chosen by chance.")] = 0,
    votes_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where the votes are kept; by default votes.sqlite in the folder."
        ),
    ] = None,
    import_: Annotated[
        Path | None,
        typer.Option(
            "--import", metavar="TABLE", help="Add votes of others from a table, and end."
        ),
    ] = None,
    votes: Annotated[
        str,
        typer.Option(
            metavar="experts|galaxy-zoo",
            help="What that table holds: votes for classes, or answers of Galaxy Zoo: CANDELS.",
        ),
    ] = "experts",
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="Write the votes as the table that `morpheus dataset build` and `evaluate` read,"
            " and end: .csv, .ecsv, .fits or .vot.",
        ),
    ] = None,
    own: Annotated[bool, typer.Option("--own", help="Export without what was imported.")] = False,
    agreement: Annotated[
        bool, typer.Option("--agreement", help="Say how far the voters agree, and end.")
    ] = False,
    port: Port = 0,
    no_browser: NoBrowser = False,
    tiles: Tiles = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Show sources one at a time in the browser, and keep what people say of them."""
    from morpheus.labelling import agreement as measured
    from morpheus.pipeline.voting import Chosen, open_votes

    wanted = [
        name
        for name, given in (
            ("--import", import_ is not None),
            ("--export", export is not None),
            ("--agreement", agreement),
        )
        if given
    ]
    if len(wanted) > 1:
        raise OptionError(f"{' and '.join(wanted)} are separate commands; give one of them")
    if not wanted and not panel:
        raise OptionError('who votes? Give a name: --panel "S. Author"')
    if export is not None:
        _check_export(export, overwrite=overwrite)
    voting = open_votes(folder, votes_file, begin=export is None and not agreement)
    if import_ is not None:
        name = panel[0] if panel else import_.name
        rows, found = voting.add_votes(import_, name, kind=votes)
        if not quiet:
            typer.echo(f"{name}: {found:,} of {count(rows, 'row')} are sources of this field")
    elif export is not None:
        from morpheus.labelling import vote_table
        from morpheus.mosaic.products import replacing

        table = vote_table(voting.store, imported=not own)
        with replacing(export, overwrite=overwrite) as temporary:
            table.write(temporary, format=_FORMATS[export.suffix.lower()], overwrite=True)
        if not quiet:
            typer.echo(f"{export}: votes on {count(len(table), 'source')}")
    elif agreement:
        _print_agreement(measured(voting.store.votes(), voting.store.panels()))
    else:
        from morpheus.labelling import Panel, panel_routes
        from morpheus.viewer import Workers, run_routes, serve, static_route

        with warnings_as_lines(quiet=quiet):
            chosen = _chosen(voting, sources, Chosen(faintest, min_snr, n, seed))
        people = Panel(voting.store, tuple(panel or ()), chosen, order, seed)
        with opened(folder, tiles, quiet=quiet) as run, Workers() as workers:
            shown = run.without_classes()
            if not shown.bands:
                raise OptionError("without its images nobody can tell what a source is")
            serve(  # the page looks at tiles of the full size only: no maps are halved
                [*panel_routes(people), *run_routes([shown], workers), static_route("label.html")],
                port=port,
                started=lambda address: announce(address, browser=not no_browser),
            )


_FORMATS = {".csv": "ascii.csv", ".ecsv": "ascii.ecsv", ".fits": "fits", ".vot": "votable"}


def _check_export(path: Path, *, overwrite: bool) -> None:
    from morpheus.visual.files import check_output

    check_output(path, "table of votes", tuple(_FORMATS), overwrite=overwrite)


def _chosen(voting: "OpenVotes", listed: Path | None, limits: "Chosen") -> "Table":
    from morpheus.labelling import listed_sources

    catalog = voting.catalog
    if listed is not None:
        catalog = replace(catalog, table=listed_sources(listed, catalog, voting.segmentation))
    return limits.of(catalog)


def _print_agreement(found: "Agreement") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not found.n_votes:
        raise OptionError("there are no votes yet")
    console = Console()
    console.print(
        f"{len(found.sources):,} sources; "
        + ", ".join(f"{voter}: {n:,}" for voter, n in found.n_votes.items()),
        markup=False,
    )
    if math.isnan(found.alpha):
        console.print("Krippendorff's alpha: none; no source has two votes, or all say the same")
    else:
        console.print(f"Krippendorff's alpha {found.alpha:.2f}")
    for who, pairs in (("voters", found.pairs), ("voter, table", found.with_tables)):
        if not pairs:
            continue
        table = Table(who, "sources of both", "same answer", "Cohen's kappa")
        for pair in pairs:
            names = escape(f"{pair.first}, {pair.second}")
            table.add_row(names, str(pair.n), _number(pair.share), _number(pair.kappa))
        console.print(table)
    several = found.sources[found.sources["n_votes"] > 1]
    if len(several):
        several.sort("entropy", reverse=True)
        table = Table("source", "votes", "entropy (nats)", "majority", title="Most disagreement")
        for row in several[:_SHOWN]:
            majority = str(row["majority"]) or "none"
            table.add_row(str(row["id"]), str(row["n_votes"]), _number(row["entropy"]), majority)
        console.print(table)


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
