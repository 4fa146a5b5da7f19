"""Which segment is which labelled source, and what that says of each pixel."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt

from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.dataset.layout import CLASSES_DTYPE
from morpheus.errors import OptionError

__all__ = ["UNSEEN", "compact_labels", "make_classes", "match_segments", "rim"]

UNSEEN = -1
"""Label of pixels of which it is not known what they are."""


def compact_labels(
    segmap: ArrayLike, unknown: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Give the segments of a map numbers from 1.

    Parameters
    ----------
    segmap : array of whole numbers, shape (y, x)
        0 for the sky, the number of a source, and below 0 or NaN where it is not known.
    unknown : ndarray of bool, shape (y, x), optional
        True where it is not known what there is.

    Returns
    -------
    labels : ndarray of int32, shape (y, x)
        0 for the sky, 1 to N for the segments, `UNSEEN` where it is not known.
    numbers : ndarray of int64, shape (N + 1,)
        What the map calls each segment; the first is 0.

    Raises
    ------
    OptionError
        If the map does not hold whole numbers, or no segment.
    """
    array = np.asarray(segmap)
    if array.dtype.kind == "f":
        array = np.where(np.isfinite(array), array, UNSEEN)
        whole = np.array_equal(array, np.round(array)) and np.abs(array).max(initial=0) < 2**53
    else:
        whole = array.dtype.kind in "iu" and (
            array.dtype != np.uint64 or int(array.max(initial=0)) < 2**63
        )
    if not whole:
        raise OptionError("the segmentation map must hold whole numbers, a number for each source")
    array = np.maximum(array.astype(np.int64), UNSEEN)
    if unknown is not None:
        array[unknown] = UNSEEN
    numbers = np.unique(array)
    numbers = numbers[numbers > 0]
    if not numbers.size:
        raise OptionError("the segmentation map has no source: no number above 0")
    labels = np.searchsorted(numbers, array) + 1
    labels[array <= 0] = array[array <= 0]
    return labels.astype(np.int32), np.concatenate([[0], numbers])


def match_segments(
    x: NDArray[np.float64], y: NDArray[np.float64], labels: NDArray[np.int32], radius: float
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Find the segments of positions.

    A position in a segment has it. Of the others, one has the nearest segment within the radius,
    unless it is taken. A segment of several positions is nobody's: it cannot be told which pixels
    are whose.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        In pixels; not finite where a position is not in the image.
    labels : ndarray of int32, shape (y, x)
        As `compact_labels` gives them.
    radius : float
        In pixels.

    Returns
    -------
    segments : ndarray of int32, shape (n,)
        Of each position; 0 for none.
    ambiguous : ndarray of bool, shape (n,)
        Whether another position lies in the same segment.
    """
    height, width = labels.shape
    column, row = (np.rint(np.nan_to_num(axis, nan=-1.0, posinf=-1, neginf=-1)) for axis in (x, y))
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    segments = np.zeros(len(x), np.int32)
    segments[inside] = labels[row[inside].astype(int), column[inside].astype(int)].clip(0)
    taken = set(segments[segments > 0].tolist())
    for place in np.flatnonzero(inside & (segments == 0)):
        nearest = _nearest(labels, float(x[place]), float(y[place]), radius)
        segments[place] = 0 if nearest in taken else nearest
    counts = np.bincount(segments, minlength=1)
    ambiguous = (segments > 0) & (counts[segments] > 1)
    return np.where(ambiguous, 0, segments).astype(np.int32), ambiguous


def _nearest(labels: NDArray[np.int32], x: float, y: float, radius: float) -> int:
    low_y, low_x = (max(0, int(np.ceil(c - radius))) for c in (y, x))
    part = labels[low_y : int(y + radius) + 1, low_x : int(x + radius) + 1]
    rows, columns = np.nonzero(part > 0)
    if not rows.size:
        return 0
    distance = np.hypot(rows + low_y - y, columns + low_x - x)
    best = distance.argmin()
    return int(part[rows[best], columns[best]]) if distance[best] <= radius else 0


def rim(labels: NDArray[np.int32], grow: float) -> NDArray[np.bool_]:
    """Find the sky next to segments.

    Parameters
    ----------
    labels : ndarray of int32, shape (y, x)
        As `compact_labels` gives them.
    grow : float
        Largest distance to the centre of a segment's pixel.

    Returns
    -------
    ndarray of bool, shape (y, x)
        True for pixels of the sky that are as near.
    """
    if grow <= 0 or not (labels > 0).any():
        return np.zeros(labels.shape, bool)
    near: NDArray[np.bool_] = (labels == 0) & (distance_transform_edt(labels <= 0) <= grow)
    return near


def make_classes(
    labels: NDArray[np.int32],
    shares: dict[int, Any],
    unknown: NDArray[np.bool_],
) -> NDArray[np.float16]:
    """Say what each pixel is.

    Parameters
    ----------
    labels : ndarray of int32, shape (y, x)
        0 for the sky, `UNSEEN` where it is not known, else a segment.
    shares : dict of int to ndarray, shape (4,)
        Votes for the sources whose segments have any that count.
    unknown : ndarray of bool, shape (y, x)
        Where a pixel has no data, or it is not known what it is.

    Returns
    -------
    ndarray of float16, shape (5, y, x)
        The votes on the segments that have any, background in the sky, and 0 in all classes
        elsewhere: there it is not known, and what a network says there does not count.
    """
    classes = np.zeros((len(CLASS_NAMES), *labels.shape), CLASSES_DTYPE)
    classes[BACKGROUND] = labels == 0
    for label, votes in shares.items():
        classes[:BACKGROUND, labels == label] = np.asarray(votes)[:, None]
    classes[:, unknown] = 0
    return classes
