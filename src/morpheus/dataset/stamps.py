"""Examples with a labelled source at the centre, cut out of a field."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morpheus.dataset.field import LabelledField
from morpheus.dataset.labelled import LabelledOptions
from morpheus.dataset.layout import CLASSES_DTYPE, SOURCE_CLASSES, TABLE_CLASSES, UNKNOWN
from morpheus.dataset.targets import UNSEEN, make_classes, rim

__all__ = ["Rows", "corner_of", "cut_group", "distinct"]

Rows = dict[str, NDArray[Any]]
"""Columns of the table of sources."""


def corner_of(x: float, y: float, size: int, shape: tuple[int, int]) -> tuple[int, int]:
    """Find where an example begins.

    Parameters
    ----------
    x, y : float
        Of the source, in pixels.
    size : int
        Side of the example.
    shape : tuple of int
        Of the image, (y, x).

    Returns
    -------
    tuple of int
        Row and column of its first pixel: the source is in the middle, but that the example is
        shifted to lie in the image. Of an image that is shorter than the example the middle is in
        the middle.
    """
    row, column = (
        min(max(round(place) - size // 2, 0), length - size)
        if length >= size
        else (length - size) // 2
        for place, length in zip((y, x), shape, strict=True)
    )
    return row, column


def distinct(field: LabelledField, size: int) -> NDArray[np.int64]:
    """Leave out sources whose example would be that of an earlier one.

    Parameters
    ----------
    field : LabelledField
        The field.
    size : int
        Side of an example.

    Returns
    -------
    ndarray of int64
        Segments in the order of their cells. At corners, and in images that are hardly larger than
        an example, several sources have the same.
    """
    seen: dict[tuple[object, ...], int] = {}
    for center in field.centers.tolist():
        segment = field.segments[center]
        corner = corner_of(float(segment["x"]), float(segment["y"]), size, field.mosaic.shape)
        seen.setdefault((*corner, int(segment["cell"])), center)
    return np.array(list(seen.values()), np.int64)


def _cut(array: NDArray[Any], corner: tuple[int, int], size: int, outside: float) -> NDArray[Any]:
    """Cut a square; what lies outside the image has one value."""
    piece = np.full((*array.shape[:-2], size, size), outside, array.dtype)
    spans = [
        (max(0, start), min(length, start + size), start)
        for start, length in zip(corner, array.shape[-2:], strict=True)
    ]
    rows, columns = (slice(low, high) for low, high, _ in spans)
    to_rows, to_columns = (slice(low - start, high - start) for low, high, start in spans)
    piece[..., to_rows, to_columns] = array[..., rows, columns]
    return piece


def cut_group(
    field: LabelledField, options: LabelledOptions, start: int, stop: int
) -> tuple[dict[str, NDArray[Any]], Rows]:
    """Cut a few examples.

    Parameters
    ----------
    field : LabelledField
        The field.
    options : LabelledOptions
        How to cut them.
    start, stop : int
        The first example, and the one after the last.

    Returns
    -------
    arrays : dict of str to ndarray, shape (n, ...)
        'images', 'weights', 'classes', 'owner' and 'cells'.
    rows : dict of str to ndarray
        Of the table of sources.
    """
    examples = [
        _cut_example(field, options, number, int(field.centers[number]))
        for number in range(start, stop)
    ]
    arrays = {name: np.stack([one[0][name] for one in examples]) for name in examples[0][0]}
    rows = {name: np.concatenate([one[1][name] for one in examples]) for name in examples[0][1]}
    return arrays, rows


def _cut_example(
    field: LabelledField, options: LabelledOptions, example: int, center: int
) -> tuple[dict[str, NDArray[Any]], Rows]:
    segments, mosaic, size = field.segments, field.mosaic, options.size
    x, y = float(segments["x"][center]), float(segments["y"][center])
    row, column = corner_of(x, y, size, mosaic.shape)
    margin = math.ceil(options.grow)
    wide = _cut(field.labels, (row - margin, column - margin), size + 2 * margin, UNSEEN)
    inner = (slice(margin, margin + size),) * 2
    labels, corner = wide[inner], (row, column)
    no_data = _cut(mosaic.mask, corner, size, outside=True)
    unknown = no_data | (labels == UNSEEN) | rim(wide, options.grow)[inner]

    others = np.setdiff1d(labels[labels > 0], [center])
    present = np.concatenate([[center], others]).astype(np.int64)
    # What is said of a source counts in the examples of its own cell only: those of others may
    # be on the other side of a split.
    own = np.asarray(segments["cell"])[present] == segments["cell"][center]
    votes = np.where(own[:, None], np.asarray(segments["votes"])[present], np.nan)
    known = np.asarray(np.isfinite(votes).all(axis=1))
    shares = {int(n): v for n, v, k in zip(present, votes, known, strict=True) if k}
    owner = np.zeros((size, size), np.int32)
    for number, label in enumerate(present, 1):
        owner[labels == label] = number

    images = _cut(mosaic.data, corner, size, np.nan)
    images[:, no_data] = np.nan
    arrays: dict[str, NDArray[Any]] = {
        "images": images,
        "weights": _weights(field, corner, size, no_data),
        "classes": make_classes(labels, shares, unknown).astype(CLASSES_DTYPE),
        "owner": owner,
        "cells": np.int64(segments["cell"][center]),  # type: ignore[dict-item]
    }
    rows = _rows(field, present, votes, corner, example)
    fluxes = [np.nansum(np.where(owner == n, images, np.nan), (1, 2)) for n in rows["id"]]
    for band, flux in zip(mosaic.bands, np.array(fluxes, float).T, strict=True):
        rows[f"flux_sum_{band.lower()}"] = flux
    return arrays, rows


def _weights(
    field: LabelledField, corner: tuple[int, int], size: int, no_data: NDArray[np.bool_]
) -> NDArray[np.float32]:
    mosaic = field.mosaic
    if field.noise is None:
        weights = _cut(np.asarray(mosaic.weight), corner, size, 0)
    else:
        levels = np.array(field.noise) ** -2.0
        weights = np.broadcast_to(levels[:, None, None], (mosaic.n_bands, size, size))
    return np.where(no_data, 0, weights).astype(np.float32)


def _rows(
    field: LabelledField,
    present: NDArray[np.int64],
    votes: NDArray[np.float64],
    corner: tuple[int, int],
    example: int,
) -> Rows:
    segments, n = field.segments[present], len(present)
    known = np.isfinite(votes).all(axis=1)
    codes = np.where(known, np.nan_to_num(votes).argmax(axis=1), TABLE_CLASSES.index(UNKNOWN))
    rows: Rows = {
        "example": np.full(n, example, np.int64),
        "id": np.arange(1, n + 1, dtype=np.int32),
        "source_id": np.array([str(name) for name in segments["source_id"]], dtype=str),
        "segment": np.asarray(segments["number"], np.int64),
        "x": np.asarray(segments["x"]) - corner[1],
        "y": np.asarray(segments["y"]) - corner[0],
        "ra": np.asarray(segments["ra"]),
        "dec": np.asarray(segments["dec"]),
        "class": codes.astype(np.int8),
    }
    rows |= {f"votes_{name}": votes[:, k] for k, name in enumerate(SOURCE_CLASSES)}
    rows["unknown"] = np.asarray(segments["unknown"])
    rows["n_experts"] = np.asarray(segments["n_experts"], np.int32)
    return rows
