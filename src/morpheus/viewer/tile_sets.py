"""What tiles are made of: one to three maps that are shown together, and how they are written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from morpheus.mosaic.images import Section
from morpheus.viewer.coding import (
    Bytes,
    band_codes,
    label_codes,
    scatter_codes,
    share_codes,
)
from morpheus.visual.blocks import block_means
from morpheus.visual.rgb import ColorScale, SkyLevel
from morpheus.visual.style import NO_DATA

__all__ = ["Reader", "TileSet", "band_set", "label_set", "picture_set", "share_sets"]

Reader = Callable[[Section], NDArray[Any]]
"""Gives the pixels (y, x) of a section; NaN where there is none."""

_CHANNELS = 3


@dataclass(frozen=True)
class TileSet:
    """Maps that are in the same tiles.

    Parameters
    ----------
    name : str
        Of lower-case letters, digits and `-`: a part of the tiles' paths.
    kind : {"picture", "band", "share", "scatter", "label"}
        How the codes are to be read.
    planes : tuple of str
        What the channels of a tile hold: names of bands or classes.
    readers : tuple of callable
        Give the pixels.
    encode : callable
        Makes bytes (y, x, 3) of pixels (plane, y, x).
    apron : int
        Pixels around a tile that it holds too.
    """

    name: str
    kind: Literal["picture", "band", "share", "scatter", "label"]
    planes: tuple[str, ...]
    readers: tuple[Reader, ...]
    encode: Callable[[NDArray[Any]], Bytes]
    apron: int = 0

    @property
    def suffix(self) -> Literal["png", "jpg"]:
        """Of the tiles."""
        return "jpg" if self.kind == "picture" else "png"

    def read(self, section: Section) -> NDArray[Any]:
        """Read pixels.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns.

        Returns
        -------
        ndarray of float32, or of int for labels, shape (plane, y, x)
            Those of all planes.
        """
        dtype = np.int64 if self.kind == "label" else np.float32
        return np.stack([np.asarray(read(section), dtype) for read in self.readers])

    def halved(self, values: NDArray[Any]) -> NDArray[Any]:
        """Make one pixel of two by two.

        Parameters
        ----------
        values : ndarray, shape (plane, y, x)
            What `read` gives.

        Returns
        -------
        ndarray, shape (plane, ceil(y / 2), ceil(x / 2))
            Means of those that are finite; of labels, the first.
        """
        if self.kind == "label":
            return values[:, ::2, ::2]
        return np.stack([block_means(plane, 2) for plane in values])


def band_set(number: int, band: str, read: Reader, sky: SkyLevel) -> TileSet:
    """Show a band.

    Parameters
    ----------
    number : int
        Which of the bands it is.
    band : str
        Its name, which can have any letters: it is in no path.
    read : callable
        Gives its pixels.
    sky : SkyLevel
        Level and noise of its sky.

    Returns
    -------
    TileSet
        It alone.
    """
    encode = partial(band_codes, level=sky.level, noise=sky.noise)
    return TileSet(f"band-{number}", "band", (band,), (read,), encode)


def share_sets(
    readers: Mapping[str, Reader], kind: Literal["share", "scatter"]
) -> tuple[TileSet, ...]:
    """Show probabilities of the classes, or their variances.

    Parameters
    ----------
    readers : mapping of str to callable
        By class, what gives the map.
    kind : {"share", "scatter"}
        Probabilities or variances.

    Returns
    -------
    tuple of TileSet
        Three classes in each.
    """
    encode = share_codes if kind == "share" else scatter_codes
    names = tuple(readers)
    parts = [names[start : start + _CHANNELS] for start in range(0, len(names), _CHANNELS)]
    return tuple(
        TileSet(f"{kind}-{number}", kind, part, tuple(readers[n] for n in part), encode)
        for number, part in enumerate(parts)
    )


def label_set(read: Reader) -> TileSet:
    """Show the sources' outlines.

    Parameters
    ----------
    read : callable
        Gives the labels.

    Returns
    -------
    TileSet
        Tiles of which show a pixel of their neighbours, so that outlines have no gaps.
    """
    return TileSet("labels", "label", ("labels",), (read,), label_codes, apron=1)


def picture_set(bands: Sequence[str], readers: Sequence[Reader], scale: ColorScale) -> TileSet:
    """Show the sky in colour.

    Parameters
    ----------
    bands : sequence of str
        Names of red, green and blue.
    readers : sequence of callable
        Give their pixels.
    scale : ColorScale
        How they are drawn.

    Returns
    -------
    TileSet
        A picture.
    """

    def encode(values: NDArray[Any]) -> Bytes:
        valid = np.isfinite(values).all(axis=0)
        drawn = scale.draw(list(np.where(valid, values, 0)), valid)
        drawn = np.where(valid[..., None], np.clip(drawn, 0, 1), NO_DATA)
        codes: Bytes = np.rint(255 * drawn).astype(np.uint8)
        return codes

    return TileSet("rgb", "picture", tuple(bands), tuple(readers), encode)
