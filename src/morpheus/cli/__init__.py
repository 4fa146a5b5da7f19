"""The command line: a file a command. Nothing heavy is imported before a command needs it."""

from morpheus.cli import (
    animate,
    catalog,
    classify,
    dataset,
    evaluate,
    inject,
    label,
    models,
    pictures,
    release,
    run,
    segment,
    simulate,
    survey,
    train,
    view,
)
from morpheus.cli.app import app, main

app.command("run")(run.run)
app.command("survey")(survey.survey)
app.command("classify")(classify.classify)
app.command("segment")(segment.segment)
app.command("catalog")(catalog.catalog)
app.command("colorize")(pictures.colorize)
app.command("rgb")(pictures.rgb)
app.command("stamps")(pictures.stamps)
app.command("animate")(animate.animate)
app.command("view")(view.view)
app.command("label")(label.label)
app.command("release")(release.release)
app.command("evaluate")(evaluate.evaluate)
app.command("inject")(inject.inject)
app.command("train")(train.train)
app.add_typer(simulate.app, name="simulate")
app.add_typer(dataset.app, name="dataset")
app.add_typer(models.app, name="models")

__all__ = ["app", "main"]
