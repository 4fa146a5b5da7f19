"""What is done to pixel values before the network sees them.

A normaliser is prepared on an image, and then makes the network's input of any windows of it. What
is measured in each window by itself needs no preparation; what is not, is measured once on the
whole image, so that its portions do not matter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from morpheus.errors import ModelError
from morpheus.model.config import ModelConfig
from morpheus.mosaic.sky import SkyLevel, measure_skies

__all__ = [
    "NORMALISERS",
    "Normaliser",
    "SkyNormaliser",
    "needs_sky",
    "prepare_normaliser",
    "standardise_jointly",
]

Normaliser = Callable[[NDArray[np.float32], NDArray[np.bool_] | None], NDArray[np.float32]]
"""Windows (n, band, y, x) and their valid pixels (n, y, x) or None, to the network's input."""

_SOFTENING = np.float32(0.5)
_LARGEST = np.float32(1e18)  # in units of the noise; its square is a number, too
_ROWS = 64  # that are worked on at once, so that they stay in the processor's cache


def needs_sky(config: ModelConfig) -> bool:
    """Tell whether the sky of the whole image is to be measured for a model.

    Parameters
    ----------
    config : ModelConfig
        The model.

    Returns
    -------
    bool
        True for the normaliser 'sky-noise', which does not depend on the unit of the images.
    """
    return config.normaliser == "sky-noise"


def prepare_normaliser(
    config: ModelConfig,
    data: NDArray[np.float32],
    mask: NDArray[np.bool_],
    *,
    bands: Sequence[str] | None = None,
    skies: Sequence[SkyLevel] | None = None,
) -> Normaliser:
    """Prepare the normaliser of a model on an image.

    Parameters
    ----------
    config : ModelConfig
        The model.
    data : ndarray of float32, shape (band, y, x)
        Finite pixel values of the bands that there are.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid.
    bands : sequence of str, optional
        Which bands of the model these are, in its order; by default all.
    skies : sequence of SkyLevel, optional
        Sky of each of them, where it was measured before.

    Returns
    -------
    callable
        Takes windows of these bands, and which of their pixels are valid.

    Raises
    ------
    ModelError
        If the normaliser is unknown, or the model needs other bands.
    ImageError
        If the sky of a band cannot be measured.
    """
    if config.normaliser not in NORMALISERS:
        raise ModelError(f"{config.name} needs the unknown normaliser {config.normaliser!r}")
    given = config.bands if bands is None else tuple(bands)
    if len(data) != len(given):
        raise ModelError(f"{config.name} takes {len(given)} bands, not {len(data)}")
    if given != config.bands and not (
        config.takes_missing_bands and given == tuple(b for b in config.bands if b in given)
    ):
        raise ModelError(f"{config.name} takes {' '.join(config.bands)}, not {' '.join(given)}")
    return NORMALISERS[config.normaliser](config, data, mask, given, skies)


def standardise_jointly(
    windows: NDArray[np.float32], valid: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Standardise each window by one mean and one standard deviation over all of its bands.

    `(x - mean) / max(std, 1 / sqrt(N))` with `N` the number of valid values of the window: the
    per-image standardisation of Hausen & Robertson (2020), section 3.3 (TensorFlow's
    `per_image_standardization`). Joint over the bands, so that colours survive.

    Each window is reduced by itself in a fixed order, so its values do not depend on which other
    windows are beside it.

    Parameters
    ----------
    windows : ndarray of float32, shape (n, band, y, x)
        Finite pixel values, in the unit of the image. Invalid pixels may hold any finite value.
    valid : ndarray of bool, shape (n, y, x), optional
        False where a pixel takes no part: it enters neither mean nor deviation, and comes out as
        0, the mean. All pixels are valid if None.

    Returns
    -------
    ndarray of float32, shape (n, band, y, x)
        Standardised windows. A window without a valid pixel, or a constant one, is 0 everywhere.
    """
    n, bands, height, width = windows.shape
    flat: NDArray[np.float32] = windows.reshape(n, -1)
    if valid is None:
        count: NDArray[np.float32] | np.float32 = np.float32(flat.shape[1])
        # Two passes: the second mean mends the rounding of the first where a pedestal is large.
        flat = flat - flat.mean(axis=1, keepdims=True)
        flat -= flat.mean(axis=1, keepdims=True)
    else:
        weight = np.broadcast_to(valid[:, None], windows.shape).reshape(n, -1).astype(np.float32)
        count = np.maximum(weight.sum(axis=1, keepdims=True), np.float32(1))
        flat = flat * weight
        for _ in range(2):
            flat -= flat.sum(axis=1, keepdims=True) / count
            flat *= weight
    std = np.sqrt((flat * flat).sum(axis=1, keepdims=True) / count)
    flat /= np.maximum(std, 1 / np.sqrt(count))
    standardised: NDArray[np.float32] = flat.reshape(n, bands, height, width)
    return standardised


@dataclass(frozen=True)
class SkyNormaliser:
    """Counts every band from its sky, in units of its noise, and compresses what is bright.

    A pixel becomes `asinh((x - sky) / noise) / 2`, with the level and the noise of the sky in the
    whole image; so it depends neither on the window nor on the unit. The sky is 0, its noise has
    the standard deviation 0.5 or a little less, and a source is seen in the same way on whatever
    image of this depth.

    Parameters
    ----------
    skies : tuple of (SkyLevel or None)
        Of each band of the model; None for one that is missing.
    """

    skies: tuple[SkyLevel | None, ...]

    def __call__(
        self, windows: NDArray[np.float32], valid: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """Normalise windows.

        Parameters
        ----------
        windows : ndarray of float32, shape (n, band, y, x)
            Finite pixel values of the bands that are there.
        valid : ndarray of bool, shape (n, y, x), optional
            False where a pixel is invalid. All are valid if None.

        Returns
        -------
        ndarray of float32, shape (n, 2 * all bands, y, x)
            The normalised bands, 0 where there is no valid pixel; then for each band 1 where there
            is one, and 0 where there is none.
        """
        n, _, height, width = windows.shape
        n_bands = len(self.skies)
        result = np.zeros((n, 2 * n_bands, height, width), np.float32)
        there = [i for i, sky in enumerate(self.skies) if sky is not None]
        for k, channel in enumerate(there):
            sky = self.skies[channel]
            assert sky is not None  # noqa: S101 (for the type checker)
            for i, plane in enumerate(windows[:, k]):
                for first in range(0, height, _ROWS):
                    rows = slice(first, first + _ROWS)
                    out = result[i, channel, rows]
                    _compress(plane[rows], sky, out)
                    if valid is not None:
                        np.multiply(out, valid[i, rows], out=out)
            result[:, n_bands + channel] = 1 if valid is None else valid
        return result


def _compress(pixels: NDArray[np.float32], sky: SkyLevel, out: NDArray[np.float32]) -> None:
    """Give `asinh((x - sky) / noise) / 2`, with an error of 1e-7.

    As `log(|x| + sqrt(x^2 + 1))` with the sign of x, which takes a quarter of the time of NumPy's
    arcsinh: that is not vectorised on every processor.
    """
    # A saturated pixel far above a tiny noise may overflow: it is as bright as can be.
    with np.errstate(over="ignore"):
        np.subtract(pixels, np.float32(sky.level), out=out)
        np.divide(out, np.float32(sky.noise), out=out)
    np.clip(out, -_LARGEST, _LARGEST, out=out)
    root = out * out
    root += np.float32(1)
    np.sqrt(root, out=root)
    root += np.abs(out)
    np.log(root, out=root)
    root *= _SOFTENING
    np.copysign(root, out, out=out)


def _jointly(
    config: ModelConfig,  # noqa: ARG001 (one signature for all)
    data: NDArray[np.float32],  # noqa: ARG001
    mask: NDArray[np.bool_],  # noqa: ARG001
    bands: tuple[str, ...],  # noqa: ARG001
    skies: Sequence[SkyLevel] | None,  # noqa: ARG001
) -> Normaliser:
    """Do nothing: each window is measured by itself."""
    return standardise_jointly


def _from_the_sky(
    config: ModelConfig,
    data: NDArray[np.float32],
    mask: NDArray[np.bool_],
    bands: tuple[str, ...],
    skies: Sequence[SkyLevel] | None,
) -> Normaliser:
    """Measure the sky of each band in the whole image, unless it was measured before."""
    found = dict(zip(bands, skies or (), strict=False))
    if len(found) < len(bands):
        found = dict(zip(bands, measure_skies(bands, data, mask), strict=True)) | found
    return SkyNormaliser(tuple(found.get(band) for band in config.bands))


_Prepare = Callable[
    [
        ModelConfig,
        NDArray[np.float32],
        NDArray[np.bool_],
        tuple[str, ...],
        Sequence[SkyLevel] | None,
    ],
    Normaliser,
]

NORMALISERS: dict[str, _Prepare] = {"joint-window": _jointly, "sky-noise": _from_the_sky}
"""The normalisers that a `config.json` can name, each as what prepares it on an image."""
