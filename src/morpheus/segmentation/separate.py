"""Regions shared out among their sources: by gaps in the flux, or by external positions."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.inference import ClassMaps
from morpheus.segmentation.deblend import deblend
from morpheus.segmentation.guided import claim
from morpheus.segmentation.options import SegmentationOptions

__all__ = ["Separator", "irregularity"]


def irregularity(maps: ClassMaps) -> NDArray[np.float32]:
    """Give P(irregular) among the classes of source.

    Parameters
    ----------
    maps : ClassMaps
        Class probabilities.

    Returns
    -------
    ndarray of float32, shape (y, x)
        0 where nothing was classified, and for a model that does not know irregulars.
    """
    if "irregular" not in maps:
        return np.zeros_like(maps["background"])
    source = np.maximum(1 - maps["background"], 1e-6)
    return np.asarray(np.nan_to_num(np.clip(maps["irregular"] / source, 0, 1)), np.float32)


@dataclass(frozen=True, eq=False)
class Separator:
    """Shares out regions among the sources in them.

    What it makes of a region depends on nothing outside of it: a part of the image gives what the
    whole gives for every region that is complete in it.

    Parameters
    ----------
    image : ndarray of float32, shape (y, x)
        The detection image, smoothed.
    noise : float
        Its noise.
    irregular : ndarray of float32, shape (y, x)
        P(irregular) among the classes of source.
    min_area : int
        Smallest number of pixels of a source.
    options : SegmentationOptions
        How.
    """

    image: NDArray[np.float32]
    noise: float
    irregular: NDArray[np.float32]
    min_area: int
    options: SegmentationOptions

    def separate(
        self, regions: NDArray[np.int32], positions: Table | None
    ) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
        """Share out regions.

        Parameters
        ----------
        regions : ndarray of int32, shape (y, x)
            0 for sky, else the number of a region of one or more sources.
        positions : astropy.table.Table or None
            External positions, `x` and `y` in pixels of `regions`.

        Returns
        -------
        labels : ndarray of int32, shape (y, x)
            Distinct numbers for the sources.
        label_of : ndarray of int32, shape (n,), or None
            The label at each position, 0 where there is none.
        """
        if positions is None:
            return self._deblend(regions), None
        labels, label_of = claim(regions, self.image, positions, connectivity=self._connectivity)
        if self.options.unmatched == "keep":
            others = self._deblend(np.where(labels == 0, regions, 0))
            labels = np.where(others > 0, others + np.int32(len(positions)), labels)
        return labels, label_of

    @property
    def _connectivity(self) -> int:
        return 1 if self.options.method == "published" else 2

    def _deblend(self, regions: NDArray[np.int32]) -> NDArray[np.int32]:
        """Separate the regions where the flux has a gap."""
        if not self.options.deblend:
            return regions
        return deblend(
            regions,
            self.image,
            noise=self.noise,
            irregular=self.irregular,
            connectivity=self._connectivity,
            min_area=self.min_area,
            options=self.options.deblending,
        )
