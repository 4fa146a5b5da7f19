"""What a tile holds: pixels as bytes of a picture, which a browser decodes by itself.

Code 0 is everywhere a pixel without a value. `static/app/coding.js` undoes what is done here.
"""

import io
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "BAND_STEP",
    "BAND_ZERO",
    "Bytes",
    "band_codes",
    "label_codes",
    "picture",
    "scatter_codes",
    "share_codes",
]

Bytes = NDArray[np.uint8]

BAND_ZERO = 1024
"""Code of a pixel at the level of the sky."""

BAND_STEP = 1 / 240
"""One code more is so much more of the inverse hyperbolic sine of the signal to noise.

So neighbouring codes differ by 0.004 of the noise where it rules, and by 0.4% where a source is
bright; 4095 codes reach from -36 to 180,000 times the noise.
"""

_LARGEST_CODE = 4095
_LARGEST_SHARE = 254  # codes 1 to 255


def band_codes(values: NDArray[Any], level: float, noise: float) -> Bytes:
    """Write an image in 12 bits.

    Parameters
    ----------
    values : ndarray, shape (1, y, x)
        The image, in any unit.
    level, noise : float
        Of its sky, in that unit; the noise above 0.

    Returns
    -------
    ndarray of uint8, shape (y, x, 3)
        ``BAND_ZERO + asinh((values - level) / noise) / BAND_STEP``, rounded, and at least 1: its
        upper eight bits, its lower four, and 0. All 0 where a value is not finite.
    """
    signal = (values[0] - np.float32(level)) / np.float32(noise)
    finite = np.isfinite(signal)
    code = BAND_ZERO + np.arcsinh(np.where(finite, signal, 0)) / np.float32(BAND_STEP)
    code = np.where(finite, np.clip(np.rint(code), 1, _LARGEST_CODE), 0)
    whole: NDArray[np.uint16] = code.astype(np.uint16)
    return np.stack([whole >> 4, whole & 15, np.zeros_like(whole)], axis=-1).astype(np.uint8)


def share_codes(values: NDArray[Any]) -> Bytes:
    """Write probabilities in 8 bits.

    Parameters
    ----------
    values : ndarray, shape (up to 3, y, x)
        Maps of them, 0 to 1.

    Returns
    -------
    ndarray of uint8, shape (y, x, 3)
        ``1 + 254 p``, rounded; 0 where a map is not finite, and in the place of one that is not
        there.
    """
    codes = np.zeros((*values.shape[1:], 3), np.uint8)
    for plane, value in enumerate(values):
        finite = np.isfinite(value)
        share = np.rint(np.clip(np.where(finite, value, 0), 0, 1) * _LARGEST_SHARE)
        codes[..., plane] = np.where(finite, 1 + share, 0)
    return codes


def scatter_codes(values: NDArray[Any]) -> Bytes:
    """Write variances of probabilities in 8 bits.

    Parameters
    ----------
    values : ndarray, shape (up to 3, y, x)
        Maps of them; a variance of what is between 0 and 1 is at most a quarter.

    Returns
    -------
    ndarray of uint8, shape (y, x, 3)
        As `share_codes`, of twice the standard deviation.
    """
    return share_codes(2 * np.sqrt(np.maximum(values, 0)))


def label_codes(values: NDArray[Any]) -> Bytes:
    """Write numbers of sources in 24 bits.

    Parameters
    ----------
    values : ndarray of int, shape (1, y, x)
        Labels, 0 to 16,777,215; of larger ones the upper bits are lost.

    Returns
    -------
    ndarray of uint8, shape (y, x, 3)
        From the highest byte to the lowest.
    """
    labels = values[0].astype(np.uint32)
    return np.stack([labels >> 16, labels >> 8, labels], axis=-1).astype(np.uint8)


def picture(codes: Bytes, suffix: Literal["png", "jpg"]) -> bytes:
    """Make a file of a tile.

    Parameters
    ----------
    codes : ndarray of uint8, shape (y, x, 3)
        Rows from the bottom up, as images have them.
    suffix : {"png", "jpg"}
        Exact, or for pictures of the sky.

    Returns
    -------
    bytes
        The file, with its rows from the top down, as pictures have them.
    """
    image, file = Image.fromarray(np.ascontiguousarray(codes[::-1])), io.BytesIO()
    if suffix == "png":
        image.save(file, "PNG", compress_level=2)
    else:
        image.save(file, "JPEG", quality=88, subsampling=0)
    return file.getvalue()
