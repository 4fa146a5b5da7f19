"""The section on the setup: what was evaluated, on what."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from morpheus.evaluate.report.blocks import Cell, Document
from morpheus.evaluate.report.findings import Findings
from morpheus.evaluate.report.numbers import count, joined, magnitude, scalar, time, words

__all__ = ["brighter", "setup_section", "title_of"]

_KINDS = {
    "simulated": "The images are simulated: the place, brightness and votes of every source are"
    " known, and whose each pixel is.",
    "injected": "Simulated sources were added to real images: of these the place, brightness and"
    " votes are known, and of what else is there nothing.",
    "labelled": "The images are real; what is known of them is a table of labelled sources.",
}
# In sentences; and files with their checksums, which are for programs.
_SAID = {"kind", "images", "reference_band", "match_radius", "faintest", "inputs"}
_NAMES = {
    "n": "injected sources",
    "complete": "the labels list every source",
    "size": "side of an image (pixels)",
    "density": "sources per arcmin²",
    "psfs": "PSFs",
    "zero_points_from": "zero points from",
    "depth": "depth (AB mag, 5 sigma, point source)",
}
_MOST_NAMES, _MOST_IMAGES = 4, 6


def title_of(findings: Findings) -> str:
    """Give the report its title.

    Parameters
    ----------
    findings : Findings
        What the report tells of.

    Returns
    -------
    str
        With the names of the detectors if they are few.
    """
    names = [one.name for one in findings.subjects]
    injected = findings.setup.get("kind") == "injected"
    what = "Artificial sources found by" if injected else "Evaluation of"
    if not names:
        return "Evaluation"
    if len(names) > _MOST_NAMES:
        return f"{what} {names[0]} and {len(names) - 1} other detectors"
    return f"{what} {', '.join(names[:-1])}{' and ' if names[1:] else ''}{names[-1]}"


def brighter(findings: Findings) -> str:
    """Say which sources count in the totals.

    Parameters
    ----------
    findings : Findings
        What the report tells of.

    Returns
    -------
    str
        Such as 'F160W < 26', or 'all sources'.
    """
    if findings.faintest is None:
        return "all sources"
    # What belongs together is not broken at the end of a line.
    return f"{findings.band}\N{NO-BREAK SPACE}<\N{NO-BREAK SPACE}{magnitude(findings.faintest)}"


def setup_section(document: Document, findings: Findings) -> None:
    """Say what was evaluated, on what.

    Parameters
    ----------
    document : Document
        To which it is added.
    findings : Findings
        What the report tells of.
    """
    document.begin("setup", "Setup")
    document.say(*_what_was_seen(findings))
    # Python's own texts of dictionaries and lists are for programmers.
    extra = [
        [Cell(_NAMES.get(str(key), str(key).replace("_", " "))), Cell(_plain(value))]
        for key, value in findings.setup.items()
        if key not in _SAID and value not in (None, {}, [])
    ]
    if extra:
        document.table(
            "How the images were made or chosen.", ["Property", "Value"], extra, words=True
        )
    rows = [
        [
            Cell(one.name),
            Cell(str(one.data.get("description") or "")),
            Cell(count(one.score("n_detections")), number=True),
            Cell(time(one.data.get("seconds")), number=True),
        ]
        for one in findings.subjects
    ]
    caption = "The detectors, how many sources each found, and how long it took."
    document.table(caption, ["Detector", "What it is", "Found", "Time"], rows, words=True)


def _what_was_seen(findings: Findings) -> list[str]:
    setup, subjects = findings.setup, findings.subjects
    if not subjects:
        return ["Nothing was evaluated."]
    first, images = subjects[0], setup.get("images")
    number = first.score("n_images") or 0
    images = [str(one) for one in images] if isinstance(images, list) else []
    names = Markup("")
    if images:
        more = [f"{len(images) - _MOST_IMAGES} more"] if images[_MOST_IMAGES:] else []
        names = Markup(" ({})").format(joined(images[:_MOST_IMAGES] + more))
    plural = "s" if len(subjects) != 1 else ""
    sentences: list[str] = [
        Markup("{} detector{} ({}) {} run on {} image{}{}.").format(
            words(len(subjects)).capitalize(),
            plural,
            joined([one.name for one in subjects]),
            "were" if plural else "was",
            words(number),
            "" if number == 1 else "s",
            names,
        ),
        _KINDS.get(str(setup.get("kind")), ""),
    ]
    area = first.score("area_arcmin2")
    sources = [one.score("n_sources") for one in subjects]
    least, most = count(min(sources)), count(max(sources))
    number_text = least if least == most else f"{least} to {most}, depending on the detector,"
    where = "" if area is None else f" in {scalar(area, 2)} arcmin²"
    sentences.append(
        f"Of the known sources, {number_text} lie on pixels that could be searched{where}; the"
        " others, beyond the images or on masked pixels, count for nothing."
    )
    limit = (
        "All sources count in the totals."
        if findings.faintest is None
        else f"In totals, sources with {brighter(findings)} count."
    )
    band = setup.get("reference_band")
    known = any(one.score("detection", "completeness", "mag") for one in subjects)
    sentences.append(f"Magnitudes are AB, in {band}." if band and known else "")
    sentences.append(limit)
    return sentences


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_plain(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{round(value, 2) if abs(value) > 1 else value:g}"
    return "\N{EN DASH}" if value is None else str(value)
