"""PSFs that were measured: an image instead of a model of the telescope."""

import warnings
from functools import cache
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from morpheus.errors import OptionError

__all__ = ["measured_transfer", "read_psf"]

Array = NDArray[np.float64]

_SIDES = 5, 2048  # pixels
_SIGMA = 2.0  # pixels, of the window in which the centre is found
_ROUNDS = 20


@cache
def read_psf(path: str | Path) -> Array:
    """Read the image of a PSF.

    Parameters
    ----------
    path : str or Path
        FITS file: the first image of two dimensions, of odd or even sides, in any units.

    Returns
    -------
    ndarray, shape (y, x)
        Adds up to 1.

    Raises
    ------
    OptionError
        If it cannot be read, or is no image of a PSF.
    """
    data = _first_image(path)
    low, high = _SIDES
    if min(data.shape) < low or max(data.shape) > high:
        raise OptionError(
            f"the PSF {path} has {data.shape[1]} x {data.shape[0]} pixels; its sides must be {low}"
            f" to {high} pixels"
        )
    if not np.isfinite(data).all():
        raise OptionError(f"the PSF {path} has pixels that are NaN or infinite; give it without")
    total = float(data.sum())
    if not total > 0:
        raise OptionError(f"the pixels of the PSF {path} add up to {total:g}; it must be above 0")
    away = [
        abs(center - (side - 1) / 2) > side / 4
        for center, side in zip(_center(data), data.shape, strict=True)
    ]
    if any(away):
        raise OptionError(
            f"the PSF {path} is not centred: it is brightest near the edge of its"
            f" {data.shape[1]} x {data.shape[0]} pixels"
        )
    return data / total


def measured_transfer(
    path: str, pixel_scale: float, ky: Array, kx: Array
) -> NDArray[np.complex128]:
    """Give the Fourier transform of a PSF image, about its centre; 1 at frequency 0.

    The pixel is in it already. Nothing is known beyond the image's Nyquist frequency: it is 0
    there.

    Parameters
    ----------
    path : str
        As `read_psf` takes it.
    pixel_scale : float
        In arcsec.
    ky : ndarray, shape (rows, 1)
        Frequencies in radians per arcsec.
    kx : ndarray, shape (1, columns)
        The same along x.

    Returns
    -------
    ndarray, shape (rows, columns)
        The transform.
    """
    psf = read_psf(path)
    y0, x0 = _center(psf)
    y = (np.arange(psf.shape[0]) - y0) * pixel_scale
    x = (np.arange(psf.shape[1]) - x0) * pixel_scale
    inside_y, inside_x = (np.abs(k.ravel()) <= np.pi / pixel_scale for k in (ky, kx))
    values = np.zeros((ky.size, kx.size), dtype=np.complex128)
    along_y = np.exp(-1j * ky.reshape(-1, 1)[inside_y] * y)
    along_x = np.exp(-1j * x[:, None] * kx.reshape(1, -1)[:, inside_x])
    values[np.ix_(inside_y, inside_x)] = along_y @ psf @ along_x
    return values


def _first_image(path: str | Path) -> Array:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            with fits.open(path) as hdus:
                for hdu in hdus:
                    if hdu.is_image and hdu.data is not None and hdu.data.ndim == 2:  # noqa: PLR2004
                        return np.array(hdu.data, dtype=float)
    except (OSError, ValueError, TypeError) as error:
        raise OptionError(f"cannot read the PSF {path}: {error}") from error
    raise OptionError(f"the PSF {path} holds no image of two dimensions")


def _center(psf: Array) -> tuple[float, float]:
    """Centre (y, x) of the light in a window on the brightest pixel: no convention is asked for."""
    y, x = (float(value) for value in np.unravel_index(int(psf.argmax()), psf.shape))
    rows, columns = np.indices(psf.shape)
    for _ in range(_ROUNDS):
        window = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * _SIGMA**2))
        light = np.maximum(psf, 0) * window
        total = light.sum()
        # Twice the step: the window draws the centre of a Gaussian PSF of its width half way.
        y += 2 * float((light * (rows - y)).sum() / total)
        x += 2 * float((light * (columns - x)).sum() / total)
    return y, x
