"""Everything that is measured of a detector, as one dictionary."""

import math
from typing import Any

from morpheus.classes import CLASS_NAMES
from morpheus.evaluate.calibration import reliability
from morpheus.evaluate.classes import class_scores
from morpheus.evaluate.detection import detection_scores, segmentation_scores
from morpheus.evaluate.pixels import PixelSums
from morpheus.evaluate.sample import Sample

__all__ = ["score"]


def score(sample: Sample, *, faintest: float = math.inf) -> dict[str, Any]:
    """Measure everything that a sample allows.

    Parameters
    ----------
    sample : Sample
        What was compared.
    faintest : float, optional
        Magnitude of the faintest sources that count in what is not by magnitude.

    Returns
    -------
    dict
        `n_images`, `n_sources`, `n_detections`, `area_arcmin2`, `detection`, `segmentation`,
        `classes` (None if the detector does not classify) and `pixels` (None if there are no
        maps). Numbers that are not known are NaN.
    """
    return {
        "n_images": sample.n_images,
        "n_sources": len(sample.sources),
        "n_detections": len(sample.labels),
        "area_arcmin2": sample.area,
        "detection": detection_scores(sample, faintest),
        "segmentation": segmentation_scores(sample, faintest),
        "classes": class_scores(sample),
        "pixels": _pixel_scores(sample.pixels),
    }


def _pixel_scores(sums: PixelSums) -> dict[str, Any] | None:
    total = float(sums.confusion.sum())
    if not total:
        return None
    of_sources = float(sums.confusion.sum() - sums.confusion[-1].sum())
    return {
        "names": list(CLASS_NAMES),
        "n": int(sums.n),
        "confusion": sums.confusion.tolist(),
        "accuracy": float(sums.confusion.trace() / total),
        "cross_entropy": float(sums.cross_entropy[0] / total),
        "cross_entropy_of_sources": float(sums.cross_entropy[1] / of_sources)
        if of_sources
        else float("nan"),
        "calibration": reliability(sums.top_curve)
        | {
            "sources": reliability(sums.source_curve),
            "by_class": {
                name: reliability(curve)
                for name, curve in zip(CLASS_NAMES, sums.curve, strict=True)
            },
        },
    }
