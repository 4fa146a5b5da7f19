"""Say what the demo found, compare it with the truth, and draw it.

`python demo/summary.py FIELD OUT PICTURE` reads the simulated field (`demo/field`, whose truth is
known) and the products of `morpheus run` in OUT, and writes PICTURE.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rich.console import Console
from rich.table import Table as RichTable

import morpheus
from morpheus.classes import BACKGROUND, CLASSES
from morpheus.evaluate import KnownImage, SourceOutcome, match, measure_detections
from morpheus.pipeline import MATCH_RADIUS, read_field
from morpheus.visual import colorize, lupton_rgb, write_picture
from morpheus.visual.style import CHART_COLORS, new_figure, style

SOURCE_CLASSES = tuple(c for c in CLASSES if c is not CLASSES[BACKGROUND])
CHANNELS = ("F160W", "F850LP", "F606W")
BRIGHT = 24.5  # F160W AB: to here experts classified


def compare(image: KnownImage, labels: np.ndarray, catalog: Table) -> Counter[tuple[str, str]]:
    """Count the bright sources by (class of most votes, class in the catalogue).

    In place of a class there is what became of a source that has no label of its own.
    """
    found = match(image.truth, measure_detections(labels, image.reference), MATCH_RADIUS)
    counts: Counter[tuple[str, str]] = Counter()
    for row, outcome, label in zip(
        image.truth.sources, found.source_outcomes, found.labels, strict=True
    ):
        if row["mag"] >= BRIGHT or outcome == SourceOutcome.OUTSIDE:
            continue
        true = SOURCE_CLASSES[int(np.argmax(row["votes"]))].name
        detected = outcome == SourceOutcome.DETECTED
        counts[true, str(catalog["class"][label - 1]) if detected else str(outcome)] += 1
    return counts


def comparison_table(counts: Counter[tuple[str, str]]) -> RichTable:
    """Lay the counts out: a row for a true class, a column for a found one."""
    lost = (SourceOutcome.MISSED, SourceOutcome.BLENDED)
    outcomes = [*(c.name for c in SOURCE_CLASSES), *map(str, lost)]
    table = RichTable(title=f"Simulated sources brighter than F160W = {BRIGHT:g} (AB)")
    table.add_column("true \\ found")
    for outcome in outcomes:
        table.add_column(outcome, justify="right")
    for c in SOURCE_CLASSES:
        row = [(outcome, counts[c.name, outcome]) for outcome in outcomes]
        cells = (f"[bold]{n}[/]" if found == c.name else f"{n or '·'}" for found, n in row)
        table.add_row(c.name, *cells)
    return table


def report(console: Console, out: Path, catalog: Table, counts: Counter[tuple[str, str]]) -> None:
    """Print what was found and where the products are."""
    names = {c.name for c in SOURCE_CLASSES}
    total = counts.total()
    found = sum(n for (_, one), n in counts.items() if one in names)
    right = sum(n for (true, one), n in counts.items() if true == one)
    console.print()
    console.print(comparison_table(counts))
    console.print(
        f"{found} of {total} true sources were found, {right} of them given their true class: that"
        f" of most (simulated) experts' votes. {len(catalog)} sources in the catalogue, to the"
        " faintest."
    )
    console.print()
    for name, text in (
        ("demo.png", "the field, its classes and its sources: look at this first"),
        ("out/stamps.png", "some sources, with their probabilities"),
        ("out/catalog.fits", "positions, fluxes, shapes, classes and flags of the sources"),
        ("out/segmap.fits", "which pixel belongs to which"),
        ("out", "maps of the classes; rgb.png, classes.png; report.json, what ran"),
    ):
        console.print(f"  [cyan]{out.parent / name}[/]  {text}", soft_wrap=True, highlight=False)


def draw(image: KnownImage, out: Path, found: morpheus.Segmentation, catalog: Table) -> Figure:
    """Put the field, its classes and its sources side by side over a legend."""
    classification = morpheus.Classification.read(out)
    sky = lupton_rgb(*(image.bands[band] for band in CHANNELS), mask=classification.mask)
    colors = colorize(classification, unclassified="grey")
    with style():
        figure = new_figure(15, 5.5, 100)
        titles = ("F160W, F850LP, F606W (simulated)", "Class of every pixel", "Sources")
        for i, title in enumerate(titles):
            axes = figure.add_axes((0.003 + i / 3, 0.08, 0.327, 0.86))
            axes.imshow(colors if i == 1 else sky, interpolation="nearest")
            axes.set_title(title, fontsize=11)
            axes.set_axis_off()
        for source in catalog:
            inside = found.labels == source["id"]
            color = CHART_COLORS[str(source["class"])]
            figure.axes[2].contour(inside, [0.5], colors=[color], linewidths=1)
        keys = [Patch(color=c.color, label=c.label) for c in SOURCE_CLASSES]
        keys.append(Patch(color="0.5", label="Not classified"))
        figure.legend(handles=keys, ncols=len(keys), loc="lower center", frameon=False, fontsize=11)
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line; summarise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("field", type=Path, help="the simulated field")
    parser.add_argument("out", type=Path, help="products of morpheus run")
    parser.add_argument("picture", type=Path, help="what to write")
    paths = parser.parse_args(arguments)
    try:
        image = read_field(paths.field)
        found = morpheus.Segmentation.read(paths.out)
        catalog = morpheus.Catalog.read(paths.out / "catalog.fits").table
    except (FileNotFoundError, morpheus.MorpheusError) as error:
        sys.exit(f"{error}. `make demo` makes it.")
    write_picture(paths.picture, draw(image, paths.out, found, catalog), overwrite=True)
    report(Console(), paths.out, catalog, compare(image, found.labels, catalog))


if __name__ == "__main__":
    main()
