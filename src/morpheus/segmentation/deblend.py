"""Regions to sources: neighbours that touch are separated where the flux has a gap.

The tree of all thresholds at once, rather than a number of them: the watershed of the smoothed
detection image gives a basin for every peak, and the basins are joined from the highest saddle
down, for as long as the lower of the two peaks is no source of its own. There is no limit on the
size of a region or on its number of peaks, and no step for a single region that could fail.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import watershed

from morpheus.segmentation.options import DeblendingOptions

__all__ = ["deblend"]

# One of each pair of opposite neighbours: by a side, then by a corner.
_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))


def deblend(
    regions: NDArray[np.int32],
    image: NDArray[np.floating[Any]],
    *,
    noise: float,
    irregular: NDArray[np.floating[Any]],
    connectivity: int,
    min_area: int,
    options: DeblendingOptions,
) -> NDArray[np.int32]:
    """Separate sources that touch.

    Parameters
    ----------
    regions : ndarray of int32, shape (y, x)
        0 for sky, 1 to N for regions of one or more sources.
    image : ndarray of float, shape (y, x)
        The detection image, smoothed, with the sky at 0; finite.
    noise : float
        Standard deviation of the sky in `image`.
    irregular : ndarray of float, shape (y, x)
        P(irregular), among the classes of source.
    connectivity : {1, 2}
        Whether pixels hang together by sides (1) or also by corners (2), as in `regions`.
    min_area : int
        Smallest number of pixels of a source.
    options : DeblendingOptions
        When a peak is a source of its own.

    Returns
    -------
    ndarray of int32, shape (y, x)
        0 where `regions` is, and distinct numbers for the sources; each lies in one region.
    """
    basins = _basins(regions, image, connectivity)
    saddles = _saddles(basins, image, irregular, connectivity)
    tree = _Tree(_by_basin(basins, image), noise, min_area, options)
    for first, second, level, clumpiness in zip(*saddles, strict=True):
        tree.join(first, second, level, clumpiness)
    return tree.sources()[basins]


def _basins(
    regions: NDArray[np.int32], image: NDArray[np.floating[Any]], connectivity: int
) -> NDArray[np.int32]:
    """Give every source pixel to the peak that it leads up to."""
    is_source = regions > 0
    # A rim that is lower than any source, so that a plateau is a peak even if it fills the image.
    rim = 1 + 2 * np.abs(image).max(initial=0)
    relief = np.pad(np.where(is_source, -image, rim), 1, constant_values=rim)
    basins = watershed(relief, mask=np.pad(is_source, 1), connectivity=connectivity)
    return np.asarray(basins[1:-1, 1:-1], np.int32)


def _saddles(
    basins: NDArray[np.int32],
    image: NDArray[np.floating[Any]],
    irregular: NDArray[np.floating[Any]],
    connectivity: int,
) -> tuple[list[int], list[int], list[float], list[float]]:
    """Find the saddle between each two basins that touch, the highest first."""
    pairs, levels, heights, places = [], [], [], []
    width = basins.shape[1]
    for dy, dx in _STEPS[: 2 * connectivity]:
        here = np.s_[: -dy or None, max(0, -dx) : -dx if dx > 0 else None]
        there = np.s_[dy:, max(0, dx) : dx if dx < 0 else None]
        touch = (basins[here] != basins[there]) & (basins[here] > 0) & (basins[there] > 0)
        row, column = np.nonzero(touch)
        near = row * width + column + max(0, -dx)
        one, other = image[here][touch], image[there][touch]
        pairs.append(np.sort([basins[here][touch], basins[there][touch]], axis=0))
        levels.append(np.minimum(one, other))
        heights.append(np.maximum(one, other))
        places.append(np.where(one < other, near, near + dy * width + dx))
    (first, second), level = np.concatenate(pairs, axis=1), np.concatenate(levels)
    height, place = np.concatenate(heights), np.concatenate(places)
    # Where basins meet in one pixel, the height of the other decides, not the order of the pixels.
    order = np.lexsort((place, -height, -level))
    # The first of each pair is its saddle; it is in the order of all.
    _, saddle = np.unique(np.stack([first, second])[:, order], axis=1, return_index=True)
    order = order[np.sort(saddle)]
    return (
        first[order].tolist(),
        second[order].tolist(),
        level[order].tolist(),
        irregular.ravel()[place[order]].tolist(),
    )


def _by_basin(
    basins: NDArray[np.int32], image: NDArray[np.floating[Any]]
) -> list[NDArray[np.floating[Any]]]:
    """Collect the pixels of each basin."""
    place = np.flatnonzero(basins)
    basin = basins.ravel()[place]
    values = image.ravel()[place[np.argsort(basin, kind="stable")]]
    ends = np.cumsum(np.bincount(basin, minlength=1))
    return np.split(values, ends[:-1])


@dataclass
class _Tree:
    """Basins that are joined, from the highest saddle down.

    A group is what hangs together above the present saddle. It consists of one source, of which
    it is not known yet whether it will stand alone, or of several, which are known to.
    """

    pixels: list[NDArray[np.floating[Any]]]
    noise: float
    min_area: int
    options: DeblendingOptions
    group: list[int] = field(init=False)
    source: list[int] = field(init=False)
    peak: list[float] = field(init=False)
    several: list[bool] = field(init=False)
    members: list[list[int]] = field(init=False)
    area: list[int] = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.pixels)
        self.group, self.source = list(range(n)), list(range(n))
        self.peak = [float(values.max(initial=-np.inf)) for values in self.pixels]
        self.several = [False] * n
        self.members = [[i] for i in range(n)]
        self.area = [values.size for values in self.pixels]

    def join(self, first: int, second: int, level: float, irregular: float) -> None:
        """Join two basins at their saddle, as one source or as two."""
        high, low = _root(self.group, first), _root(self.group, second)
        if high == low:
            return
        if self.peak[high] < self.peak[low]:
            first, second, high, low = second, first, low, high
        # A spike, such as a hot pixel, is no source, though it be the highest peak.
        spike = not self.several[high] and self.area[_root(self.source, high)] < self.min_area
        if not spike and (self.several[low] or self._stands_alone(first, low, level, irregular)):
            self.several[high] = True
        else:
            self.several[high] |= self.several[low]
            into, gone = _root(self.source, first), _root(self.source, second)
            self.source[gone] = into
            if len(self.members[into]) < len(self.members[gone]):
                self.members[into], self.members[gone] = self.members[gone], self.members[into]
            self.members[into] += self.members[gone]
            self.members[gone] = []
            self.area[into] += self.area[gone]
        self.group[low] = high

    def _stands_alone(self, neighbour: int, low: int, level: float, irregular: float) -> bool:
        """Tell whether the source of a group, the lower of two, is one of its own."""
        options, peak = self.options, self.peak[low]
        gap = options.prominence + options.clumpiness * irregular
        if peak - level < max(options.significance * self.noise, min(gap, 1) * peak) or peak <= 0:
            return False
        if self.area[_root(self.source, low)] < self.min_area or peak <= level:
            return False
        above, beside = (
            np.maximum(self._values(basin) - level, 0).sum() for basin in (low, neighbour)
        )
        return bool(above >= options.contrast * beside)

    def _values(self, basin: int) -> NDArray[np.floating[Any]]:
        """Collect the pixels of the source that a basin belongs to."""
        return np.concatenate([self.pixels[i] for i in self.members[_root(self.source, basin)]])

    def sources(self) -> NDArray[np.int32]:
        """Give the source of each basin, 0 for the sky."""
        return np.array([_root(self.source, i) for i in range(len(self.source))], np.int32)


def _root(parents: list[int], i: int) -> int:
    while parents[i] != i:
        parents[i] = parents[parents[i]]
        i = parents[i]
    return i
