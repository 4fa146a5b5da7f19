"""What is evaluated: models and other programs' detectors, from options; and how they did."""

import math
from typing import TYPE_CHECKING, Annotated

import typer

from morpheus.errors import OptionError

if TYPE_CHECKING:
    from morpheus.evaluate import Evaluation
    from morpheus.inference import InferenceOptions
    from morpheus.pipeline import Detector

__all__ = ["DETECTORS", "Baselines", "Models", "detectors", "images_by_name", "summary"]

DETECTORS = "What is evaluated"

Models = Annotated[
    list[str] | None,
    typer.Option(
        "-m",
        "--model",
        metavar="[NAME=]MODEL",
        help="Installed model or model folder; once for each.",
        rich_help_panel=DETECTORS,
    ),
]
Baselines = Annotated[
    list[str] | None,
    typer.Option(
        "--baseline",
        metavar="sep|photutils",
        help="Another program's detector, in the first band; without classes.",
        rich_help_panel=DETECTORS,
    ),
]


def detectors(
    models: list[str] | None,
    baselines: list[str] | None,
    options: "InferenceOptions",
    segmaps: list[str] | None = None,
) -> "list[Detector]":
    """Make what is evaluated.

    Parameters
    ----------
    models : list of str or None
        Names or folders, or NAME=MODEL.
    baselines : list of str or None
        Names of other programs' detectors.
    options : InferenceOptions
        How models are run.
    segmaps : list of str or None, optional
        NAME=PATH.

    Returns
    -------
    list of Detector
        In this order.

    Raises
    ------
    OptionError
        If there is none, or one is not of the right form.
    """
    from morpheus.pipeline.detectors import FixedLabels, ModelDetector, baseline

    found: list[Detector] = []
    for one in models or ():
        name, equals, path = one.rpartition("=")
        found.append(ModelDetector(path, inference=options, name=name if equals else None))
    found += [baseline(one) for one in baselines or ()]
    for one in segmaps or ():
        name, _, path = one.partition("=")
        if not (name and path):
            raise OptionError(f"--segmap {one}: expected NAME=PATH, such as sextractor=seg.fits")
        found.append(FixedLabels(name, path))
    if not found:
        raise OptionError(
            "nothing to evaluate: give -m MODEL, --baseline sep or --segmap NAME=PATH"
        )
    return found


def images_by_name(images: list[str] | dict[str, str], found: "list[Detector]") -> dict[str, str]:
    """Give images in the first model's order their names.

    Parameters
    ----------
    images : list of str, or dict of str to str
        In order, or by name already.
    found : list of Detector
        What is evaluated.

    Returns
    -------
    dict of str to str
        By name, the reference band first.

    Raises
    ------
    OptionError
        If there is no model whose bands could name them, or it has another number of bands.
    """
    from morpheus.pipeline.detectors import ModelDetector

    if isinstance(images, dict):
        return images
    bands = next((one.config.bands for one in found if isinstance(one, ModelDetector)), None)
    if bands is None:
        raise OptionError("without a model the bands have no names: give --band NAME=FILE")
    if len(images) != len(bands):
        raise OptionError(
            f"--images gives {len(images)} files; the model has the bands {', '.join(bands)}"
        )
    return dict(zip(bands, images, strict=True))


def summary(evaluation: "Evaluation") -> str:
    """Say in a line for each detector how it did.

    Parameters
    ----------
    evaluation : Evaluation
        What was done.

    Returns
    -------
    str
        Such as 'sep: 350 of 400 sources detected; 50% to 26.7 mag; purity 91%'.
    """
    lines = []
    for name, result in evaluation.results.items():
        detection, classes = result.scores["detection"], result.scores["classes"]
        total = detection["completeness"]["total"]
        limit = detection["faintest"]
        to = f" to {limit:g} mag" if math.isfinite(limit) else ""
        parts = [f"{total['k']} of {total['n']} sources{to} detected"]
        if math.isfinite(detection["half_complete"]):
            parts.append(f"half at {detection['half_complete']:.1f} mag")
        if detection.get("purity", {}).get("total", {}).get("n"):
            parts.append(f"purity {detection['purity']['total']['value']:.0%}")
        if classes is not None:
            group, to = classes["all"], ""
            if classes["by_mag"] and not math.isfinite(classes["by_mag"][0]["low"]):
                group = classes["by_mag"][0]
                to = f" to {group['high']:g} mag"
            parts.append(f"{group['accuracy']['k']} of {group['n']}{to} have the majority's class")
        lines.append(f"{name}: {'; '.join(parts)}")
    return "\n".join(lines)
