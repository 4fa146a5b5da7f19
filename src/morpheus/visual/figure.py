"""The colour image of the classes, as a figure with a legend or pixel by pixel."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.wcs.utils import proj_plane_pixel_area
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from morpheus.classes import BACKGROUND, CLASSES, MorphologicalClass
from morpheus.errors import OptionError
from morpheus.inference.classification import Classification
from morpheus.visual.blocks import block_means
from morpheus.visual.colors import class_colors, colorize, row_blocks
from morpheus.visual.files import check_picture_path, write_picture
from morpheus.visual.scale import bar_length
from morpheus.visual.style import DIM, FOREGROUND, new_figure, style

__all__ = ["MAX_PIXELS", "averaged_by", "class_figure", "write_classes"]

MAX_PIXELS = 6000
"""The longer side of the picture in a figure is at most this; beyond, pixels are averaged."""

_SMALLEST_SIDE = 900  # of the longer side: images that are smaller are enlarged
_DPI = 128.0  # a power of 2, so that sizes in inches are exact and no pixel is lost
_UNITS_WIDE, _LEGEND_UNITS, _MARGIN = 1000, 192, 24  # in units of a thousandth of the width
_BACKGROUND_NAME = CLASSES[BACKGROUND].name
_MEANING = {"mean": "mean of the windows' probabilities", "votes": "share of the windows' votes"}


@dataclass(frozen=True)
class _Layout:
    """Where the parts of the figure lie, in screen pixels from the lower left."""

    zoom: int  # screen pixels per image pixel
    block: int  # image pixels per screen pixel
    picture: tuple[int, int]  # width, height
    unit: float  # size of a unit of the legend
    size: tuple[int, int]  # width, height

    @property
    def margin(self) -> int:
        return round(_MARGIN * self.unit)


def averaged_by(shape: tuple[int, int], max_pixels: int = MAX_PIXELS) -> int:
    """Tell how many pixels, squared, become one in a figure.

    Parameters
    ----------
    shape : tuple of int
        Shape (y, x) of the image.
    max_pixels : int, optional
        The most that the longer side of the picture may have.

    Returns
    -------
    int
        1 if none are averaged.
    """
    return max(1, math.ceil(max(shape) / max_pixels))


def class_figure(
    classification: Classification,
    *,
    statistic: str = "mean",
    unclassified: str = "black",
    title: str | None = None,
    max_pixels: int = MAX_PIXELS,
    picture: NDArray[np.float32] | None = None,
) -> Figure:
    """Draw a classification, with a legend that says how to read its colours.

    A pixel of the image is one or a whole number of pixels of the picture, north up if the image
    has it so. If the image is larger than `max_pixels`, blocks of pixels are averaged, and the
    figure says so.

    Parameters
    ----------
    classification : Classification
        The maps.
    statistic : {"mean", "votes"}, optional
        Which of the maps.
    unclassified : {"black", "white", "grey"}, optional
        Colour of the pixels where `n` is 0.
    title : str, optional
        A line above the picture.
    max_pixels : int, optional
        Largest number of pixels of the longer side of the picture; 100 or more.
    picture : ndarray of float32, shape (y, x, 3), optional
        What to show instead of the classes beside the same legend, such as the sky in colour: as
        many pixels as the maps or, where `averaged_by` tells so, as there are blocks of them.

    Returns
    -------
    matplotlib.figure.Figure
        To be written by `write_picture`. It was made without pyplot and needs no display.

    Raises
    ------
    OptionError
        If the statistic or the colour is not one of those, `max_pixels` is too small, or the
        picture has another shape.
    """
    if max_pixels < 100:  # noqa: PLR2004 (said in the message)
        raise OptionError(f"max_pixels is {max_pixels}; it must be 100 or more")
    classification.maps(statistic)  # an error, if there is no such
    layout = _lay_out(classification.shape, max_pixels, titled=title is not None)
    if picture is None:
        picture = _averaged_colors(classification, statistic, unclassified, layout.block)
    expected = (*(math.ceil(side / layout.block) for side in classification.shape), 3)
    if picture.shape != expected:
        raise OptionError(f"the picture has the shape {picture.shape}; it must be {expected}")
    width, height = layout.size
    with style():
        figure = new_figure(width / _DPI, height / _DPI, _DPI)
        left = (width - layout.picture[0]) // 2
        bottom = round(_LEGEND_UNITS * layout.unit)
        axes = figure.add_axes(
            (
                left / width,
                bottom / height,
                layout.picture[0] / width,
                layout.picture[1] / height,
            )
        )
        axes.imshow(picture, interpolation="nearest", origin="lower", aspect="auto")
        axes.set_axis_off()
        if title is not None:
            _write(figure, layout, _UNITS_WIDE / 2, None, title, size=20, ha="center")
        _draw_legend(figure, layout, classification, statistic, unclassified)
    return figure


def write_classes(
    path: str | Path,
    classification: Classification,
    *,
    statistic: str = "mean",
    unclassified: str = "black",
    legend: bool = True,
    title: str | None = None,
    overwrite: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write the colour image of the classes.

    Parameters
    ----------
    path : str or Path
        The file: .png, .jpg, .tif or .pdf.
    classification : Classification
        The maps.
    statistic : {"mean", "votes"}, optional
        Which of the maps.
    unclassified : {"black", "white", "grey"}, optional
        Colour of the pixels where `n` is 0.
    legend : bool, optional
        With a legend, as `class_figure` draws it; or else the image alone, whose every pixel is
        one pixel of the picture, its first row at the bottom.
    title : str, optional
        A line above the picture; only with a legend.
    overwrite : bool, optional
        Whether to replace a file that exists.
    metadata : mapping of str to str, optional
        What else to write into the file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OptionError
        If the statistic, the colour or the suffix is not one of those.
    ProductError
        If the file exists and `overwrite` is false, or cannot be written.
    """
    path = check_picture_path(path, overwrite=overwrite)
    notes = {"Title": f"Morphological classes: {statistic}", **(metadata or {})}
    picture = (
        class_figure(classification, statistic=statistic, unclassified=unclassified, title=title)
        if legend
        else colorize(classification, statistic=statistic, unclassified=unclassified)
    )
    return write_picture(path, picture, overwrite=overwrite, metadata=notes)


def _lay_out(shape: tuple[int, int], max_pixels: int, *, titled: bool) -> _Layout:
    block = averaged_by(shape, max_pixels)
    rows, columns = (math.ceil(side / block) for side in shape)
    zoom = math.ceil(_SMALLEST_SIDE / max(rows, columns))
    picture = columns * zoom, rows * zoom
    # The legend grows with the picture, so that it can be read where the whole is seen; beside a
    # tall and narrow picture it takes what room it needs.
    unit = max(picture[0], 0.6 * picture[1], _SMALLEST_SIDE) / (_UNITS_WIDE - 2 * _MARGIN)
    width = round(_UNITS_WIDE * unit)
    above = round((_MARGIN + (34 if titled else 0)) * unit)
    height = picture[1] + round(_LEGEND_UNITS * unit) + above
    return _Layout(zoom, block, picture, unit, (width, height))


def _averaged_colors(
    classification: Classification, statistic: str, unclassified: str, block: int
) -> NDArray[np.float32]:
    """Colours of blocks of pixels, some rows at a time: the whole is never held."""
    maps = classification.maps(statistic)
    if block == 1:
        return colorize(classification, statistic=statistic, unclassified=unclassified)
    rows, columns = (math.ceil(side / block) for side in classification.shape)
    result = np.empty((rows, columns, 3), np.float32)
    for part in row_blocks(classification.shape, multiple=block):
        rgb = class_colors(
            {name: plane[part] for name, plane in maps.items()},
            hidden=classification.n[part] == 0,
            unclassified=unclassified,
        )
        means = np.stack([block_means(channel, block) for channel in np.moveaxis(rgb, 2, 0)], 2)
        first = part.start // block
        result[first : first + len(means)] = means
    return result


def _draw_legend(
    figure: Figure,
    layout: _Layout,
    classification: Classification,
    statistic: str,
    unclassified: str,
) -> None:
    sources = [c for c in CLASSES if c.name in classification.classes and c.hue is not None]
    _write(figure, layout, _MARGIN, 162, "How to read the colours", size=14, weight="bold")
    lines = (
        "Hue: most probable class",
        "Paler: the second is close",
        "Darker: background likely",
    )
    for i, line in enumerate(lines):
        _write(figure, layout, _MARGIN, 136 - 22 * i, line, size=12)
    notes = [f"Probability: {_MEANING[statistic]}."]
    if (classification.n == 0).any():
        notes.append(f"Not classified: {unclassified}.")
    if layout.block > 1:
        notes.append(f"{layout.block} x {layout.block} pixels are averaged into one.")
    _write(figure, layout, _MARGIN, 18, "  ".join(notes), size=10.5, color=DIM)
    first, pitch = 384.0, 156.0
    for i, source in enumerate(sources):
        _draw_key(figure, layout, first + pitch * i, source, annotated=i == 0)
    _draw_scale_bar(figure, layout, classification)


def _draw_key(
    figure: Figure, layout: _Layout, x: float, source: MorphologicalClass, *, annotated: bool
) -> None:
    """Draw all the colours of a class: lead to the right, 1 - P(background) upwards."""
    size = (124.0, 78.0)
    lead, value = np.meshgrid(np.linspace(0, 1, 128), np.linspace(0, 1, 128))
    axes = _axes(figure, layout, (x, 68, *size))
    rgb = class_colors({source.name: lead, _BACKGROUND_NAME: 1 - value})
    axes.imshow(rgb, interpolation="bilinear", origin="lower", aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([])
    label = source.label.split(" / ")[0]
    right, top, middle = x + size[0], 68 + size[1], x + size[0] / 2
    _write(figure, layout, middle, 162, label, size=13, ha="center", weight="bold")
    _write(figure, layout, x, 56, "0", size=10.5, color=DIM)
    _write(figure, layout, middle, 56, "lead over second", size=10.5, ha="center", color=DIM)
    _write(figure, layout, right, 56, "1", size=10.5, ha="right", color=DIM)
    if annotated:
        value_label = "1 \N{MINUS SIGN} P(background)"
        _write(figure, layout, x - 8, 73, "0", size=10.5, ha="right", color=DIM)
        _write(figure, layout, x - 8, top - 5, "1", size=10.5, ha="right", color=DIM)
        _write(
            figure, layout, x - 8, 68 + size[1] / 2, value_label, size=10.5, ha="right", color=DIM
        )


def _draw_scale_bar(figure: Figure, layout: _Layout, classification: Classification) -> None:
    """At the right end of the lowest line, where it hides nothing."""
    wcs = classification.wcs
    if wcs is None or not wcs.has_celestial:
        return
    arcsec = 3600 * math.sqrt(proj_plane_pixel_area(wcs.celestial))
    per_arcsec = layout.zoom / layout.block / arcsec / layout.unit  # in units of the legend
    picture = layout.picture[0] / layout.unit
    length, label = bar_length(min(0.25 * picture, 200) / per_arcsec)
    end = (_UNITS_WIDE + picture) / 2 if picture > 250 else _UNITS_WIDE - _MARGIN  # noqa: PLR2004
    start = end - length * per_arcsec
    width, height = layout.size
    unit = layout.unit
    figure.add_artist(
        Rectangle(
            (start * unit / width, 16 * unit / height),
            length * per_arcsec * unit / width,
            3 * unit / height,
            color=FOREGROUND,
            linewidth=0,
        )
    )
    _write(figure, layout, start - 8, 18, label, size=11, ha="right")


def _axes(figure: Figure, layout: _Layout, box: tuple[float, float, float, float]) -> Axes:
    """Axes at a place in units of the legend."""
    x, y, width, height = (part * layout.unit for part in box)
    total = layout.size
    return figure.add_axes((x / total[0], y / total[1], width / total[0], height / total[1]))


def _write(
    figure: Figure,
    layout: _Layout,
    x: float,
    y: float | None,
    text: str,
    *,
    size: float,
    ha: str = "left",
    weight: str = "normal",
    color: str = FOREGROUND,
) -> None:
    """Write at a place in units of the legend; without y, in the line at the top."""
    top = layout.size[1] / layout.unit - (_MARGIN + 34) / 2
    figure.text(
        x * layout.unit / layout.size[0],
        (top if y is None else y) * layout.unit / layout.size[1],
        text,
        fontsize=size * layout.unit * 72 / _DPI,
        ha=ha,
        va="center",
        weight=weight,
        color=color,
        parse_math=False,  # a file's name may hold dollar signs
    )
