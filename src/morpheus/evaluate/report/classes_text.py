"""The sections on the classes of sources and on calibration."""

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from morpheus.evaluate.report.blocks import Cell, Document
from morpheus.evaluate.report.figures_calibration import (
    class_calibration_figure,
    reliability_figure,
)
from morpheus.evaluate.report.figures_classes import (
    accuracy_figure,
    bounds,
    chosen_groups,
    confusion_figure,
    group_title,
)
from morpheus.evaluate.report.findings import Findings, Subject, dig
from morpheus.evaluate.report.numbers import count, joined, percent, plus_minus, scalar
from morpheus.evaluate.report.style import CLASS_TITLES

__all__ = ["calibration_section", "classification_section"]

_LEAST_OFF = 0.01  # difference of probability and share that is worth a word


def classification_section(document: Document, findings: Findings) -> None:
    """Tell how the classes agree with the votes.

    Parameters
    ----------
    document : Document
        To which it is added.
    findings : Findings
        What the report tells of.
    """
    subjects = findings.having("classes")
    if not subjects:
        return
    document.begin("classification", "Classification")
    others = [one.name for one in findings.subjects if one not in subjects]
    for one in subjects:
        document.say(*_accuracy(findings, one), _worst(findings, one), _entropy(one))
    if others:
        document.say(
            Markup("{} {} no classes that could be compared.").format(
                joined(others), "gives" if len(others) == 1 else "give"
            ),
            remark=True,
        )
    if not findings.having("classes", "by_mag"):
        document.say("There are no magnitudes to group the sources by.", remark=True)
    document.say(
        f"Figure {document.next_figure} shows which classes are taken for which, and Figure"
        f" {document.next_figure + 1} how that depends on the sources."
    )
    document.picture(
        "confusion",
        confusion_figure(findings),
        "Confusion matrices: of the detected sources whose votes have their majority in the class"
        " of a row (number in brackets), the share and the number that the detector puts into the"
        " class of each column. The diagonal is right. Where votes are equal, either class is"
        " right.",
        "Confusion matrices of the classes of sources",
    )
    document.picture(
        "accuracy",
        accuracy_figure(findings),
        "Share of the sources whose most probable class is that of the votes' majority"
        " (bars: 68.27% intervals), and mean cross-entropy of the probabilities to the votes (bars:"
        " standard errors). The short lines are the votes' own entropy, below which no detector"
        " can come. Where experts disagree, no detector can be right every time.",
        "Accuracy by magnitude and by agreement of the experts, and cross-entropy",
    )
    _recall_table(document, subjects)


def _recall_table(document: Document, subjects: tuple[Subject, ...]) -> None:
    document.table(
        "Recall (share of the sources of a class that get it) and precision (share of the sources"
        " that get a class and are of it), by the votes' majority, of all detected sources.",
        ["", *(one.name for one in subjects)],
        [
            [
                Cell(f"{title}, {CLASS_TITLES[name].lower()}"),
                *(_share(one, key, name) for one in subjects),
            ]
            for key, title in (("recall", "Recall"), ("precision", "Precision"))
            for name in subjects[0].score("classes", "names")
        ],
    )


def _share(one: Subject, key: str, name: str) -> Cell:
    part = one.score("classes", "all", key, name)
    if part is None or not part["n"]:
        return Cell("\N{EN DASH}")
    return Cell(percent(part), f"{count(part['k'])} of {count(part['n'])}")


def _accuracy(findings: Findings, one: Subject) -> list[str]:
    every = one.score("classes", "all")
    sentences: list[str] = [
        Markup(
            "<strong>{}</strong> gives {} of the {} detected sources that have votes the class of"
            " their majority ({})."
        ).format(
            one.name, count(every["accuracy"]["k"]), count(every["n"]), percent(every["accuracy"])
        )
    ]
    parts = [
        Markup("{} for {}").format(percent(group["accuracy"]), group_title(findings, group))
        for group in one.score("classes", "by_mag") or []
    ]
    if len(parts) > 1:
        sentences.append(Markup("By magnitude, it is right in {}.").format(joined(parts)))
    agreed = [
        Markup("{} where {} of the votes agree").format(
            percent(group["accuracy"]), bounds(group["low"], group["high"], percent=True, most=1.0)
        )
        for group in one.score("classes", "by_agreement") or []
    ]
    if len(agreed) > 1:
        sentences.append(Markup("By the experts' agreement, in {}.").format(joined(agreed)))
    return sentences


def _worst(findings: Findings, one: Subject) -> str:
    """Name the most frequent error among the brightest sources."""
    group = chosen_groups(one)[0]
    names = one.score("classes", "names")
    errors = [
        (number, expected, given)
        for expected, row in enumerate(group["confusion"])
        for given, number in enumerate(row)
        if expected != given
    ]
    number, expected, given = max(errors)
    if not number:
        return ""
    return Markup("Its most frequent error ({}): {} of {} {} {} called {}.").format(
        group_title(findings, group),
        number,
        sum(group["confusion"][expected]),
        _plural(names[expected]),
        "is" if number == 1 else "are",
        CLASS_TITLES[names[given]].lower(),
    )


def _plural(name: str) -> str:
    return f"{CLASS_TITLES[name].lower()}s"


def _entropy(one: Subject) -> str:
    every = one.score("classes", "all")
    return Markup(
        "The cross-entropy of its probabilities to the votes is {} nat for each source; that of the"
        " votes to themselves, the least possible, is {}."
    ).format(
        plus_minus(every["cross_entropy"], every["cross_entropy_error"]),
        scalar(every["votes_entropy"], 3),
    )


def calibration_section(document: Document, findings: Findings) -> None:
    """Tell whether probabilities mean what they say.

    Parameters
    ----------
    document : Document
        To which it is added.
    findings : Findings
        What the report tells of.
    """
    subjects = [one for one in findings.subjects if one.score("classes") or one.score("pixels")]
    if not subjects:
        return
    document.begin("calibration", "Calibration")
    for one in subjects:
        document.say(*_calibration(one))
    if not findings.having("pixels"):
        document.say(
            "The calibration of pixels is not known: the true classes of the pixels are not known,"
            " or there are no class maps.",
            remark=True,
        )
    document.say(
        f"Figure {document.next_figure} and Table {document.next_table} show it by probability,"
        f" and Figure {document.next_figure + 1} for each class."
    )
    document.picture(
        "reliability",
        reliability_figure(findings),
        "Reliability diagrams: the true share of the most probable class by its probability. On"
        " the dashed line, probabilities mean what they say; below it they are too high, above it"
        " too low. Hollow marks: fewer than 10 in the bin. Lower panels: share of the sources, or"
        " of the pixels, in each bin. Pixels whose most probable class is the background are"
        " left out: they are many, and easy.",
        "Reliability diagrams of sources and pixels",
    )
    document.table(
        "Expected calibration error: the mean distance from the dashed line, weighted by the"
        " number in the bins; 0 is calibrated.",
        ["", *(one.name for one in subjects)],
        _errors(subjects),
    )
    document.picture(
        "reliability_by_class",
        class_calibration_figure(findings),
        "Reliability by class: the true share of each class by its own probability. A curve below"
        " the dashed line means a class that is given too readily, one above it a class that is"
        " given too rarely.",
        "Reliability diagrams of every class",
    )


def _calibration(one: Subject) -> list[str]:
    sentences: list[str] = []
    for keys, what, single in (
        (("classes", "calibration"), "sources", "source"),
        (("pixels", "calibration", "sources"), "pixels of sources", "pixel"),
    ):
        found = one.score(*keys)
        if not dig(found, "bins"):
            continue
        mean, share = _means(found["bins"])
        verdict = "about right"
        if abs(mean - share) > _LEAST_OFF:
            verdict = "too sure" if mean > share else "not sure enough"
        subject = Markup("<strong>{}</strong>").format(one.name) if not sentences else "it"
        sentences.append(
            Markup(
                "For the most probable class of a {}, {} gives a mean probability of {}, and the"
                " true share is {}: on the whole it is {} ({} {}, expected calibration error {})."
            ).format(
                single,
                subject,
                scalar(mean, 3),
                scalar(share, 3),
                verdict,
                count(found["n"]),
                what,
                scalar(found["ece"], 3),
            )
        )
    return sentences


def _means(bins: Iterable[dict[str, Any]]) -> tuple[float, float]:
    bins = list(bins)
    total = sum(one["n"] for one in bins)
    mean = sum(one["n"] * one["probability"] for one in bins) / total
    return mean, sum(one["n"] * one["share"] for one in bins) / total


def _errors(subjects: list[Subject]) -> list[list[Cell]]:
    places: list[tuple[str, tuple[str, ...]]] = [
        ("Sources, most probable class", ("classes", "calibration", "ece")),
        *(
            (f"Sources, {title.lower()}", ("classes", "calibration", "by_class", name, "ece"))
            for name, title in CLASS_TITLES.items()
        ),
        ("Pixels, most probable class", ("pixels", "calibration", "ece")),
        ("Pixels of sources, most probable class", ("pixels", "calibration", "sources", "ece")),
        *(
            (f"Pixels, {title.lower()}", ("pixels", "calibration", "by_class", name, "ece"))
            for name, title in CLASS_TITLES.items()
        ),
    ]
    rows = [(title, [one.score(*keys) for one in subjects]) for title, keys in places]
    return [
        [Cell(title), *(Cell(scalar(value, 3)) for value in values)]
        for title, values in rows
        if any(value is not None for value in values)
    ]
