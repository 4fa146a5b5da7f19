"""The section on the tests of Hausen & Robertson (2020)."""

from typing import Any

from markupsafe import Markup

from morpheus.classes import CLASSES
from morpheus.evaluate.report.blocks import Cell, Document
from morpheus.evaluate.report.figures_tests import profiles_figure, sersic_figure
from morpheus.evaluate.report.findings import Findings, Subject
from morpheus.evaluate.report.numbers import asymmetric, count, joined

__all__ = ["tests_section"]

_LABELS = {one.name: one.label.lower() for one in CLASSES}


def tests_section(document: Document, findings: Findings) -> None:
    """Tell what became of single profiles, and of noise.

    Parameters
    ----------
    document : Document
        To which it is added.
    findings : Findings
        What the report tells of.
    """
    subjects = [one for one in findings.subjects if one.data.get("tests")]
    if not subjects:
        return
    document.begin("tests", "Tests of the paper")
    document.say(
        "Hausen & Robertson (2020) tested their network on single galaxies of one profile each,"
        " and on noise. The same tests, made anew:"
    )
    _sersic(document, findings)
    _profiles(document, findings)
    _large(document, subjects)
    _noise(document, subjects)


def _sersic(document: Document, findings: Findings) -> None:
    figure = sersic_figure(findings)
    if figure is None:
        return
    grids = [(one, grid) for one in findings.subjects if (grid := one.test("sersic_grid"))]
    totals = []
    for one, grid in grids:
        found = [cell["detected"] for cell in grid["cells"]]
        k, n = sum(part["k"] for part in found), sum(part["n"] for part in found)
        totals.append(Markup("{} of {} by {}").format(count(k), count(n), one.name))
    document.say(
        Markup("Of the Sérsic profiles of the grid (Figure {}), detected are {}.").format(
            document.next_figure, joined(totals)
        )
    )
    radius = grids[0][1].get("r_e")
    size = f" with a half-light radius of {radius:g} pixels" if radius else ""
    document.picture(
        "sersic_grid",
        figure,
        Markup(
            "What single Sérsic profiles{} are taken for, by index and signal to noise: the class"
            " of the highest mean probability of the detected ones, paler where that is lower."
            " Hatched: fewer than half are detected. A good classifier calls low indices disks and"
            " high ones spheroids, and loses them together at low signal to noise."
        ).format(size),
        "Class of single profiles by Sersic index and signal to noise",
    )


def _profiles(document: Document, findings: Findings) -> None:
    figure = profiles_figure(findings)
    test: dict[str, Any] = next(
        (found for one in findings.subjects if (found := one.test("profiles"))), {}
    )
    level = test.get("signal_to_noise")
    noise = f" with a signal to noise of {level:g}" if level else ""
    document.picture(
        "profiles",
        figure,
        Markup(
            "Mean probabilities of the classes of {}{}, by half-light radius. The curve of the"
            " profile's own class should be the highest, at every size."
        ).format("exponential disks and de Vaucouleurs spheroids", noise),
        "Probabilities of the classes of single profiles by half-light radius",
    )


def _large(document: Document, subjects: list[Subject]) -> None:
    tested = [one for one in subjects if one.test("large", "rows")]
    if not tested:
        return
    rows = []
    for radius in dict.fromkeys(row["r_e"] for one in tested for row in one.test("large", "rows")):
        found = [
            next((row for row in one.test("large", "rows") if row["r_e"] == radius), None)
            for one in tested
        ]
        rows.append([Cell(f"r_e = {radius:g} pixels"), *(_pieces(row) for row in found)])
    document.table(
        "Exponential disks much larger than most galaxies: the sources that each is found as"
        " (within two half-light radii, with a hundredth of the pixels there or more; in the mean),"
        " and the most probable class of the one at its centre. One disk should be one source, and"
        " a disk.",
        ["", *(one.name for one in tested)],
        rows,
    )


def _pieces(row: dict[str, Any] | None) -> Cell:
    if row is None:
        return Cell("\N{EN DASH}")
    return Cell(f"{row['pieces']:.2g}", _LABELS.get(row["class"], "no class"))


def _noise(document: Document, subjects: list[Subject]) -> None:
    tested = [one for one in subjects if one.test("noise", "kinds")]
    if not tested:
        return
    rows = []
    for name in dict.fromkeys(
        kind["kind"] for one in tested for kind in one.test("noise", "kinds")
    ):
        found = [
            next((kind for kind in one.test("noise", "kinds") if kind["kind"] == name), None)
            for one in tested
        ]
        rows.append([Cell(f"Per arcmin², {name}"), *(_rate(kind) for kind in found)])
        rows.append([Cell(f"Source pixels, {name}"), *(_pixels(kind) for kind in found)])
    document.table(
        "What is found where there is only noise: detections per arcmin², with their number, and"
        " the share of the pixels that belong to them. All of them are false.",
        ["", *(one.name for one in tested)],
        rows,
    )


def _rate(kind: dict[str, Any] | None) -> Cell:
    if kind is None or kind["spurious"]["value"] is None:
        return Cell("\N{EN DASH}")
    rate = kind["spurious"]
    text = asymmetric(rate["value"], rate["lower"], rate["upper"])
    return Cell(text, f"{count(rate['n'])} found")


def _pixels(kind: dict[str, Any] | None) -> Cell:
    if kind is None or kind["source_pixels"] is None:
        return Cell("\N{EN DASH}")
    return Cell(f"{100 * kind['source_pixels']:.2g} %")
