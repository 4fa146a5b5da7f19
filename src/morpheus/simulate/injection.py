"""Artificial sources in images that exist: what they are, where they lie, and their light."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy import ndimage

from morpheus.errors import OptionError
from morpheus.simulate.bands import Band, Survey
from morpheus.simulate.noise import correlated_noise, correlation_factor
from morpheus.simulate.population import draw_source
from morpheus.simulate.psf import psf_fwhm
from morpheus.simulate.render import Stamp, band_fluxes, render_source
from morpheus.simulate.sources import Source
from morpheus.simulate.truth import truth_table

__all__ = ["BORDER", "SEPARATION", "add_light", "allowed_pixels", "draw_sources"]
__all__ += ["into_passes", "light_inside", "source_table"]

Array = NDArray[np.float64]
Image = NDArray[np.float32]

BORDER = 10
"""Pixels that are kept free at the edges of an image and of what was observed."""

SEPARATION = 3.0
"""Least distance between two sources of a pass, in arcsec."""

_SOURCE, _PLACE, _NOISE = 20, 21, 22  # streams of the seed; a field's are lower
_REACH = 3.0  # half-light radii of both sources, which lie at least so far apart
_HOLE = 7  # pixels: masked areas narrower than this are no edge
_STEPS = 4  # to the magnitude in the reference band; what is left is the source's flux


def allowed_pixels(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the pixels in which sources may lie.

    Parameters
    ----------
    valid : ndarray of bool, shape (y, x)
        True where all bands have data.

    Returns
    -------
    ndarray of bool, shape (y, x)
        True for valid pixels that touch no masked one and lie `BORDER` and more from the edges of
        the image and of masked areas of 7 pixels and more.
    """
    padded = np.pad(~valid, BORDER + _HOLE, constant_values=True)
    areas = ndimage.binary_opening(padded, np.ones((_HOLE, _HOLE)))
    near = ndimage.maximum_filter(areas, 2 * BORDER + 1)
    near |= ndimage.maximum_filter(padded, 3)
    inner = slice(BORDER + _HOLE, -(BORDER + _HOLE))
    allowed: NDArray[np.bool_] = ~near[inner, inner]
    return allowed


def draw_sources(
    survey: Survey,
    allowed: NDArray[np.bool_],
    *,
    n: int,
    mag: tuple[float, float],
    seed: int,
) -> list[Source]:
    """Draw sources, each from random numbers of its own.

    Parameters
    ----------
    survey : Survey
        As imaged.
    allowed : ndarray of bool, shape (y, x)
        Where they may lie; positions are uniform over these pixels.
    n : int
        How many.
    mag : tuple of float
        AB magnitudes in the reference band, between which theirs are uniform.
    seed : int
        Of the random numbers.

    Returns
    -------
    list of Source
        With numbers from 1.

    Raises
    ------
    OptionError
        If no pixel is allowed.
    """
    places = np.flatnonzero(allowed)
    if not places.size:
        height, width = allowed.shape
        raise OptionError(
            f"sources can be nowhere in these {width} x {height} pixels: none is valid in all"
            f" bands and {BORDER} pixels from the edges"
        )
    beam = psf_fwhm(survey, survey.bands[0])
    sources = []
    for number in range(1, n + 1):
        rng = np.random.default_rng([seed, _PLACE, number])
        y, x = divmod(int(rng.choice(places)), allowed.shape[1])
        dx, dy = rng.uniform(-0.5, 0.5, 2)
        wanted = float(rng.uniform(*mag))
        source = _of_magnitude(survey.bands[0], number, wanted, beam, seed)
        sources.append(replace(source, x=float(x + dx), y=float(y + dy)))
    return sources


def _of_magnitude(band: Band, number: int, wanted: float, beam: float, seed: int) -> Source:
    """Draw a source as there are at a magnitude of the reference band, and give it that."""
    mag = wanted
    for _ in range(_STEPS):
        rng = np.random.default_rng([seed, _SOURCE, number])
        source = draw_source(rng, number, (0.0, 0.0), mag, beam)
        flux = float(band_fluxes(source, band).sum())
        more = wanted - (band.zero_point - 2.5 * math.log10(flux))
        mag += more
    return replace(source, mag=source.mag + more)


def into_passes(
    survey: Survey, sources: Sequence[Source], area: float, *, density: float
) -> list[list[Source]]:
    """Share sources out among passes, so that they do not crowd each other.

    Positions stay as they were drawn: a source that is too close to another goes to another pass.

    Parameters
    ----------
    survey : Survey
        For its pixels.
    sources : sequence of Source
        All sources.
    area : float
        Where they can lie, in square arcminutes.
    density : float
        Most sources of a pass, per square arcminute.

    Returns
    -------
    list of list of Source
        In a pass, two sources are 3 arcsec and three half-light radii of both apart.
    """
    most = max(1, int(density * area))
    place = np.array([(source.x, source.y) for source in sources]).reshape(-1, 2)
    place *= survey.pixel_scale
    reach = _REACH * np.array([source.r_e for source in sources])
    passes: list[list[Source]] = [[] for _ in range(math.ceil(len(sources) / most))]
    chosen = np.zeros(len(sources), dtype=np.int64)
    for row, source in enumerate(sources):
        distance = np.hypot(*(place[:row] - place[row]).T)
        close = distance < np.maximum(SEPARATION, reach[:row] + reach[row])
        taken = set(chosen[:row][close].tolist())
        free = [k for k, one in enumerate(passes) if k not in taken and len(one) < most]
        if not free:
            free = [len(passes)]
            passes.append([])
        chosen[row] = min(free, key=lambda k: len(passes[k]))
        passes[chosen[row]].append(source)
    return passes


def add_light(
    images: Sequence[Image], survey: Survey, sources: Sequence[Source], *, seed: int | None
) -> list[Stamp]:
    """Add sources to images, in place.

    Parameters
    ----------
    images : sequence of ndarray of float32, shape (y, x)
        The bands of the survey.
    survey : Survey
        As imaged.
    sources : sequence of Source
        What to add.
    seed : int or None
        Of the photon noise of their light; None: without noise.

    Returns
    -------
    list of Stamp
        Noiseless light of each.
    """
    stamps = []
    aligned = np.zeros((len(survey.bands), 2))
    for source in sources:
        stamp = render_source(survey, source, aligned)
        stamps.append(stamp)
        for number, (band, image) in enumerate(zip(survey.bands, images, strict=True)):
            light = stamp.data[number].astype(float)
            if seed is not None:
                rng = np.random.default_rng([seed, _NOISE, source.id, number])
                light = light + _photon_noise(rng, band, light)
            _add(image, stamp.x, stamp.y, light)
    return stamps


def _photon_noise(rng: np.random.Generator, band: Band, light: Array) -> Array:
    """Noise of the light, smoothed by drizzling as in simulated fields."""
    smoothing = correlation_factor(band.correlation) ** 2
    unit = correlated_noise(rng, (light.shape[0], light.shape[1]), band.correlation)
    noise: Array = np.sqrt(np.maximum(light, 0) / (band.gain * smoothing)) * unit
    return noise


def _add(image: Image, x: int, y: int, light: Array) -> None:
    here, there = _overlap(image, x, y, light)
    image[here] += light[there].astype(np.float32)


def _overlap(
    image: Image, x: int, y: int, light: NDArray[np.floating[Any]]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a stamp lies in the image, and what of the stamp does."""
    here, there = [], []
    for corner, side, size in zip((y, x), light.shape, image.shape, strict=True):
        low, high = max(corner, 0), max(0, min(corner + side, size))
        here.append(slice(low, high))
        there.append(slice(low - corner, high - corner))
    return (here[0], here[1]), (there[0], there[1])


def light_inside(stamps: Sequence[Stamp], images: Sequence[Image]) -> list[Array]:
    """Add up the light that lies on valid pixels.

    Parameters
    ----------
    stamps : sequence of Stamp
        Light of each source.
    images : sequence of ndarray of float32, shape (y, x)
        NaN where a pixel is masked.

    Returns
    -------
    list of ndarray, shape (band,)
        In image units, for each source.
    """
    sums = []
    for stamp in stamps:
        planes = []
        for light, image in zip(stamp.data, images, strict=True):
            here, there = _overlap(image, stamp.x, stamp.y, light)
            planes.append(float(light[there][np.isfinite(image[here])].sum(dtype=float)))
        sums.append(np.array(planes))
    return sums


def source_table(
    survey: Survey, sources: Sequence[Source], sums: Sequence[Array], wcs: WCS | None
) -> Table:
    """Make the table of what is injected.

    Parameters
    ----------
    survey : Survey
        As imaged.
    sources : sequence of Source
        What is injected.
    sums : sequence of ndarray, shape (band,)
        Flux of each on valid pixels.
    wcs : astropy.wcs.WCS or None
        Of the image; without, there are no sky positions.

    Returns
    -------
    astropy.table.Table
        As a field's, but with the angle of the major axis from x towards y, since the image may
        lie in any way on the sky.
    """
    table = truth_table(survey, sources, sums, WCS(naxis=2) if wcs is None else wcs)
    table.replace_column(
        "position_angle", np.degrees([source.angle for source in sources]) % 180 * u.deg
    )
    table.rename_column("position_angle", "angle")
    if wcs is None:
        table.remove_columns(["ra", "dec"])
    return table
