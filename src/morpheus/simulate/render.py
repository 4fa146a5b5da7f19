"""Noiseless images of sources: sums of profiles, convolved in Fourier space."""

import math
from collections.abc import Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial

import galsim
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from morpheus.errors import ProductError
from morpheus.simulate.bands import Band, Survey
from morpheus.simulate.colors import color, quasar_color, star_color
from morpheus.simulate.processes import Arrays, in_processes
from morpheus.simulate.psf import OVERSAMPLE, frequencies, transfer
from morpheus.simulate.sources import Knots, Sersic, Source

__all__ = ["Stamp", "band_fluxes", "render", "render_source"]

_SIZES = (32, 48, 64, 96, 128, 192, 256, 384, 512)
_CHUNK = 64  # sources that a worker is given at a time
_TAPER = 0.8  # of a stamp's half side: from here on its light fades to 0
# Radius in arcsec of the PSF that is drawn, by F160W magnitude: spikes of bright stars are long.
_PSF_RADII = ((19.0, 12.0), (21.0, 6.0), (23.0, 3.0), (math.inf, 1.5))
_WAVENUMBERS = np.r_[0, np.geomspace(1e-3, 3e3, 6000)]  # times r_e


@dataclass(frozen=True)
class Stamp:
    """The noiseless image of one source, alone.

    Parameters
    ----------
    x, y : int
        Pixel of the field where its lower left pixel lies; may be outside.
    data : ndarray, shape (band, y, x)
        In image units; each band adds up to the source's flux.
    """

    x: int
    y: int
    data: NDArray[np.float32]


def band_fluxes(source: Source, band: Band) -> NDArray[np.float64]:
    """Give the flux of each part of a source.

    Parameters
    ----------
    source : Source
        The source.
    band : Band
        The band.

    Returns
    -------
    ndarray, shape (parts,)
        In image units; a star or quasar has one part.
    """
    if source.nature == "star":
        colors, shares = [star_color(band, source.temperature)], [1.0]
    elif source.nature == "quasar":
        colors, shares = [quasar_color(band, source.redshift)], [1.0]
    else:
        colors = [color(band, part.kind, source.redshift) for part in source.parts]
        shares = [part.fraction for part in source.parts]
    magnitudes = source.mag + np.array(colors)
    return np.array(shares) * 10 ** (-0.4 * (magnitudes - band.zero_point))


def render(
    survey: Survey, sources: Sequence[Source], shifts: NDArray[np.float64], *, jobs: int = 1
) -> Generator[Stamp]:
    """Draw sources, in their order whatever the number of processes.

    Parameters
    ----------
    survey : Survey
        The survey.
    sources : sequence of Source
        The sources.
    shifts : ndarray, shape (band, 2)
        Offset of each band in pixels, along x and y.
    jobs : int, optional
        Processes.

    Yields
    ------
    Stamp
        Of each source.

    Raises
    ------
    ProductError
        If a process was ended, cannot be started, or cannot write its results.
    """
    draw = partial(_render_chunk, survey, shifts)
    chunks = [sources[i : i + _CHUNK] for i in range(0, len(sources), _CHUNK)]
    with closing(in_processes(draw, chunks, jobs)) as drawn:
        try:
            for made in drawn:
                for number, (x, y) in enumerate(made["corners"]):
                    yield Stamp(int(x), int(y), made[str(number)])
        except BrokenProcessPool as error:
            raise ProductError(
                "a process that draws sources was ended, perhaps for its memory"
            ) from error
        except OSError as error:
            raise ProductError(
                f"processes that draw sources: {error.strerror or error} (their results go through"
                " temporary files; the environment variable TMPDIR names the folder)"
            ) from error


def _render_chunk(survey: Survey, shifts: NDArray[np.float64], sources: Sequence[Source]) -> Arrays:
    """Draw sources: where their stamps lie, and the stamps by their numbers."""
    stamps = [render_source(survey, source, shifts) for source in sources]
    pixels = {str(number): stamp.data for number, stamp in enumerate(stamps)}
    return {"corners": np.array([(stamp.x, stamp.y) for stamp in stamps]), **pixels}


def render_source(survey: Survey, source: Source, shifts: NDArray[np.float64]) -> Stamp:
    """Draw one source in all bands.

    Parameters
    ----------
    survey : Survey
        The survey.
    source : Source
        The source.
    shifts : ndarray, shape (band, 2)
        Offset of each band in pixels, along x and y.

    Returns
    -------
    Stamp
        Of the source; its light ends inside of it.
    """
    size = _stamp_size(survey, source)
    ky, kx = frequencies(survey, size)
    corner_x, corner_y = round(source.x) - size // 2, round(source.y) - size // 2
    parts = [_transform(part, ky, kx) for part in source.parts] or [np.ones(1, complex)]
    data = np.empty((len(survey.bands), size, size), dtype=np.float32)
    for number, (band, shift) in enumerate(zip(survey.bands, shifts, strict=True)):
        fluxes = band_fluxes(source, band)
        total = float(fluxes.sum())
        spectrum = sum(flux * part for flux, part in zip(fluxes, parts, strict=True))
        x = (source.x + shift[0] - corner_x) * survey.pixel_scale
        y = (source.y + shift[1] - corner_y) * survey.pixel_scale
        spectrum = spectrum * transfer(survey, band, size) * np.exp(-1j * ky * y)
        image = fft.irfft2(spectrum * np.exp(-1j * kx * x))[::OVERSAMPLE, ::OVERSAMPLE]
        # Light that goes round the edges of the transform would draw the stamp's square.
        image = np.maximum(image, 0) * _taper(size)
        data[number] = image * (total / image.sum())
    return Stamp(corner_x, corner_y, data)


def _stamp_size(survey: Survey, source: Source) -> int:
    wings = next(radius for mag, radius in _PSF_RADII if source.mag < mag)
    wings = max(wings, 2 * max(band.seeing for band in survey.bands))
    extent = max((part.extent for part in source.parts), default=0.0)
    if source.parts:
        # The outskirts of faint galaxies are far below the noise; their flux is kept.
        extent = min(extent, max(1.0, 12 - 1.6 * max(0.0, source.mag - 19)))
        wings = min(wings, 3.0)
    needed = 2 * (extent + wings) / survey.pixel_scale
    return next((size for size in _SIZES if size >= needed), _SIZES[-1])


@cache
def _taper(size: int) -> NDArray[np.float64]:
    offset = np.arange(size) - size // 2
    radius = np.hypot(offset[:, None], offset[None, :]) / (size / 2 - 1)
    fade = np.clip((1 - radius) / (1 - _TAPER), 0, 1)
    window: NDArray[np.float64] = fade**2 * (3 - 2 * fade)
    return window


def _transform(
    part: Sersic | Knots, ky: NDArray[np.float64], kx: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """Fourier transform of a part of flux 1."""
    if isinstance(part, Knots):
        smooth = np.exp(-(kx**2 + ky**2) * part.sigma**2 / 2)
        rows = np.exp(-1j * ky * part.dy) * part.weights
        result: NDArray[np.complex128] = smooth * (rows @ np.exp(-1j * kx.T * part.dx).T)
        return result
    cos, sin = math.cos(part.angle), math.sin(part.angle)
    major, minor = kx * cos + ky * sin, (ky * cos - kx * sin) * part.axis_ratio
    radial = np.interp(np.hypot(major, minor) * part.r_e, _WAVENUMBERS, _sersic(part.n))
    moved: NDArray[np.complex128] = radial * np.exp(-1j * kx * part.dx) * np.exp(-1j * ky * part.dy)
    return moved


@cache
def _sersic(n: float) -> NDArray[np.float64]:
    """Fourier transform of a round profile of half-light radius 1, on `_WAVENUMBERS`."""
    profile = galsim.Sersic(n, half_light_radius=1.0)
    return np.array([profile.kValue(k, 0).real for k in _WAVENUMBERS])
