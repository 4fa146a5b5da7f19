"""The gallery: the sky, the truth and what each detector made of it."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from morpheus.classes import CLASSES
from morpheus.evaluate.evaluation import Example
from morpheus.evaluate.matching import LabelOutcome, SourceOutcome
from morpheus.evaluate.report.findings import Findings, Subject
from morpheus.evaluate.report.sky import (
    Crop,
    Sky,
    best_crop,
    class_picture,
    draw_outlines,
    draw_scale_bar,
    grey_picture,
)
from morpheus.evaluate.report.style import WIDTH, paper_figure, paper_style, shorten

__all__ = ["SIDE", "Gallery", "draw_gallery"]

SIDE = 240
"""Pixels of the part of the image that is shown."""

_ACROSS = 3
_SEGMENT, _MISSED, _SPURIOUS = "#00a2c7", "#e3008c", "#ff8c00"  # hues that no class has


@dataclass(frozen=True, eq=False)
class Gallery:
    """A gallery, and what its caption says.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    image : str
        Name of the image.
    crop : Crop
        The part that is shown.
    bands : str
        Of the picture of the sky.
    has_truth : bool
        Whether the true classes of the pixels are shown.
    has_maps : bool
        Whether a detector's class maps are shown.
    has_segments : bool
        Whether the segments of a detector without class maps are shown.
    """

    figure: Figure
    image: str
    crop: Crop
    bands: str
    has_truth: bool
    has_maps: bool
    has_segments: bool


def draw_gallery(findings: Findings, place: int, sky: Sky) -> Gallery | None:
    """Draw an example.

    Parameters
    ----------
    findings : Findings
        What the report tells of.
    place : int
        Which of the examples.
    sky : Sky
        The picture of its image.

    Returns
    -------
    Gallery or None
        None if no detector is in it.
    """
    example = findings.examples[place]
    subjects = [one for one in findings.subjects if one.name in example.detections]
    if not subjects:
        return None
    image, number = example.image, findings.image_number(example, place)
    mask = np.logical_or.reduce([one.mask for one in example.detections.values()])
    crop = best_crop(image, mask, findings.faintest, SIDE)
    truth = image.truth
    with paper_style():
        figure, axes = _panels(1 + int(truth.classes is not None) + len(subjects))
        first = axes.pop(0)
        _show(first, crop.cut(np.moveaxis(sky.picture, 2, 0)), "Sky")
        draw_scale_bar(first, crop.width, image.pixel_scale, _readable(sky.picture))
        if truth.classes is not None:
            _show_maps(axes.pop(0), crop, truth.classes, "Truth")
        for subject, panel in zip(subjects, axes, strict=True):
            _show_detector(panel, crop, example, subject)
            _mark(panel, crop, subject, number, findings.faintest)
        found = [example.detections[one.name] for one in subjects]
        maps = [one.pixels is not None for one in found]
        _legend(figure, with_classes=truth.classes is not None or any(maps), findings=findings)
    return Gallery(
        figure, image.name, crop, sky.bands, truth.classes is not None, any(maps), not all(maps)
    )


def _panels(number: int) -> tuple[Figure, list[Axes]]:
    across = number if number <= _ACROSS else _ACROSS if number != _ACROSS + 1 else 2
    down = -(-number // across)
    width = WIDTH if across == _ACROSS else 2.7 * across
    figure = paper_figure(0.55 + (width / across + 0.13) * down, width)
    grid = figure.subplots(down, across, squeeze=False)
    for spare in grid.flat[number:]:
        spare.set_axis_off()
    axes = list(grid.flat[:number])
    for one in axes:
        one.set_xticks([])
        one.set_yticks([])
    return figure, axes


def _show(axes: Axes, planes: NDArray[np.float32], title: str) -> None:
    axes.imshow(np.moveaxis(planes, 0, 2))
    axes.set_title(shorten(title), parse_math=False)


def _show_maps(axes: Axes, crop: Crop, maps: NDArray[np.float32], title: str) -> None:
    _show(axes, np.moveaxis(class_picture(crop.cut(maps)), 2, 0), title)


def _show_detector(axes: Axes, crop: Crop, example: Example, subject: Subject) -> None:
    found = example.detections[subject.name]
    labels = crop.cut(found.labels)
    if found.pixels is not None:
        _show_maps(axes, crop, found.pixels, subject.name)
        draw_outlines(axes, labels, "#ffffff", 0.4)
    else:
        grey = grey_picture(example.image.reference)
        _show(axes, crop.cut(np.moveaxis(grey, 2, 0)), subject.name)
        draw_outlines(axes, labels, _SEGMENT, 0.7)


def _mark(axes: Axes, crop: Crop, one: Subject, number: int, faintest: float | None) -> None:
    """Point out the sources that were missed or blended, and what is spurious."""
    sources, labels = one.sample.sources, one.sample.labels
    lost = (sources["image"] == number) & (sources["outcome"] != SourceOutcome.DETECTED)
    if faintest is not None:
        lost &= ~(np.asarray(sources["mag"], dtype=float) > faintest)
    lost &= crop.inside(sources)
    false = (labels["image"] == number) & (labels["outcome"] == LabelOutcome.SPURIOUS)
    false &= crop.inside(labels)
    for table, chosen, marker, size, color in (
        (sources, lost, "o", 8, _MISSED),
        (labels, false, "x", 6, _SPURIOUS),
    ):
        axes.plot(
            np.asarray(table["x"], float)[chosen] - crop.x,
            np.asarray(table["y"], float)[chosen] - crop.y,
            linestyle="none",
            marker=marker,
            markersize=size,
            color=color,
            markerfacecolor="none",
            markeredgewidth=1.2,
        )
    axes.set_xlim(-0.5, crop.width - 0.5)
    axes.set_ylim(-0.5, crop.height - 0.5)


def _readable(picture: NDArray[np.float32]) -> str:
    return "#ffffff" if float(picture.mean()) < 0.5 else "#000000"  # noqa: PLR2004 (half grey)


def _legend(figure: Figure, *, with_classes: bool, findings: Findings) -> None:
    handles: list[Patch | Line2D] = []
    if with_classes:
        handles += [
            Patch(
                facecolor=c.color if c.hue is not None else "#000000",
                edgecolor="#888888",
                linewidth=0.5,
                label=c.label.split(" / ")[0],
            )
            for c in CLASSES
        ]
    lost = "missed or blended"
    if findings.faintest is not None:
        lost += f", < {findings.faintest:g} mag"
    for marker, color, label in (("o", _MISSED, lost), ("x", _SPURIOUS, "spurious")):
        handles.append(
            Line2D(
                [],
                [],
                linestyle="none",
                marker=marker,
                markersize=6,
                markerfacecolor="none",
                markeredgewidth=1.2,
                color=color,
                label=label,
            )
        )
    across = 5 if with_classes and figure.get_figwidth() > WIDTH - 1 else 3
    figure.legend(
        handles=handles, loc="outside lower center", ncols=across, handlelength=1.2, fontsize=8
    )
