"""`morpheus models`: list, fetch, import, info, export."""

from pathlib import Path
from typing import Annotated

import typer

from morpheus.defaults import DEFAULT_MODEL
from morpheus.errors import ModelError, OptionError, missing_package

__all__ = ["app"]

app = typer.Typer(help="List, fetch, import and export models.")

_Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the model if it is installed.")
]


@app.command("list")
def list_models() -> None:
    """List the installed models, and those that can be fetched."""
    from rich.console import Console
    from rich.table import Table

    from morpheus.model import installed_models, load_model, model_directory, shipped_models
    from morpheus.model.registry import PUBLISHED

    console = Console()
    installed, shipped = installed_models(), shipped_models()
    if installed:
        table = Table("model", "bands", "arcsec/pixel", "", box=None, padding=(0, 2, 0, 0))
        for name, folder in installed.items():
            try:
                config = load_model(folder).config
            except ModelError as error:
                table.add_row(name, f"[red]unusable: {error}[/]", "", "")
            else:
                bands = " ".join(config.bands) + (
                    ", any of them" if config.takes_missing_bands else ""
                )
                said = ["comes with Morpheus"] if name in shipped else []
                said += ["the default"] if name == DEFAULT_MODEL else []
                table.add_row(name, bands, f"{config.pixel_scale:g}", ", ".join(said))
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
    from morpheus.model.folder import CARD_FILE, WEIGHTS_FILE
    from morpheus.model.normalise import needs_sky

    folder = find_model(name)
    model = load_model(folder)
    console = Console()
    card = folder / CARD_FILE
    if card.is_file():
        console.print(Markdown(card.read_text(encoding="utf-8", errors="replace")))
    config = model.config
    console.print(f"\nfolder   {folder}", highlight=False, soft_wrap=True)
    any_of_them = ", any of them" if config.takes_missing_bands else ""
    console.print(f"bands    {' '.join(config.bands)}{any_of_them}", highlight=False)
    for band, others in config.alternatives.items():
        console.print(f"         {' or '.join(others)} for {band}", highlight=False)
    console.print(f"classes  {' '.join(config.classes)}", highlight=False)
    unit = "any unit" if needs_sky(config) else config.unit
    console.print(f"images   {config.pixel_scale:g} arcsec per pixel, in {unit}", highlight=False)
    seen = ", each once" if config.is_dense else ""
    console.print(
        f"window   {config.window.size} pixels, of which {config.window.inner} count{seen}",
        highlight=False,
    )
    size = (folder / WEIGHTS_FILE).stat().st_size
    console.print(f"values   {model.n_parameters:,}, {size / 1e6:.2g} MB", highlight=False)
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


@app.command("export")
def export(
    name: Annotated[str, typer.Argument(help="Installed model, or a model folder.")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file.")],
    form: Annotated[
        str, typer.Option("--format", metavar="onnx", help="Format of the file.")
    ] = "onnx",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Write a model with its normalisation as one file that other programs run, such as ONNX's."""
    if form != "onnx":
        raise OptionError(f"--format {form}: there is onnx")
    try:
        from morpheus.model.onnx_export import export_onnx
    except ModuleNotFoundError as error:
        raise missing_package(error, "ONNX", "onnx") from error
    from morpheus.model import find_model, load_model

    model = load_model(find_model(name))
    export_onnx(model, output, overwrite=overwrite)
    typer.echo(f"{model.config.name}: {output}")
