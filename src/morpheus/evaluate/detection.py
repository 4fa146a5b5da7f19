"""Detection: completeness, purity, blends and shreds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from morpheus.evaluate.fractions import binned, fraction, rate
from morpheus.evaluate.matching import LabelOutcome, SourceOutcome
from morpheus.evaluate.pixels import PixelSums
from morpheus.evaluate.sample import Sample

__all__ = ["detection_scores", "half_complete", "segmentation_scores"]

_MAG_STEP = 0.5
_RADII = (0.0, 0.06, 0.12, 0.18, 0.25, 0.35, 0.5, 0.7, 1.0, 3.0)  # arcsec
_SEPARATIONS = (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0)  # pixels
_HALF = 0.5
_ENOUGH = 5  # sources in a bin: fewer say little of where completeness falls


def detection_scores(sample: Sample, faintest: float) -> dict[str, Any]:
    """Tell how complete and how pure detection is.

    Parameters
    ----------
    sample : Sample
        What was compared.
    faintest : float
        Magnitude of the faintest sources that count in what is not by magnitude; infinite for all.

    Returns
    -------
    dict
        `completeness` by `mag`, `r_e`, `surface_brightness` and in `total`, `purity` by `mag` and
        in `total`, `half_complete` (mag), `spurious` per square arcminute, `chance`. What the truth
        does not allow to know is missing.
    """
    sources, labels = sample.sources, sample.labels
    mag = np.asarray(sources["mag"], dtype=float)
    found = sources["outcome"] == SourceOutcome.DETECTED
    counted = ~(mag > faintest)  # what has no magnitude counts
    by_mag = binned(mag, found, _magnitudes(mag))
    brightness = np.asarray(sources["surface_brightness"], dtype=float)
    scores: dict[str, Any] = {
        "faintest": faintest,
        "completeness": {
            "total": fraction(found[counted].sum(), counted.sum()),
            "mag": by_mag,
            "r_e": binned(np.asarray(sources["r_e"], float)[counted], found[counted], _RADII),
            "surface_brightness": binned(
                brightness[counted], found[counted], _magnitudes(brightness)
            ),
        },
        "half_complete": half_complete(by_mag),
        "chance": fraction(*sample.chance),
    }
    if sample.complete:
        outcome, bright = labels["outcome"], np.asarray(labels["mag"], dtype=float)
        real, spurious = outcome == LabelOutcome.MATCHED, outcome == LabelOutcome.SPURIOUS
        scores["purity"] = {
            "total": fraction(real.sum(), len(labels)),
            "mag": binned(bright, np.asarray(real), _magnitudes(bright)),
        }
        scores["spurious"] = rate(float(spurious.sum()), sample.area)
    return scores


def segmentation_scores(sample: Sample, faintest: float) -> dict[str, Any]:
    """Tell how well pixels are given to sources.

    Parameters
    ----------
    sample : Sample
        What was compared.
    faintest : float
        Magnitude of the faintest sources that count; infinite for all.

    Returns
    -------
    dict
        `blended` and `shredded` (fractions of the sources), `blended_by_separation` from the
        nearest brighter source in pixels, and where true pixels are known `iou`, `pixel_recall`,
        `pixel_precision`, `panoptic_quality`, `segmentation_quality` and `recognition_quality`.
    """
    sources = sample.sources
    counted = ~(np.asarray(sources["mag"], dtype=float) > faintest)
    blended = np.asarray(sources["outcome"] == SourceOutcome.BLENDED)[counted]
    shredded = np.asarray(sources["n_shreds"] > 0)[counted]
    separation = np.asarray(sources["neighbour"], dtype=float)[counted]
    scores: dict[str, Any] = {
        "blended": fraction(blended.sum(), counted.sum()),
        "blended_by_separation": binned(separation, blended, _SEPARATIONS),
    }
    if sample.pixels.segments.any():
        scores["shredded"] = fraction(shredded.sum(), counted.sum())
        scores |= _overlaps(sample.pixels)
    return scores


def _overlaps(sums: PixelSums) -> dict[str, float]:
    same, only_found, only_true = (float(number) for number in sums.segments)
    recognised = _ratio(same, same + only_found / 2 + only_true / 2)
    overlap = _ratio(sums.overlap, same)
    return {
        "iou": _ratio(sums.both, sums.both + sums.only_found + sums.only_true),
        "pixel_recall": _ratio(sums.both, sums.both + sums.only_true),
        "pixel_precision": _ratio(sums.both, sums.both + sums.only_found),
        "segmentation_quality": overlap,
        "recognition_quality": recognised,
        "panoptic_quality": overlap * recognised if same else 0.0,
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _magnitudes(values: NDArray[np.float64]) -> list[float]:
    """Limits of the bins that hold all values."""
    known = values[np.isfinite(values)]
    if not known.size:
        return [0.0, _MAG_STEP]
    low = np.floor(known.min() / _MAG_STEP) * _MAG_STEP
    steps = int((known.max() - low) // _MAG_STEP) + 1
    return [float(low + step * _MAG_STEP) for step in range(steps + 1)]


def half_complete(bins: list[dict[str, Any]]) -> float:
    """Give the magnitude at which half of the sources are detected.

    Parameters
    ----------
    bins : list of dict
        Completeness in bins of magnitude, bright ones first.

    Returns
    -------
    float
        Between the centres of the last bin that is above a half and the next, of those with 5
        sources and more; NaN if there are no two such bins.
    """
    bins = [one for one in bins if one["n"] >= _ENOUGH]
    centers = [(one["low"] + one["high"]) / 2 for one in bins]
    values = [one["value"] for one in bins]
    for index in range(len(bins) - 2, -1, -1):
        above, below = values[index], values[index + 1]
        if above >= _HALF > below:
            share = (above - _HALF) / (above - below)
            return float(centers[index] + share * (centers[index + 1] - centers[index]))
    return float("nan")
