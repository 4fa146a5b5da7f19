"""The section on the method: what every quantity is, and how to repeat the evaluation."""

from typing import Any

from markupsafe import Markup

from morpheus.evaluate.calibration import N_BINS
from morpheus.evaluate.fractions import CONFIDENCE
from morpheus.evaluate.pixels import SMALLEST_SEGMENT
from morpheus.evaluate.report.blocks import Cell, Document
from morpheus.evaluate.report.findings import Findings

__all__ = ["method_section"]

_DEFINITIONS = {
    "Matching": (
        "Sources choose detections one to one, the brightest first: the segment under the"
        " source's position, or else the nearest free centroid within {distance}. A source is"
        " detected if it gets one, blended if the segment under it is another's, and missed"
        " otherwise. Where it is known whose each pixel is, a source that owns no pixel cannot be"
        " detected, and a segment that nobody chose belongs to the owner of most of its pixels:"
        " it is a shred if that is detected already, and spurious if most of its pixels are sky."
    ),
    "Completeness and purity": (
        "Completeness is the share of the true sources that are detected; purity the share of the"
        " detections that are a source each, neither shred nor spurious. The magnitude of 50%"
        " completeness is interpolated between the last bin above a half and the next, of those"
        " with five sources and more."
    ),
    "Intervals": (
        "Of fractions: Jeffreys' intervals of {confidence}% (Brown et al. 2001). Of the rates in"
        " noise: Poisson intervals (Gehrels 1986). Detectors saw the same sources, so that"
        " differences between them are known better than the intervals tell."
    ),
    "Overlap": (
        "Intersection over union (IoU) is the number of pixels that are a source's in truth and"
        " in the detector's map, over those that are in either. Pixel recall and precision are"
        " the number in both over the true and over the detected ones."
    ),
    "Panoptic quality": (
        "A segment and a true one are the same if their IoU is above 0.5. The panoptic quality"
        " (Kirillov et al. 2019) is the mean IoU of these (segmentation quality) times the number"
        " of them over that plus half of all others (recognition quality). True segments under"
        " {smallest} pixels are left out."
    ),
    "Classes": (
        "The class of a source is that of the highest probability, the flux-weighted mean of its"
        " pixels'; the true one is that of the majority of the votes. Accuracy (top-1) is the"
        " share of the detected sources for which they agree."
    ),
    "Cross-entropy": (
        "The mean over the sources of \N{MINUS SIGN}Σ v ln p, with the share of the votes v and"
        " the probability p of each class. It is the least where p = v, which is the entropy of"
        " the votes; what is above it is the detector's."
    ),
    "Calibration": (
        "Probabilities are put into {bins} bins of equal width; the true share in a bin is the"
        " mean share of the votes. The expected calibration error (ECE; Guo et al. 2017) is the"
        " mean of the absolute difference of probability and share, weighted by the number in the"
        " bins."
    ),
    "Chance": (
        "All true positions are moved by half of the image along both axes, around its edges, and"
        " those on or near a detection that no true source has are counted."
    ),
    "Colours": (
        "The sky is drawn after Lupton et al. (2004), class maps after Hausen & Robertson (2020)."
    ),
}

_REFERENCES = (
    "Brown, L. D., Cai, T. T., & DasGupta, A. 2001, Statistical Science, 16, 101",
    "Gehrels, N. 1986, ApJ, 303, 336",
    "Guo, C., Pleiss, G., Sun, Y., & Weinberger, K. Q. 2017, Proc. ICML, PMLR 70, 1321",
    "Hausen, R., & Robertson, B. E. 2020, ApJS, 248, 20",
    "Kirillov, A., He, K., Girshick, R., Rother, C., & Dollár, P. 2019, Proc. CVPR, 9404",
    "Lupton, R., Blanton, M. R., Fekete, G., et al. 2004, PASP, 116, 133",
)


def method_section(document: Document, findings: Findings, provenance: dict[str, Any]) -> None:
    """Define every quantity, and say how to repeat the evaluation.

    Parameters
    ----------
    document : Document
        To which it is added.
    findings : Findings
        What the report tells of.
    provenance : dict
        `created` and `software`.
    """
    document.begin("method", "Method")
    for title, text in _definitions(findings).items():
        document.say(Markup("<strong>{}.</strong> {}").format(title, text))
    document.say(Markup("<strong>References.</strong> {}.").format("; ".join(_REFERENCES)))
    document.begin("repeat", "How to repeat")
    document.say(_command(findings))
    document.say(
        Markup(
            "The numbers of this page are in <code>evaluation.json</code>, the figures in"
            " <code>figures/</code> as PNG and PDF, and all true sources with what became of them"
            " in a table <code>sources_*.ecsv</code> for each detector, which astropy reads."
        )
    )
    rows = [
        [Cell(str(name)), Cell(str(version))]
        for name, version in {
            "created (UTC)": provenance["created"],
            **provenance["software"],
        }.items()
    ]
    document.table("What it was made with.", ["Software", "Version"], rows, words=True)


_INJECTED = (
    "Existing sources keep their labels: each the one that now holds most of its light. Injected"
    " sources choose among the others, one to one, the brightest first: the segment under the"
    " source's position, or else the nearest free centroid within {distance}. A source on an"
    " existing one's segment is blended, unless it brings two thirds of the light in it."
)


def _definitions(findings: Findings) -> dict[str, str]:
    radius = findings.setup.get("match_radius")
    values = {
        "distance": f"{radius:g} pixels" if isinstance(radius, int | float) else "the match radius",
        "confidence": f"{100 * CONFIDENCE:.2f}",
        "smallest": f"{SMALLEST_SEGMENT}",
        "bins": f"{N_BINS}",
    }
    definitions = dict(_DEFINITIONS)
    if findings.setup.get("kind") == "injected":
        definitions["Matching"] = _INJECTED
    return {title: text.format_map(values) for title, text in definitions.items()}


def _command(findings: Findings) -> str:
    setup = findings.setup
    seeds, survey = setup.get("seeds"), setup.get("survey")
    if (
        (setup.get("kind") == "simulated" and survey)
        and (isinstance(seeds, list) and seeds and all(isinstance(one, int) for one in seeds))
        and seeds == list(range(seeds[0], seeds[0] + len(seeds)))
    ):
        size, density = (
            f" --{name} {setup[name]}" if setup.get(name) is not None else ""
            for name in ("size", "density")
        )
        return Markup(
            "The same seeds give the same fields, to the last bit with the same versions:"
            " <code>morpheus evaluate --survey {}{} --fields {} --seed {}{} -o FOLDER</code>, with"
            " the detectors given by <code>--model</code>, <code>--baseline</code> and"
            " <code>--segmap</code>."
        ).format(survey, size, len(seeds), seeds[0], density)
    command = "inject" if setup.get("kind") == "injected" else "evaluate"
    return Markup(
        "With the images and detectors of the setup: <code>morpheus {} --help</code> says how"
        " they are given."
    ).format(command)
