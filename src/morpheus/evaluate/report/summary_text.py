"""The table of the headline numbers, side by side."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from morpheus.evaluate.report.blocks import Cell, Document
from morpheus.evaluate.report.figures_classes import chosen_groups, group_title
from morpheus.evaluate.report.findings import Findings, Subject
from morpheus.evaluate.report.numbers import asymmetric, count, percent, plus_minus, scalar, time
from morpheus.evaluate.report.setup_text import brighter

__all__ = ["Measure", "best_of", "summary_section"]


@dataclass(frozen=True)
class Measure:
    """A number of the table, as it is read and as it is compared.

    Parameters
    ----------
    text : str
        As it is read.
    note : str, optional
        A second line.
    value : float or None, optional
        The number.
    lower, upper : float or None, optional
        Its interval; None if it has none.
    """

    text: str
    note: str = ""
    value: float | None = None
    lower: float | None = None
    upper: float | None = None


def best_of(measures: Sequence[Measure | None], *, highest: bool) -> int | None:
    """Tell which number is the best, if that is more than chance.

    Parameters
    ----------
    measures : sequence of Measure or None
        One for each detector.
    highest : bool
        Whether more is better.

    Returns
    -------
    int or None
        Its place; None unless its interval lies beyond those of all others.
    """
    sign = 1.0 if highest else -1.0
    ranges = []
    for place, one in enumerate(measures):
        if one is None:
            continue
        if one.value is None or one.lower is None or one.upper is None:
            return None
        ends = sorted((sign * one.lower, sign * one.upper))
        ranges.append((sign * one.value, ends[0], ends[1], place))
    if len(ranges) < 2:  # noqa: PLR2004 (two, to compare)
        return None
    first, *others = sorted(ranges, reverse=True)
    return first[3] if all(first[1] > other[2] for other in others) else None


@dataclass(frozen=True)
class _Row:
    title: str
    measure: Callable[[Subject], Measure | None]
    highest: bool


def summary_section(document: Document, findings: Findings) -> None:
    """Add the headline numbers, side by side.

    Parameters
    ----------
    document : Document
        To which it is added.
    findings : Findings
        What the report tells of.
    """
    rows = []
    for row in _rows(findings):
        measures = [row.measure(one) for one in findings.subjects]
        if not any(measures):
            continue
        best = best_of(measures, highest=row.highest)
        cells = [
            Cell("\N{EN DASH}") if one is None else Cell(one.text, one.note, place == best)
            for place, one in enumerate(measures)
        ]
        rows.append([Cell(row.title), *cells])
    document.begin("summary", "Summary")
    caption = "Headline numbers. Intervals are 68.27%."
    if len(findings.subjects) > 1:
        caption += (
            " A number is in bold where its interval lies beyond those of all other detectors."
            " A dash: not known, or not what the detector does."
        )
    document.table(caption, ["", *(one.name for one in findings.subjects)], rows)


def _rows(findings: Findings) -> list[_Row]:
    which = brighter(findings)
    detection, segmentation = ("detection",), ("segmentation",)
    rows = [
        _Row(f"Completeness, {which}", _share(*detection, "completeness", "total"), highest=True),
        _Row("Magnitude of 50% completeness", _number(*detection, "half_complete"), highest=True),
        _Row("Purity of all detections", _share(*detection, "purity", "total"), highest=True),
        _Row("Spurious detections per arcmin²", _spurious, highest=False),
        _Row(f"Blended, {which}", _share(*segmentation, "blended"), highest=False),
        _Row(f"Shredded, {which}", _share(*segmentation, "shredded"), highest=False),
        _Row("IoU of the source masks", _number(*segmentation, "iou", digits=3), highest=True),
        _Row(
            "Panoptic quality", _number(*segmentation, "panoptic_quality", digits=3), highest=True
        ),
    ]
    groups = {
        (group["low"], group["high"]): group_title(findings, group)
        for one in findings.having("classes")
        for group in chosen_groups(one)
    }
    rows += [
        _Row(f"Accuracy, {title}", _accuracy(limits), highest=True)
        for limits, title in groups.items()
    ]
    calibration = ("calibration", "ece")
    rows += [
        _Row("Cross-entropy to the votes", _cross_entropy, highest=False),
        _Row("ECE of sources", _number("classes", *calibration, digits=3), highest=False),
        _Row("ECE of pixels", _number("pixels", *calibration, digits=3), highest=False),
        _Row(
            "ECE of pixels of sources",
            _number("pixels", "calibration", "sources", "ece", digits=3),
            highest=False,
        ),
        _Row("Time", lambda one: Measure(time(one.data.get("seconds"))), highest=False),
    ]
    return rows


def _share(*keys: str) -> Callable[[Subject], Measure | None]:
    def find(one: Subject) -> Measure | None:
        return _measure(one.score(*keys))

    return find


def _measure(part: dict[str, Any] | None) -> Measure | None:
    if part is None or part["value"] is None:
        return None
    note = f"{count(part['k'])} of {count(part['n'])}"
    return Measure(percent(part), note, part["value"], part["lower"], part["upper"])


def _spurious(one: Subject) -> Measure | None:
    rate = one.score("detection", "spurious")
    if rate is None or rate["value"] is None:
        return None
    text = asymmetric(rate["value"], rate["lower"], rate["upper"])
    return Measure(text, f"{count(rate['n'])} found", rate["value"], rate["lower"], rate["upper"])


def _number(*keys: str, digits: int = 2) -> Callable[[Subject], Measure | None]:
    def find(one: Subject) -> Measure | None:
        value = one.score(*keys)
        return None if value is None else Measure(scalar(value, digits), value=value)

    return find


def _accuracy(limits: tuple[float | None, float | None]) -> Callable[[Subject], Measure | None]:
    def find(one: Subject) -> Measure | None:
        if one.score("classes") is None:
            return None
        found = (
            group["accuracy"]
            for group in chosen_groups(one)
            if (group["low"], group["high"]) == limits
        )
        return _measure(next(found, None))

    return find


def _cross_entropy(one: Subject) -> Measure | None:
    found = one.score("classes", "all")
    if found is None:
        return None
    value, error = found["cross_entropy"], found["cross_entropy_error"]
    known = error is not None and math.isfinite(error)
    return Measure(
        plus_minus(value, error),
        f"at least {scalar(found['votes_entropy'], 3)}",
        value,
        value - error if known else None,
        value + error if known else None,
    )
