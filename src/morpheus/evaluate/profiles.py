"""The tests of Hausen & Robertson (2020): single Sersic profiles, and noise without sources."""

from typing import Any

import numpy as np
from astropy.table import Table

from morpheus.evaluate.detections import Detections
from morpheus.evaluate.fractions import fraction, rate
from morpheus.evaluate.matching import SourceOutcome
from morpheus.evaluate.sample import Sample
from morpheus.evaluate.truth import SOURCE_CLASSES

__all__ = ["noise_scores", "profile_scores"]


def profile_scores(sample: Sample, profiles: Table, by: tuple[str, ...]) -> list[dict[str, Any]]:
    """Tell what became of profiles, for each kind of them.

    Parameters
    ----------
    sample : Sample
        What was compared.
    profiles : astropy.table.Table
        The `id` of each and its properties.
    by : tuple of str
        Properties by which they are put together.

    Returns
    -------
    list of dict
        For each combination, in rising order: the properties, `detected` (a `fraction`), and of
        those detected the mean `probabilities` and the most probable `class` by these; None if
        there are none.
    """
    row_of = {str(one["id"]): row for row, one in enumerate(profiles)}
    rows = [row_of[str(one)] for one in sample.sources["id"]]
    found = np.asarray(sample.sources["outcome"] == SourceOutcome.DETECTED)
    keys = [tuple(float(profiles[name][row]) for name in by) for row in rows]
    results = []
    for key in sorted(set(keys)):
        mine = np.array([one == key for one in keys])
        known = np.asarray(sample.sources["probabilities"])[mine & found]
        known = known[np.isfinite(known).all(axis=1)]
        mean = known.mean(axis=0) if len(known) else None
        results.append(
            {
                **dict(zip(by, key, strict=True)),
                "detected": fraction(int((mine & found).sum()), int(mine.sum())),
                "probabilities": None if mean is None else mean.tolist(),
                "class": None if mean is None else SOURCE_CLASSES[int(mean.argmax())],
            }
        )
    return results


def noise_scores(kind: str, detections: Detections, area: float) -> dict[str, Any]:
    """Count what was found in noise.

    Parameters
    ----------
    kind : str
        Of the noise.
    detections : Detections
        What was found.
    area : float
        Of the valid pixels, in square arcminutes.

    Returns
    -------
    dict
        `kind`, `area_arcmin2`, `spurious` (a `rate` by square arcminute) and `source_pixels`, the
        share of the valid pixels that have a label.
    """
    valid = ~detections.mask
    return {
        "kind": kind,
        "area_arcmin2": area,
        "spurious": rate(len(detections), area),
        "source_pixels": float((detections.labels[valid] > 0).mean()),
    }
