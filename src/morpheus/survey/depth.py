"""How deep inside of a tile a position is: what decides which tile owns it."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from morpheus.errors import ProductError
from morpheus.mosaic.files import FitsFiles, choose_hdu
from morpheus.survey.footprint import Footprint

__all__ = ["ClassifiedArea"]

_SMALLEST = 8  # pixels of a block's side
_SIDE = 512  # blocks along the longer side of a tile: a map of a megabyte, and of seconds of arc
_MOST = 0.5  # of a block's pixels; single bad pixels shall not decide who owns the sky around
_AT_ONCE = 64_000_000  # bytes


class ClassifiedArea:
    """The part of a tile that was classified.

    Parameters
    ----------
    footprint : Footprint
        The tile's pixel grid.
    windows : Path or None
        `n.fits` of the tile, which is 0 where a pixel was not classified; None: all were.
    radius : float
        Distance in arcsec to the nearest pixel that was not classified, or to the edge, from which
        on a position is inside.
    """

    def __init__(self, footprint: Footprint, windows: Path | None, radius: float) -> None:
        self.footprint, self.windows, self.radius = footprint, windows, radius
        self._distances: NDArray[np.float32] | None = None

    def forget(self) -> None:
        """Let go of what is held in memory; it is made again when it is needed."""
        self._distances = None

    def inwards(self, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tell how far inside of the pixel grid positions are.

        Parameters
        ----------
        ra, dec : ndarray of float
            ICRS, degrees.

        Returns
        -------
        ndarray of float
            Arcsec; negative outside, -inf far away or where a position is NaN.
        """
        return self.footprint.inwards(*self.footprint.pixels(ra, dec))

    def depth(self, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tell how deep inside of what was classified positions are.

        The smaller of the distances to the edge of the grid and to the nearest block of pixels most
        of which were not classified. A position within the radius of the edge, or of any single
        pixel that was not classified, is not inside at all.

        Parameters
        ----------
        ra, dec : ndarray of float
            ICRS, degrees.

        Returns
        -------
        ndarray of float
            Arcsec, at least the radius; 0 where a position is not inside, or NaN.

        Raises
        ------
        ProductError
            If `n.fits` cannot be read, or is of another size.
        """
        x, y = self.footprint.pixels(ra, dec)
        depth = self.footprint.inwards(x, y)
        inside = np.flatnonzero(depth > self.radius)
        if self.windows is not None and inside.size:
            with FitsFiles() as files:
                seen = self._seen(files)
                inside = inside[self._clean(seen, x[inside], y[inside])]
                if self._distances is None:
                    self._distances = self._measured(seen)
                nearest = self._interpolated(self._distances, x[inside], y[inside])
                depth[inside] = np.minimum(depth[inside], nearest)
        result = np.zeros(len(depth))
        result[inside] = np.maximum(depth[inside], self.radius)
        return result

    def _seen(self, files: FitsFiles) -> NDArray[Any]:
        """Open the numbers of windows, memory-mapped."""
        assert self.windows is not None  # noqa: S101 (for the type checker)
        hdus = files.open(self.windows)
        data: NDArray[Any] = hdus[choose_hdu(hdus, None, kind="image", name=str(self.windows))].data
        if data.shape != self.footprint.shape:
            raise ProductError(
                f"{self.windows} has shape {data.shape}, the tile {self.footprint.shape}: do the"
                " tile anew (--overwrite)"
            )
        return data

    def _clean(
        self, seen: NDArray[Any], x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Tell around which pixels all others, as far as the radius, were classified."""
        column, row = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
        scale_x, scale_y = self.footprint.scales
        n_x, n_y = (int(np.ceil(self.radius / scale)) for scale in (scale_x, scale_y))
        clean = np.ones(len(x), bool)
        for dy in range(-n_y, n_y + 1):
            rows = np.clip(row + dy, 0, seen.shape[0] - 1)
            for dx in range(-n_x, n_x + 1):
                if np.hypot(dx * scale_x, dy * scale_y) < self.radius + max(scale_x, scale_y):
                    clean &= seen[rows, np.clip(column + dx, 0, seen.shape[1] - 1)] > 0
        return clean

    @cached_property
    def _block(self) -> int:
        return max(_SMALLEST, -(-max(self.footprint.shape) // _SIDE))

    def _measured(self, seen: NDArray[Any]) -> NDArray[np.float32]:
        """Measure how far in arcsec each block is from one that counts as not classified."""
        block, (height, width) = self._block, seen.shape
        columns = np.arange(0, width, block)
        widths = np.diff([*columns, width])
        lost = np.zeros((-(-height // block), len(columns)), bool)
        step = block * max(1, _AT_ONCE // (8 * block * width))
        for first in range(0, height, step):
            part = np.asarray(seen[first : first + step]) == 0
            starts = np.arange(0, len(part), block)
            by_columns = np.add.reduceat(part, columns, axis=1, dtype=np.int64)
            counts = np.add.reduceat(by_columns, starts, axis=0)
            sizes = np.diff([*starts, len(part)])[:, None] * widths
            lost[first // block : first // block + len(starts)] = counts > _MOST * sizes
        if not lost.any():
            return np.full(lost.shape, np.inf, np.float32)
        scale_x, scale_y = self.footprint.scales
        sampling = (block * scale_y, block * scale_x)
        # From the edge of a block, not from its centre.
        distance = ndimage.distance_transform_edt(~lost, sampling=sampling) - min(sampling) / 2
        return np.asarray(np.maximum(distance, 0), np.float32)

    def _interpolated(
        self, distances: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if np.isinf(distances[0, 0]):  # and so everywhere: there is no such block
            return np.full(len(x), np.inf)
        where = np.stack([(y + 0.5) / self._block - 0.5, (x + 0.5) / self._block - 0.5])
        found: NDArray[np.float64] = ndimage.map_coordinates(
            distances, where, np.float64, order=1, mode="nearest"
        )
        return found
