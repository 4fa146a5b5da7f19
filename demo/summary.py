"""Say what the demo made, compare it with the truth, and draw it.

`python demo/summary.py DEMO_DIR` reads the simulated field in `DEMO_DIR/field`, made by
`make_field.py`, and the products of `morpheus classify` in `DEMO_DIR/classified`, and writes
`DEMO_DIR/classes.png`.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table as RichTable

from morpheus.classes import BACKGROUND, CLASSES

Array = NDArray[np.float64]

SOURCE_CLASSES = tuple(c for c in CLASSES if c is not CLASSES[BACKGROUND])
FAINT_LIMIT = 24.0  # F160W AB
RADIUS = 6.0  # pixels
BACKGROUND_THRESHOLD = 0.5
NOT_CLASSIFIED, MISSED = "not classified", "missed"

ZOOM = 2  # screen pixels per image pixel
NO_DATA_GREY = 110
SOFTENING = 0.004  # electrons/s: where the grey scale turns from linear to logarithmic
WHITE = 1.5  # electrons/s
CAPTION_HEIGHT = 22


@dataclass(frozen=True)
class Products:
    """The F160W image, the mean probability of every class, and the pixels without any."""

    flux: Array
    probability: Array  # (class, y, x)
    empty: NDArray[np.bool_]


def read_products(demo: Path) -> Products:
    """Read what is compared."""
    classified = demo / "classified"
    probability = np.stack(
        [fits.getdata(classified / f"{c.name}_mean.fits") for c in CLASSES]
    ).astype(float)
    empty = fits.getdata(classified / "n.fits") == 0
    flux = fits.getdata(demo / "field" / "f160w_sci.fits").astype(float)
    return Products(flux, probability, empty | np.isnan(probability).any(axis=0))


def find_class(products: Products, x: float, y: float) -> str:
    """Name the class at a position, as a catalogue would.

    The class with the largest F160W-flux-weighted mean probability over the source's pixels
    (Hausen & Robertson 2020), here those within 6 pixels where P(background) < 0.5.
    """
    at = round(y), round(x)
    if products.empty[at]:
        return NOT_CLASSIFIED
    if products.probability[(BACKGROUND, *at)] >= BACKGROUND_THRESHOLD:
        return MISSED
    rows, columns = np.indices(products.flux.shape)
    own = (np.hypot(columns - x, rows - y) <= RADIUS) & ~products.empty
    own &= products.probability[BACKGROUND] < BACKGROUND_THRESHOLD
    weighted = [
        (products.probability[i] * products.flux)[own].sum()
        for i, c in enumerate(CLASSES)
        if c in SOURCE_CLASSES
    ]
    return SOURCE_CLASSES[int(np.argmax(weighted))].name


def compare(products: Products, truth: Table) -> Counter[tuple[str, str]]:
    """Count the sources brighter than the limit by (true class, found class)."""
    bright = truth[truth["mag_f160w"] < FAINT_LIMIT]
    return Counter((str(s["class"]), find_class(products, s["x"], s["y"])) for s in bright)


def comparison_table(counts: Counter[tuple[str, str]]) -> RichTable:
    """Lay the counts out: a row for a true class, a column for a found one."""
    outcomes = [c.name for c in SOURCE_CLASSES] + [MISSED]
    if any(found == NOT_CLASSIFIED for _, found in counts):
        outcomes.append(NOT_CLASSIFIED)
    table = RichTable(title=f"Simulated sources brighter than F160W = {FAINT_LIMIT:g} (AB)")
    table.add_column("put in \\ found")
    for outcome in outcomes:
        table.add_column(outcome, justify="right")
    for c in SOURCE_CLASSES:
        row = [(outcome, counts[c.name, outcome]) for outcome in outcomes]
        cells = (f"[bold]{n}[/]" if found == c.name else f"{n or '·'}" for found, n in row)
        table.add_row(c.name, *cells)
    return table


def report(console: Console, demo: Path, counts: Counter[tuple[str, str]]) -> None:
    """Print what was found and where the products are."""
    total = counts.total()
    lost = sum(n for (_, found), n in counts.items() if found in {MISSED, NOT_CLASSIFIED})
    right = sum(n for (true, found), n in counts.items() if true == found)
    console.print()
    console.print(comparison_table(counts))
    console.print(
        f"{total - lost} of {total} sources are detected (mean P(background) <"
        f" {BACKGROUND_THRESHOLD:g} at their position), {right} with the class that was put in."
    )
    console.print(
        "They are textbook cases of their classes; real galaxies are harder.", style="dim"
    )
    console.print()
    for path, text in (
        (demo / "classes.png", "F160W and the classes side by side: look at this first"),
        (demo / "classified", "maps of the classes, n.fits, mask.fits"),
        (demo / "classified" / "report.json", "what ran"),
        (demo / "field", "the simulated images, and truth.ecsv"),
    ):
        console.print(f"  [cyan]{path}[/]  {text}", soft_wrap=True, highlight=False)


def grey_image(flux: Array) -> NDArray[np.uint8]:
    """Return the image on an asinh grey scale, RGB, as screens have it: the first row on top."""
    finite = np.isfinite(flux)
    value = np.arcsinh(np.where(finite, flux, 0) / SOFTENING) / np.arcsinh(WHITE / SOFTENING)
    grey = np.where(finite, np.clip(value + 0.08, 0, 1) * 255, NO_DATA_GREY)
    return np.repeat(grey[::-1, :, None], 3, axis=2).astype(np.uint8)


def class_image(products: Products) -> NDArray[np.uint8]:
    """Return the hue of the most probable class of source, its value 1 - P(background)."""
    colors = np.array([_rgb(c.color) for c in CLASSES], dtype=float)
    scores = np.nan_to_num(products.probability)
    value = 1 - scores[BACKGROUND]
    scores[BACKGROUND] = -1
    # The colours are fully saturated, so scaling them is scaling the V of their HSV.
    rgb = colors[scores.argmax(axis=0)] * value[:, :, None]
    rgb[products.empty] = NO_DATA_GREY
    return np.clip(rgb, 0, 255)[::-1].astype(np.uint8)


def draw(products: Products) -> Image.Image:
    """Put the two pictures side by side over a caption."""
    height, width = products.flux.shape
    pair = np.concatenate([grey_image(products.flux), class_image(products)], axis=1)
    pictures = Image.fromarray(pair).resize((2 * width * ZOOM, height * ZOOM), Image.Resampling.BOX)
    canvas = Image.new("RGB", (pictures.width, pictures.height + CAPTION_HEIGHT))
    canvas.paste(pictures)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default()
    middle = pictures.height + CAPTION_HEIGHT // 2
    pen.text((6, middle), "F160W (simulated)", fill="white", font=font, anchor="lm")
    x = width * ZOOM + 6.0
    grey = "#" + f"{NO_DATA_GREY:02x}" * 3
    legend = [(c.label, c.color) for c in SOURCE_CLASSES] + [("Not classified", grey)]
    for label, color in legend:
        pen.rectangle((x, middle - 5, x + 10, middle + 5), fill=color)
        pen.text((x + 15, middle), label, fill="white", font=font, anchor="lm")
        x += 15 + pen.textlength(label, font=font) + 14
    return canvas


def _rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color.removeprefix("#")))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line; summarise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("demo_dir", type=Path, help="holds field/ and classified/")
    demo = parser.parse_args(arguments).demo_dir
    try:
        products = read_products(demo)
        truth = Table.read(demo / "field" / "truth.ecsv")
    except FileNotFoundError as error:
        sys.exit(f"{error.filename}: not there. `make demo` makes it.")
    draw(products).save(demo / "classes.png")
    report(Console(), demo, compare(products, truth))


if __name__ == "__main__":
    main()
