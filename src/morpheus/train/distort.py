"""Sources out of shape: warped, and with uneven light, as no recipe makes them.

What experts would say of them nobody knows. But a teacher can be asked what it sees, and a network
that is to see the same in real images learns it from images more varied than a simulation's.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from morpheus.train.compose import Piece

__all__ = ["distorted"]

# Lengths in pixels; the most that slopes, and logarithms of light and colour, vary.
_WARP_LENGTH, _WARP = (4.0, 20.0), 0.45
_CLUMP_LENGTH, _CLUMPS, _TINTS = (1.5, 6.0), 0.8, 0.3


def distorted(source: Piece, rng: np.random.Generator) -> Piece:
    """Put a source that is alone out of shape.

    Parameters
    ----------
    source : Piece
        An image of nothing but the source.
    rng : numpy.random.Generator
        Where the random numbers are from.

    Returns
    -------
    Piece
        The same source, moved along a smooth random field, and brighter
        and fainter in places, in every band by its own measure; with the light of before in each.
        Its labels say that it is a source, and not of which class.
    """
    shape = source.owner.shape
    length = _between(rng, _WARP_LENGTH)
    # Most of them a little, some of them much.
    slope, brightness, tint = rng.uniform(0, 1, 3) ** 1.5 * (_WARP, _CLUMPS, _TINTS)
    moved = np.indices(shape, np.float32)
    for axis in (0, 1):
        moved[axis] += slope * length * _smooth(rng, shape, length)

    def copied(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = ndimage.map_coordinates(plane, moved, order=0, mode="nearest")
        return found

    clumps = brightness * _smooth(rng, shape, _between(rng, _CLUMP_LENGTH))
    tints = tint * _smooth(rng, shape, _between(rng, _CLUMP_LENGTH))
    images = np.empty_like(source.images)
    for plane, image in zip(source.images, images, strict=True):
        image[:] = ndimage.map_coordinates(plane, moved, order=1) * np.exp(
            clumps + rng.normal() * tints
        )
        total = float(image.sum())
        if total > 0:
            np.multiply(image, max(0.0, float(plane.sum())) / total, out=image)
    owner = copied(source.owner.astype(np.float32)).astype(np.int32)
    return Piece(
        images,
        np.stack([copied(plane) for plane in source.classes]),
        owner,
        copied(source.weight),
        copied(source.asked.astype(np.float32)) > 0,
        np.zeros(shape, np.bool_),
    )


def _between(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """Draw a length, evenly in its logarithm."""
    return float(np.exp(rng.uniform(*np.log(limits))))


def _smooth(rng: np.random.Generator, shape: tuple[int, ...], length: float) -> NDArray[np.float32]:
    """Draw a Gaussian random field of standard deviation 1 that is smooth over a length."""
    noise = rng.standard_normal(shape, np.float32)
    field = ndimage.gaussian_filter(noise, length, mode="wrap", truncate=3)
    scaled: NDArray[np.float32] = field / field.std()
    return scaled
