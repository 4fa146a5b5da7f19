"""Where the pixels of a field come from: whoever measures asks for one section at a time."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from morpheus.catalog.images import BandImage
from morpheus.inference import Classification, ClassMaps
from morpheus.segmentation.segmentation import Segmentation

__all__ = ["FieldInMemory", "FieldPixels", "Section", "cut_image", "grown", "whole"]

Section: TypeAlias = tuple[slice, slice]
"""Rows and columns of an image, from a start to a stop within it, both given."""


class FieldPixels(Protocol):
    """The pixels of a field, wherever they are kept.

    What is measured depends on the values only: a field in memory and the same in files give the
    same catalogue, bit by bit. None of the arrays is changed by who asked for it.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """Size (y, x) of the field in pixels."""

    def labels(self, section: Section) -> NDArray[np.int32]:
        """Give the labels of a section.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns.

        Returns
        -------
        ndarray of int32, shape (y, x)
            0 for the sky, 1 to N for the sources of the whole field.
        """

    def masked(self, section: Section) -> NDArray[np.bool_]:
        """Tell where there is neither source nor sky.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns.

        Returns
        -------
        ndarray of bool, shape (y, x)
            True where a pixel is masked or was not classified, as `Segmentation.mask`.
        """

    def probabilities(self, section: Section) -> ClassMaps:
        """Give the class probabilities of a section.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns.

        Returns
        -------
        ClassMaps
            Of every class; NaN where a pixel was not classified.
        """

    def scatter(self, section: Section) -> ClassMaps | None:
        """Give the variances of the class probabilities.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns.

        Returns
        -------
        ClassMaps or None
            Of every class; None in every section if no pixel of the field was seen twice.
        """

    def band(self, name: str, section: Section) -> BandImage:
        """Give a section of a band.

        Parameters
        ----------
        name : str
            The band.
        section : tuple of slice
            Rows and columns.

        Returns
        -------
        BandImage
            Pixels, errors and mask of the section; unit and calibration as of the whole, and in
            every section either errors or none.
        """


class FieldInMemory:
    """A field whose arrays are in memory: sections are views of them.

    Parameters
    ----------
    segmentation : Segmentation
        The sources.
    classification : Classification
        Class maps on the same pixels.
    statistic : {'mean', 'votes'}
        Which class probabilities to use.
    images : sequence of BandImage
        The bands, on the same pixels.

    Raises
    ------
    OptionError
        If the statistic is another.
    """

    def __init__(
        self,
        segmentation: Segmentation,
        classification: Classification,
        statistic: str,
        images: Sequence[BandImage],
    ) -> None:
        maps = classification.maps(statistic)
        # Votes may be made of the means only when they are asked for: here, and not in each cell.
        self._maps = ClassMaps(maps.classes, maps.array)
        self._scatter = classification.scatter(statistic)
        self._segmentation = segmentation
        self._images = {image.band: image for image in images}

    @property
    def shape(self) -> tuple[int, int]:
        """Size (y, x) of the field in pixels."""
        return self._segmentation.shape

    def labels(self, section: Section) -> NDArray[np.int32]:  # numpydoc ignore=PR01,RT01
        """Give the labels of a section; see `FieldPixels`."""
        return self._segmentation.labels[section]

    def masked(self, section: Section) -> NDArray[np.bool_]:  # numpydoc ignore=PR01,RT01
        """Tell where there is neither source nor sky; see `FieldPixels`."""
        return self._segmentation.mask[section]

    def probabilities(self, section: Section) -> ClassMaps:  # numpydoc ignore=PR01,RT01
        """Give the class probabilities of a section; see `FieldPixels`."""
        return _cut_maps(self._maps, section)

    def scatter(self, section: Section) -> ClassMaps | None:  # numpydoc ignore=PR01,RT01
        """Give the variances of the class probabilities; see `FieldPixels`."""
        return None if self._scatter is None else _cut_maps(self._scatter, section)

    def band(self, name: str, section: Section) -> BandImage:  # numpydoc ignore=PR01,RT01
        """Give a section of a band; see `FieldPixels`."""
        return cut_image(self._images[name], section)


def _cut_maps(maps: ClassMaps, section: Section) -> ClassMaps:
    return ClassMaps(maps.classes, maps.array[:, section[0], section[1]])


def cut_image(image: BandImage, section: Section) -> BandImage:
    """Cut a section out of a band.

    Parameters
    ----------
    image : BandImage
        The band; not changed.
    section : tuple of slice
        Rows and columns; they may have steps.

    Returns
    -------
    BandImage
        Views of the section, without world coordinates.
    """
    return dataclasses.replace(
        image,
        data=image.data[section],
        error=None if image.error is None else image.error[section],
        mask=None if image.mask is None else image.mask[section],
        wcs=None,
    )


def whole(shape: tuple[int, int]) -> Section:
    """Give the section that is all of an image.

    Parameters
    ----------
    shape : tuple of int
        Size (y, x) of the image.

    Returns
    -------
    tuple of slice
        All rows and columns.
    """
    return slice(0, shape[0]), slice(0, shape[1])


def grown(section: Section, margin: int, shape: tuple[int, int]) -> Section:
    """Grow a section to all sides, as far as the image goes.

    Parameters
    ----------
    section : tuple of slice
        Rows and columns.
    margin : int
        By how many pixels.
    shape : tuple of int
        Size (y, x) of the image.

    Returns
    -------
    tuple of slice
        Rows and columns.
    """
    rows, columns = (
        slice(max(0, one.start - margin), min(size, one.stop + margin))
        for one, size in zip(section, shape, strict=True)
    )
    return rows, columns
