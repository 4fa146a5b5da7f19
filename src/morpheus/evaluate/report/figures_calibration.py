"""Figures of calibration: reliability diagrams with histograms."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from morpheus.evaluate.report.findings import Findings, Subject, dig
from morpheus.evaluate.report.style import (
    CLASS_TITLES,
    FAINT,
    NARROW,
    WIDTH,
    paper_figure,
    paper_style,
    shared_legend,
)

__all__ = ["class_calibration_figure", "reliability_figure"]

_FEW = 10  # in a bin: its mark is hollow
_KINDS = (
    (("classes", "calibration"), "Sources"),
    (("pixels", "calibration", "sources"), "Pixels of sources"),
)
_BY_CLASS = (
    (("classes", "calibration", "by_class"), "Sources"),
    (("pixels", "calibration", "by_class"), "Pixels"),
)


def reliability_figure(findings: Findings) -> Figure | None:
    """Draw reliability diagrams of the most probable class, of sources and of pixels.

    Parameters
    ----------
    findings : Findings
        What the report tells of.

    Returns
    -------
    matplotlib.figure.Figure or None
        None if no detector gives probabilities.
    """
    panels = [
        (subjects, keys, title)
        for keys, title in _KINDS
        if (subjects := findings.having(*keys, "bins"))
    ]
    if not panels:
        return None
    with paper_style():
        figure = paper_figure(4.3, WIDTH if len(panels) > 1 else NARROW)
        axes = figure.subplots(
            2, len(panels), sharex="col", squeeze=False, gridspec_kw={"height_ratios": [3.4, 1]}
        )
        for column, (subjects, keys, title) in enumerate(panels):
            upper, lower = axes[:, column]
            _draw_curves(upper, subjects, keys)
            upper.set_title(title)
            _draw_histograms(lower, subjects, keys)
            lower.set_xlabel("Probability of the most probable class")
            upper.set_ylabel("Share of the votes" if keys[0] == "classes" else "True share")
            lower.set_ylabel("Share in bin")
        figure.align_ylabels()
        shared_legend(figure, findings.having("classes") or findings.having("pixels"))
    return figure


def class_calibration_figure(findings: Findings) -> Figure | None:
    """Draw reliability diagrams of every class.

    Parameters
    ----------
    findings : Findings
        What the report tells of.

    Returns
    -------
    matplotlib.figure.Figure or None
        None if no detector gives probabilities.
    """
    kinds = [
        (subjects, keys, title) for keys, title in _BY_CLASS if (subjects := findings.having(*keys))
    ]
    if not kinds:
        return None
    with paper_style():
        names = list(kinds[0][0][0].score(*kinds[0][1]))
        if any(keys[0] == "pixels" for _, keys, _ in kinds):
            names = list(CLASS_TITLES)
        figure = paper_figure(0.5 + 1.75 * len(kinds))
        axes = figure.subplots(len(kinds), len(names), sharex=True, sharey=True, squeeze=False)
        for row, (subjects, keys, title) in zip(axes, kinds, strict=True):
            for place, name in zip(row, names, strict=True):
                here = [one for one in subjects if one.score(*keys, name, "bins")]
                if not here:
                    place.set_axis_off()
                    continue
                _draw_curves(place, here, (*keys, name), size=3.0)
                place.set_title(CLASS_TITLES[name], fontsize=8.5)
                place.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
                place.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
            row[0].set_ylabel(f"{title}: true share")
        figure.supxlabel("Probability of the class", fontsize=9)
        shared_legend(figure, kinds[0][0])
    return figure


def _draw_curves(
    axes: Axes, subjects: Sequence[Subject], keys: tuple[str, ...], *, size: float = 4.0
) -> None:
    """Draw the true share by the probability; marks of a few are hollow."""
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.7, linestyle=(0, (3, 2)), zorder=1)
    for place, one in enumerate(subjects):
        x, y, n = _columns(one.score(*keys, "bins"), "probability", "share", "n")
        look = one.look
        line = {name: look[name] for name in ("color", "linestyle")}
        axes.plot(x, y, **line, zorder=3 + place)
        for chosen, fill in ((n >= _FEW, look["color"]), (n < _FEW, "#ffffff")):
            axes.plot(
                x[chosen],
                y[chosen],
                linestyle="none",
                marker=look["marker"],
                markersize=size,
                markerfacecolor=fill,
                markeredgecolor=look["color"],
                zorder=4 + place,
            )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.03, 1.03)


def _draw_histograms(axes: Axes, subjects: Sequence[Subject], keys: tuple[str, ...]) -> None:
    for one in subjects:
        bins = one.score(*keys, "bins")
        total = sum(part["n"] for part in bins)
        heights, edges = [], [bins[0]["low"]]
        for part in bins:
            if part["low"] > edges[-1]:
                edges.append(part["low"])
                heights.append(0.0)
            edges.append(part["high"])
            heights.append(part["n"] / total)
        look = {name: one.look[name] for name in ("color", "linestyle")}
        axes.stairs(heights, edges, linewidth=1.1, **look)
    axes.set_ylim(bottom=0)


def _columns(bins: list[dict[str, Any]], *names: str) -> list[np.ndarray]:
    return [np.array([dig(part, name) for part in bins], dtype=float) for name in names]
