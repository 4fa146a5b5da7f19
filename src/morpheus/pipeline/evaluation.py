"""Detectors run over images whose truth is known, and compared with it."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from morpheus.errors import OptionError
from morpheus.evaluate import Detections, Evaluation, Example, KnownImage, Result, Sample, compare
from morpheus.evaluate import score as score_sample
from morpheus.pipeline.detectors import Detector, FixedLabels, check_detectors

__all__ = ["MATCH_RADIUS", "evaluate"]

MATCH_RADIUS = 5.0
"""Largest distance between a true position and a centroid, in pixels."""


def evaluate(
    images: Iterable[KnownImage],
    detectors: Sequence[Detector],
    *,
    radius: float = MATCH_RADIUS,
    faintest: float = math.inf,
    setup: Mapping[str, Any] | None = None,
    tests: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """Evaluate detectors on images whose truth is known.

    Parameters
    ----------
    images : iterable of KnownImage
        One is held at a time.
    detectors : sequence of Detector
        All are given the same images.
    radius : float, optional
        Largest distance between a true position and a centroid, in pixels.
    faintest : float, optional
        Magnitude of the faintest sources that count in what is not by magnitude.
    setup : mapping, optional
        What the record says of the images.
    tests : str, optional
        Survey in which the tests of single profiles and of noise are run as well.
    progress : callable, optional
        Called with what is run, how much is done, and how much there is to do.

    Returns
    -------
    Evaluation
        With the first image as an example.

    Raises
    ------
    OptionError
        If there is no detector or no image, two detectors have one name, or the radius is not
        positive.
    """
    check_detectors(detectors)
    names = [detector.name for detector in detectors]
    if tests is not None:
        _check_no_map(detectors, "the tests of single profiles")
    if not radius > 0:
        raise OptionError(f"the match radius is {radius:g}; it must be above 0 pixels")
    samples: dict[str, Sample] = {}
    seconds = dict.fromkeys(names, 0.0)
    examples: list[Example] = []
    titles: list[str] = []
    inputs: list[dict[str, Any]] = []
    for image in images:
        titles.append(image.name)
        inputs += [vars(one) for one in image.inputs]
        _check_one_image(detectors, len(titles))
        found: dict[str, Detections] = {}
        for detector in detectors:
            start = time.perf_counter()
            found[detector.name] = detector.detect(
                image, _named(progress, f"{detector.name}: {image.name}")
            )
            seconds[detector.name] += time.perf_counter() - start
        found = _in_common(found)
        for name, detections in found.items():
            sample = compare(image.truth, detections, radius=radius, pixel_scale=image.pixel_scale)
            samples[name] = samples[name] + sample if name in samples else sample
        if not examples:
            examples.append(Example(image, found))
    if not titles:
        raise OptionError("there is no image to evaluate on")
    record = {
        **(setup or {}),
        "inputs": inputs,
        "images": titles,
        "reference_band": examples[0].image.reference_band,
        "match_radius": radius,
        "faintest": faintest,
    }
    results = {
        detector.name: Result(
            detector.description,
            samples[detector.name],
            score_sample(samples[detector.name], faintest=faintest),
            seconds[detector.name],
            {} if tests is None else _tests(detector, tests, progress),
        )
        for detector in detectors
    }
    return Evaluation(record, results, tuple(examples))


def _check_no_map(detectors: Sequence[Detector], where: str) -> None:
    for detector in detectors:
        if isinstance(detector, FixedLabels):
            raise OptionError(
                f"{detector.path} was found in one image, and cannot be evaluated in {where}"
            )


def _check_one_image(detectors: Sequence[Detector], number: int) -> None:
    if number > 1:
        _check_no_map(detectors, "several images: give one")


def _tests(
    detector: Detector, survey: str, progress: Callable[[str, int, int], None] | None
) -> dict[str, Any]:
    from morpheus.pipeline.profiles import run_tests  # noqa: PLC0415 (needs GalSim)

    return run_tests(detector, survey, progress=progress)


def _in_common(found: Mapping[str, Detections]) -> dict[str, Detections]:
    """Mask for all what one of them cannot see, so that all are asked the same."""
    mask = np.logical_or.reduce([detections.mask for detections in found.values()])
    return {name: replace(detections, mask=mask) for name, detections in found.items()}


def _named(
    progress: Callable[[str, int, int], None] | None, title: str
) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(title, done, total)
