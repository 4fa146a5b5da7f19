"""The look of every figure: one matplotlib style, without global state and without a display."""

import colorsys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from morpheus.classes import CLASSES

__all__ = [
    "ACCENT",
    "CHART_COLORS",
    "DIM",
    "FIGURE_BACKGROUND",
    "FOREGROUND",
    "NO_DATA",
    "STYLE",
    "new_figure",
    "style",
]

FIGURE_BACKGROUND = "#14171c"
"""Behind everything; a little lighter than the black of a picture, so that its edge is seen."""

FOREGROUND = "#e9ebee"
"""Text."""

DIM = "#9aa3ae"
"""Text of second rank, frames and ticks."""

ACCENT = "#4cc9f0"
"""What is pointed out in a grey picture: a hue that no class has."""

NO_DATA = 0.4
"""Grey level, 0 to 1, of pixels without a value in pictures of the sky."""

STYLE: dict[str, Any] = {
    "axes.edgecolor": DIM,
    "axes.facecolor": "#000000",
    "axes.labelcolor": FOREGROUND,
    "axes.linewidth": 0.6,
    "axes.titlecolor": FOREGROUND,
    "figure.constrained_layout.use": False,
    "figure.facecolor": FIGURE_BACKGROUND,
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same picture everywhere
    "font.size": 9.0,
    "image.interpolation": "nearest",
    "image.origin": "lower",
    "pdf.fonttype": 42,
    "savefig.facecolor": "auto",
    "text.color": FOREGROUND,
    "text.usetex": False,
    "xtick.color": DIM,
    "ytick.color": DIM,
}
"""The settings in which every figure is made."""


def _chart_color(hue: float | None) -> str:
    """Lighten a hue: pure blue text or bars on a dark ground cannot be read."""
    if hue is None:
        return DIM
    return "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hsv_to_rgb(hue, 0.62, 1))


CHART_COLORS = {c.name: _chart_color(c.hue) for c in CLASSES}
"""Colours of the classes in charts and text on the dark ground: their hues, lightened."""


@contextmanager
def style() -> Iterator[None]:
    """Work in the style of Morpheus, whatever the user's settings of matplotlib are.

    Yields
    ------
    None
        Control; afterwards the settings are what they were.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # type: ignore[arg-type]
        yield


def new_figure(width: float, height: float, dpi: float) -> Figure:
    """Make an empty figure that needs no display and that pyplot does not know.

    Parameters
    ----------
    width, height : float
        Size in inches.
    dpi : float
        Pixels per inch.

    Returns
    -------
    matplotlib.figure.Figure
        With an Agg canvas.
    """
    figure = Figure(figsize=(width, height), dpi=dpi)
    FigureCanvasAgg(figure)
    return figure
