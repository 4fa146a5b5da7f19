"""The section with the gallery and the misclassified sources."""

from markupsafe import Markup

from morpheus.evaluate.report.blocks import Document
from morpheus.evaluate.report.findings import Findings
from morpheus.evaluate.report.gallery import Gallery, draw_gallery
from morpheus.evaluate.report.misclassified import draw_strip
from morpheus.evaluate.report.numbers import count
from morpheus.evaluate.report.sky import sky_picture

__all__ = ["examples_section"]


def examples_section(document: Document, findings: Findings) -> None:
    """Show an image, and sources that are misclassified.

    Parameters
    ----------
    document : Document
        To which it is added.
    findings : Findings
        What the report tells of.
    """
    if not findings.examples or not findings.subjects:
        return
    document.begin("examples", "Examples")
    for place in range(len(findings.examples)):
        sky = sky_picture(findings.examples[place].image)
        gallery = draw_gallery(findings, place, sky)
        if gallery is None:
            continue
        document.picture(
            f"example_{place + 1}",
            gallery.figure,
            _gallery_caption(gallery),
            f"Part of {gallery.image}: the sky, the truth and what each detector found",
            pixels=True,
        )
        for subject in findings.subjects:
            strip = draw_strip(findings, subject, place, sky)
            if strip is None:
                continue
            document.picture(
                f"misclassified_{place + 1}_{subject.number + 1}",
                strip.figure,
                Markup(
                    "The clearest of the {} of {} classified sources of {} that {} puts into"
                    " another class than the votes' majority: those on which most experts agree"
                    " and the detector is sure of something else, bright ones first. From the top:"
                    " number and true magnitude, the sky with the outline of the segment,{} and"
                    " votes and probabilities. Look at whether another source shares the outline."
                ).format(
                    count(strip.n_wrong),
                    count(strip.n_all),
                    strip.image,
                    subject.name,
                    " the class map," if strip.has_maps else "",
                ),
                f"Misclassified sources of {subject.name}",
                pixels=True,
            )


def _gallery_caption(gallery: Gallery) -> Markup:
    crop = gallery.crop
    parts = [
        Markup("{} by {} pixels of {}, from x = {}, y = {}. <em>Sky:</em> {}.").format(
            crop.width, crop.height, gallery.image, crop.x, crop.y, gallery.bands
        )
    ]
    if gallery.has_truth:
        parts.append(Markup("<em>Truth:</em> the true class of every pixel."))
    if gallery.has_truth or gallery.has_maps:
        parts.append(
            Markup(
                "In class maps the hue is that of the most probable class of source, paler the less"
                " it leads, and darker the more probable the background is."
            )
        )
    if gallery.has_maps:
        parts.append(Markup("White outlines are the detector's segments."))
    if gallery.has_segments:
        parts.append(
            Markup("For detectors without class maps: their segments on the reference band.")
        )
    parts.append(
        Markup("Circles mark true sources that are missed or blended, crosses what is spurious.")
    )
    return Markup(" ").join(parts)
