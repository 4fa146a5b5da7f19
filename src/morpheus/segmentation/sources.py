"""The table of the sources: what each is a part of, and what it touches."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.table import MaskedColumn, Table
from numpy.typing import NDArray
from scipy import ndimage

from morpheus.model.config import DetectionThresholds
from morpheus.provenance import morpheus_version
from morpheus.segmentation.detect import EIGHT
from morpheus.segmentation.flags import SourceFlag
from morpheus.segmentation.options import SegmentationOptions

__all__ = ["segmentation_record", "source_table", "touched", "touches"]


def touches(
    valid: NDArray[np.bool_], mask: NDArray[np.bool_]
) -> dict[SourceFlag, NDArray[np.bool_]]:
    """Find the pixels beside the edge, and beside masked ones.

    Parameters
    ----------
    valid : ndarray of bool, shape (y, x)
        Where pixels were classified; what lies around the array is beyond the edge.
    mask : ndarray of bool, shape (y, x)
        Where pixels are masked.

    Returns
    -------
    dict of SourceFlag to ndarray of bool
        True in and beside such pixels, corners included.
    """
    outside = np.pad(~valid & ~mask, 1, constant_values=True)
    places = {SourceFlag.EDGE: outside, SourceFlag.MASKED: np.pad(mask, 1)}
    return {
        flag: ndimage.binary_dilation(place, EIGHT)[1:-1, 1:-1] for flag, place in places.items()
    }


def touched(
    labels: NDArray[np.int32], valid: NDArray[np.bool_], mask: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Tell of each source what it touches.

    Parameters
    ----------
    labels : ndarray of int32, shape (y, x)
        0 for the sky, 1 to N for the sources.
    valid, mask : ndarray of bool, shape (y, x)
        Where pixels were classified, and where they are masked.

    Returns
    -------
    ndarray of int32, shape (N,)
        Bits of `SourceFlag`.
    """
    flags = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    for flag, near in touches(valid, mask).items():
        flags[np.unique(labels[near])] |= flag
    return flags[1:]


def source_table(
    parents: NDArray[np.int32], flags: NDArray[np.int32], positions: Table | None
) -> Table:
    """Make the table of the sources.

    Parameters
    ----------
    parents : ndarray of int32, shape (N,)
        Number of the region that each was a part of.
    flags : ndarray of int32, shape (N,)
        What each touches.
    positions : astropy.table.Table or None
        In a guided segmentation the external positions, with `label`.

    Returns
    -------
    astropy.table.Table
        `label`, `parent`, `flags` and perhaps `position_id`, as `Segmentation` has them.
    """
    flags = flags.copy()
    counts = np.bincount(parents)
    flags[counts[parents] > 1] |= SourceFlag.DEBLENDED
    numbers = np.arange(1, len(parents) + 1, dtype=np.int32)
    sources = Table({"label": numbers, "parent": parents, "flags": flags})
    if positions is not None:
        _name_sources(sources, positions)
    return sources


def segmentation_record(
    classified: Mapping[str, Any],
    options: SegmentationOptions,
    thresholds: DetectionThresholds,
    noise: float,
    n_sources: int,
    positions: Table | None,
) -> dict[str, Any]:
    """Say how sources were found, for the provenance.

    Parameters
    ----------
    classified : mapping
        What made the classification.
    options : SegmentationOptions
        What was asked for.
    thresholds : DetectionThresholds
        What was done.
    noise : float
        Noise of the smoothed detection image.
    n_sources : int
        How many there are.
    positions : astropy.table.Table or None
        External positions, with `label`.

    Returns
    -------
    dict
        For `Segmentation.provenance`.
    """
    model = classified.get("model")
    return {
        "creator": f"morpheus {morpheus_version()}",
        **({} if model is None else {"model": model["name"]}),
        **({} if model is None else {"weights_sha256": model["weights_sha256"]}),
        "method": options.method,
        "options": dataclasses.asdict(options),
        "thresholds": dataclasses.asdict(thresholds),
        "noise": noise,
        "n_sources": n_sources,
        **({} if positions is None else _positions_record(positions)),
    }


def _name_sources(sources: Table, positions: Table) -> None:
    """Give the sources the identifiers of their positions."""
    detected = positions[positions["label"] > 0]
    labels, first = np.unique(detected["label"], return_index=True)
    names = np.ma.masked_all(len(sources), positions["id"].dtype)
    names[labels - 1] = detected["id"][first]
    sources["position_id"] = MaskedColumn(names)
    sources["flags"][names.mask] |= SourceFlag.UNMATCHED


def _positions_record(positions: Table) -> dict[str, Any]:
    detected = positions["label"] > 0
    return {
        "positions": len(positions),
        "undetected_positions": positions["id"][~detected].tolist(),
        # Those in the very pixel of an earlier one.
        "shared_positions": int(detected.sum()) - np.unique(positions["label"][detected]).size,
    }
