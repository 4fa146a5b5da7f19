"""Images for tests: single profiles on a grid, and noise without sources."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from scipy import fft

from morpheus.errors import OptionError
from morpheus.simulate.bands import Survey
from morpheus.simulate.colors import color
from morpheus.simulate.defects import Defects
from morpheus.simulate.imaging import image_scene
from morpheus.simulate.noise import correlated_noise, correlation_factor
from morpheus.simulate.psf import psf_image, sky_sigma
from morpheus.simulate.render import render
from morpheus.simulate.sources import Sersic, Source
from morpheus.simulate.truth import Scene

__all__ = ["NOISE_KINDS", "NoiseKind", "Profile", "ProfileField", "noise_images", "profile_field"]

NoiseKind: TypeAlias = Literal["survey", "psf"]
NOISE_KINDS = get_args(NoiseKind)
"""Correlated as the survey's, or white and convolved with the PSF."""

_KIND, _REDSHIFT = 1.0, 1.0  # spectrum of every profile: an Sbc at redshift 1
_PLACE, _NOISE = 5, 6  # streams of the seed


@dataclass(frozen=True)
class Profile:
    """A round galaxy of one Sersic profile.

    Parameters
    ----------
    n : float
        Sersic index.
    r_e : float
        Half-light radius in pixels, before the PSF.
    signal_to_noise : float
        Of half its flux in the reference band, in as many pixels of sky as lie within `r_e`.
    """

    n: float
    r_e: float
    signal_to_noise: float


@dataclass(frozen=True, eq=False)
class ProfileField:
    """Single profiles on a grid.

    Parameters
    ----------
    images, weights : ndarray, shape (band, y, x)
        As of a `SimulatedField`.
    sources : astropy.table.Table
        `id`, `x`, `y`, `mag` (reference band), `n`, `r_e` (pixels) and `signal_to_noise` of each.
    """

    images: NDArray[np.float32]
    weights: NDArray[np.float32]
    sources: Table


def profile_field(
    survey: Survey, profiles: Sequence[Profile], *, cell: int, seed: int = 0
) -> ProfileField:
    """Put each of the profiles alone in a cell of the sky.

    All have the spectrum of an Sbc galaxy at redshift 1. Each lies at a random place within half a
    pixel of the centre of its cell.

    Parameters
    ----------
    survey : Survey
        For bands, PSF and noise; without defects.
    profiles : sequence of Profile
        What to draw.
    cell : int
        Side of a cell in pixels.
    seed : int, optional
        Of the random numbers.

    Returns
    -------
    ProfileField
        A square of cells; the last ones may be empty.

    Raises
    ------
    OptionError
        If there is no profile.
    """
    if not profiles:
        raise OptionError("there is no profile to draw")
    across = math.ceil(math.sqrt(len(profiles)))
    rng = np.random.default_rng([seed, _PLACE])
    offsets = rng.uniform(-0.5, 0.5, (len(profiles), 2))
    sources = []
    for index, (profile, offset) in enumerate(zip(profiles, offsets, strict=True)):
        row, column = divmod(index, across)
        x, y = (cell * (place + 0.5) - 0.5 for place in (column, row))
        sources.append(_source(survey, index + 1, (x + offset[0], y + offset[1]), profile))
    scene = Scene(len(survey.bands), across * cell)
    stamps = render(survey, sources, np.zeros((len(survey.bands), 2)))
    for source, stamp in zip(sources, stamps, strict=True):
        scene.add(source, stamp)
    made = image_scene(
        survey,
        scene,
        (Defects.none(across * cell) for _ in survey.bands),
        (np.random.default_rng([seed, _NOISE, number]) for number in range(len(survey.bands))),
        truth_threshold=1.0,
    )
    reference = survey.bands[0]
    table = Table(
        {
            "id": [source.id for source in sources],
            "x": [source.x for source in sources],
            "y": [source.y for source in sources],
            "mag": [source.mag + color(reference, _KIND, _REDSHIFT) for source in sources],
            **{
                name: [float(getattr(profile, name)) for profile in profiles]
                for name in ("n", "r_e", "signal_to_noise")
            },
        }
    )
    return ProfileField(made.images, made.weights, table)


def _source(survey: Survey, number: int, place: tuple[float, float], profile: Profile) -> Source:
    band = survey.bands[0]
    noise = sky_sigma(survey, band) * correlation_factor(band.correlation)
    flux = 2 * profile.signal_to_noise * noise * math.sqrt(math.pi) * profile.r_e
    mag = band.zero_point - 2.5 * math.log10(flux) - color(band, _KIND, _REDSHIFT)
    r_e = profile.r_e * survey.pixel_scale
    part = Sersic(1.0, _KIND, profile.n, r_e, axis_ratio=1.0, angle=0.0)
    votes = (0.25, 0.25, 0.25, 0.25)  # nobody was asked
    return Source(
        number, *place, mag, "galaxy", votes, 0, parts=(part,), redshift=_REDSHIFT, r_e=r_e
    )


def noise_images(
    survey: Survey, size: int, *, kind: NoiseKind = "survey", seed: int = 0
) -> NDArray[np.float32]:
    """Draw a sky without sources.

    Parameters
    ----------
    survey : Survey
        For the bands and their noise.
    size : int
        Side in pixels.
    kind : {'survey', 'psf'}, optional
        Noise correlated as the survey's, or white noise convolved with the PSF of each band; a
        pixel has the same standard deviation in both.
    seed : int, optional
        Of the random numbers.

    Returns
    -------
    ndarray, shape (band, y, x)
        In image units.
    """
    images = np.empty((len(survey.bands), size, size), dtype=np.float32)
    for number, band in enumerate(survey.bands):
        rng = np.random.default_rng([seed, _NOISE, number])
        if kind == "survey":
            unit = correlated_noise(rng, (size, size), band.correlation)
        else:
            psf = psf_image(survey, band)
            white = fft.rfft2(rng.standard_normal((size, size)))
            smooth = fft.irfft2(white * fft.rfft2(psf, s=(size, size)), s=(size, size))
            unit = smooth / math.sqrt(float((psf**2).sum()))
        images[number] = sky_sigma(survey, band) * unit
    return images
