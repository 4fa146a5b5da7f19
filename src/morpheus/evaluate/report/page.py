"""The page: sections put together, and written as one HTML file."""

import base64
from collections.abc import Mapping
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined

from morpheus.evaluate.report.blocks import Document, Picture
from morpheus.evaluate.report.classes_text import calibration_section, classification_section
from morpheus.evaluate.report.detection_text import detection_section, segmentation_section
from morpheus.evaluate.report.examples_text import examples_section
from morpheus.evaluate.report.findings import Findings
from morpheus.evaluate.report.method_text import method_section
from morpheus.evaluate.report.setup_text import setup_section
from morpheus.evaluate.report.style import render
from morpheus.evaluate.report.summary_text import summary_section
from morpheus.evaluate.report.tests_text import tests_section

__all__ = ["make_document", "render_page"]

_TEMPLATE = "report.html.j2"
_SCREEN = 96.0  # CSS pixels in an inch
_LARGER = 1.22  # than in print: a column of the page is wider than that of a journal


def make_document(findings: Findings, provenance: dict[str, Any]) -> Document:
    """Make everything that a report shows.

    Parameters
    ----------
    findings : Findings
        What it tells of.
    provenance : dict
        `created` and `software`.

    Returns
    -------
    Document
        Sections for which there is nothing are left out.
    """
    document = Document()
    setup_section(document, findings)
    if findings.subjects:
        summary_section(document, findings)
        detection_section(document, findings)
        segmentation_section(document, findings)
        classification_section(document, findings)
        calibration_section(document, findings)
        tests_section(document, findings)
        examples_section(document, findings)
    method_section(document, findings, provenance)
    return document


def render_page(
    document: Document, title: str, provenance: dict[str, Any], drawn: Mapping[str, bytes]
) -> str:
    """Write a report as one HTML file.

    Parameters
    ----------
    document : Document
        What it shows.
    title : str
        Its title.
    provenance : dict
        `created` and `software`.
    drawn : mapping of str to bytes
        PNG files of the figures that are made of pictures, by name.

    Returns
    -------
    str
        It loads nothing: figures are in it.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(
        resources.files(__package__).joinpath(_TEMPLATE).read_text(encoding="utf-8")
    )
    pictures = {
        one.name: {"source": _inline(one, drawn), "width": round(width * _SCREEN * _LARGER)}
        for one in document.pictures
        for width in [one.figure.get_figwidth()]
    }
    return template.render(
        title=title,
        sections=document.sections,
        pictures=pictures,
        created=provenance["created"],
        version=provenance["software"].get("morpheus", ""),
    )


def _inline(picture: Picture, drawn: Mapping[str, bytes]) -> str:
    """Give a figure as an address that holds all of it: lines as SVG, pictures as PNG."""
    content = drawn[picture.name] if picture.pixels else render(picture.figure, "svg")
    kind = "image/png" if picture.pixels else "image/svg+xml"
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
