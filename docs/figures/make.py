"""Draw the figures of the documentation, from the demo's field, with the default model.

`python docs/figures/make.py` writes the pictures into `docs/images/`, and says what the
walk-through (`docs/walkthrough.md`) tells of one pixel.
"""
# ruff: noqa: INP001, T201

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.table import Row
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

import morpheus
from morpheus.catalog import BandImage
from morpheus.classes import BACKGROUND, CLASSES
from morpheus.inference.windows import WindowPlan
from morpheus.model import WindowRecipe, find_model, load_model
from morpheus.model.normalise import prepare_normaliser
from morpheus.mosaic import Mosaic, read_mosaic
from morpheus.pipeline import draw_stamps
from morpheus.segmentation import SegmentationOptions
from morpheus.visual.style import ACCENT, CHART_COLORS, DIM, FOREGROUND, new_figure, style

ROOT = Path(__file__).parents[2]
FIELD = ROOT / "demo/field"
IMAGES = ROOT / "docs/images"
BANDS = ("F160W", "F125W", "F606W", "F850LP")

GALAXY = (slice(100, 190), slice(122, 232))
"""Rows and columns around the spiral in the middle of the field."""
BLEND = (slice(0, 130), slice(160, 290))
"""The lower right corner, where galaxies touch."""
PIXEL = (148, 173)
"""y, x of the pixel of the walk-through: in the spiral's bulge."""
SHOWN = (PIXEL, (188, 50), (17, 62), (88, 83))
"""A pixel each of the sources on the sheet of stamps."""


class Demo(NamedTuple):
    """The demo's field, and what is made of it."""

    mosaic: Mosaic
    result: morpheus.Classification
    found: morpheus.Segmentation
    bands: Sequence[BandImage]
    catalog: morpheus.Catalog


def save(figure: Figure, name: str) -> None:
    """Write a picture and say so."""
    figure.savefig(IMAGES / name, pil_kwargs={"optimize": True})
    print(f"{name}: {(IMAGES / name).stat().st_size / 1024:.0f} kB")


def panel(figure: Figure, box: tuple[float, float, float, float], title: str = "") -> Axes:
    """Add axes without ticks; the box is left, bottom, width and height in units of the figure."""
    axes = figure.add_axes(box)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=10)
    return axes


def windows() -> None:
    """Draw which window says what of a pixel, in both recipes."""
    figure = new_figure(12, 4.4, 100)
    side, published = 120, WindowRecipe(size=40, margin=5, stride=1)
    plan = WindowPlan(side, side, published, 1, lattice=False)
    n = np.zeros((side, side), int)
    for tile in plan.tiles():
        for run in tile.runs:
            for i in range(run.count):
                y, x = run.y + published.margin, run.x + i * run.step + published.margin
                n[y : y + published.inner, x : x + published.inner] += 1
    axes = panel(figure, (0.03, 0.14, 0.27, 0.76), "hausen2020: windows overlap")
    axes.imshow(np.where(n > 0, 0.16, 0.0), cmap="gray", vmin=0, vmax=1)
    for start, color in ((24, ACCENT), (34, DIM)):
        outer = Rectangle((start, start + 8), 40, 40, fill=False, color=color, linewidth=1.4)
        inner = Rectangle((start + 5, start + 13), 30, 30, color=color, alpha=0.35, linewidth=0)
        axes.add_patch(outer)
        axes.add_patch(inner)
    axes.set_xlabel("40 x 40 pixels, of which the inner 30 x 30\ncount; one begins at every pixel")
    axes = panel(figure, (0.35, 0.14, 0.27, 0.76), "hausen2020: n, windows a pixel")
    shown = axes.imshow(n, cmap="magma", vmin=0)
    bar = figure.colorbar(shown, cax=figure.add_axes((0.628, 0.16, 0.01, 0.72)))
    bar.set_ticks([0, 450, 900])
    axes.set_xlabel("the outermost 5 pixels are seen by none,\nthose 34 from an edge by 900")

    dense, whole = load_model(find_model("hst4")).config.window, 2400
    axes = panel(figure, (0.715, 0.14, 0.27, 0.76), "hst4: each pixel has one owner")
    axes.set_xlim(-300, whole + 300)
    axes.set_ylim(-300, whole + 300)
    axes.set_aspect("equal")
    tints = ("#3a4250", "#262c36")
    for i in range(3):
        for j in range(3):
            corner = (j * dense.stride, i * dense.stride)
            size = [min(dense.stride, whole - c) for c in corner]
            axes.add_patch(Rectangle(corner, *size, color=tints[(i + j) % 2], linewidth=0))
    for i, j in ((1, 1), (0, 0)):
        corner = (j * dense.stride - dense.margin, i * dense.stride - dense.margin)
        color = ACCENT if i else FOREGROUND
        axes.add_patch(Rectangle(corner, dense.size, dense.size, fill=False, color=color))
    axes.add_patch(Rectangle((0, 0), whole, whole, fill=False, color=DIM, linestyle=":"))
    axes.set_xlabel(
        f"{whole} x {whole} pixels; a window of {dense.size} x {dense.size}\n"
        f"owns the {dense.stride} x {dense.stride} inside; outside all is masked"
    )
    save(figure, "windows.png")


def network(mosaic: Mosaic, result: morpheus.Classification) -> None:
    """Draw what the network sees of one galaxy, and what it says."""
    config = load_model(find_model("hst4")).config
    normalise = prepare_normaliser(config, mosaic.data, mosaic.mask, skies=mosaic.skies)
    seen = normalise(mosaic.data[None], ~mosaic.mask[None])[0]
    figure = new_figure(12, 5.0, 100)
    width, height = 0.185, 0.37
    for i, band in enumerate(BANDS):
        axes = panel(figure, (0.012 + 0.198 * i, 0.55, width, height), f"{band}, in")
        shown = axes.imshow(seen[i][GALAXY], cmap="gray", vmin=-0.7, vmax=2.7)
    bar = figure.colorbar(shown, cax=figure.add_axes((0.81, 0.57, 0.01, 0.32)))
    bar.set_label("asinh((x - sky) / noise) / 2")
    for i, one in enumerate(CLASSES):
        axes = panel(figure, (0.012 + 0.198 * i, 0.06, width, height), one.label)
        tint = CHART_COLORS[one.name]
        tints = LinearSegmentedColormap.from_list(one.name, ["#000000", tint])
        axes.imshow(result[one.name][GALAXY], cmap=tints, vmin=0, vmax=1)
        axes.title.set_color(tint)
    figure.text(0.87, 0.86, "Four bands in,\nfive probabilities\na pixel out", va="top")
    figure.text(0.87, 0.70, "black 0, full colour 1;\nthey add up to 1", color=DIM, va="top")
    save(figure, "network.png")


def segmentation(demo: Demo) -> None:
    """Draw the way from the background map to labels."""
    result, flux = demo.result, demo.mosaic.data[0]
    least = load_model(find_model("hst4")).config.detection
    regions = morpheus.segment(result, flux, options=SegmentationOptions(deblend=False))
    figure = new_figure(12, 3.7, 100)
    boxes = [(0.008 + 0.2485 * i, 0.12, 0.239, 0.775) for i in range(4)]
    background = result["background"][BLEND]
    axes = panel(figure, boxes[0], "1  P(background)")
    axes.imshow(background, cmap="gray", vmin=0, vmax=1)
    axes.set_xlabel("black: surely a source")
    axes = panel(figure, boxes[1], "2  hysteresis")
    source = 1 - np.nan_to_num(background, nan=1)
    axes.imshow(source, cmap="gray", vmin=0, vmax=1)
    axes.contour(source, [least.grow], colors=[ACCENT], linewidths=1)
    axes.set_xlabel(f"P(source) > {least.grow}, somewhere >= {least.seed}")
    for box, title, one, text in (
        (boxes[2], "3  regions", regions, f"connected pixels, at least {least.min_area}"),
        (boxes[3], "4  sources", demo.found, "parted where the light has gaps"),
    ):
        axes = panel(figure, box, title)
        _outlined(axes, flux[BLEND], one.labels[BLEND])
        axes.set_xlabel(text)
    save(figure, "segmentation.png")


def _outlined(axes: Axes, flux: NDArray[np.float32], labels: NDArray[np.int32]) -> None:
    axes.imshow(np.arcsinh(flux / np.std(flux[labels == 0])), cmap="gray", vmin=-1, vmax=5)
    for label in np.unique(labels[labels > 0]):
        axes.contour(labels == label, [0.5], colors=[ACCENT], linewidths=1)


def facts(mosaic: Mosaic, result: morpheus.Classification, row: Row) -> dict[str, str]:
    """Gather what the walk-through tells of its pixel, as it is written there."""
    told = {}
    for band, plane, sky in zip(BANDS, mosaic.data, mosaic.skies, strict=True):
        value = float(plane[PIXEL])
        told[band] = f"{value:.5f}"
        told[f"sky in {band}"] = f"{sky.level:.6f}"
        told[f"noise in {band}"] = f"{sky.noise:.6f}"
        told[f"{band}, normalised"] = f"{np.arcsinh((value - sky.level) / sky.noise) / 2:.3f}"
    told |= {f"P({name})": f"{result[name][PIXEL]:.3f}" for name in result.classes}
    told |= {f"p_{one.name}": f"{row[f'p_{one.name}']:.3f}" for one in CLASSES[:BACKGROUND]}
    formats = {"id": "d", "ra": ".6f", "dec": ".6f", "area": "d", "f160w_mag_kron": ".2f"}
    formats |= {"half_light_radius": ".1f", "class": "", "margin": ".2f"}
    return told | {name: format(row[name], form) for name, form in formats.items()}


def work() -> Demo:
    """Classify the demo's field, and find and measure its sources."""
    images, weights = (
        {band: FIELD / f"{band.lower()}_{kind}.fits.fz" for band in BANDS}
        for kind in ("sci", "wht")
    )
    mosaic = read_mosaic(images, bands=BANDS, weights=weights, sky=True)
    result = morpheus.classify(images, weights=weights)
    found = morpheus.segment(result, mosaic.data[0], detection_band=BANDS[0])
    bands = morpheus.read_band_images(images, bands=BANDS, weights=weights)
    return Demo(mosaic, result, found, bands, morpheus.measure(found, result, bands))


def main() -> None:
    """Draw everything."""
    demo = work()
    with style():
        windows()
        network(demo.mosaic, demo.result)
        segmentation(demo)
    shown = np.isin(demo.catalog.table["id"], [demo.found.labels[place] for place in SHOWN])
    draw_stamps(
        IMAGES / "stamps.png",
        demo.catalog.table[shown],
        demo.result,
        demo.found,
        demo.bands,
        overwrite=True,
    )
    row = demo.catalog.table[demo.found.labels[PIXEL] - 1]
    for what, value in facts(demo.mosaic, demo.result, row).items():
        print(f"{what}: {value}")


if __name__ == "__main__":
    main()
