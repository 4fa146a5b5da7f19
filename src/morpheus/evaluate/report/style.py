"""The look of the report's figures: on white, as in a journal, without global state."""

import colorsys
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from morpheus.classes import CLASSES
from morpheus.visual.style import new_figure

__all__ = [
    "CLASS_COLORS",
    "CLASS_LETTERS",
    "CLASS_TITLES",
    "DETECTOR_LOOKS",
    "FAINT",
    "GRID",
    "INK",
    "NARROW",
    "SHADE",
    "WIDTH",
    "Look",
    "Named",
    "legend",
    "paper_figure",
    "paper_style",
    "render",
    "shared_legend",
    "shorten",
    "write_text",
]

WIDTH = 7.1
"""Inches: the full width of a page of a journal."""

NARROW = 4.4
"""Inches: of a figure of one panel."""

INK, FAINT, GRID, SHADE = "#1a1a1a", "#6b6f76", "#dfe2e6", "#d3d8de"
"""Text; text of second rank; lines and areas behind the data."""

Look = dict[str, Any]
"""Colour, marker and line style of a detector."""


class Named(Protocol):
    """What has a place in a legend."""

    @property
    def name(self) -> str:
        """Name, which may hold anything."""
        ...

    @property
    def look(self) -> Look:
        """Colour, marker and line style."""
        ...


# Okabe & Ito (2008): told apart by people with any kind of colour vision. In print, the marker and
# the line tell them apart.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#e69f00", "#56b4e9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_LINES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (6, 1.5, 1, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
)

DETECTOR_LOOKS: tuple[Look, ...] = tuple(
    {"color": color, "marker": marker, "linestyle": _LINES[number % len(_LINES)]}
    for number, (color, marker) in enumerate(zip(_COLORS, _MARKERS, strict=True))
)
"""Looks of the detectors, in their order."""

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.facecolor": "#ffffff",
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.7,
    "axes.titlesize": 9.0,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "#ffffff",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same figure everywhere
    "font.size": 8.5,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "hatch.linewidth": 0.5,
    "image.interpolation": "nearest",
    "image.origin": "lower",
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.0,
    "pdf.fonttype": 42,
    "savefig.facecolor": "auto",
    "svg.hashsalt": "morpheus",  # the same figure gives the same file
    "text.color": INK,
    "text.usetex": False,
    "xtick.color": INK,
    "xtick.direction": "in",
    "xtick.labelsize": 8.5,
    "xtick.top": True,
    "ytick.color": INK,
    "ytick.direction": "in",
    "ytick.labelsize": 8.5,
    "ytick.right": True,
}

_LEGIBLE = {"disk": (0.62, 0.78), "point_source": (0.14, 0.72)}  # hue and value, on white


def _on_white(name: str, hue: float | None) -> str:
    """Darken a hue, so that it can be read on white: yellow above all."""
    if hue is None:
        return FAINT
    hue, value = _LEGIBLE.get(name, (hue, 0.72))
    return "#" + "".join(f"{round(255 * one):02x}" for one in colorsys.hsv_to_rgb(hue, 0.82, value))


CLASS_COLORS = {c.name: _on_white(c.name, c.hue) for c in CLASSES}
"""Colours of the classes on white: the hues of the class maps, darker."""

CLASS_TITLES = {c.name: c.label.split(" / ")[0] for c in CLASSES}
"""Names of the classes in figures."""

CLASS_LETTERS = {c.name: c.label[0] for c in CLASSES}
"""One letter for each class."""

_LONGEST_NAME = 30
_DPI = 200.0  # about twice that of the screen at full width


@contextmanager
def paper_style() -> Iterator[None]:
    """Work in the style of the report, whatever the user's settings of matplotlib are.

    Yields
    ------
    None
        Control; afterwards the settings are what they were.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)  # type: ignore[arg-type]
        yield


def paper_figure(height: float, width: float = WIDTH) -> Figure:
    """Make an empty figure as wide as a page; to be called within `paper_style`.

    Parameters
    ----------
    height, width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
        With constrained layout.
    """
    figure = new_figure(width, height, _DPI)
    figure.set_layout_engine("constrained", w_pad=0.04, h_pad=0.04)
    return figure


def render(figure: Figure, form: str) -> bytes:
    """Give the file of a figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    form : {'png', 'pdf', 'svg'}
        Which format.

    Returns
    -------
    bytes
        Its contents, without the time at which it was made.
    """
    notes: dict[str, dict[str, Any]] = {
        "png": {"Software": "morpheus"},
        "pdf": {"Creator": "morpheus", "CreationDate": None},
        "svg": {"Creator": "morpheus", "Date": None},
    }
    stream = io.BytesIO()
    with paper_style():
        if figure.get_layout_engine() is not None:  # it is the same in every format, and slow
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        figure.savefig(stream, format=form, metadata=notes[form])
    return stream.getvalue()


def shorten(name: str, longest: int = _LONGEST_NAME) -> str:
    """Make a name fit into a figure.

    Parameters
    ----------
    name : str
        Of a detector or an image.
    longest : int, optional
        Characters that there is room for.

    Returns
    -------
    str
        In one line.
    """
    name = " ".join(name.split())
    if len(name) <= longest:
        return name
    return name[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"


def legend(where: Axes | Figure, entries: Sequence[tuple[str, Look]], **options: Any) -> None:
    """Draw a legend whose texts are what they are.

    Parameters
    ----------
    where : Axes or Figure
        What it is drawn in.
    entries : sequence of (str, dict)
        Text and look of each.
    **options : Any
        For matplotlib's `legend`.
    """
    lines = [Line2D([], [], **look) for _, look in entries]
    # To matplotlib, a leading underscore hides an entry, and dollars are mathematics.
    made = where.legend(lines, ["entry"] * len(lines), **options)
    for text, (name, _) in zip(made.get_texts(), entries, strict=True):
        text.set_parse_math(False)
        text.set_text(shorten(name))


def shared_legend(figure: Figure, subjects: Iterable[Named]) -> None:
    """Draw a legend of the detectors above a figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure, with constrained layout.
    subjects : iterable of Named
        The detectors.
    """
    entries = [(one.name, one.look) for one in subjects]
    # Inches of each entry: its line, and about its text.
    widths = [0.85 + 0.075 * len(shorten(name)) for name, _ in entries]
    room = (
        len(entries) if sum(widths) < figure.get_figwidth() else figure.get_figwidth() / max(widths)
    )
    legend(
        figure,
        entries,
        loc="outside upper center",
        ncols=max(1, min(len(entries), int(room))),
        handlelength=3.2,
        columnspacing=1.8,
    )


def write_text(axes: Axes, x: float, y: float, text: str, **options: Any) -> None:
    """Write a text that may hold dollars, in fractions of the axes.

    Parameters
    ----------
    axes : Axes
        Where.
    x, y : float
        From the lower left, 0 to 1.
    text : str
        The text.
    **options : Any
        For matplotlib's `text`.
    """
    axes.text(x, y, text, transform=axes.transAxes, parse_math=False, **options)
