"""Say what the demo made, compare it with the truth, and draw it.

`python demo/summary.py DEMO_DIR` reads the simulated field in `DEMO_DIR/field`, made by
`make_field.py`, and the products of `morpheus run` in `DEMO_DIR/out`, and writes
`DEMO_DIR/demo.png`.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rich.console import Console
from rich.table import Table as RichTable

import morpheus
from morpheus.classes import BACKGROUND, CLASSES
from morpheus.visual import colorize, lupton_rgb, write_picture
from morpheus.visual.style import CHART_COLORS, new_figure, style

SOURCE_CLASSES = tuple(c for c in CLASSES if c is not CLASSES[BACKGROUND])
CHANNELS = ("f160w", "f850lp", "f606w")
FAINT_LIMIT = 24.0  # F160W AB
MISSED, MERGED = "missed", "merged"


def compare(labels: np.ndarray, catalog: Table, truth: Table) -> Counter[tuple[str, str]]:
    """Count the sources brighter than the limit by (true class, class in the catalogue).

    A source is missed if its position has no label, and merged if a brighter one has the label.
    """
    counts: Counter[tuple[str, str]] = Counter()
    taken: set[int] = set()
    for source in truth:  # brightest first
        label = int(labels[round(source["y"]), round(source["x"])])
        found = str(catalog["class"][label - 1]) if label else MISSED
        if label in taken:
            found = MERGED
        taken.add(label or -1)
        if source["mag_f160w"] < FAINT_LIMIT:
            counts[str(source["class"]), found] += 1
    return counts


def comparison_table(counts: Counter[tuple[str, str]]) -> RichTable:
    """Lay the counts out: a row for a true class, a column for a found one."""
    outcomes = [*(c.name for c in SOURCE_CLASSES), MISSED, MERGED]
    table = RichTable(title=f"Simulated sources brighter than F160W = {FAINT_LIMIT:g} (AB)")
    table.add_column("put in \\ found")
    for outcome in outcomes:
        table.add_column(outcome, justify="right")
    for c in SOURCE_CLASSES:
        row = [(outcome, counts[c.name, outcome]) for outcome in outcomes]
        cells = (f"[bold]{n}[/]" if found == c.name else f"{n or '·'}" for found, n in row)
        table.add_row(c.name, *cells)
    return table


def report(console: Console, demo: Path, catalog: Table, counts: Counter[tuple[str, str]]) -> None:
    """Print what was found and where the products are."""
    total = counts.total()
    lost = sum(n for (_, found), n in counts.items() if found in {MISSED, MERGED})
    right = sum(n for (true, found), n in counts.items() if true == found)
    console.print()
    console.print(comparison_table(counts))
    console.print(
        f"{total - lost} of {total} sources have a label of their own, {right} the class that was"
        f" put in; {len(catalog)} sources in the catalogue."
    )
    console.print(
        "They are textbook cases of their classes; real galaxies are harder.", style="dim"
    )
    console.print()
    for path, text in (
        (demo / "demo.png", "the field, its classes and its sources: look at this first"),
        (demo / "out/stamps.png", "some sources, with their probabilities"),
        (demo / "out/catalog.fits", "positions, fluxes, shapes, classes and flags of the sources"),
        (demo / "out/segmap.fits", "which pixel belongs to which"),
        (demo / "out", "maps of the classes; rgb.png, classes.png; report.json, what ran"),
        (demo / "field", "the simulated images, and truth.ecsv"),
    ):
        console.print(f"  [cyan]{path}[/]  {text}", soft_wrap=True, highlight=False)


def draw(demo: Path, found: morpheus.Segmentation, catalog: Table) -> Figure:
    """Put the field, its classes and its sources side by side over a legend."""
    classification = morpheus.Classification.read(demo / "out")
    sky = lupton_rgb(
        *(fits.getdata(demo / f"field/{band}_sci.fits") for band in CHANNELS),
        mask=classification.mask,
    )
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
    parser.add_argument("demo_dir", type=Path, help="holds field/ and out/")
    demo = parser.parse_args(arguments).demo_dir
    try:
        truth = Table.read(demo / "field/truth.ecsv")
        found = morpheus.Segmentation.read(demo / "out")
        catalog = morpheus.Catalog.read(demo / "out/catalog.fits").table
    except (FileNotFoundError, morpheus.MorpheusError) as error:
        sys.exit(f"{error}. `make demo` makes it.")
    write_picture(demo / "demo.png", draw(demo, found, catalog), overwrite=True)
    report(Console(), demo, catalog, compare(found.labels, catalog, truth))


if __name__ == "__main__":
    main()
