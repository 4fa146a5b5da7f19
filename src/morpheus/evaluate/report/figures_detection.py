"""Figures of detection and segmentation: fractions in bins, of all detectors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from morpheus.evaluate.report.findings import Findings, Subject
from morpheus.evaluate.report.style import (
    FAINT,
    GRID,
    NARROW,
    SHADE,
    WIDTH,
    paper_figure,
    paper_style,
    shared_legend,
)

__all__ = ["binned_figure", "blends_figure", "magnitude_figure", "middle"]

_TOP = 1.06  # of an axis of fractions
_DODGE = 0.09  # of a bin, between detectors
_HALF = 0.5
_FEW = 5  # sources in a bin
_BEYOND = 1.5  # mag that detections are shown beyond the faintest source


def middle(one: dict[str, Any], *, logarithmic: bool = False) -> float:
    """Give the middle of a bin.

    Parameters
    ----------
    one : dict
        With `low` and `high`.
    logarithmic : bool, optional
        Whether of the logarithms; a bin from 0 counts from half of its upper limit.

    Returns
    -------
    float
        The middle.
    """
    low, high = float(one["low"]), float(one["high"])
    if not logarithmic:
        return (low + high) / 2
    return float(np.sqrt((low if low > 0 else high / 2) * high))


def magnitude_figure(findings: Findings) -> Figure | None:
    """Draw completeness and purity by magnitude.

    Parameters
    ----------
    findings : Findings
        What the report tells of.

    Returns
    -------
    matplotlib.figure.Figure or None
        None without magnitudes.
    """
    complete = findings.having("detection", "completeness", "mag")
    pure = findings.having("detection", "purity", "mag")
    panels = [
        (subjects, keys, label, f"{what} {findings.band} (AB mag)")
        for subjects, keys, label, what in (
            (complete, ("completeness", "mag"), "Completeness", "True"),
            (pure, ("purity", "mag"), "Purity", "Measured"),
        )
        if subjects
    ]
    if not panels:
        return None
    with paper_style():
        figure = paper_figure(3.5, WIDTH if len(panels) > 1 else NARROW)
        axes = figure.subplots(
            2, len(panels), sharex="col", squeeze=False, gridspec_kw={"height_ratios": [1, 3.6]}
        )
        for column, (subjects, keys, label, title) in enumerate(panels):
            upper, lower = axes[0, column], axes[1, column]
            # The true sources are nearly the same for all.
            counted = subjects[:1] if keys[0] == "completeness" else subjects
            for one in counted:
                _draw_counts(upper, one, keys, filled=keys[0] == "completeness")
            upper.set_ylabel("Number")
            upper.set_ylim(bottom=0)
            _draw_fractions(lower, subjects, ("detection", *keys))
            _finish(lower, title, label)
            if keys[0] == "completeness" and findings.faintest is not None:
                lower.axvline(findings.faintest, color=FAINT, linewidth=0.8, linestyle=(0, (2, 2)))
        if complete and pure:
            _share_limits(axes[1], complete, ("detection", "completeness", "mag"))
        figure.align_ylabels()
        shared_legend(figure, findings.subjects)
    return figure


def binned_figure(findings: Findings) -> Figure | None:
    """Draw completeness by size and by surface brightness.

    Parameters
    ----------
    findings : Findings
        What the report tells of.

    Returns
    -------
    matplotlib.figure.Figure or None
        None if neither is known.
    """
    panels = [
        (subjects, keys, title, logarithmic)
        for keys, title, logarithmic in (
            (("detection", "completeness", "r_e"), "Half-light radius (arcsec)", True),
            (
                ("detection", "completeness", "surface_brightness"),
                f"Surface brightness in {findings.band}\n(mag arcsec⁻²)",
                False,
            ),
        )
        if (subjects := findings.having(*keys))
    ]
    if not panels:
        return None
    with paper_style():
        figure = paper_figure(2.9, WIDTH if len(panels) > 1 else NARROW)
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for place, (subjects, keys, title, logarithmic) in zip(axes, panels, strict=True):
            if logarithmic:
                place.set_xscale("log")
                place.xaxis.set_major_formatter("{x:g}")
                place.xaxis.set_minor_formatter(NullFormatter())
                place.set_xticks([0.1, 0.2, 0.5, 1, 2], minor=False)
            _draw_fractions(place, subjects, keys, logarithmic=logarithmic)
            _finish(place, title, "Completeness" if place is axes[0] else "")
        shared_legend(figure, findings.subjects)
    return figure


def blends_figure(findings: Findings) -> Figure | None:
    """Draw the share of the sources that are blended by the distance to a brighter one.

    Parameters
    ----------
    findings : Findings
        What the report tells of.

    Returns
    -------
    matplotlib.figure.Figure or None
        None if no two sources are close.
    """
    keys = ("segmentation", "blended_by_separation")
    subjects = findings.having(*keys)
    if not subjects:
        return None
    with paper_style():
        figure = paper_figure(2.7, NARROW)
        axes = figure.subplots()
        _draw_fractions(axes, subjects, keys)
        _finish(axes, "Distance to the nearest brighter source (pixels)", "Blended")
        axes.set_xlim(left=0)
        shared_legend(figure, subjects)
    return figure


def _draw_fractions(
    axes: Axes, subjects: Sequence[Subject], keys: tuple[str, ...], *, logarithmic: bool = False
) -> None:
    """Draw fractions with their intervals; detectors stand beside each other in a bin."""
    for place, one in enumerate(subjects):
        bins = one.score(*keys)
        x = np.array([middle(part, logarithmic=logarithmic) for part in bins])
        shift = _DODGE * (place - (len(subjects) - 1) / 2)
        if logarithmic:
            x = x * 1.3**shift
        else:
            x = x + shift * min(part["high"] - part["low"] for part in bins)
        y, lower, upper = (
            np.array([part[name] for part in bins], dtype=float)
            for name in ("value", "lower", "upper")
        )
        look = one.look
        axes.plot(x, y, **look, zorder=3 + place)
        few = np.array([part["n"] < _FEW for part in bins])
        # The long intervals of a few sources stay behind what is known well.
        for chosen, alpha in ((few, 0.25), (~few, 0.7)):
            axes.errorbar(
                x[chosen],
                y[chosen],
                [(y - lower)[chosen], (upper - y)[chosen]],
                fmt="none",
                ecolor=look["color"],
                elinewidth=0.9,
                alpha=alpha,
            )


def _draw_counts(axes: Axes, one: Subject, keys: tuple[str, ...], *, filled: bool) -> None:
    """Draw how many there are in each bin; bins that are missing are empty."""
    bins = one.score("detection", *keys)
    heights, edges = [], [bins[0]["low"]]
    for part in bins:
        if part["low"] > edges[-1]:
            edges.append(part["low"])
            heights.append(0)
        edges.append(part["high"])
        heights.append(part["n"])
    if filled:
        axes.stairs(heights, edges, fill=True, color=SHADE)
    else:
        look = {name: one.look[name] for name in ("color", "linestyle")}
        axes.stairs(heights, edges, linewidth=1.0, **look)


def _share_limits(axes: Sequence[Axes], subjects: Sequence[Subject], keys: tuple[str, ...]) -> None:
    """Show the same magnitudes of sources and of detections, of which some are very faint."""
    bins = [part for one in subjects for part in one.score(*keys)]
    low, high = min(part["low"] for part in bins), max(part["high"] for part in bins)
    for place in axes:
        place.set_xlim(low - 0.3, high + _BEYOND)


def _finish(axes: Axes, title: str, label: str) -> None:
    axes.set_ylim(-0.03, _TOP)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.axhline(_HALF, color=GRID, linewidth=0.8, zorder=0)
    axes.axhline(1, color=GRID, linewidth=0.8, zorder=0)
    axes.set_xlabel(title, parse_math=False)
    axes.set_ylabel(label)
