"""The sections on detection and on segmentation."""

from typing import Any

from markupsafe import Markup

from morpheus.evaluate.report.blocks import Cell, Document
from morpheus.evaluate.report.figures_detection import (
    binned_figure,
    blends_figure,
    magnitude_figure,
)
from morpheus.evaluate.report.findings import Findings, Subject
from morpheus.evaluate.report.numbers import asymmetric, count, joined, percent, scalar
from morpheus.evaluate.report.setup_text import brighter

__all__ = ["detection_section", "segmentation_section"]

_OVERLAPS = (
    ("iou", "IoU of the masks"),
    ("pixel_recall", "Pixel recall"),
    ("pixel_precision", "Pixel precision"),
    ("segmentation_quality", "Segmentation quality"),
    ("recognition_quality", "Recognition quality"),
    ("panoptic_quality", "Panoptic quality"),
)


def detection_section(document: Document, findings: Findings) -> None:
    """Tell how complete and how pure detection is.

    Parameters
    ----------
    document : Document
        To which it is added.
    findings : Findings
        What the report tells of.
    """
    document.begin("detection", "Detection")
    figure, binned = magnitude_figure(findings), binned_figure(findings)
    kinds = ["magnitude"] if figure is not None else []
    kinds += ["size and surface brightness"] if binned is not None else []
    document.say(
        *(
            f"Figure {number} shows how detection depends on {kind}."
            for number, kind in enumerate(kinds, document.next_figure)
        )
    )
    for one in findings.subjects:
        document.say(*_completeness(findings, one), *_purity(one))
    document.say(_chance(findings))
    pure = findings.having("detection", "purity")
    injected = findings.setup.get("kind") == "injected"
    if not pure and findings.subjects and not injected:
        document.say(
            "Purity is not known: the table of true sources does not list every source, so what a"
            " detector finds beyond it may be real.",
            remark=True,
        )
    if figure is None and findings.subjects:
        document.say(
            "Completeness by magnitude is not known: there are no magnitudes.", remark=True
        )
    document.picture(
        "completeness_purity" if pure else "completeness",
        figure,
        _magnitude_caption(findings),
        "Completeness by magnitude" + (", and purity by magnitude" if pure else ""),
    )
    document.picture(
        "completeness_size_brightness",
        binned,
        f"Completeness for {brighter(findings)} by half-light radius and by mean surface"
        " brightness within it. What is missed is mostly faint per area: look at how far to the"
        " right each detector stays near 1. Stars have no radius and are not shown.",
        "Completeness by half-light radius and surface brightness",
    )


def _completeness(findings: Findings, one: Subject) -> list[str]:
    total = one.score("detection", "completeness", "total")
    if total is None or not total["n"]:
        return [Markup("For {}, no true source counts.").format(one.name)]
    limit = "" if findings.faintest is None else f" with {brighter(findings)}"
    sentences: list[str] = [
        Markup("<strong>{}</strong> detects {} of {} sources{} ({}).").format(
            one.name, count(total["k"]), count(total["n"]), limit, percent(total)
        )
    ]
    half = one.score("detection", "half_complete")
    if half is not None:
        sentences.append(
            Markup("Half of the sources are detected at {} = {}.").format(
                findings.band, scalar(half, 2)
            )
        )
    return sentences


def _purity(one: Subject) -> list[str]:
    total = one.score("detection", "purity", "total")
    if total is None:
        return []
    if not total["n"]:
        return ["It found nothing."]
    rate = one.score("detection", "spurious")
    spurious, per_area = rate["n"], Markup("")
    if rate["value"] is not None:
        written = asymmetric(rate["value"], rate["lower"], rate["upper"])
        per_area = Markup(" ({} per arcmin²)").format(written)
    return [
        Markup(
            "Its {} detections, of any magnitude, divide into {} sources (a purity of {}), {}"
            " spurious{} and {} shreds of sources. (A source whose centre lies outside counts"
            " here, but not in completeness.)"
        ).format(
            count(total["n"]),
            count(total["k"]),
            percent(total),
            count(spurious),
            per_area,
            count(total["n"] - total["k"] - spurious),
        )
    ]


def _chance(findings: Findings) -> str:
    """Say how many matches are by chance."""
    rates = [
        Markup("{} for {}").format(percent(rate), one.name)
        for one in findings.subjects
        if (rate := one.score("detection", "chance")) is not None and rate["n"]
    ]
    if not rates:
        return ""
    return Markup(
        "If all sources, of any magnitude, are moved by half an image, the share that meets a"
        " detection of nothing known is {}: about so many matches of what is too faint to be seen"
        " are by chance."
    ).format(joined(rates))


def _magnitude_caption(findings: Findings) -> str:
    text = (
        "<em>Left:</em> share of the true sources that are detected, by their true magnitude."
        if findings.having("detection", "purity", "mag")
        else "Share of the true sources that are detected, by their true magnitude."
    )
    if findings.faintest is not None:
        text += " The dashed line is the limit of the totals."
    if findings.having("detection", "purity", "mag"):
        text += (
            " <em>Right:</em> share of the detections that are a source each, by the magnitude"
            " measured in the segment. A good detector keeps both near 1 to the same depth."
        )
    text += (
        " Upper panels: number in each bin. Bars are 68.27% intervals, pale where there are fewer"
        " than 5; detectors are shifted sideways within a bin, to be told apart."
    )
    return Markup(text)  # noqa: S704 (nothing from outside is in it)


def segmentation_section(document: Document, findings: Findings) -> None:
    """Tell how well pixels are given to sources.

    Parameters
    ----------
    document : Document
        To which it is added.
    findings : Findings
        What the report tells of.
    """
    known = findings.having("segmentation", "iou")
    figure = blends_figure(findings)
    counted = [one for one in findings.subjects if _counted(one)]
    if not known and not counted:
        return
    document.begin("segmentation", "Segmentation")
    for one in counted:
        document.say(*_parts(one))
    if not known:
        document.say(
            "Overlaps are not known: there is no map of whose each pixel is.",
            remark=True,
        )
    else:
        document.say(
            f"Table {document.next_table} compares the pixels. A low precision with a high recall"
            " means segments that reach farther out than the true ones; how far a true source"
            " reaches is a convention, so no detector can come near 1 in all of them.",
            "" if figure is None else f"Figure {document.next_figure} shows what is blended.",
        )
    document.table(
        "Overlap with the true pixels of the sources, from 0 to 1.",
        ["", *(one.name for one in known)],
        [
            [Cell(title), *(Cell(scalar(one.score("segmentation", key), 3)) for one in known)]
            for key, title in _OVERLAPS
        ]
        if known
        else [],
    )
    document.picture(
        "blended_by_separation",
        figure,
        f"Share of the sources ({brighter(findings)}) that are blended, by the distance to the"
        " nearest brighter source. Bars are 68.27% intervals, pale where there are fewer than 5"
        " sources. The earlier a curve falls, the closer are the pairs that the detector"
        " separates.",
        "Share of blended sources by distance to the nearest brighter source",
    )


def _counted(one: Subject) -> bool:
    blended: dict[str, Any] | None = one.score("segmentation", "blended")
    return bool(blended and blended["n"])


def _parts(one: Subject) -> list[str]:
    blended, shredded = (one.score("segmentation", key) for key in ("blended", "shredded"))
    sentences: list[str] = [
        Markup("<strong>{}</strong> blends {} of {} sources ({}) with others").format(
            one.name, count(blended["k"]), count(blended["n"]), percent(blended)
        )
        + (
            Markup(" and shreds {} ({}).").format(count(shredded["k"]), percent(shredded))
            if shredded
            else Markup(".")
        )
    ]
    iou, quality = (one.score("segmentation", key) for key in ("iou", "panoptic_quality"))
    if iou is not None and quality is not None:
        sentences.append(
            f"Its mask of sources overlaps with the true one by {scalar(iou, 2)} (intersection over"
            f" union); its panoptic quality is {scalar(quality, 2)}."
        )
    return sentences
