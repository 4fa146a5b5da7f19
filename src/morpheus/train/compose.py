"""Sources that are alone, put into other images: light adds up, so the sum is a sky as well."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from morpheus.classes import BACKGROUND

__all__ = ["Piece", "add_source"]


@dataclass
class Piece:
    """Pixels of an example that is being put together.

    Parameters
    ----------
    images : ndarray of float32, shape (band, y, x)
        NaN where there is no data.
    classes : ndarray of float32, shape (5, y, x)
        Shares of the classes; all 0 where nothing is known.
    owner : ndarray of int32, shape (y, x)
        Number of the source; 0 is sky.
    weight : ndarray of float32, shape (y, x)
        Of the class of a pixel.
    asked : ndarray of bool, shape (y, x)
        Whether a teacher is asked about the source of the pixel.
    """

    images: NDArray[np.float32]
    classes: NDArray[np.float32]
    owner: NDArray[np.int32]
    weight: NDArray[np.float32]
    asked: NDArray[np.bool_]

    def turned(self, quarters: int, *, mirrored: bool) -> "Piece":
        """Turn by right angles.

        Parameters
        ----------
        quarters : int
            How often by 90 degrees.
        mirrored : bool
            Whether it is mirrored first.

        Returns
        -------
        Piece
            Views.
        """
        step = slice(None, None, -1 if mirrored else 1)
        return Piece(
            **{
                f.name: np.rot90(getattr(self, f.name)[..., step], quarters, axes=(-2, -1))
                for f in fields(self)
            }
        )


def add_source(piece: Piece, source: Piece, y: int, x: int, number: int) -> None:
    """Add a source that is alone to a piece of sky, in place.

    Parameters
    ----------
    piece : Piece
        The sky. The level of its first band is 0 where there is nothing.
    source : Piece
        An image of nothing but the source, and of the same bands.
    y, x : int
        Where its first pixel goes; it may lie outside of the piece.
    number : int
        That the source gets.

    Notes
    -----
    Where both have a source, the classes are mixed by the light in the first band, and the pixel is
    that of the one with more light. Where it is not known what the sky is, it stays unknown.
    """
    height, width = source.owner.shape
    rows, columns = (
        slice(max(0, low), max(0, min(end, low + side)))
        for low, end, side in (
            (y, piece.owner.shape[0], height),
            (x, piece.owner.shape[1], width),
        )
    )
    part = (
        slice(rows.start - y, rows.stop - y),
        slice(columns.start - x, columns.stop - x),
    )
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    here = (rows, columns)
    own = source.owner[part] > 0
    light = np.where(own, np.nan_to_num(source.images[0][part]).clip(min=0), 0)
    classes = piece.classes[:, *here]
    share = 1 - classes[BACKGROUND]
    before = np.nan_to_num(piece.images[0][here]).clip(min=0) * (share > 0)
    known = own & (classes.sum(0) > 0)
    # A pixel of sky is the source's alone, whatever noise is in it.
    alone = piece.owner[here] == 0
    part_of_new = np.where(alone, 1.0, light / np.maximum(light + before, 1e-30))
    mixed = part_of_new * source.classes[:, *part] + (1 - part_of_new) * np.where(
        np.arange(len(classes))[:, None, None] < BACKGROUND, classes, 0
    )
    total = np.maximum(mixed.sum(0), 1e-9)
    piece.classes[:, *here] = np.where(known, mixed / total, classes)
    brighter = known & (part_of_new > 0.5)  # noqa: PLR2004 (most of the light)
    piece.owner[here] = np.where(brighter, number, piece.owner[here])
    piece.weight[here] = np.where(brighter, source.weight[part], piece.weight[here])
    piece.asked[here] = np.where(brighter, source.asked[part], piece.asked[here])
    piece.images[:, *here] += source.images[:, *part]
