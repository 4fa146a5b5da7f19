"""Point-spread functions of bands, and what follows from them."""

import math
from functools import cache

import galsim
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from morpheus.simulate.bands import Band, Survey, Telescope
from morpheus.simulate.noise import correlation_factor
from morpheus.simulate.psf_file import measured_transfer

__all__ = ["OVERSAMPLE", "frequencies", "point_source_depth", "psf_fwhm", "psf_image"]
__all__ += ["sky_sigma", "transfer"]

OVERSAMPLE = 2
"""Samples a pixel along an axis: HST's optical PSF is finer than a pixel of 0.06 arcsec."""

_WAVELENGTHS = (0.9, 1.0, 1.1)  # of the pivot: broad bands smear the rings


@cache
def frequencies(survey: Survey, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the frequencies of a stamp, as `scipy.fft.rfft2` orders them.

    Parameters
    ----------
    survey : Survey
        For its pixels.
    size : int
        Side of the stamp, in pixels.

    Returns
    -------
    ky : ndarray, shape (rows, 1)
        In radians per arcsec.
    kx : ndarray, shape (1, columns)
        The same, without the negative ones.
    """
    n, step = size * OVERSAMPLE, survey.pixel_scale / OVERSAMPLE
    return 2 * np.pi * fft.fftfreq(n, step)[:, None], 2 * np.pi * fft.rfftfreq(n, step)[None, :]


@cache
def transfer(survey: Survey, band: Band, size: int) -> NDArray[np.complex128]:
    """Give the Fourier transform of the PSF with the pixel; 1 at frequency 0.

    Parameters
    ----------
    survey : Survey
        For its telescope and pixels.
    band : Band
        The band.
    size : int
        Side of the stamp, in pixels.

    Returns
    -------
    ndarray
        On `frequencies`.
    """
    n = size * OVERSAMPLE
    ky, kx = frequencies(survey, size)
    if band.psf_file is not None:
        return measured_transfer(band.psf_file, survey.pixel_scale, ky, kx)
    drawn = _optics(survey, band).drawKImage(
        nx=n, ny=n, scale=2 * np.pi / (size * survey.pixel_scale)
    )
    optics = fft.ifftshift(drawn.array)[:, : n // 2 + 1]
    squared = kx**2 + ky**2
    blur = np.exp(-squared * band.blur**2 / 2)
    halo = np.exp(-np.sqrt(squared) * band.halo_radius)
    for side in (band.detector_pixel, survey.pixel_scale):
        blur = blur * np.sinc(kx * side / (2 * np.pi)) * np.sinc(ky * side / (2 * np.pi))
    values: NDArray[np.complex128] = optics * blur * (1 - band.halo + band.halo * halo)
    values /= values[0, 0]
    return values


def psf_image(survey: Survey, band: Band, size: int = 64, oversample: int = 1) -> NDArray[
    np.float64
]:  # fmt: skip
    """Draw a point source of flux 1.

    Parameters
    ----------
    survey : Survey
        The survey.
    band : Band
        One of its bands.
    size : int, optional
        Side in pixels.
    oversample : int, optional
        Samples a pixel: 1 or 2.

    Returns
    -------
    ndarray, shape (size * oversample, size * oversample)
        Centred on the sample ``size * oversample // 2``; each sample is a whole pixel's flux.
    """
    fine = fft.fftshift(fft.irfft2(transfer(survey, band, size))) * OVERSAMPLE**2
    step = OVERSAMPLE // oversample
    image: NDArray[np.float64] = fine[::step, ::step]
    return image


def psf_fwhm(survey: Survey, band: Band) -> float:
    """Measure the full width at half maximum of a point source in the image.

    Parameters
    ----------
    survey : Survey
        The survey.
    band : Band
        One of its bands.

    Returns
    -------
    float
        In arcsec, along the axes: between the points where the profile is half its maximum.
    """
    image = psf_image(survey, band, oversample=OVERSAMPLE)
    center = image.shape[0] // 2
    profile = (image[center, center:] + image[center:, center]) / 2
    below = int(np.argmax(profile < profile[0] / 2))
    high, low = profile[below - 1], profile[below]
    radius = below - 1 + (high - profile[0] / 2) / (high - low)
    return float(2 * radius * survey.pixel_scale / OVERSAMPLE)


def _noise_area(survey: Survey, band: Band) -> float:
    """Noise of a point source's flux over that of a pixel, with optimal weights."""
    image = psf_image(survey, band)
    return correlation_factor(band.correlation) / math.sqrt(float((image**2).sum()))


def sky_sigma(survey: Survey, band: Band) -> float:
    """Give the noise of a blank pixel.

    Parameters
    ----------
    survey : Survey
        The survey.
    band : Band
        One of its bands.

    Returns
    -------
    float
        In image units: as stated, or from the depth.
    """
    if band.sky_sigma is not None:
        return band.sky_sigma
    depth = band.depth if band.depth is not None else math.nan
    return float(10 ** (-0.4 * (depth - band.zero_point)) / 5 / _noise_area(survey, band))


def point_source_depth(survey: Survey, band: Band) -> float:
    """Give the magnitude of a point source of 5 sigma, with optimal weights.

    Parameters
    ----------
    survey : Survey
        The survey.
    band : Band
        One of its bands.

    Returns
    -------
    float
        AB magnitude.
    """
    flux = 5 * sky_sigma(survey, band) * _noise_area(survey, band)
    return band.zero_point - 2.5 * math.log10(flux)


def _optics(survey: Survey, band: Band) -> galsim.GSObject:
    if band.seeing:
        return galsim.Kolmogorov(fwhm=band.seeing)
    telescope = survey.telescope
    return _aperture(
        telescope,
        band.pivot,
        telescope.obscuration if band.obscuration is None else band.obscuration,
        telescope.strut_width if band.strut_width is None else band.strut_width,
        band.strut_angle,
    )


@cache
def _aperture(
    telescope: Telescope, pivot: float, hidden: float, width: float, angle: float
) -> galsim.GSObject:
    """Make what diffracts: half a second for what surveys with the same camera share."""
    return galsim.Sum(
        *(
            galsim.OpticalPSF(
                lam=pivot / 10 * relative,
                diam=telescope.diameter,
                obscuration=hidden,
                nstruts=telescope.n_struts,
                strut_thick=width,
                strut_angle=angle * galsim.degrees,
                flux=1 / len(_WAVELENGTHS),
            )
            for relative in _WAVELENGTHS
        )
    )
