"""Which tile lists a source that several of them see.

A position on the sky belongs to the tile that it lies deepest inside of, and a source to the owner
of its position. Tiles measure positions with small errors, so near the border of two owners a
source could be listed twice or never: those that tiles see in common are matched, and each such
group is listed once. The order of tiles and sources makes no difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from morpheus.survey.footprint import ARCSEC, unit_vectors

__all__ = ["LARGEST_REACH", "Area", "Sightings", "listed", "sightings"]

LARGEST_REACH = 10.0
"""The largest distance of positions of one source, in units of the matching radius."""


class Area(Protocol):
    """What `sightings` needs to know of a tile; distances are in arcsec."""

    radius: float

    def inwards(self, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tell how far inside of the pixel grid positions are; negative outside."""

    def depth(self, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tell how deep inside they are; 0 where a position cannot be owned."""


@dataclass(frozen=True, eq=False)
class Sightings:
    """The sources of a tile that another one might see too.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Their rows in the tile's catalogue.
    ra, dec : ndarray of float, shape (n,)
        ICRS, degrees.
    reach : ndarray of float, shape (n,)
        Within how many arcsec another tile's source may be the same.
    depth : ndarray of float, shape (n,)
        How deep they lie in their own tile, in arcsec.
    owner : ndarray of int, shape (n,)
        Number of the tile that owns their position; their own if none does.
    """

    rows: NDArray[np.int64]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    reach: NDArray[np.float64]
    depth: NDArray[np.float64]
    owner: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def vectors(self) -> NDArray[np.float64]:
        """Unit vectors, shape (n, 3)."""
        return unit_vectors(self.ra, self.dec)

    @cached_property
    def tree(self) -> cKDTree:
        """To search them."""
        return cKDTree(self.vectors)


def sightings(
    number: int,
    areas: Mapping[int, Area],
    ranks: Sequence[int],
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    sizes: NDArray[np.float64],
) -> Sightings:
    """Find out who owns the sources of a tile.

    Parameters
    ----------
    number : int
        The tile.
    areas : mapping of int to Area
        It and its neighbours.
    ranks : sequence of int
        Of each tile: who is first where positions are equally deep.
    ra, dec : ndarray of float, shape (n,)
        Its sources: ICRS, degrees. Those that are NaN are left out.
    sizes : ndarray of float, shape (n,)
        Their half-light radii in arcsec; NaN where unknown.

    Returns
    -------
    Sightings
        Of those on, or near, another tile's grid; all others are the tile's own.
    """
    radius = areas[number].radius
    others = sorted((one for one in areas if one != number), key=lambda one: ranks[one])
    shared = np.zeros(len(ra), bool)
    for other in others:
        shared |= areas[other].inwards(ra, dec) > -LARGEST_REACH * radius
    rows = np.flatnonzero(shared & np.isfinite(ra) & np.isfinite(dec))
    ra, dec = np.asarray(ra, np.float64)[rows], np.asarray(dec, np.float64)[rows]
    own = areas[number].depth(ra, dec)
    # Where nobody is deeper than 0 each tile keeps what it has: `listed` sorts out the pairs.
    deepest, owner = own.copy(), np.full(len(rows), number, np.int64)
    for other in others:
        depth = areas[other].depth(ra, dec)
        first = ranks[other] < np.asarray(ranks)[owner]
        better = (depth > deepest) | ((depth == deepest) & (depth > 0) & first)
        deepest[better], owner[better] = depth[better], other
    half = np.nan_to_num(sizes[rows], nan=0.0, posinf=0.0) / 2
    reach = np.clip(half, radius, LARGEST_REACH * radius)
    return Sightings(rows.astype(np.int64), ra, dec, reach, own, owner)


def listed(number: int, seen: Mapping[int, Sightings], ranks: Sequence[int]) -> NDArray[np.bool_]:
    """Decide which sources a tile lists.

    Those whose position it owns; but of a group of sources that are each other's nearest in two
    tiles, within their reach, one is listed: if several would be, the deepest; if none would be
    although the owner of one is in the group, the deepest too.

    Parameters
    ----------
    number : int
        The tile.
    seen : mapping of int to Sightings
        Of it and of its neighbours.
    ranks : sequence of int
        Of each tile: who is first where sources are equally deep.

    Returns
    -------
    ndarray of bool
        For each of the tile's sightings.
    """
    numbers = sorted(seen, key=lambda one: ranks[one])
    starts = dict(zip(numbers, np.cumsum([0, *(len(seen[one]) for one in numbers)]), strict=False))
    tile = np.repeat(numbers, [len(seen[one]) for one in numbers])
    owner = np.concatenate([seen[one].owner for one in numbers])
    depth = np.concatenate([seen[one].depth for one in numbers])
    group = _groups(numbers, seen, starts, len(tile))
    would = tile == owner
    n_listed = np.bincount(group, would, minlength=len(tile))
    # Whether the owner of a source is in its group, and has it for another's.
    width = max(len(ranks), 1)
    passed_on = np.isin(group * width + owner, group * width + tile)
    restored = np.bincount(group, passed_on & ~would, minlength=len(tile)) > 0
    candidate = would | ((n_listed == 0) & restored)[group]
    # The first of each group: candidates before others, deep before shallow, then by rank, in the
    # order of which they are (the sort is stable).
    order = np.lexsort((-depth, ~candidate, group))
    first = np.ones(len(order), bool)
    first[1:] = group[order][1:] != group[order][:-1]
    chosen = np.zeros(len(tile), bool)
    chosen[order[first]] = True
    chosen &= candidate
    start = starts[number]
    return chosen[start : start + len(seen[number])]


def _groups(
    numbers: Sequence[int], seen: Mapping[int, Sightings], starts: Mapping[int, int], total: int
) -> NDArray[np.int64]:
    """Give each source the number of its group: those connected by pairs of nearest ones."""
    links: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for i, one in enumerate(numbers):
        for other in numbers[i + 1 :]:
            a, b = _pairs(seen[one], seen[other])
            links.append((a + starts[one], b + starts[other]))
    if not links:
        return np.arange(total)
    a, b = (np.concatenate(ends) for ends in zip(*links, strict=True))
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(total, total))
    return connected_components(graph, directed=False)[1].astype(np.int64)  # type: ignore[no-any-return]


def _pairs(one: Sightings, other: Sightings) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the sources of two tiles that are each other's nearest, within their reach."""
    none = np.zeros(0, np.int64)
    if not len(one) or not len(other):
        return none, none
    largest = 2 * np.sin(max(one.reach.max(), other.reach.max()) * ARCSEC / 2)
    chord, nearest = other.tree.query(one.vectors, distance_upper_bound=largest * (1 + 1e-9))
    a = np.flatnonzero(np.isfinite(chord))
    b = nearest[a]
    _, back = one.tree.query(other.vectors[b])
    reach = np.maximum(one.reach[a], other.reach[b]) * ARCSEC
    same = (back == a) & (chord[a] <= 2 * np.sin(reach / 2))
    return a[same], b[same]
