"""Injected sources: which of them were found, among the sources that were there before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray
from scipy.spatial import KDTree

from morpheus.catalog.background import measure_sky
from morpheus.evaluate.detections import Detections
from morpheus.evaluate.matching import SourceOutcome, match
from morpheus.evaluate.sample import Sample, brighter_neighbours, compare
from morpheus.evaluate.truth import SOURCE_CLASSES, Truth

__all__ = ["OWN_SHARE", "Patch", "compare_injected"]

Array = NDArray[np.float64]

OWN_SHARE = 2 / 3
"""Share of the light in a label of an existing source from which on it is an injected source's."""

_FIRST = -100.0  # magnitude of the existing sources: they choose before all that were injected


@dataclass(frozen=True, eq=False)
class Patch:
    """The light of one injected source in the reference band.

    Parameters
    ----------
    x, y : int
        Pixel of the image where its lower left pixel lies; may be outside.
    light : ndarray, shape (y, x)
        Noiseless, in image units.
    """

    x: int
    y: int
    light: NDArray[np.float32]


def compare_injected(
    truth: Truth,
    patches: Sequence[Patch],
    original: NDArray[np.float32],
    before: Detections,
    after: Detections,
    *,
    radius: float,
    pixel_scale: float | None = None,
) -> Sample:
    """Compare what a detector found with what was injected.

    An existing source keeps its label: the one that now holds most of its light. Injected sources
    are then matched to the other labels, as by `match`. One that lies on an existing source's
    label is *blended*, unless it brings two thirds of the light in it (`OWN_SHARE`), when the label
    is its own.

    Parameters
    ----------
    truth : Truth
        What was injected.
    patches : sequence of Patch
        Its light, in the same order.
    original : ndarray of float32, shape (y, x)
        Reference image without injected sources; NaN where it is masked.
    before, after : Detections
        What was found without them, and with them.
    radius : float
        Largest distance between a position and a centroid, in pixels.
    pixel_scale : float, optional
        In arcsec.

    Returns
    -------
    Sample
        Of the injected sources and of their labels only, with a column `mag_label`: AB magnitude
        of the flux in the label. Its rate of chance is that at places half of the image away.
    """
    scene = _Scene(original, before, after, radius)
    injected = truth.sources.copy()
    injected["id"] = np.asarray(injected["id"]).astype(str)
    injected["injected"] = True
    rivals = scene.rivals(injected, patches)
    both = vstack([rivals, injected], metadata_conflicts="silent")
    sample = compare(Truth(both), after, radius=radius, pixel_scale=pixel_scale)
    sources = sample.sources[np.asarray(sample.sources["injected"])]
    del sources["injected"]
    labels = np.asarray(sources["label"])
    magnitudes = np.r_[np.nan, after.mag]
    sources["mag_label"] = magnitudes[labels]
    sources["neighbour"] = _neighbours(injected, before)[np.isin(injected["id"], sources["id"])]
    own = labels[np.asarray(sources["outcome"] == SourceOutcome.DETECTED)]
    return replace(
        sample,
        sources=sources,
        labels=sample.labels[np.isin(sample.labels["label"], own)],
        chance=scene.chance(injected),
    )


class _Scene:
    """An image before and after."""

    def __init__(
        self,
        original: NDArray[np.float32],
        before: Detections,
        after: Detections,
        radius: float,
    ) -> None:
        sky = measure_sky(original, (before.labels == 0) & ~before.mask, "the image")
        self.light = np.nan_to_num(original.astype(float) - sky.level)
        self.after, self.radius = after, radius
        self._kept_labels, self._x, self._y = _kept_labels(self.light, before, after)

    def rivals(self, sources: Table, patches: Sequence[Patch] = ()) -> Table:
        """Find the existing sources that have a label under or near one of the sources.

        Parameters
        ----------
        sources : astropy.table.Table
            Positions.
        patches : sequence of Patch, optional
            Their light: a label that is mostly this is left to the source.

        Returns
        -------
        astropy.table.Table
            With the columns of `Truth` and a pixel of each one's label as its position.
        """
        under = self._under(sources)
        near = self._near(sources) | set(under.tolist())
        near -= self._outshone(under, patches)
        rows = np.flatnonzero(np.isin(self._kept_labels, sorted(near)))
        unknown = np.full(len(rows), np.nan)
        return Table(
            {
                "id": [f"existing {label}" for label in self._kept_labels[rows]],
                "x": self._x[rows].astype(float),
                "y": self._y[rows].astype(float),
                "mag": np.full(len(rows), _FIRST),
                "r_e": unknown,
                "surface_brightness": unknown,
                "votes": np.full((len(rows), len(SOURCE_CLASSES)), np.nan),
                "injected": np.zeros(len(rows), dtype=bool),
            },
            dtype=[str, float, float, float, float, float, float, bool],
        )

    def chance(self, injected: Table) -> tuple[int, int]:
        """Count the sources that would be detected half of the image away, and all."""
        height, width = self.after.labels.shape
        moved = injected.copy()
        moved["x"] = (injected["x"] + width / 2 + 0.5) % width - 0.5
        moved["y"] = (injected["y"] + height / 2 + 0.5) % height - 0.5
        both = vstack([self.rivals(moved), moved], metadata_conflicts="silent")
        outcomes = match(Truth(both), self.after, self.radius).source_outcomes
        outcomes = outcomes[np.asarray(both["injected"])]
        inside = outcomes != SourceOutcome.OUTSIDE
        return int((outcomes == SourceOutcome.DETECTED).sum()), int(inside.sum())

    def _under(self, sources: Table) -> NDArray[np.int64]:
        """Labels under positions; 0 outside of the image."""
        height, width = self.after.labels.shape
        columns = np.floor(np.asarray(sources["x"], float) + 0.5).astype(int)
        rows = np.floor(np.asarray(sources["y"], float) + 0.5).astype(int)
        inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        under = np.zeros(len(sources), dtype=np.int64)
        under[inside] = self.after.labels[rows[inside], columns[inside]]
        return under

    def _near(self, sources: Table) -> set[int]:
        if not len(self.after) or not len(sources):
            return set()
        tree = KDTree(np.column_stack([self.after.x, self.after.y]))
        found = tree.query_ball_point(np.column_stack([sources["x"], sources["y"]]), self.radius)
        return {index + 1 for indices in found for index in indices}

    def _outshone(self, under: NDArray[np.int64], patches: Sequence[Patch]) -> set[int]:
        """Labels most of whose light is that of the injected source in them."""
        labels, number = self.after.labels, len(self.after) + 1
        chosen = np.isin(labels, under[under > 0])
        total = np.bincount(labels[chosen], self.light[chosen], number).astype(float)
        own = np.zeros(len(patches))
        for row, patch in enumerate(patches):
            field, part = _overlap(patch, labels.shape)
            sums = np.bincount(labels[field].ravel(), part.ravel(), number)
            total += sums
            own[row] = sums[under[row]]
        return {
            int(label)
            for label, light in zip(under, own, strict=False)  # there may be no patches
            if label and light >= OWN_SHARE * total[label]
        }


def _kept_labels(
    light: Array, before: Detections, after: Detections
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Find the labels that existing sources have now, and a pixel (x, y) of each.

    A source's label is the one with most of its light; if several sources have one, it is that of
    the one with the most light in it, and the others have none.
    """
    place = np.flatnonzero((before.labels > 0) & (after.labels > 0) & ~after.mask)
    if not place.size:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing
    old = before.labels.ravel()[place].astype(np.int64)
    new = after.labels.ravel()[place].astype(np.int64)
    weight = np.maximum(light.ravel()[place], 0) + 1e-12 * (1 + np.abs(light).max())
    # Pairs by old label, and the pixels of a pair by light: the last one is the brightest.
    order = np.lexsort((weight, new, old))
    old, new, weight, place = old[order], new[order], weight[order], place[order]
    last = np.r_[(np.diff(old) != 0) | (np.diff(new) != 0), True]
    shared = np.diff(np.r_[0, np.cumsum(weight)[last]])
    old, new, place = old[last], new[last], place[last]
    for of in (old, new):  # the best label of each source, and of these the best of each label
        order = np.lexsort((shared, of))
        best = order[np.r_[np.diff(of[order]) != 0, True]]
        kept = np.zeros(len(of), dtype=bool)
        kept[best] = True
        shared[~kept] = 0
    y, x = np.divmod(place[shared > 0], light.shape[1])
    return new[shared > 0], x, y


def _overlap(
    patch: Patch, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], NDArray[np.float32]]:
    """Where a patch lies in an image, and what of it does."""
    here, there = [], []
    for corner, side, size in zip((patch.y, patch.x), patch.light.shape, shape, strict=True):
        low, high = max(corner, 0), max(min(corner + side, size), 0)
        here.append(slice(low, max(low, high)))
        there.append(slice(low - corner, max(low, high) - corner))
    return (here[0], here[1]), patch.light[there[0], there[1]]


def _neighbours(injected: Table, before: Detections) -> Array:
    """Distance to the nearest brighter source, existing or injected, of each that was injected."""
    columns = (
        np.r_[old, np.asarray(injected[name], dtype=float)]
        for name, old in (("x", before.x), ("y", before.y), ("mag", before.mag))
    )
    return brighter_neighbours(*columns)[len(before) :]
