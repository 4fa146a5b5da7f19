"""The sky of a field: which pixels are, and the even grid of them that its level is measured on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from morpheus.catalog.pixels import FieldPixels, Section, cut_image, grown

__all__ = ["ThinnedSky", "assemble", "find_sky", "thinned_sky"]

# Sources have wings beyond their labels. In a crowded simulated field the level of all sky pixels
# is too high by 0.2 of the noise, at 6 pixels from the sources by 0.06.
_DISTANCE = 6
_ENOUGH_PIXELS = 1000


@dataclass(frozen=True, eq=False)
class ThinnedSky:
    """The sky in every n-th row and column of a field, or of a block of it.

    Parameters
    ----------
    blank : ndarray of bool, shape (y, x)
        True where a pixel is of no source, and was classified.
    far : ndarray of bool, shape (y, x)
        Those that are more than 6 pixels from any source.
    data : mapping of str to ndarray of float32, shape (y, x)
        The pixels of each band, by its name.
    valid : mapping of str to ndarray of bool, shape (y, x)
        True where a pixel of the band can be measured.
    """

    blank: NDArray[np.bool_]
    far: NDArray[np.bool_]
    data: Mapping[str, NDArray[np.float32]]
    valid: Mapping[str, NDArray[np.bool_]]

    @property
    def is_open(self) -> bool:
        """Whether enough of the sky is far from sources to be measured there: 1000 pixels."""
        return int(np.count_nonzero(self.far)) >= _ENOUGH_PIXELS

    def sky(self, band: str) -> NDArray[np.bool_]:
        """Give the pixels that the sky of a band is measured from.

        Parameters
        ----------
        band : str
            Its name.

        Returns
        -------
        ndarray of bool, shape (y, x)
            The valid ones that are far from sources or, where fewer than 1000 pixels are, all
            that are of no source.
        """
        return (self.far if self.is_open else self.blank) & self.valid[band]


def find_sky(pixels: FieldPixels, section: Section) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the sky in a section of a field.

    Parameters
    ----------
    pixels : FieldPixels
        The field; labels are read up to 6 pixels beyond the section.
    section : tuple of slice
        Rows and columns.

    Returns
    -------
    blank : ndarray of bool, shape (y, x)
        True where a pixel is of no source, and was classified.
    far : ndarray of bool, shape (y, x)
        Those that are more than 6 pixels from any source, be it outside of the section.
    """
    around = grown(section, _DISTANCE, pixels.shape)
    sources = pixels.labels(around) > 0
    near = ndimage.maximum_filter(sources, size=2 * _DISTANCE + 1, mode="constant")
    rows, columns = (
        slice(one.start - more.start, one.stop - more.start)
        for one, more in zip(section, around, strict=True)
    )
    seen = ~pixels.masked(section)
    return ~sources[rows, columns] & seen, ~near[rows, columns] & seen


def thinned_sky(
    pixels: FieldPixels, section: Section, step: int, bands: Sequence[str]
) -> ThinnedSky:
    """Give the points in a block of a field that are on the even grid.

    Parameters
    ----------
    pixels : FieldPixels
        The field.
    section : tuple of slice
        Rows and columns of the block.
    step : int
        Rows and columns 0, `step`, 2 `step`, ... of the field are taken; `grid_step` gives it.
    bands : sequence of str
        Names of the bands to take.

    Returns
    -------
    ThinnedSky
        Of the block; it does not depend on how the field is cut into blocks. Without points, if
        none is in the block.
    """
    rows, columns = (slice(-one.start % step, one.stop - one.start, step) for one in section)
    blank, far = (sky[rows, columns] for sky in find_sky(pixels, section))
    data, valid = {}, {}
    for band in bands:
        image = cut_image(pixels.band(band, section), (rows, columns))
        # Copies, so that what is left of a block is small.
        data[band], valid[band] = image.data.copy(), ~image.invalid()
    return ThinnedSky(blank.copy(), far.copy(), data, valid)


def assemble(
    shape: tuple[int, int], step: int, blocks: Iterable[tuple[Section, ThinnedSky]]
) -> ThinnedSky:
    """Put blocks together to the thinned images of a field.

    Parameters
    ----------
    shape : tuple of int
        Size (y, x) of the field in pixels.
    step : int
        What `thinned_sky` was given.
    blocks : iterable
        Rows and columns of each block, and what `thinned_sky` gave for it; all with the same
        bands. In any order; they tile the field.

    Returns
    -------
    ThinnedSky
        Of the field. Without bands if there is no block.
    """
    size = tuple(-(-n // step) for n in shape)
    blank, far = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    data: dict[str, NDArray[np.float32]] = {}
    valid: dict[str, NDArray[np.bool_]] = {}
    for section, block in blocks:
        rows, columns = (slice(-(-one.start // step), -(-one.stop // step)) for one in section)
        blank[rows, columns], far[rows, columns] = block.blank, block.far
        for band in block.data:
            if band not in data:
                data[band], valid[band] = np.zeros(size, np.float32), np.zeros(size, np.bool_)
            data[band][rows, columns] = block.data[band]
            valid[band][rows, columns] = block.valid[band]
    return ThinnedSky(blank, far, data, valid)
