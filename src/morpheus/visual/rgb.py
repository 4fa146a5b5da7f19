"""Three bands as one colour picture of the sky, after Lupton et al. (2004)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.stats import sigma_clipped_stats
from astropy.visualization import LuptonAsinhStretch, make_lupton_rgb
from numpy.typing import NDArray

from morpheus.errors import OptionError
from morpheus.visual.colors import row_blocks
from morpheus.visual.style import NO_DATA

__all__ = ["ColorScale", "SkyLevel", "color_scale", "lupton_rgb", "rgb_planes", "sky_level"]

_SAMPLE = 250_000  # pixels that statistics are taken from
_DETECTED = 5.0  # signal to noise of the pixels that the colours are balanced on
_FEWEST = 25  # of them; with fewer, the noise balances the bands
_LARGEST_GAIN = 8.0  # of a band, relative to one with equal noise: a dropout's noise stays dark
_PEDESTAL = 1.5  # the sky's level, in units of its noise: dark, and its noise is seen
_STRETCH = 16.0, 60.0  # range, in units of the noise: keeps the noise dark, and faint sources light
_BRIGHT = 99.7  # percentile of the detected pixels that may become white


@dataclass(frozen=True)
class SkyLevel:
    """Level and noise of the sky in an image.

    Parameters
    ----------
    level : float
        In the unit of the image.
    noise : float
        Standard deviation; above 0.
    """

    level: float
    noise: float


def sky_level(image: NDArray[Any]) -> SkyLevel:
    """Measure the sky and its noise.

    Parameters
    ----------
    image : ndarray
        Pixels, of any shape. Those that are not finite are not used.

    Returns
    -------
    SkyLevel
        Of a sigma-clipped sample of at most 250,000 pixels. The noise comes from the pixels
        below the sky's level, which sources do not touch. An image that is constant has noise 1;
        one without any finite pixel, level 0 and noise 1.
    """
    pixels = image.ravel()
    sample = pixels[:: 1 + pixels.size // _SAMPLE].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return SkyLevel(0.0, 1.0)
    # Sources are above the sky: what is bright is clipped harder.
    _, level, noise = sigma_clipped_stats(sample, sigma_lower=4, sigma_upper=2.5, maxiters=10)
    below = sample[sample < level] - level
    if below.size > 1:
        noise = min(float(noise), float(1.4826 * np.median(-below)))
    return SkyLevel(float(level), float(noise) or float(sample.std()) or 1.0)


def rgb_planes(
    images: Sequence[NDArray[Any]],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Make a red, a green and a blue plane of one, two or three images.

    Parameters
    ----------
    images : sequence of ndarray, shape (y, x)
        From the longest wavelength to the shortest.

    Returns
    -------
    tuple of ndarray
        Red, green and blue, of shape (y, x): the three images; of two, these and between them their
        mean, each above its sky and in units of its noise; of one, three times the same, so that
        the picture is grey.

    Raises
    ------
    OptionError
        If there are no or more images.
    """
    match list(images):
        case [one]:
            return one, one, one
        case [red, blue]:
            skies = [sky_level(np.asarray(image)) for image in (red, blue)]
            above = [
                (np.asarray(image, np.float32) - np.float32(sky.level)) / np.float32(sky.noise)
                for image, sky in zip((red, blue), skies, strict=True)
            ]
            return red, (above[0] + above[1]) / 2, blue
        case [red, green, blue]:
            return red, green, blue
    raise OptionError(f"a colour picture is of one, two or three images, not of {len(images)}")


def lupton_rgb(
    red: NDArray[Any],
    green: NDArray[Any],
    blue: NDArray[Any],
    *,
    mask: NDArray[np.bool_] | None = None,
    stretch: float | None = None,
    q: float = 8.0,
    scales: Sequence[float] | None = None,
) -> NDArray[np.float32]:
    """Make a colour picture of three bands in which colour does not depend on brightness.

    Lupton et al. (2004, PASP 116, 133): every channel is multiplied by ``f(I) / I``, where I is
    the mean of the three bands above the sky, and
    ``f(I) = 0.1 asinh(q I / stretch) / asinh(0.1 q)``.

    Parameters
    ----------
    red, green, blue : ndarray, shape (y, x)
        Images, from the longest wavelength to the shortest, in any unit and with any sky level.
    mask : ndarray of bool, shape (y, x), optional
        True where a pixel is invalid. Pixels that are not finite in any band are that too.
    stretch : float, optional
        In units of the noise of I; smaller shows fainter light. By default 16, or up to 60
        where more than 0.3% of the pixels of sources would be white.
    q : float, optional
        Softening: how soon the stretch turns from linear to logarithmic. Above 0.
    scales : sequence of 3 floats, optional
        What red, green and blue are multiplied with. By default such that the sources are grey
        on the whole: each band has the same median over the pixels of signal to noise above 5.

    Returns
    -------
    ndarray of float32, shape (y, x, 3)
        Red, green and blue, 0 to 1, never NaN. Invalid pixels are grey; an image without any
        source is dark, and a constant one even.

    Raises
    ------
    OptionError
        If the shapes differ, or `stretch`, `q` or `scales` are not above 0.
    """
    bands = [np.asarray(band) for band in (red, green, blue)]
    _check_options(bands, mask, stretch, q, scales)
    valid = np.isfinite(bands[0]) & np.isfinite(bands[1]) & np.isfinite(bands[2])
    if mask is not None:
        valid &= ~mask
    rgb = np.full((*valid.shape, 3), NO_DATA, np.float32)
    if not valid.any():
        return rgb
    scale = color_scale([band[valid] for band in bands], stretch=stretch, q=q, scales=scales)
    for rows in row_blocks(valid.shape):
        picture = scale.draw([band[rows] for band in bands], valid[rows])
        rgb[rows][valid[rows]] = picture[valid[rows]]
    return rgb


@dataclass(frozen=True)
class ColorScale:
    """What `lupton_rgb` measures of an image before it draws it: parts of one are drawn alike.

    Parameters
    ----------
    skies : tuple of SkyLevel
        Of red, green and blue.
    gains : tuple of float
        What each is multiplied with, above its sky.
    stretch, q : float
        As for `lupton_rgb`.
    """

    skies: tuple[SkyLevel, ...]
    gains: tuple[float, ...]
    stretch: float
    q: float

    def draw(
        self, bands: Sequence[NDArray[Any]], valid: NDArray[np.bool_]
    ) -> NDArray[np.floating[Any]]:
        """Draw a part of the image.

        Parameters
        ----------
        bands : sequence of ndarray, shape (y, x)
            Red, green and blue.
        valid : ndarray of bool, shape (y, x)
            False where a pixel is not to be drawn.

        Returns
        -------
        ndarray, shape (y, x, 3)
            Red, green and blue, 0 to 1; of no meaning where pixels are not valid.
        """
        planes = [
            # A gain in float64 makes the product that: no flux overflows.
            np.where(valid, np.float64(gain) * (band - sky.level) + _PEDESTAL, 0.0)
            for band, sky, gain in zip(bands, self.skies, self.gains, strict=True)
        ]
        mapping = LuptonAsinhStretch(stretch=self.stretch, Q=self.q)
        with np.errstate(divide="ignore", invalid="ignore"):  # astropy's f(I) / I where I is 0
            picture: NDArray[np.floating[Any]] = make_lupton_rgb(
                *planes, stretch_object=mapping, output_dtype=float
            )
        return picture


def color_scale(
    pixels: Sequence[NDArray[Any]],
    *,
    stretch: float | None = None,
    q: float = 8.0,
    scales: Sequence[float] | None = None,
) -> ColorScale:
    """Measure what `lupton_rgb` needs.

    Parameters
    ----------
    pixels : sequence of ndarray, shape (n,)
        Red, green and blue of the same pixels, all finite; at least one.
    stretch, q, scales : optional
        As for `lupton_rgb`.

    Returns
    -------
    ColorScale
        Skies, gains and stretch, of at most about 250,000 of the pixels.
    """
    every = 1 + pixels[0].size // _SAMPLE
    # Subtracting the sky in float64 keeps faint light on a high pedestal.
    samples = [band[::every].astype(np.float64) for band in pixels]
    skies = tuple(sky_level(sample) for sample in samples)
    samples = [sample - sky.level for sample, sky in zip(samples, skies, strict=True)]
    noises = np.array([sky.noise for sky in skies])
    balance = _balance(samples, noises) if scales is None else np.asarray(scales, np.float64)
    # The unit of what is stretched is the noise of the mean of the bands.
    balance = balance / (np.sqrt(np.sum((balance * noises) ** 2)) / 3)
    if stretch is None:
        stretch = _automatic_stretch(samples, balance, q)
    return ColorScale(skies, tuple(float(gain) for gain in balance), stretch, q)


def _check_options(
    bands: Sequence[NDArray[Any]],
    mask: NDArray[np.bool_] | None,
    stretch: float | None,
    q: float,
    scales: Sequence[float] | None,
) -> None:
    shapes = [a.shape for a in (*bands, mask) if a is not None]
    if len(set(shapes)) > 1 or len(shapes[0]) != 2:  # noqa: PLR2004 (an image)
        raise OptionError(f"the bands and the mask have the shapes {shapes}; they must share one")
    for name, value in (("stretch", stretch), ("q", q)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise OptionError(f"{name} is {value}; it must be above 0")
    if scales is not None and (
        len(scales) != len(bands) or not all(np.isfinite(s) and s > 0 for s in scales)
    ):
        raise OptionError(f"scales are {scales}; there must be 3, above 0")


def _balance(samples: Sequence[NDArray[Any]], noises: NDArray[Any]) -> NDArray[Any]:
    """Gains that make the sources grey on the whole."""
    signals = np.stack(samples) / noises[:, None]
    detected = signals.sum(axis=0) / np.sqrt(len(signals)) > _DETECTED
    if np.count_nonzero(detected) < _FEWEST:
        return 1 / noises
    # The median, not the mean: the one bright star does not decide.
    typical = np.maximum(np.median(signals[:, detected], axis=1), 1e-3)
    gain = typical.max() / typical
    balanced: NDArray[Any] = np.minimum(gain, _LARGEST_GAIN) / noises
    return balanced


def _automatic_stretch(samples: Sequence[NDArray[Any]], balance: NDArray[Any], q: float) -> float:
    intensity = np.mean([gain * s for gain, s in zip(balance, samples, strict=True)], axis=0)
    detected = intensity[intensity > _DETECTED]
    if detected.size < _FEWEST:
        return _STRETCH[0]
    bright = float(np.percentile(detected, _BRIGHT))
    # f is 1 where asinh(q I / stretch) = 10 asinh(q / 10).
    white = q * bright / float(np.sinh(10 * np.arcsinh(q / 10)))
    return min(max(white, _STRETCH[0]), _STRETCH[1])
