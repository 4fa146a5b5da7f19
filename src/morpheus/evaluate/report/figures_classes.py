"""Figures of the classes of sources: confusion, accuracy and cross-entropy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from morpheus.evaluate.report.findings import Findings, Subject
from morpheus.evaluate.report.style import (
    CLASS_TITLES,
    FAINT,
    GRID,
    INK,
    NARROW,
    WIDTH,
    paper_figure,
    paper_style,
    shared_legend,
    shorten,
)

__all__ = ["accuracy_figure", "bounds", "chosen_groups", "confusion_figure", "group_title"]

_ACROSS = 3  # matrices beside each other
_CELL, _LABELS, _HIGHER = 1.95, 1.0, 1.16  # inches of a matrix; of labels; their ratio
_DARK = 0.55  # share from which text on it is white
_LONGEST = 22  # characters of a name above a matrix
_DODGE = 0.13  # between detectors, of the step between groups
_WHOLE = 1.0
_SHOWN_FAINTEST = 26.0


def bounds(
    low: float | None, high: float | None, *, percent: bool = False, most: float = math.inf
) -> str:
    """Write the limits of a group.

    Parameters
    ----------
    low, high : float or None
        The limits; None if there is none.
    percent : bool, optional
        Whether they are shares.
    most : float, optional
        An upper limit above which there is nothing.

    Returns
    -------
    str
        Such as '< 24.5'.
    """
    first, last = (
        None if value is None else f"{100 * value:.0f}" if percent else f"{value:g}"
        for value in (low, high)
    )
    unit = "%" if percent else ""
    if low is None or (percent and low <= 0):
        return "all" if last is None else f"< {last}{unit}"
    if high is None or high > most:
        return f"\N{GREATER-THAN OR EQUAL TO} {first}{unit}"
    return f"{first}\N{EN DASH}{last}{unit}"


def chosen_groups(subject: Subject) -> list[dict[str, Any]]:
    """Choose the groups of sources by magnitude that matrices are drawn of.

    Parameters
    ----------
    subject : Subject
        A detector with classes.

    Returns
    -------
    list of dict
        The groups that end at 26 mag or brighter; all sources as one if there are none.
    """
    groups = subject.score("classes", "by_mag") or []
    bright = [one for one in groups if one["high"] is not None and one["high"] <= _SHOWN_FAINTEST]
    return bright or [{"low": None, "high": None, **subject.score("classes", "all")}]


def group_title(findings: Findings, group: dict[str, Any]) -> str:
    """Name a group of sources by magnitude.

    Parameters
    ----------
    findings : Findings
        What the report tells of.
    group : dict
        With `low` and `high`.

    Returns
    -------
    str
        Such as 'F160W < 24.5'.
    """
    text = bounds(group["low"], group["high"])
    # What belongs together is not broken at the end of a line.
    return (
        "all sources"
        if text == "all"
        else f"{findings.band} {text}".replace(" ", "\N{NO-BREAK SPACE}")
    )


def confusion_figure(findings: Findings) -> Figure | None:
    """Draw which classes are taken for which.

    Parameters
    ----------
    findings : Findings
        What the report tells of.

    Returns
    -------
    matplotlib.figure.Figure or None
        None if no detector gives classes.
    """
    subjects = findings.having("classes")
    if not subjects:
        return None
    rows = _matrix_rows(subjects)
    across = max(len(row) for row in rows)
    with paper_style():
        figure = paper_figure(
            0.4 + _CELL * len(rows) * _HIGHER, min(WIDTH, _LABELS + _CELL * across)
        )
        axes = figure.subplots(len(rows), across, squeeze=False)
        for row, places in zip(rows, axes, strict=True):
            for place in places[len(row) :]:
                place.set_axis_off()
            for column, (one, group) in enumerate(row):
                title = group_title(findings, group)
                if len(subjects) > 1:
                    title = f"{shorten(one.name, _LONGEST)}\n{title}"
                _draw_matrix(places[column], one, group, title, labelled=column == 0)
    return figure


def _matrix_rows(subjects: Sequence[Subject]) -> list[list[tuple[Subject, dict[str, Any]]]]:
    """Lay matrices out: groups beside each other for one detector, or else detectors."""
    if len(subjects) == 1:
        return [[(subjects[0], group) for group in chosen_groups(subjects[0])[:_ACROSS]]]
    limits = {
        (group["low"], group["high"]): None for one in subjects for group in chosen_groups(one)
    }
    cells = [
        [
            (one, group)
            for one in subjects
            for group in chosen_groups(one)
            if (group["low"], group["high"]) == limit
        ]
        for limit in limits
    ]
    return [row[at : at + _ACROSS] for row in cells for at in range(0, len(row), _ACROSS)]


def _draw_matrix(
    axes: Axes, one: Subject, group: dict[str, Any], title: str, *, labelled: bool
) -> None:
    counts = np.array(group["confusion"], dtype=float)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, origin="upper")
    for (i, j), share in np.ndenumerate(shares):
        text = f"{100 * share:.0f}%\n{counts[i, j]:.0f}" if counts[i, j] else "0"
        color = "#ffffff" if share > _DARK else INK if counts[i, j] else FAINT
        if totals[i, 0]:
            axes.text(
                j, i, text, ha="center", va="center", color=color, fontsize=8, linespacing=1.1
            )
    names = [CLASS_TITLES[name] for name in one.score("classes", "names")]
    short = [name.replace(" source", "") for name in names]
    ticks = range(len(names))
    axes.set_xticks(ticks, short, rotation=35, ha="right", rotation_mode="anchor", fontsize=8)
    rows = [f"{name} " if labelled else "" for name in short]
    rows = [f"{name}({total:.0f})" for name, total in zip(rows, totals[:, 0], strict=True)]
    axes.set_yticks(ticks, rows, fontsize=8)
    axes.tick_params(length=0)
    axes.set_xlabel("Detector", fontsize=8.5)
    if labelled:
        axes.set_ylabel("Votes' majority", fontsize=8.5)
    axes.set_title(f"{title} (n = {group['n']})", parse_math=False, fontsize=8.5)


@dataclass(frozen=True)
class _Panel:
    """One panel of the figure of accuracy."""

    groups: str
    value: str
    title: str
    label: str


def accuracy_figure(findings: Findings) -> Figure | None:
    """Draw accuracy by magnitude and by the experts' agreement, and cross-entropy.

    Parameters
    ----------
    findings : Findings
        What the report tells of.

    Returns
    -------
    matplotlib.figure.Figure or None
        None if no detector gives classes.
    """
    subjects = findings.having("classes")
    if not subjects:
        return None
    magnitude, agreement = f"{findings.band} (AB mag)", "Share of the majority's votes"
    panels = [
        _Panel("by_mag", "accuracy", magnitude, "Accuracy (top-1)"),
        _Panel("by_agreement", "accuracy", agreement, "Accuracy (top-1)"),
        _Panel("by_mag", "cross_entropy", magnitude, "Cross-entropy (nat)"),
    ]
    if not findings.having("classes", "by_mag"):
        panels = [panels[1], _Panel("by_agreement", "cross_entropy", agreement, panels[2].label)]
    with paper_style():
        figure = paper_figure(2.75, WIDTH if len(panels) > 2 else NARROW + 0.6)  # noqa: PLR2004
        for axes, panel in zip(figure.subplots(1, len(panels)), panels, strict=True):
            _draw_groups(axes, subjects, panel)
            axes.set_xlabel(panel.title, parse_math=False)
            axes.set_ylabel(panel.label)
            if panel.value == "accuracy":
                axes.set_ylim(-0.03, 1.06)
                axes.axhline(1, color=GRID, linewidth=0.8, zorder=0)
            else:
                axes.set_ylim(bottom=0)
        shared_legend(figure, subjects)
    return figure


def _draw_groups(axes: Axes, subjects: Sequence[Subject], panel: _Panel) -> None:
    limits = {
        (group["low"], group["high"]): None
        for one in subjects
        for group in one.score("classes", panel.groups)
    }
    order = sorted(limits, key=lambda limit: -math.inf if limit[0] is None else limit[0])
    for place, one in enumerate(subjects):
        groups = one.score("classes", panel.groups)
        shift = _DODGE * (place - (len(subjects) - 1) / 2)
        x = np.array([order.index((group["low"], group["high"])) for group in groups]) + shift
        look = one.look
        if panel.value == "accuracy":
            parts = [group["accuracy"] for group in groups]
            y = np.array([part["value"] for part in parts])
            error = [y - [part["lower"] for part in parts], [part["upper"] for part in parts] - y]
        else:
            y = np.array([group["cross_entropy"] for group in groups])
            spread = np.array([group["cross_entropy_error"] or 0.0 for group in groups])
            error = [spread, spread]
            floors = [group["votes_entropy"] for group in groups]
            axes.hlines(floors, x - 0.06, x + 0.06, colors=look["color"], linewidth=1.6)
        axes.errorbar(x, y, error, fmt="none", ecolor=look["color"], elinewidth=0.9, alpha=0.8)
        axes.plot(x, y, **{**look, "linewidth": 0.9}, zorder=3)
    shares = panel.groups == "by_agreement"
    most = _WHOLE if shares else math.inf
    titles = [bounds(low, high, percent=shares, most=most) for low, high in order]
    axes.set_xticks(range(len(order)), titles)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.5, len(order) - 0.5)
