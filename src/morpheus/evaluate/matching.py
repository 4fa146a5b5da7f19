"""Which detection is which source."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from morpheus.evaluate.detections import Detections
from morpheus.evaluate.truth import Truth

__all__ = ["LabelOutcome", "Match", "SourceOutcome", "chance_matches", "match"]


class SourceOutcome(StrEnum):
    """What became of a true source."""

    DETECTED = "detected"
    BLENDED = "blended"
    MISSED = "missed"
    OUTSIDE = "outside"


class LabelOutcome(StrEnum):
    """What a detection is."""

    MATCHED = "matched"
    SHRED = "shred"
    SPURIOUS = "spurious"
    UNKNOWN = "unknown"
    OUTSIDE = "outside"


@dataclass(frozen=True, eq=False)
class Match:
    """Which detection is which source.

    Parameters
    ----------
    labels : ndarray of int, shape (source,)
        Label of each true source: its own, or that of the source it is blended with; 0 if none.
    source_outcomes : ndarray of str, shape (source,)
        A `SourceOutcome` of each.
    sources : ndarray of int, shape (label,)
        Row of the true source that each label is, or is a shred of; -1 if none.
    label_outcomes : ndarray of str, shape (label,)
        A `LabelOutcome` of each.
    """

    labels: NDArray[np.int64]
    source_outcomes: NDArray[np.str_]
    sources: NDArray[np.int64]
    label_outcomes: NDArray[np.str_]


def match(truth: Truth, detections: Detections, radius: float) -> Match:
    """Match sources and detections, one to one.

    Sources choose in order of brightness. A source is *detected* if the label under its position
    is not taken, or else if the nearest free centroid is within the radius; *blended* if the label
    under its position is another's; *missed* otherwise; and *outside* if it lies beyond the image
    or on a masked pixel, where it counts for nothing. Where the truth says whose each pixel is, a
    source that owns none cannot be detected (it could be by chance only), and a label nobody chose,
    the largest first, is the detection of the source that owns most of its pixels. If that has a
    label, it is a *shred*. If most of its pixels are sky, it is *spurious*. Without such a map, it
    is spurious if the truth is complete, and unknown if not. One that is of no source and has its
    centroid on a masked pixel is outside; so is one at the edge of the image if no map tells
    what lies beyond.

    Parameters
    ----------
    truth : Truth
        The sources.
    detections : Detections
        What was found in the same image.
    radius : float
        Largest distance between a position and a centroid, in pixels.

    Returns
    -------
    Match
        Of every source and label.
    """
    n_sources, n_labels = len(truth), len(detections)
    label_of = np.zeros(n_sources, dtype=np.int64)
    outcomes = np.full(n_sources, SourceOutcome.MISSED, dtype="U8")
    source_of = np.full(n_labels, -1, dtype=np.int64)
    under, inside = _labels_under(truth, detections)
    outcomes[~inside] = SourceOutcome.OUTSIDE
    able = inside & _owns_pixels(truth)
    near = _neighbours(truth, detections, radius)
    for row in np.argsort(truth.sources["mag"], kind="stable"):
        if not able[row]:
            continue
        choices = [under[row], *near[row]] if under[row] else near[row]
        label = next((one for one in choices if source_of[one - 1] < 0), 0)
        if label:
            label_of[row], source_of[label - 1] = label, row
            outcomes[row] = SourceOutcome.DETECTED
        elif under[row]:
            label_of[row] = under[row]
            outcomes[row] = SourceOutcome.BLENDED
    kinds = np.where(source_of >= 0, LabelOutcome.MATCHED, LabelOutcome.SPURIOUS).astype("U8")
    result = Match(label_of, outcomes, source_of, kinds)
    if truth.owner is not None:
        _settle_by_pixels(truth, truth.owner, detections, result)
    elif truth.complete:
        # What lies beyond the edge may reach into the image, and no map tells that it does.
        edge = np.unique(detections.labels[_edge(detections.labels.shape)])
        kinds[np.isin(np.arange(1, n_labels + 1), edge) & (source_of < 0)] = LabelOutcome.OUTSIDE
    else:
        kinds[source_of < 0] = LabelOutcome.UNKNOWN
    rows, columns = (np.rint(one).astype(int) for one in (detections.y, detections.x))
    kinds[detections.mask[rows, columns] & (source_of < 0)] = LabelOutcome.OUTSIDE
    return result


def chance_matches(
    truth: Truth, detections: Detections, found: Match, radius: float
) -> tuple[int, int]:
    """Count sources that would be detected by chance, where there is nothing of them.

    All sources are moved by half of the image along both axes, around its edges, and offered the
    labels that nobody chose.

    Parameters
    ----------
    truth : Truth
        The sources.
    detections : Detections
        What was found in the same image.
    found : Match
        What `match` made of them.
    radius : float
        Largest distance between a position and a centroid, in pixels.

    Returns
    -------
    tuple of int
        How many meet such a label, and how many there are on valid pixels.
    """
    height, width = detections.labels.shape
    moved = truth.sources.copy()
    moved["x"] = (truth.sources["x"] + width / 2 + 0.5) % width - 0.5
    moved["y"] = (truth.sources["y"] + height / 2 + 0.5) % height - 0.5
    elsewhere = Truth(moved)
    under, inside = _labels_under(elsewhere, detections)
    near = _neighbours(elsewhere, detections, radius)
    free = np.r_[False, found.sources < 0]
    hit = free[under] | np.array([free[one].any() for one in near], dtype=bool)
    return int(hit[inside].sum()), int(inside.sum())


def _labels_under(
    truth: Truth, detections: Detections
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Labels under the positions, and which of these lie on valid pixels."""
    height, width = detections.labels.shape
    x, y = np.asarray(truth.sources["x"]), np.asarray(truth.sources["y"])
    inside = np.isfinite(x) & np.isfinite(y)
    columns = np.floor(np.where(inside, x, -1) + 0.5).clip(-1, width).astype(int)
    rows = np.floor(np.where(inside, y, -1) + 0.5).clip(-1, height).astype(int)
    inside &= (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    under = np.zeros(len(truth), dtype=np.int64)
    under[inside] = detections.labels[rows[inside], columns[inside]]
    inside[inside] = ~detections.mask[rows[inside], columns[inside]]
    return under, inside


def _edge(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    edge = np.ones(shape, dtype=bool)
    edge[1:-1, 1:-1] = False
    return edge


def _owns_pixels(truth: Truth) -> NDArray[np.bool_]:
    if truth.owner is None:
        return np.ones(len(truth), dtype=bool)
    owns: NDArray[np.bool_] = np.isin(truth.sources["id"], np.unique(truth.owner))
    return owns


def _neighbours(truth: Truth, detections: Detections, radius: float) -> list[list[int]]:
    """Labels whose centroids are within the radius of each source, the nearest first."""
    places = np.column_stack([truth.sources["x"], truth.sources["y"]])
    known = np.isfinite(places).all(axis=1)
    if not len(detections) or not known.any():
        return [[] for _ in places]
    centroids = np.column_stack([detections.x, detections.y])
    tree = KDTree(centroids)
    found: list[list[int]] = []
    for place, good in zip(places, known, strict=True):
        indices = tree.query_ball_point(place, radius) if good else []
        indices = sorted(indices, key=lambda i: float(np.hypot(*(centroids[i] - place))))
        found.append([index + 1 for index in indices])
    return found


def _settle_by_pixels(
    truth: Truth, owner: NDArray[np.int32], detections: Detections, found: Match
) -> None:
    """Decide on the labels nobody chose by the owner of most of their pixels."""
    row_of = {int(number): row for row, number in enumerate(truth.sources["id"])}
    free = np.flatnonzero(found.sources < 0) + 1
    main = _main_owners(owner, detections.labels, free)
    for label in sorted(free, key=lambda number: -detections.area[number - 1]):
        row = row_of.get(main[int(label)], -1)
        if row < 0:
            continue
        found.sources[label - 1] = row
        found.label_outcomes[label - 1] = LabelOutcome.MATCHED
        if found.source_outcomes[row] == SourceOutcome.DETECTED:
            found.label_outcomes[label - 1] = LabelOutcome.SHRED
        elif found.source_outcomes[row] != SourceOutcome.OUTSIDE:
            found.labels[row] = label
            found.source_outcomes[row] = SourceOutcome.DETECTED


def _main_owners(
    owner: NDArray[np.int32], labels: NDArray[np.int32], chosen: NDArray[np.int64]
) -> dict[int, int]:
    """Owner of the most pixels of each of the chosen labels; 0 if most of them are sky."""
    inside = np.isin(labels, chosen)
    pairs = np.column_stack([labels[inside], owner[inside]])
    pairs, counts = np.unique(pairs, axis=0, return_counts=True)
    area = np.bincount(pairs[:, 0], counts)
    counts[(pairs[:, 1] == 0) & (2 * counts <= area[pairs[:, 0]])] = 0
    # The last of a label has the most; of equals, it is the first owner.
    order = np.lexsort((-pairs[:, 1], counts, pairs[:, 0]))
    return {int(label): int(number) for label, number in pairs[order]}
