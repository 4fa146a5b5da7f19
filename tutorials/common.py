"""What the tutorials share: where the data is, where output goes, and how pictures look.

Importing it also makes `morpheus` in a shell cell the program of the running kernel.
"""

import os
import shutil
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

import morpheus
from morpheus.classes import BACKGROUND, CLASSES
from morpheus.visual import block_means
from morpheus.visual.style import NO_DATA, STYLE

FIELD = Path("../demo/field")
"""The demo's field: four bands of a simulated piece of sky whose truth is known."""

BANDS = ("F160W", "F125W", "F606W", "F850LP")
"""Its bands, in the order of the model's."""

SOURCE_CLASSES = tuple(c for c in CLASSES if c is not CLASSES[BACKGROUND])
"""The classes but background."""

BLACK = 0.08
"""Level, 0 to 1, below which pictures of the sky are black."""

COLORS = {c.name: c.safe_color for c in CLASSES}
"""Colours that people who confuse red and green can tell apart too."""

PROBABILITY = {"cmap": plt.get_cmap("cividis", 32), "vmin": 0, "vmax": 1}
"""How maps of probabilities are drawn."""

MARKERS = {"spheroid": "o", "disk": "s", "irregular": "^", "point_source": "*"}
"""Markers for the same classes: colour is never the only difference."""

# Jupyter has programs believe that they write to a terminal, where they would draw progress bars.
for variable in ("FORCE_COLOR", "CLICOLOR_FORCE"):
    os.environ.pop(variable, None)
# What a package says that would rather show its progress as a widget.
warnings.filterwarnings("ignore", message="IProgress not found")
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
plt.rcParams.update(STYLE | {"figure.dpi": 90, "axes.titlesize": 10})


def files(kind: str) -> dict[str, str]:
    """Name the files of the demo's field by band: images ('sci') or weights ('wht')."""
    return {band: str(FIELD / f"{band.lower()}_{kind}.fits.fz") for band in BANDS}


def fresh(name: str) -> Path:
    """Give the path of a folder below `output/`, without what an earlier run left there."""
    folder = Path("output") / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    return folder


def sky(images: Mapping[str, NDArray[Any]], block: int = 1) -> NDArray[np.float32]:
    """Draw a field in colour: F160W is red, F850LP green, F606W blue.

    Blocks of pixels become one, if asked for. The darkest noise is cut off and levels are few, as
    noise in many of them is most of what a notebook would hold.
    """
    bands = (block_means(images[band], block) for band in ("F160W", "F850LP", "F606W"))
    rgb = np.clip(morpheus.lupton_rgb(*bands) - BLACK, 0, 1) / (1 - BLACK)
    return _levels(rgb)


def class_map(result: morpheus.Classification | Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Draw the most probable source class in its safe colour, as bright as a source is likely."""
    palette = np.array([to_rgb(c.safe_color) for c in SOURCE_CLASSES])
    leading = np.argmax(np.stack([result[c.name] for c in SOURCE_CLASSES]), axis=0)
    picture = palette[leading] * (1 - result["background"])[..., None]
    return _levels(np.where(np.isfinite(picture), picture, NO_DATA).astype(np.float32))


def _levels(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.round(16 * picture) / 16


def show(pictures: Mapping[str, NDArray[Any]], *, size: float = 4.6, **how: Any) -> list[Axes]:
    """Put pictures side by side, each below its title; `how` is for matplotlib's imshow."""
    _, rows = plt.subplots(
        1, len(pictures), figsize=(size * len(pictures), size), squeeze=False, layout="constrained"
    )
    for axes, (title, picture) in zip(rows[0], pictures.items(), strict=True):
        axes.imshow(picture, **how)
        axes.set_title(title)
        axes.set_axis_off()
    return list(rows[0])


def outline(axes: Axes, labels: NDArray[Any], colors: Mapping[int, str], width: float = 1) -> None:
    """Draw the outlines of sources, given by their numbers in the segmentation map."""
    for label, color in colors.items():
        axes.contour(labels == label, [0.5], colors=[color], linewidths=width)


def by_class(table: Table) -> dict[int, str]:
    """Give the sources of a catalogue the colours of their classes."""
    return {int(row["id"]): COLORS[row["class"]] for row in table}


def legend(where: Axes | Figure, **how: Any) -> None:
    """Say which colour and marker is which class."""
    keys = [
        Line2D([], [], color=COLORS[c.name], marker=MARKERS[c.name], linestyle="", label=c.label)
        for c in SOURCE_CLASSES
    ]
    where.legend(handles=keys, frameon=False, **how)
