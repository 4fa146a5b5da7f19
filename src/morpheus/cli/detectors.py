"""What is evaluated: models and other programs' detectors, from options; and how they did."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from morpheus.cli.arguments import by_band
from morpheus.errors import OptionError

if TYPE_CHECKING:
    from morpheus.evaluate import Evaluation
    from morpheus.inference import InferenceOptions
    from morpheus.pipeline import Detector

__all__ = [
    "DETECTORS",
    "Baselines",
    "Instead",
    "Models",
    "Without",
    "detectors",
    "images_by_name",
    "summary",
]

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
Without = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        metavar="BAND",
        help="Band that the models are not given; once for each. For models that do with fewer.",
        rich_help_panel=DETECTORS,
    ),
]
Instead = Annotated[
    list[str] | None,
    typer.Option(
        "--instead",
        metavar="BAND=OTHER",
        help="Band that the models are given in the place of one of theirs, such as F125W=F105W;"
        " once for each. For models that name it as an alternative.",
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
    *,
    without: list[str] | None = None,
    instead: list[str] | None = None,
    **chosen: Any,
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
    without : list of str or None, optional
        Bands that models are not given.
    instead : list of str or None, optional
        BAND=OTHER.
    **chosen : Any
        What was chosen of stride, lattice and edges; None where nothing was. It applies to the
        models that are not dense.

    Returns
    -------
    list of Detector
        In this order.

    Raises
    ------
    OptionError
        If there is none, one is not of the right form, or options do not apply to a model.
    """
    from dataclasses import replace

    from morpheus.inference import check_placement, preset
    from morpheus.model import find_model, load_model
    from morpheus.pipeline.detectors import FixedLabels, ModelDetector, baseline

    found: list[Detector] = []
    others = by_band("--instead", instead, "BAND=OTHER, such as F125W=F105W")
    for option, given in (("--without", without), ("--instead", instead)):
        if given and not models:
            raise OptionError(f"{option} needs a model: -m MODEL")
    plain = preset("exact")
    in_places = replace(options, stride=plain.stride, lattice=plain.lattice, edges=plain.edges)
    configs = [load_model(find_model(one.rpartition("=")[2])).config for one in models or ()]
    if all(config.is_dense for config in configs):  # what was chosen would do nothing
        for config in configs:
            check_placement(config, **chosen)
    for one, config in zip(models or (), configs, strict=True):
        name, equals, path = one.rpartition("=")
        found.append(
            ModelDetector(
                path,
                inference=in_places if config.is_dense else options,
                name=name if equals else None,
                without=without or (),
                substitute=others,
            )
        )
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
    from morpheus.mosaic.choice import choose_images
    from morpheus.pipeline.detectors import ModelDetector

    if isinstance(images, dict):
        return images
    config = next((one.config for one in found if isinstance(one, ModelDetector)), None)
    if config is None:
        raise OptionError("without a model the bands have no names: give --band NAME=FILE")
    bands = config.bands
    if config.takes_missing_bands and len(images) < len(bands):
        _, by_name, _ = choose_images(images, bands, config.alternatives)
        return by_name
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
