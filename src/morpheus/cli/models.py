"""`morpheus models`: list, fetch, import, info."""

from pathlib import Path
from typing import Annotated

import typer

from morpheus.errors import ModelError

__all__ = ["app"]

app = typer.Typer(help="List, fetch and import models.")

_Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the model if it is installed.")
]


@app.command("list")
def list_models() -> None:
    """List the installed models, and those that can be fetched."""
    from rich.console import Console
    from rich.table import Table

    from morpheus.model import installed_models, load_model, model_directory
    from morpheus.model.registry import PUBLISHED

    console = Console()
    installed = installed_models()
    if installed:
        table = Table("model", "bands", "arcsec/pixel", box=None, padding=(0, 2, 0, 0))
        for name, folder in installed.items():
            try:
                config = load_model(folder).config
            except ModelError as error:
                table.add_row(name, f"[red]unusable: {error}[/]", "")
            else:
                table.add_row(name, " ".join(config.bands), f"{config.pixel_scale:g}")
        console.print(table)
        console.print()
    for name, published in PUBLISHED.items():
        if name not in installed:
            console.print(f"{name}: {published.summary}.", soft_wrap=True, highlight=False)
            console.print(f"It is not here yet: morpheus models fetch {name}\n", highlight=False)
    console.print(f"Models are kept in {model_directory()}", soft_wrap=True, highlight=False)


@app.command("info")
def info(name: Annotated[str, typer.Argument(help="Installed model, or a model folder.")]) -> None:
    """Show a model's card: what it takes, what it is good for, how to cite it."""
    from rich.console import Console
    from rich.markdown import Markdown

    from morpheus.model import find_model, load_model
    from morpheus.model.folder import CARD_FILE

    folder = find_model(name)
    model = load_model(folder)
    console = Console()
    card = folder / CARD_FILE
    if card.is_file():
        console.print(Markdown(card.read_text(encoding="utf-8", errors="replace")))
    config = model.config
    console.print(f"\nfolder   {folder}", highlight=False, soft_wrap=True)
    console.print(f"bands    {' '.join(config.bands)}", highlight=False)
    console.print(f"classes  {' '.join(config.classes)}", highlight=False)
    console.print(
        f"images   {config.pixel_scale:g} arcsec per pixel, in {config.unit}", highlight=False
    )
    console.print(
        f"window   {config.window.size} pixels, of which {config.window.inner} count",
        highlight=False,
    )
    console.print(f"values   {model.n_parameters:,}", highlight=False)
    console.print(f"sha256   {config.weights_sha256}", highlight=False, soft_wrap=True)


@app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="Model to fetch, such as hausen2020.")],
    *,
    overwrite: _Overwrite = False,
) -> None:
    """Download a published model with pip, check it and install it."""
    from morpheus.model import fetch_model, installed_models

    here = name in installed_models() and not overwrite
    model = fetch_model(name, overwrite=overwrite)
    typer.echo(
        f"{model.config.name} {'is here already' if here else 'is ready'}:"
        f" {installed_models()[name]}"
    )


@app.command("import")
def import_(
    path: Annotated[
        Path,
        typer.Argument(help="Wheel or sdist of morpheus-astro, checkpoint folder or model folder."),
    ],
    *,
    overwrite: _Overwrite = False,
) -> None:
    """Install a model from a file or folder that is already here."""
    from morpheus.model import import_model, installed_models

    model = import_model(path, overwrite=overwrite)
    typer.echo(f"{model.config.name} is ready: {installed_models()[model.config.name]}")
