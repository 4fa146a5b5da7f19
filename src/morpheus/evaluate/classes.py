"""Classes of sources against votes: confusion, cross-entropy, calibration."""

import itertools
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.evaluate.calibration import calibration_curve, reliability
from morpheus.evaluate.fractions import fraction
from morpheus.evaluate.matching import SourceOutcome
from morpheus.evaluate.sample import Sample
from morpheus.evaluate.truth import SOURCE_CLASSES

__all__ = ["AGREEMENTS", "MAGNITUDES", "class_scores", "classified_sources"]

Array = NDArray[np.float64]

MAGNITUDES = (-np.inf, 24.5, 26.0, np.inf)
"""Limits of the groups by magnitude; experts classified to F160W = 24.5."""

AGREEMENTS = (0.0, 0.6, 0.8, 1.01)
"""Limits of the groups by the share of the experts that agree on the majority's class."""

_LEAST = 1e-6  # probabilities below count as this much in a logarithm


def classified_sources(sources: Table) -> Table:
    """Choose the sources whose class can be compared.

    Parameters
    ----------
    sources : astropy.table.Table
        Of a `Sample`.

    Returns
    -------
    astropy.table.Table
        Those that were detected and have both votes and probabilities, with `expected` and
        `given`, the numbers of the classes. Where votes are equal, either class is the
        majority's.
    """
    votes, probabilities = np.asarray(sources["votes"]), np.asarray(sources["probabilities"])
    known = np.isfinite(votes).all(axis=1) & np.isfinite(probabilities).all(axis=1)
    known &= np.asarray(sources["outcome"] == SourceOutcome.DETECTED)
    votes, given = votes[known], probabilities[known].argmax(axis=1)
    tied = np.take_along_axis(votes, given[:, None], axis=1)[:, 0] >= votes.max(axis=1, initial=0)
    chosen = sources[known]
    chosen["given"] = given
    chosen["expected"] = np.where(tied, given, votes.argmax(axis=1))
    return chosen


def class_scores(sample: Sample) -> dict[str, Any] | None:
    """Tell how the classes of detected sources agree with the votes.

    Parameters
    ----------
    sample : Sample
        What was compared.

    Returns
    -------
    dict or None
        `all`, and groups `by_mag` and `by_agreement`, each with `n`, `accuracy` (top-1, against
        the majority), `confusion` (rows: votes; columns: detector), `recall` and `precision` by
        class, `cross_entropy` to the votes with its standard error, and `votes_entropy`, which is
        the least it can be; and `calibration` of the most probable class and `by_class`. None if
        there is no source with votes and probabilities.
    """
    chosen = classified_sources(sample.sources)
    if not len(chosen):
        return None
    votes = np.asarray(chosen["votes"])
    probabilities = np.asarray(chosen["probabilities"])
    best = np.asarray(chosen["given"])[:, None]
    top = calibration_curve(
        np.take_along_axis(probabilities, best, axis=1)[:, 0],
        np.take_along_axis(votes, best, axis=1)[:, 0],
    )
    return {
        "names": list(SOURCE_CLASSES),
        "all": _group(chosen),
        "by_mag": _groups(chosen, np.asarray(chosen["mag"]), MAGNITUDES),
        "by_agreement": _groups(chosen, votes.max(axis=1), AGREEMENTS),
        "calibration": reliability(top)
        | {
            "by_class": {
                name: reliability(calibration_curve(probabilities[:, number], votes[:, number]))
                for number, name in enumerate(SOURCE_CLASSES)
            }
        },
    }


def _groups(chosen: Table, values: Array, edges: tuple[float, ...]) -> list[dict[str, Any]]:
    groups = []
    for low, high in itertools.pairwise(edges):
        inside = (values >= low) & (values < high)
        if inside.any():
            groups.append({"low": low, "high": high, **_group(chosen[inside])})
    return groups


def _group(chosen: Table) -> dict[str, Any]:
    number = len(SOURCE_CLASSES)
    expected, given = np.asarray(chosen["expected"]), np.asarray(chosen["given"])
    confusion = np.bincount(expected * number + given, minlength=number**2).reshape(number, number)
    right = np.diag(confusion)
    votes, probabilities = np.asarray(chosen["votes"]), np.asarray(chosen["probabilities"])
    entropy = -(votes * np.log(np.maximum(probabilities, _LEAST))).sum(axis=1)
    least = -(votes * np.log(np.where(votes > 0, votes, 1))).sum(axis=1)
    spread = entropy.std(ddof=1) / np.sqrt(len(entropy)) if len(entropy) > 1 else np.nan
    return {
        "n": len(chosen),
        "accuracy": fraction(right.sum(), len(chosen)),
        "confusion": confusion.tolist(),
        "recall": {
            name: fraction(right[i], confusion[i].sum()) for i, name in enumerate(SOURCE_CLASSES)
        },
        "precision": {
            name: fraction(right[i], confusion[:, i].sum()) for i, name in enumerate(SOURCE_CLASSES)
        },
        "cross_entropy": float(entropy.mean()),
        "cross_entropy_error": float(spread),
        "votes_entropy": float(least.mean()),
    }
