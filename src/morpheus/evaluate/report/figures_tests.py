"""Figures of the paper's tests: single profiles by signal to noise, and by size."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from morpheus.evaluate.report.findings import Findings, Subject, dig
from morpheus.evaluate.report.style import (
    CLASS_COLORS,
    CLASS_LETTERS,
    CLASS_TITLES,
    FAINT,
    INK,
    WIDTH,
    paper_figure,
    paper_style,
    shorten,
)
from morpheus.evaluate.truth import SOURCE_CLASSES

__all__ = ["profiles_figure", "sersic_figure"]

_TITLES = {"exponential": "Exponential disk", "de_vaucouleurs": "De Vaucouleurs spheroid"}
_ACROSS = 3
_ENTRY = 1.3  # inches of a legend
_HALF = 0.5
_DARK = 0.6  # strength of a colour from which text on it is white
_MARKERS = ("o", "s", "^", "D")
_LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))


def _having(findings: Findings, *keys: str) -> tuple[Subject, ...]:
    return tuple(one for one in findings.subjects if one.test(*keys))


def sersic_figure(findings: Findings) -> Figure | None:
    """Draw the class of single Sersic profiles by index and signal to noise.

    Parameters
    ----------
    findings : Findings
        What the report tells of.

    Returns
    -------
    matplotlib.figure.Figure or None
        None if the test was not made.
    """
    subjects = _having(findings, "sersic_grid", "cells")
    if not subjects:
        return None
    across = min(len(subjects), _ACROSS)
    down = -(-len(subjects) // across)
    with paper_style():
        figure = paper_figure(0.55 + 2.35 * down, min(WIDTH, 0.9 + 2.7 * across))
        axes = figure.subplots(down, across, squeeze=False, sharey=True)
        for place in axes.flat[len(subjects) :]:
            place.set_axis_off()
        for place, one in zip(axes.flat, subjects, strict=False):
            _draw_grid(place, one.test("sersic_grid"))
            place.set_title(shorten(one.name), parse_math=False)
            place.set_xlabel("S\N{LATIN SMALL LETTER E WITH ACUTE}rsic index")
        for row in axes:
            row[0].set_ylabel("Signal to noise")
        _class_legend(figure, subjects)
    return figure


def _draw_grid(axes: Axes, test: dict[str, Any]) -> None:
    indices, levels = list(test["sersic_index"]), list(test["signal_to_noise"])
    for cell in test["cells"]:
        x = int(np.abs(np.array(indices) - cell["sersic_index"]).argmin())
        y = int(np.abs(np.array(levels) - cell["signal_to_noise"]).argmin())
        found = dig(cell, "detected", "value") or 0.0
        name, probabilities = cell.get("class"), cell.get("probabilities")
        if found < _HALF:
            shape = Rectangle(
                (x - 0.5, y - 0.5), 1, 1, facecolor="#ffffff", edgecolor=FAINT, hatch="////"
            )
            axes.add_patch(shape)
            continue
        strength = max((one for one in probabilities or [] if one is not None), default=found)
        pure = np.array(to_rgb(CLASS_COLORS.get(name, "#9aa0a8")))
        axes.add_patch(
            Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=1 - strength * (1 - pure), linewidth=0)
        )
        if name in CLASS_LETTERS:
            color = "#ffffff" if strength > _DARK else INK
            axes.text(x, y, CLASS_LETTERS[name], ha="center", va="center", color=color, fontsize=8)
    axes.set_xlim(-0.5, len(indices) - 0.5)
    axes.set_ylim(-0.5, len(levels) - 0.5)
    axes.set_xticks(range(len(indices)), [f"{value:.3g}" for value in indices], fontsize=8)
    axes.set_yticks(range(len(levels)), [f"{value:.3g}" for value in levels], fontsize=8)
    axes.tick_params(length=0)


def _class_legend(figure: Figure, subjects: Sequence[Subject]) -> None:
    cells = [cell for one in subjects for cell in one.test("sersic_grid", "cells")]
    found = {cell.get("class") for cell in cells}
    entries = [
        Patch(facecolor=CLASS_COLORS[name], label=f"{CLASS_LETTERS[name]}: {CLASS_TITLES[name]}")
        for name in SOURCE_CLASSES
        if name in found
    ]
    if any(
        cell.get("class") is None and (dig(cell, "detected", "value") or 0) >= _HALF
        for cell in cells
    ):
        entries.append(Patch(facecolor="#9aa0a8", label="detected, no class"))
    entries.append(Patch(facecolor="#ffffff", edgecolor=FAINT, hatch="////", label="not detected"))
    down = math.ceil(len(entries) * _ENTRY / figure.get_figwidth())
    across = math.ceil(len(entries) / down)
    figure.legend(
        handles=entries, loc="outside upper center", ncols=across, handlelength=1.3, fontsize=8
    )


def profiles_figure(findings: Findings) -> Figure | None:
    """Draw the probabilities of the classes of single profiles by their size.

    Parameters
    ----------
    findings : Findings
        What the report tells of.

    Returns
    -------
    matplotlib.figure.Figure or None
        None if the test was not made, or no detector gives classes.
    """
    subjects = [
        one
        for one in _having(findings, "profiles", "rows")
        if any(row.get("probabilities") for row in one.test("profiles", "rows"))
    ]
    if not subjects:
        return None
    kinds = list(
        dict.fromkeys(row["profile"] for one in subjects for row in one.test("profiles", "rows"))
    )
    with paper_style():
        figure = paper_figure(0.75 + 2.0 * len(subjects), min(WIDTH, 1 + 3.05 * len(kinds)))
        axes = figure.subplots(len(subjects), len(kinds), squeeze=False, sharex=True, sharey=True)
        for line, one in zip(axes, subjects, strict=True):
            for place, kind in zip(line, kinds, strict=True):
                _draw_profile(place, one, kind)
                title = _TITLES.get(kind, kind)
                if len(subjects) > 1:
                    title = f"{shorten(one.name)}\n{title}"
                place.set_title(title, parse_math=False, fontsize=8.5)
            line[0].set_ylabel("Mean probability")
        for place in axes[-1]:
            place.set_xlabel("Half-light radius (pixels)")
        handles = [
            Line2D([], [], label=CLASS_TITLES[name], **_class_look(number))
            for number, name in enumerate(SOURCE_CLASSES)
        ]
        figure.legend(
            handles=handles, loc="outside upper center", ncols=4, handlelength=3.0, fontsize=8
        )
    return figure


def _class_look(number: int) -> dict[str, Any]:
    return {
        "color": CLASS_COLORS[SOURCE_CLASSES[number]],
        "marker": _MARKERS[number],
        "linestyle": _LINES[number],
    }


def _draw_profile(axes: Axes, one: Subject, kind: str) -> None:
    rows = [row for row in one.test("profiles", "rows") if row["profile"] == kind]
    rows = [row for row in rows if row.get("probabilities")]
    sizes = [row["r_e"] for row in rows]
    for number in range(len(SOURCE_CLASSES)):
        values = np.array([row["probabilities"][number] for row in rows], dtype=float)
        axes.plot(sizes, values, **_class_look(number))
    axes.set_ylim(-0.03, 1.04)
