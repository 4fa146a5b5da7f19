"""Pixel by pixel: overlap of masks and segments, classes, and calibration. Sums that add up."""

import dataclasses
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.evaluate.calibration import N_BINS, calibration_curve
from morpheus.evaluate.detections import Detections
from morpheus.evaluate.truth import Truth

__all__ = ["SMALLEST_SEGMENT", "PixelSums", "compare_pixels"]

Array = NDArray[np.float64]

SMALLEST_SEGMENT = 8
"""Pixels: true segments of fewer are neither found nor missed in the panoptic quality."""

_N_CLASSES = len(CLASS_NAMES)
_ROWS = 256
_LEAST = 1e-6  # probabilities below count as this much in a logarithm
_OVERLAP = 0.5  # intersection over union from which segments are the same (Kirillov et al. 2019)


@dataclass
class PixelSums:
    """Sums over the valid pixels of one image or more.

    Parameters
    ----------
    n : float
        Pixels.
    both, only_found, only_true : float
        Pixels of sources: in both, and in one of the masks only.
    overlap : float
        Sum of the intersection over union of the segments that are the same.
    segments : ndarray, shape (3,)
        Segments that are the same, found only, and true only.
    confusion : ndarray, shape (5, 5)
        True shares of the classes (rows) in the pixels of each most probable class (columns).
    cross_entropy : ndarray, shape (2,)
        Sum over all pixels, and over those of true sources.
    curve : ndarray, shape (5, 3, bins)
        For each class, in bins of its probability: pixels, sum of the probability, sum of the
        true share.
    top_curve : ndarray, shape (3, bins)
        The same for the most probable class.
    source_curve : ndarray, shape (3, bins)
        The same, only in pixels whose most probable class is a source's: choosing by the truth as
        well would make calibrated probabilities look wrong.
    """

    n: float = 0.0
    both: float = 0.0
    only_found: float = 0.0
    only_true: float = 0.0
    overlap: float = 0.0
    segments: Array = field(default_factory=partial(np.zeros, 3))
    confusion: Array = field(default_factory=partial(np.zeros, (_N_CLASSES, _N_CLASSES)))
    cross_entropy: Array = field(default_factory=partial(np.zeros, 2))
    curve: Array = field(default_factory=partial(np.zeros, (_N_CLASSES, 3, N_BINS)))
    top_curve: Array = field(default_factory=partial(np.zeros, (3, N_BINS)))
    source_curve: Array = field(default_factory=partial(np.zeros, (3, N_BINS)))

    def __add__(self, other: "PixelSums") -> "PixelSums":
        """Add the sums of other pixels."""
        names = [one.name for one in dataclasses.fields(self)]
        return PixelSums(*(getattr(self, name) + getattr(other, name) for name in names))


def compare_pixels(truth: Truth, detections: Detections) -> PixelSums:
    """Compare a detector's pixels with the true ones.

    Parameters
    ----------
    truth : Truth
        Of the image; what it has no maps of is not compared.
    detections : Detections
        What was found in it.

    Returns
    -------
    PixelSums
        Over the pixels that are not masked.
    """
    sums, valid = PixelSums(), ~detections.mask
    sums.n = float(valid.sum())
    if truth.owner is not None:
        true, found = truth.owner[valid] > 0, detections.labels[valid] > 0
        sums.both = float((true & found).sum())
        sums.only_found = float((found & ~true).sum())
        sums.only_true = float((true & ~found).sum())
        sums.overlap, sums.segments = _panoptic(truth.owner[valid], detections.labels[valid])
    if truth.classes is not None and detections.pixels is not None:
        for first in range(0, valid.shape[0], _ROWS):  # in double precision a part at a time
            part = slice(first, first + _ROWS)
            sums += _compare_classes(
                truth.classes[:, part][:, valid[part]].astype(float),
                detections.pixels[:, part][:, valid[part]].astype(float),
            )
    return sums


def _panoptic(true: NDArray[np.int32], found: NDArray[np.int32]) -> tuple[float, Array]:
    """Overlap of the same segments, and how many there are (Kirillov et al. 2019)."""
    small = _sizes(true) < SMALLEST_SEGMENT
    small[0] = False
    void = small[true]
    true, found = true[~void], found[~void]
    both = (true > 0) & (found > 0)
    pairs, shared = np.unique(
        np.column_stack([true[both], found[both]]), axis=0, return_counts=True
    )
    true_sizes, found_sizes = _sizes(true), _sizes(found)
    union = true_sizes[pairs[:, 0]] + found_sizes[pairs[:, 1]] - shared
    overlap = shared / union
    same = overlap > _OVERLAP  # at most one partner can have more than a half
    n_true = np.count_nonzero(true_sizes[1:])
    n_found = np.count_nonzero(found_sizes[1:])
    n_same = int(same.sum())
    return float(overlap[same].sum()), np.array([n_same, n_found - n_same, n_true - n_same], float)


def _sizes(labels: NDArray[np.int32]) -> NDArray[np.int64]:
    return np.bincount(labels, minlength=1)


def _compare_classes(true: Array, found: Array) -> PixelSums:
    sums = PixelSums()
    known = np.isfinite(found[0])
    true, found = true[:, known], found[:, known]
    best = found.argmax(axis=0)
    for number in range(_N_CLASSES):
        sums.confusion[number] = np.bincount(best, true[number], _N_CLASSES)
        sums.curve[number] = calibration_curve(found[number], true[number])
    index, source = np.arange(best.size), best != BACKGROUND
    probability, share = found[best, index], true[best, index]
    sums.top_curve[:] = calibration_curve(probability, share)
    sums.source_curve[:] = calibration_curve(probability[source], share[source])
    entropy = -(true * np.log(np.maximum(found, _LEAST))).sum(axis=0)
    sums.cross_entropy[:] = entropy.sum(), entropy[true[BACKGROUND] < 1].sum()
    return sums
