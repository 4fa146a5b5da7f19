"""The population of a field: counts, places, and the votes of a panel of experts."""

import math

import numpy as np
from numpy.typing import NDArray

from morpheus.simulate.bands import Survey
from morpheus.simulate.galaxies import Galaxy, draw_galaxy
from morpheus.simulate.psf import psf_fwhm
from morpheus.simulate.sources import Source

__all__ = [
    "DENSITY",
    "MARGIN",
    "counts",
    "draw_population",
    "draw_source",
    "panel_votes",
    "votes_of",
]

Array = NDArray[np.float64]

DENSITY = 150.0
"""Sources per square arcminute with F160W < 26."""

MARGIN = 3.0
"""How far, in arcsec, sources lie outside the field: their light reaches into it."""

_BRIGHTEST, _COUNTED = 18.0, 26.0
# Slope of log10 of the counts per magnitude, between magnitudes: steep, then flatter.
_KNOTS = np.array([18.0, 20.0, 23.0, 25.5, 28.0, 31.0])
_SLOPES = np.array([0.45, 0.30, 0.22, 0.18, 0.12])
_FIRST_STREAM = 1  # stream 0 of the seed says how many sources there are
_N_CLASSES = 4
_FAINT = 23.0  # F160W magnitude from which experts disagree more and more
_STAR = np.array([0.0, -3.0, -3.5, 3.5])  # how much a point source looks like each class
# The same of galaxies, compared with a disk: a constant, and by what is seen of the bulge, the
# elongation, the logarithm of the size in units of the PSF, and what is seen of the irregularity.
_LOOKS = np.array(
    [
        [4.0, 5.5, -6.0, -4.7, 0.5],
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [-1.9, 0.0, -2.0, -0.8, 8.6],
        [1.2, 5.0, -5.0, -5.0, 0.0],
    ]
)
_SPREAD, _FAINT_SPREAD = 1.9, 0.5  # of what experts see; and more of it per magnitude
_EXPERTS = 4, 10


def counts(magnitude: float | Array, density: float = DENSITY) -> Array:
    """Give the number counts.

    Parameters
    ----------
    magnitude : float or ndarray
        F160W AB magnitude.
    density : float, optional
        Sources per square arcminute between 18 and 26 mag.

    Returns
    -------
    ndarray
        Sources per square arcminute and magnitude.
    """
    grid = np.linspace(_BRIGHTEST, _COUNTED, 801)
    shape: Array = 10 ** _log_counts(np.asarray(magnitude, dtype=float))
    return shape * density / np.trapezoid(10 ** _log_counts(grid), grid)


def _log_counts(magnitude: Array) -> Array:
    return np.interp(magnitude, _KNOTS, np.r_[0, np.cumsum(_SLOPES * np.diff(_KNOTS))])


def draw_population(survey: Survey, size: int, *, seed: int, density: float) -> list[Source]:
    """Draw the sources of a field. Each has a stream of random numbers of its own.

    Parameters
    ----------
    survey : Survey
        For its pixels, depth and PSF.
    size : int
        Side of the field, in pixels.
    seed : int
        Of the random numbers.
    density : float
        Sources per square arcminute to F160W = 26.

    Returns
    -------
    list of Source
        In the order of their numbers; some lie up to `MARGIN` outside the field.
    """
    grid = np.linspace(_BRIGHTEST, survey.faintest, 2001)
    rate = counts(grid, density)
    cumulative = np.r_[0, np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(grid))]
    margin = MARGIN / survey.pixel_scale
    area = ((size + 2 * margin) * survey.pixel_scale / 60) ** 2
    number = int(np.random.default_rng([seed, 0]).poisson(cumulative[-1] * area))
    beam = psf_fwhm(survey, survey.bands[0])
    sources = []
    for index in range(1, number + 1):
        rng = np.random.default_rng([seed, _FIRST_STREAM, index])
        mag = float(np.interp(rng.uniform(0, cumulative[-1]), cumulative, grid))
        x, y = rng.uniform(-margin - 0.5, size - 0.5 + margin, 2)
        sources.append(draw_source(rng, index, (float(x), float(y)), mag, beam))
    return sources


def draw_source(
    rng: np.random.Generator, index: int, place: tuple[float, float], mag: float, beam: float
) -> Source:
    """Draw a star, a quasar or a galaxy, and let experts vote on it.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the numbers are from.
    index : int
        Its number.
    place : tuple of float
        Its x and y, in pixels.
    mag : float
        F160W AB magnitude.
    beam : float
        FWHM of the PSF in the reference band, in arcsec.

    Returns
    -------
    Source
        The source.
    """
    star = float(np.clip(0.26 - 0.045 * (mag - 18), 0.01, 0.26))
    draw = rng.uniform()
    x, y = place
    if draw < star + 0.005:
        nature = "star" if draw < star else "quasar"
        votes, experts = panel_votes(rng, _STAR, mag)
        redshift = 0.0 if nature == "star" else float(rng.uniform(0.3, 4))
        # Cool dwarfs are the most common stars of a deep field.
        temperature = float(np.clip(2900 + rng.exponential(1200), 2900, 8000))
        return Source(
            index,
            x,
            y,
            mag,
            nature,
            votes,
            experts,
            redshift=redshift,
            temperature=temperature,
            tendency=tuple(_STAR.tolist()),
        )
    galaxy = draw_galaxy(rng, mag)
    tendency = _tendency(galaxy, beam)
    votes, experts = panel_votes(rng, tendency, mag)
    return Source(
        index,
        x,
        y,
        mag,
        "galaxy",
        votes,
        experts,
        parts=galaxy.parts,
        redshift=galaxy.redshift,
        bulge_fraction=galaxy.bulge_fraction,
        sersic_index=galaxy.sersic_index,
        r_e=galaxy.r_e,
        axis_ratio=galaxy.axis_ratio,
        angle=galaxy.angle,
        irregularity=galaxy.irregularity,
        tendency=tuple(tendency.tolist()),
    )


def _tendency(galaxy: Galaxy, beam: float) -> Array:
    """How much a galaxy looks like each class, whoever looks: as the PSF leaves it."""
    major, minor = galaxy.r_e / (beam / 2), galaxy.r_e * galaxy.axis_ratio / (beam / 2)
    blurred_major, blurred_minor = math.hypot(major, 1), math.hypot(minor, 1)
    resolved = major * minor / (major * minor + 2)
    seen = np.array(
        [
            1.0,
            galaxy.bulge_fraction * resolved,
            1 - blurred_minor / blurred_major,
            math.log(blurred_major * blurred_minor) / 2,
            galaxy.irregularity * resolved,
        ]
    )
    tendency: Array = _LOOKS @ seen
    return tendency


def panel_votes(
    rng: np.random.Generator, tendency: Array, mag: float
) -> tuple[tuple[float, ...], int]:
    """Let a panel vote: each expert sees every tendency a little differently.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the numbers are from.
    tendency : ndarray, shape (4,)
        How much the source looks like a spheroid, disk, irregular and point source.
    mag : float
        F160W AB magnitude; experts disagree more from 23 mag on.

    Returns
    -------
    votes : tuple of float
        Share of the votes of each class; they add up to 1.
    n_experts : int
        From 4 to 10.
    """
    n_experts = int(rng.integers(*_EXPERTS, endpoint=True))
    shares = votes_of(rng, tendency, mag, n_experts)
    return tuple(float(share) for share in shares), n_experts


def votes_of(rng: np.random.Generator, tendency: Array, mag: float, n_experts: int) -> Array:
    """Let a number of experts vote; of many, these are the probabilities of a vote.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the numbers are from.
    tendency : ndarray, shape (4,)
        How much the source looks like a spheroid, disk, irregular and point source.
    mag : float
        F160W AB magnitude.
    n_experts : int
        How many vote.

    Returns
    -------
    ndarray, shape (4,)
        Share of the votes of each class.
    """
    spread = _SPREAD + _FAINT_SPREAD * max(0.0, mag - _FAINT)
    seen = tendency + rng.normal(0, spread, (n_experts, _N_CLASSES))
    shares: Array = np.bincount(seen.argmax(axis=1), minlength=_N_CLASSES) / n_experts
    return shares
