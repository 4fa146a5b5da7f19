"""A sheet of sources: what each looks like, what it is, and how sure that is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray

from morpheus.classes import BACKGROUND, CLASSES
from morpheus.errors import OptionError
from morpheus.visual.rgb import SkyLevel, sky_level
from morpheus.visual.scale import bar_length
from morpheus.visual.sources import MAX_SOURCES, SourceEntry, source_entry
from morpheus.visual.style import (
    ACCENT,
    CHART_COLORS,
    DIM,
    FIGURE_BACKGROUND,
    FOREGROUND,
    NO_DATA,
    new_figure,
    style,
)

__all__ = ["outlines", "stamp_sheet"]

_DPI = 160.0
# Inches.
_STAMP, _GAP, _MARGIN, _HEAD = 1.3, 0.08, 0.2, 0.36
_TEXT_WIDTH, _LABEL_WIDTH, _BAR_WIDTH, _VALUE_WIDTH = 1.45, 1.05, 1.5, 0.85
_SMALLEST_STAMP, _LARGEST_STAMP = 24, 400  # pixels of the image
_SURROUNDINGS = 1.6  # side of a stamp in units of the source's
_BLACK, _LINEAR, _WHITE = -1.5, 3.0, 12.0  # of a stamp, in units of the noise
_SOURCE_CLASSES = tuple(c for c in CLASSES if c is not CLASSES[BACKGROUND])


@dataclass(frozen=True)
class _Stamp:
    """A square part of the image, which may reach beyond it."""

    x: int
    y: int
    size: int

    def cut(self, image: NDArray[Any], fill: float) -> NDArray[Any]:
        """Give the pixels; `fill` beyond the image."""
        part = np.full((self.size, self.size, *image.shape[2:]), fill, image.dtype)
        part[self.covered(image.shape)] = image[
            max(0, self.y) : max(0, self.y + self.size), max(0, self.x) : max(0, self.x + self.size)
        ]
        return part

    def covered(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Tell which of its rows and columns lie in an image."""
        rows, columns = (
            slice(min(max(0, -start), self.size), max(0, min(self.size, length - start)))
            for start, length in zip((self.y, self.x), shape[:2], strict=True)
        )
        return rows, columns

    def show(self, axes: Axes, rgb: NDArray[Any], shape: tuple[int, ...]) -> None:
        """Draw its pixels; what is beyond an image of that shape has the colour of the sheet."""
        canvas = np.empty_like(rgb)
        canvas[:] = to_rgb(FIGURE_BACKGROUND)
        covered = self.covered(shape)
        canvas[covered] = rgb[covered]
        axes.imshow(canvas)


def stamp_sheet(
    table: Table,
    images: Mapping[str, NDArray[Any]],
    labels: NDArray[Any],
    class_colors: NDArray[np.float32],
    *,
    detection: str | None = None,
    pixel_scale: float | None = None,
    title: str | None = None,
) -> Figure:
    """Draw a sheet with a row for each source.

    A row holds the source's number, class, magnitude and flags; a stamp of each band, on an asinh
    grey scale from the sky to the source's own peak; the colours of the classes; and the
    probability of each class with its standard deviation. The outline of the source is drawn over
    the detection band in the colour of its class, those of its neighbours thinly in grey.

    Parameters
    ----------
    table : astropy.table.Table
        The sources, as `choose_sources` gives them; columns as for `source_entry`.
    images : mapping of str to ndarray, shape (y, x)
        The bands by name. Pixels that are not finite are drawn in an even grey.
    labels : ndarray of int, shape (y, x)
        The segmentation map: 0, or the id of the source.
    class_colors : ndarray of float32, shape (y, x, 3)
        What `colorize` gives.
    detection : str, optional
        The band under the outlines; by default the first.
    pixel_scale : float, optional
        Side of a pixel in arcsec; with it, there are scale bars.
    title : str, optional
        A line at the top.

    Returns
    -------
    matplotlib.figure.Figure
        To be written by `write_picture`. It was made without pyplot and needs no display.

    Raises
    ------
    OptionError
        If there is no image, no or too many sources, a shape differs, a column is absent,
        `detection` is no band, or `pixel_scale` is not above 0.
    """
    detection = next(iter(images), None) if detection is None else detection
    _check(table, images, labels, class_colors, detection, pixel_scale)
    entries = [source_entry(row) for row in table]
    skies = {name: sky_level(np.asarray(image)) for name, image in images.items()}
    width = (
        2 * _MARGIN
        + _TEXT_WIDTH
        + (len(images) + 1) * (_STAMP + _GAP)
        + _LABEL_WIDTH
        + _BAR_WIDTH
        + _VALUE_WIDTH
    )
    above = _MARGIN + _HEAD + (0.28 if title else 0.0)
    height = above + len(entries) * (_STAMP + 2 * _GAP) + _MARGIN
    with style():
        figure = new_figure(width, height, _DPI)
        sheet = _Sheet(figure, width, height)
        _draw_heads(sheet, tuple(images), above, title)
        for i, entry in enumerate(entries):
            bottom = height - above - (i + 1) * (_STAMP + 2 * _GAP) + _GAP
            stamp = _place(entry, labels.shape)
            _draw_description(sheet, bottom, entry)
            left = _MARGIN + _TEXT_WIDTH
            for name, image in images.items():
                axes = sheet.axes(left, bottom, _STAMP, _STAMP)
                _draw_band(axes, stamp, np.asarray(image), labels, skies[name], entry.id)
                if name == detection:
                    _draw_outlines(axes, stamp, labels, entry)
                    _draw_scale_bar(axes, stamp, pixel_scale)
                left += _STAMP + _GAP
            colors = np.clip(stamp.cut(class_colors, 0), 0, 1)
            stamp.show(sheet.axes(left, bottom, _STAMP, _STAMP), colors, labels.shape)
            left += _STAMP + _GAP + _LABEL_WIDTH
            _draw_probabilities(sheet.axes(left, bottom, _BAR_WIDTH, _STAMP), entry)
    return figure


def outlines(labels: NDArray[Any], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Find the edges of pixels between a region and what is around it.

    Parameters
    ----------
    labels : ndarray of int, shape (y, x)
        A label map. An edge between two labels of the region is one too.
    inside : ndarray of bool, shape (y, x)
        The region.

    Returns
    -------
    ndarray of float64, shape (edge, 2, 2)
        Both ends (x, y) of each edge, in pixels; the border of the array has none.
    """
    # Right of and above each pixel: where the label changes and one of the two is in the region.
    y, x = np.nonzero((labels[:, 1:] != labels[:, :-1]) & (inside[:, 1:] | inside[:, :-1]))
    upright = np.stack([np.stack([x + 0.5, y - 0.5], -1), np.stack([x + 0.5, y + 0.5], -1)], 1)
    y, x = np.nonzero((labels[1:] != labels[:-1]) & (inside[1:] | inside[:-1]))
    level = np.stack([np.stack([x - 0.5, y + 0.5], -1), np.stack([x + 0.5, y + 0.5], -1)], 1)
    return np.concatenate([upright, level])


@dataclass(frozen=True)
class _Sheet:
    """The figure, with places in inches from the lower left."""

    figure: Figure
    width: float
    height: float

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        axes = self.figure.add_axes(
            (x / self.width, y / self.height, width / self.width, height / self.height)
        )
        axes.set_xticks([])
        axes.set_yticks([])
        return axes

    def write(self, x: float, y: float, text: str, **options: Any) -> None:
        # Names of bands and files may hold dollar signs.
        self.figure.text(x / self.width, y / self.height, text, parse_math=False, **options)


def _check(
    table: Table,
    images: Mapping[str, NDArray[Any]],
    labels: NDArray[Any],
    class_colors: NDArray[Any],
    detection: str | None,
    pixel_scale: float | None,
) -> None:
    if detection is None:
        raise OptionError("no image to cut stamps from; give one band or more")
    if detection not in images:
        raise OptionError(f"{detection!r} is no band; the bands are {', '.join(images)}")
    if not 1 <= len(table) <= MAX_SOURCES:
        raise OptionError(f"a sheet shows 1 to {MAX_SOURCES} sources, not {len(table)}")
    for name, shape in [
        *((f"the {name} image", np.shape(image)) for name, image in images.items()),
        ("the class colours", class_colors.shape[:2]),
    ]:
        if shape != labels.shape:
            raise OptionError(
                f"{name} has the shape {shape}, the segmentation map {labels.shape} (y, x)"
            )
    if pixel_scale is not None and not (math.isfinite(pixel_scale) and pixel_scale > 0):
        raise OptionError(f"pixel_scale is {pixel_scale} arcsec; it must be above 0")


def _place(entry: SourceEntry, shape: tuple[int, ...]) -> _Stamp:
    """Around the source, with something of what is around it; no larger than the image."""
    wanted = min(math.ceil(_SURROUNDINGS * entry.size), _LARGEST_STAMP, max(shape) + 2)
    size = max(wanted, _SMALLEST_STAMP)
    x, y = (
        # Where the whole image fits, it is shown whole.
        round((length - size) / 2) if size > length else round(centre - (size - 1) / 2)
        for centre, length in ((entry.x, shape[1]), (entry.y, shape[0]))
    )
    return _Stamp(x, y, size)


def _draw_heads(sheet: _Sheet, bands: tuple[str, ...], above: float, title: str | None) -> None:
    y = sheet.height - above + 0.12
    if title:
        sheet.write(_MARGIN, sheet.height - _MARGIN - 0.1, title, fontsize=13, va="center")
    left = _MARGIN + _TEXT_WIDTH
    for name in (*bands, "Classes"):
        sheet.write(left + _STAMP / 2, y, name, ha="center", fontsize=10, weight="bold")
        left += _STAMP + _GAP
    left += _LABEL_WIDTH
    sheet.write(left, y, "Probability", fontsize=10, weight="bold")


def _draw_description(sheet: _Sheet, bottom: float, entry: SourceEntry) -> None:
    label = next((c.label.split(" / ")[0] for c in CLASSES if c.name == entry.name), entry.name)
    lines: list[tuple[str, dict[str, Any]]] = [
        (f"{entry.id}", {"fontsize": 13, "weight": "bold"}),
        (label or "no class", {"fontsize": 10, "color": CHART_COLORS.get(entry.name, DIM)}),
    ]
    if entry.magnitude is not None:
        lines.append((f"{entry.magnitude[0]} = {entry.magnitude[1]:.2f}", {"fontsize": 9}))
    lines += [(flag, {"fontsize": 8, "color": DIM}) for flag in entry.flags[:3]]
    if len(entry.flags) > 3:  # noqa: PLR2004 (as many as there is room for)
        lines[-1] = (f"{entry.flags[2]} + {len(entry.flags) - 3} more", lines[-1][1])
    y = bottom + _STAMP - 0.02
    for text, options in lines:
        sheet.write(_MARGIN, y, text, va="top", **options)
        y -= options["fontsize"] * 1.45 / 72


def _draw_band(
    axes: Axes,
    stamp: _Stamp,
    image: NDArray[Any],
    labels: NDArray[Any],
    sky: SkyLevel,
    number: int,
) -> None:
    """On an asinh scale from below the sky to the source's peak: faint ones are seen too."""
    pixels = (stamp.cut(image, 0).astype(np.float64) - sky.level) / sky.noise
    pixels[~np.isfinite(pixels)] = np.nan
    own = pixels[stamp.cut(labels, 0) == number]
    peak = np.nanmax(own) if np.isfinite(own).any() else _WHITE
    low, high = (np.arcsinh(level / _LINEAR) for level in (_BLACK, max(peak, _WHITE)))
    value = np.clip((np.arcsinh(pixels / _LINEAR) - low) / (high - low), 0, 1)
    grey = np.nan_to_num(value, nan=NO_DATA)
    stamp.show(axes, np.repeat(grey[..., None], 3, axis=2), labels.shape)


def _draw_outlines(axes: Axes, stamp: _Stamp, labels: NDArray[Any], entry: SourceEntry) -> None:
    part = stamp.cut(labels, 0)
    own = part == entry.id
    others = outlines(part, (part != 0) & ~own)
    axes.add_collection(
        LineCollection(list(others), colors=FOREGROUND, linewidths=0.5, alpha=0.6), autolim=False
    )
    color = CHART_COLORS.get(entry.name, ACCENT)
    axes.add_collection(
        LineCollection(
            list(outlines(part, own)), colors=color, linewidths=1.3, capstyle="projecting"
        ),
        autolim=False,
    )


def _draw_scale_bar(axes: Axes, stamp: _Stamp, pixel_scale: float | None) -> None:
    if pixel_scale is None:
        return
    length, label = bar_length(0.4 * stamp.size * pixel_scale)
    start, y = 0.05 * stamp.size - 0.5, 0.05 * stamp.size - 0.5
    axes.plot([start, start + length / pixel_scale], [y, y], color=FOREGROUND, linewidth=1.6)
    edge = [Stroke(linewidth=1.5, foreground="#000000"), Normal()]  # on a bright source, too
    axes.text(start, y + 0.03 * stamp.size, label, fontsize=7.5, va="bottom", path_effects=edge)


def _draw_probabilities(axes: Axes, entry: SourceEntry) -> None:
    axes.set_facecolor("none")
    axes.set_frame_on(False)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(_SOURCE_CLASSES) - 0.5, -0.5)
    for i, c in enumerate(_SOURCE_CLASSES):
        value, error = entry.probabilities[c.name], entry.errors[c.name]
        chosen = c.name == entry.name
        color = CHART_COLORS[c.name]
        label = c.label.split(" / ")[0]
        weight = "bold" if chosen else "normal"
        text_color = FOREGROUND if chosen else DIM
        axes.text(-0.04, i, label, ha="right", va="center", color=text_color, weight=weight)
        axes.barh(i, 1, height=0.5, color="#242a33", linewidth=0)
        if not math.isfinite(value):
            axes.text(1.04, i, "no value", va="center", color=DIM)
            continue
        axes.barh(i, value, height=0.5, color=color, linewidth=0)
        text = f"{value:.2f}"
        if math.isfinite(error):
            ends = [max(0.0, value - error), min(1.0, value + error)]
            axes.plot(ends, [i, i], color=FIGURE_BACKGROUND, linewidth=3.2, solid_capstyle="butt")
            axes.plot(ends, [i, i], color=FOREGROUND, linewidth=1.4, solid_capstyle="butt")
            text += f" \N{PLUS-MINUS SIGN} {error:.2f}"
        axes.text(1.04, i, text, va="center", color=text_color, weight=weight)
