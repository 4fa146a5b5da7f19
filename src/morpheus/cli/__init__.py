"""The command line: a file a command. Nothing heavy is imported before a command needs it."""

from morpheus.cli import classify, models
from morpheus.cli.app import app, main

app.command("classify")(classify.classify)
app.add_typer(models.app, name="models")

__all__ = ["app", "main"]
