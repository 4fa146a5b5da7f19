"""The tests of Hausen & Robertson (2020), run on any detector in any survey."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.evaluate import KnownImage, Sample, Truth, compare
from morpheus.evaluate.profiles import noise_scores, profile_scores
from morpheus.evaluate.truth import SOURCE_CLASSES
from morpheus.pipeline.detectors import Detector
from morpheus.simulate import Survey, find_survey
from morpheus.simulate.profiles import (
    NOISE_KINDS,
    NoiseKind,
    Profile,
    ProfileField,
    noise_images,
    profile_field,
)

__all__ = ["run_tests"]

Images = NDArray[np.float32]

_INDICES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
_SIGNALS = (3.0, 5.0, 8.0, 12.0, 20.0, 35.0, 60.0, 100.0)
_GRID_RADIUS, _GRID_CELL, _GRID_REPEATS = 5.0, 64, 3
_PROFILES = {"exponential": 1.0, "de_vaucouleurs": 4.0}
_RADII = (3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
_PROFILE_SIGNAL, _PROFILE_CELL, _PROFILE_REPEATS = 100.0, 96, 5
_LARGE_RADII, _LARGE_SIGNAL, _LARGE_CELL, _LARGE_REPEATS = (20.0, 40.0), 100.0, 384, 2
_LARGE_REACH = 2.0  # half-light radii in which detections are pieces of a galaxy
_LARGE_PIECE = 0.01  # of their pixels; what is smaller is a speck beside it, such as of noise
_NOISE_SIZE = 700
_RADIUS = 5.0  # pixels, of a match
_NOISE_NAMES: dict[NoiseKind, str] = {
    "survey": "noise correlated as the survey's",
    "psf": "white noise convolved with the PSF",
}


def run_tests(
    detector: Detector,
    survey: str,
    *,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Run the tests of single profiles and of noise.

    Parameters
    ----------
    detector : Detector
        What is tested.
    survey : str
        Name of the survey.
    seed : int, optional
        Of the random numbers.
    progress : callable, optional
        Called with what is run, how much is done, and how much there is to do.

    Returns
    -------
    dict
        `sersic_grid`: Sersic index by signal-to-noise at a half-light radius of 5 pixels;
        `profiles`: exponential and de Vaucouleurs profiles of 3 to 9 pixels; `large`: exponential
        disks of 20 and 40 pixels; `noise`: what is found where nothing is.

    Raises
    ------
    OptionError
        If the survey is unknown or lacks bands that the detector needs.
    """
    chosen = find_survey(survey)

    def step(name: str) -> Callable[[int, int], None] | None:
        if progress is None:
            return None
        return lambda done, total: progress(f"{detector.name}: {name}", done, total)

    grid = [
        Profile(n, _GRID_RADIUS, signal)
        for n, signal, _ in itertools.product(_INDICES, _SIGNALS, range(_GRID_REPEATS))
    ]
    cells = _run(detector, chosen, grid, _GRID_CELL, seed, step("Sersic grid"))
    singles = [
        Profile(n, r_e, _PROFILE_SIGNAL)
        for n, r_e, _ in itertools.product(_PROFILES.values(), _RADII, range(_PROFILE_REPEATS))
    ]
    rows = _run(detector, chosen, singles, _PROFILE_CELL, seed + 1, step("profiles"))
    names = {n: name for name, n in _PROFILES.items()}
    return {
        "sersic_grid": {
            "sersic_index": list(_INDICES),
            "signal_to_noise": list(_SIGNALS),
            "r_e": _GRID_RADIUS,
            "cells": [_renamed(cell) for cell in cells],
        },
        "profiles": {
            "r_e": list(_RADII),
            "signal_to_noise": _PROFILE_SIGNAL,
            "rows": [{"profile": names[row["n"]], **_renamed(row)} for row in rows],
        },
        "large": {
            "r_e": list(_LARGE_RADII),
            "signal_to_noise": _LARGE_SIGNAL,
            "rows": _run_large(detector, chosen, seed + 3, step("large disks")),
        },
        "noise": {
            "kinds": [
                _run_on_noise(detector, chosen, kind, seed + 2, step(_NOISE_NAMES[kind]))
                for kind in NOISE_KINDS
            ]
        },
    }


def _renamed(result: dict[str, Any]) -> dict[str, Any]:
    return {"sersic_index" if name == "n" else name: value for name, value in result.items()}


def _run(
    detector: Detector,
    survey: Survey,
    profiles: Sequence[Profile],
    cell: int,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> list[dict[str, Any]]:
    field = profile_field(survey, profiles, cell=cell, seed=seed)
    image = _image(survey, field)
    sample: Sample = compare(image.truth, detector.detect(image, progress), radius=_RADIUS)
    return profile_scores(sample, field.sources, ("n", "r_e", "signal_to_noise"))


def _run_large(
    detector: Detector,
    survey: Survey,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> list[dict[str, Any]]:
    """Tell what becomes of disks that are larger than most galaxies, and of how many pieces."""
    profiles = [
        Profile(1.0, r_e, _LARGE_SIGNAL)
        for r_e, _ in itertools.product(_LARGE_RADII, range(_LARGE_REPEATS))
    ]
    field = profile_field(survey, profiles, cell=_LARGE_CELL, seed=seed)
    image = _image(survey, field)
    found = detector.detect(image, progress)
    sample: Sample = compare(image.truth, found, radius=_RADIUS)
    rows = profile_scores(sample, field.sources, ("r_e", "signal_to_noise"))
    for row in rows:
        alike = field.sources[field.sources["r_e"] == row["r_e"]]
        pieces = []
        for one in alike:
            away = np.hypot(found.x - one["x"], found.y - one["y"])
            area = found.area[away < _LARGE_REACH * row["r_e"]]
            pieces.append(int(np.count_nonzero(area >= _LARGE_PIECE * area.sum())))
        row["pieces"] = float(np.mean(pieces))
    return rows


def _image(survey: Survey, field: ProfileField) -> KnownImage:
    number = len(field.sources)
    unknown = np.full(number, np.nan)
    sources = Table(
        {
            **{name: np.asarray(field.sources[name]) for name in ("id", "x", "y", "mag")},
            "r_e": unknown,
            "surface_brightness": unknown,
            "votes": np.full((number, len(SOURCE_CLASSES)), np.nan),
        }
    )
    return _known(survey, "profiles", field.images, field.weights, Truth(sources, complete=True))


def _known(
    survey: Survey, name: str, images: Images, weights: Images | None, truth: Truth
) -> KnownImage:
    names = [band.name for band in survey.bands]
    return KnownImage(
        f"{name} of {survey.name}",
        dict(zip(names, images, strict=True)),
        truth,
        weights={} if weights is None else dict(zip(names, weights, strict=True)),
        unit=survey.unit,
        zero_point=survey.bands[0].zero_point,
    )


def _run_on_noise(
    detector: Detector,
    survey: Survey,
    kind: NoiseKind,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Any]:
    images = noise_images(survey, _NOISE_SIZE, kind=kind, seed=seed)
    nothing = Table({name: np.zeros(0) for name in ("id", "x", "y", "mag")})
    found = detector.detect(_known(survey, kind, images, None, Truth(nothing)), progress)
    area = float((~found.mask).sum()) * (survey.pixel_scale / 60) ** 2
    return noise_scores(_NOISE_NAMES[kind], found, area)
