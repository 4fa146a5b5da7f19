"""The strip of misclassified sources: what they look like, the votes and the probabilities."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Row, Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from morpheus.evaluate.classes import MAGNITUDES, classified_sources
from morpheus.evaluate.evaluation import Example
from morpheus.evaluate.report.findings import Findings, Subject
from morpheus.evaluate.report.sky import (
    Crop,
    Sky,
    class_picture,
    draw_outlines,
    draw_scale_bar,
)
from morpheus.evaluate.report.style import (
    CLASS_COLORS,
    CLASS_TITLES,
    INK,
    WIDTH,
    paper_figure,
    paper_style,
)
from morpheus.evaluate.truth import SOURCE_CLASSES

__all__ = ["MOST", "Strip", "clearest", "draw_strip"]

MOST = 5
"""Sources that are shown at most."""

_SMALLEST, _LARGEST = 48, 200  # pixels of a stamp
_AROUND = 1.7  # side of a stamp in units of the source's
_COLUMN = 1.36  # inches
_VOTES = "#a9b0b8"


@dataclass(frozen=True, eq=False)
class Strip:
    """A strip, and what its caption says.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    image : str
        Name of the image.
    n_wrong, n_all : int
        Misclassified sources, and those with a class, in this image.
    has_maps : bool
        Whether class maps are shown.
    """

    figure: Figure
    image: str
    n_wrong: int
    n_all: int
    has_maps: bool


def clearest(sources: Table) -> tuple[Table, int]:
    """Choose the sources that are wrong for certain.

    Parameters
    ----------
    sources : astropy.table.Table
        Of `classified_sources`.

    Returns
    -------
    chosen : astropy.table.Table
        Some of the misclassified ones, the clearest first: many agree on another class, and the
        detector is sure of its own. Sources that experts could classify go first.
    number : int
        How many are misclassified.
    """
    wrong = sources[sources["given"] != sources["expected"]]
    if not len(wrong):
        return wrong, 0
    rows = np.arange(len(wrong))
    probabilities = np.asarray(wrong["probabilities"], dtype=float)
    agreed = np.asarray(wrong["votes"], dtype=float)[rows, wrong["expected"]]
    sure = probabilities[rows, wrong["given"]] - probabilities[rows, wrong["expected"]]
    faint = np.asarray(wrong["mag"], dtype=float) >= MAGNITUDES[1]
    order = np.lexsort((-agreed * sure, faint))
    return wrong[order[:MOST]], len(wrong)


def draw_strip(findings: Findings, subject: Subject, place: int, sky: Sky) -> Strip | None:
    """Draw the sources of an example that a detector got wrong.

    Parameters
    ----------
    findings : Findings
        What the report tells of.
    subject : Subject
        The detector.
    place : int
        Which of the examples.
    sky : Sky
        The picture of its image.

    Returns
    -------
    Strip or None
        None if the detector is not in it, gives no classes, or is right in all.
    """
    example = findings.examples[place]
    if subject.name not in example.detections or subject.score("classes") is None:
        return None
    number = findings.image_number(example, place)
    table = subject.sample.sources
    sources = classified_sources(table[table["image"] == number])
    chosen, wrong = clearest(sources)
    if not wrong:
        return None
    with_maps = example.detections[subject.name].pixels is not None
    rows = 3 if with_maps else 2
    heights = [1.0] * (rows - 1) + [0.85]
    with paper_style():
        width = min(WIDTH, 0.85 + _COLUMN * len(chosen))
        figure = paper_figure(0.8 + _COLUMN * sum(heights) * 0.9, width)
        axes = figure.subplots(
            rows, len(chosen), squeeze=False, gridspec_kw={"height_ratios": heights}
        )
        for column, row in enumerate(chosen):
            _draw_source(axes[:, column], example, subject, row, sky.picture)
            _draw_bars(axes[-1, column], row, labelled=column == 0)
        figure.supxlabel("Share of the votes (grey) and probability (colour)", fontsize=8.5)
    return Strip(figure, example.image.name, wrong, len(sources), with_maps)


def _draw_source(
    axes: NDArray[Any], example: Example, subject: Subject, row: Row, picture: NDArray[np.float32]
) -> None:
    found = example.detections[subject.name]
    crop = _stamp(found.labels, int(row["label"]), float(row["x"]), float(row["y"]))
    own = np.where(crop.cut(found.labels) == row["label"], 1, 0)
    first = axes[0]
    first.imshow(np.moveaxis(crop.cut(np.moveaxis(picture, 2, 0)), 0, 2))
    draw_scale_bar(first, crop.width, example.image.pixel_scale, "#ffffff")
    magnitude = f"\n{row['mag']:.2f} mag" if np.isfinite(row["mag"]) else ""
    first.set_title(f"{row['id']}{magnitude}", parse_math=False, fontsize=8.5)
    if found.pixels is not None:
        axes[1].imshow(class_picture(crop.cut(found.pixels)))
    for one in axes[:-1]:
        draw_outlines(one, own, "#ffffff", 0.7)
        one.set_xticks([])
        one.set_yticks([])


def _stamp(labels: NDArray[np.int32], label: int, x: float, y: float) -> Crop:
    """Around a source, square, and within the image."""
    rows, columns = np.nonzero(labels == label)
    extent = max(np.ptp(rows), np.ptp(columns)) + 1 if rows.size else 0
    side = int(np.clip(_AROUND * extent, _SMALLEST, _LARGEST))
    height, width = labels.shape
    wide, high = min(side, width), min(side, height)
    left = int(np.clip(round(x - wide / 2), 0, width - wide))
    low = int(np.clip(round(y - high / 2), 0, height - high))
    return Crop(left, low, wide, high)


def _draw_bars(axes: Axes, row: Row, *, labelled: bool) -> None:
    for number, name in enumerate(SOURCE_CLASSES):
        axes.barh(number - 0.2, row["votes"][number], height=0.36, color=_VOTES, linewidth=0)
        axes.barh(
            number + 0.2,
            row["probabilities"][number],
            height=0.36,
            color=CLASS_COLORS[name],
            linewidth=0,
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(len(SOURCE_CLASSES) - 0.5, -0.5)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=8)
    titles = [CLASS_TITLES[name].replace(" source", "") for name in SOURCE_CLASSES]
    axes.set_yticks(range(len(titles)), titles if labelled else [""] * len(titles), fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", colors=INK)
