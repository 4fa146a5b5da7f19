"""How noisy sums of pixels are, measured on the sky: the errors of a band against its pixels."""

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from astropy.stats import mad_std
from numpy.typing import NDArray

__all__ = ["NoiseStrip", "noise_factor", "noise_strips", "normalised"]

_LAG = 4  # pixels; drizzling correlates neighbours over about 2 of its output pixels
# Noise does not reach as far as this; what does is light of sources, or the background.
_BEYOND = 8  # pixels
_STRUCTURE = 0.1  # of the variance
_CLIP = 5.0
_FEWEST_PIXELS = 1000
_SIGNIFICANT = 4.0
_SMALLEST = 0.02  # of the squared factor; errors are hardly ever known as well
_NO_NOISE = 1e-6  # of what the errors claim
# More pixels than this are not needed: the factor is then known to half a percent.
_MOST_PIXELS = 2_000_000
_STRIP = 64  # rows

NoiseStrip: TypeAlias = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""Some rows of an image: its pixels in units of their errors, and where these are known."""


def noise_factor(strips: Sequence[NoiseStrip], *, known_scale: bool = False) -> float | None:
    r"""Measure by what the errors of sums of pixels are to be multiplied.

    Drizzling and other resampling correlate the noise of neighbouring pixels (Casertano et al.
    2000, AJ 120, 2747): single pixels are less noisy and sums noisier than a map of errors says.
    With :math:`z = (f - b) / \sigma` in the sky,

    .. math:: F^2 = \sum_{|dx|, |dy| \le 4} C(dx, dy), \quad
        C(dx, dy) = \langle z(x, y) \, z(x + dx, y + dy) \rangle - \langle z \rangle^2,

    which is the variance of the sum over a region that is large against the correlation, over
    what independent errors :math:`\sigma` give. :math:`F` has the wrong scale of the errors in
    it, too. It is 1 for white noise and right errors. For regions of few pixels it is an upper
    limit of what is due to the correlation.

    Pixels beyond 5 standard deviations are left out, and pairs are of two pixels of the sky.
    Covariances below :math:`4 C(0, 0) / \sqrt{n}`, of n pairs, count as 0. With m of them left,
    that of lag 0 among them, the standard error of :math:`F^2` is
    :math:`F^2 \sqrt{2 m / n}`; where :math:`|F^2 - 1|` is below 4 times it or below 0.02, the
    factor is exactly 1.

    Parameters
    ----------
    strips : sequence of NoiseStrip
        What `normalised` gives for each of the `noise_strips`, in their order.
    known_scale : bool, optional
        Whether the errors were themselves measured on the sky; then only the correlation is,
        :math:`F^2 / C(0, 0)`.

    Returns
    -------
    float or None
        F; None if there are fewer than 1000 pixels, if they have no noise, or if more than 10%
        of their variance is structure of 8 pixels and more: light of sources or a background
        that was not subtracted, which is no noise.
    """
    strips = _centred(strips)
    variance, n_pixels = _covariance(strips, 0, 0)
    if n_pixels < _FEWEST_PIXELS or not variance > _NO_NOISE or _is_structured(strips, variance):
        return None
    total, n_lags = variance, 1
    # Each lag stands for its opposite, too.
    for dy, dx in [(0, dx) for dx in range(1, _LAG + 1)] + [
        (dy, dx) for dy in range(1, _LAG + 1) for dx in range(-_LAG, _LAG + 1)
    ]:
        covariance, n_pairs = _covariance(strips, dy, dx)
        if n_pairs and abs(covariance) >= _SIGNIFICANT * variance / math.sqrt(n_pairs):
            total += 2 * covariance
            n_lags += 2
    if known_scale:
        total /= variance
    uncertainty = total * math.sqrt(2 * n_lags / n_pixels)
    if abs(total - 1) < max(_SIGNIFICANT * uncertainty, _SMALLEST):
        return 1.0
    return math.sqrt(total) if total > 0 else None


def _centred(strips: Sequence[NoiseStrip]) -> Sequence[NoiseStrip]:
    """Clip the values and subtract their mean; what is unknown or clipped is 0."""
    values = np.concatenate([z[known] for z, known in strips])
    if not len(values):
        return strips
    middle, width = np.median(values), mad_std(values)
    kept = values[np.abs(values - middle) <= _CLIP * width]
    mean = np.float32(kept.mean(dtype=np.float64))
    result = []
    for z, known in strips:
        inside = known & (np.abs(z - middle) <= _CLIP * width)
        result.append((np.where(inside, z - mean, np.float32(0)), inside))
    return result


def _is_structured(strips: Sequence[NoiseStrip], variance: float) -> bool:
    """Whether pixels are correlated that are too far apart for it to be noise."""
    far = [_covariance(strips, dy, dx) for dy, dx in ((0, _BEYOND), (_BEYOND, 0))]
    return any(
        covariance > max(_STRUCTURE, _SIGNIFICANT / math.sqrt(n)) * variance
        for covariance, n in far
        if n
    )


def noise_strips(shape: tuple[int, int]) -> list[slice]:
    """Choose the rows that noise is measured in.

    Parameters
    ----------
    shape : tuple of int
        Size (y, x) of the image.

    Returns
    -------
    list of slice
        All rows, or strips of 64 spread over an image of more than 4 million pixels.
    """
    height, width = shape
    if height * width <= _MOST_PIXELS:
        return [slice(0, height)]
    n_strips = max(1, _MOST_PIXELS // (_STRIP * width))
    starts = np.linspace(0, max(0, height - _STRIP), n_strips).astype(int)
    return [slice(start, min(height, start + _STRIP)) for start in starts.tolist()]


def normalised(
    data: NDArray[np.float32], error: NDArray[np.float32], sky_pixels: NDArray[np.bool_]
) -> NoiseStrip:
    """Give the pixels of the sky in units of their errors.

    Parameters
    ----------
    data : ndarray of float32, shape (y, x)
        Rows of the image without its background.
    error : ndarray of float32, shape (y, x)
        What is claimed of its standard deviation.
    sky_pixels : ndarray of bool, shape (y, x)
        True for valid pixels far from all sources.

    Returns
    -------
    z : ndarray of float32, shape (y, x)
        Pixels over their errors, 0 where they are not known.
    known : ndarray of bool, shape (y, x)
        True where they are: in the sky, finite, and with an error above 0.
    """
    known = sky_pixels & np.isfinite(data) & (error > 0) & np.isfinite(error)
    return np.divide(data, error, out=np.zeros(data.shape, np.float32), where=known), known


def _covariance(strips: Sequence[NoiseStrip], dy: int, dx: int) -> tuple[float, int]:
    """Mean product of pixels this far apart, and the number of pairs."""
    total, n_pairs = 0.0, 0
    for z, known in strips:
        height, width = z.shape
        first = slice(0, max(0, height - dy)), slice(max(0, -dx), max(0, width - max(0, dx)))
        second = slice(dy, height), slice(max(0, dx), max(0, width + min(0, dx)))
        total += float(np.sum(z[first] * z[second], dtype=np.float64))
        n_pairs += int(np.count_nonzero(known[first] & known[second]))
    return (total / n_pairs if n_pairs else 0.0), n_pairs
