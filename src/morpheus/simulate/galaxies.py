"""Galaxies, from regular spheroids and disks to wrecks, without a gap between them."""

import math
from dataclasses import dataclass, replace

import numpy as np

from morpheus.simulate.sources import Knots, Sersic, recentered

__all__ = ["Galaxy", "draw_galaxy"]

_LATE = 4.0  # spectral type of young stars
_THICKNESS = 0.18  # of a disk seen edge on
_INDEX_STEP = 0.25  # of Sersic indices: a few profiles are tabulated, and used again and again


@dataclass(frozen=True)
class Galaxy:
    """What a galaxy looks like.

    Parameters
    ----------
    parts : tuple of Sersic or Knots
        What it consists of.
    redshift : float
        Redshift.
    bulge_fraction, sersic_index, r_e, axis_ratio, angle, irregularity, arms : float
        As in a `Source`; the last is the share of the light in spiral arms.
    """

    parts: tuple[Sersic | Knots, ...]
    redshift: float
    bulge_fraction: float
    sersic_index: float
    r_e: float
    axis_ratio: float
    angle: float
    irregularity: float
    arms: float


def draw_galaxy(rng: np.random.Generator, mag: float) -> Galaxy:
    """Draw a galaxy.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the numbers are from.
    mag : float
        F160W AB magnitude: brighter galaxies are larger, nearer, and more often spheroids.

    Returns
    -------
    Galaxy
        The galaxy.
    """
    redshift = _redshift(rng, mag)
    bulge, irregularity = _morphology(rng, mag)
    early = _step((bulge - 0.45) / 0.15)
    r_e = 0.48 * 10 ** (-0.095 * (mag - 22)) * rng.lognormal(0, 0.36)
    r_e = float(np.clip(r_e * (1 - 0.45 * early), 0.02, 2.5))
    angle = float(rng.uniform(0, math.pi))
    kind = _spectral_type(rng, mag, redshift, early, irregularity)
    spheroid = Sersic(
        bulge,
        max(0.0, kind - 0.8),
        _bulge_index(rng, bulge),
        r_e * (0.3 + 0.7 * early),
        float(rng.uniform(0.6, 1.0)),
        angle,
    )
    disk, arms = _disk(rng, (1 - bulge, irregularity, kind), r_e * (1 + 0.8 * early), angle, early)
    parts: list[Sersic | Knots] = [spheroid, *disk]
    body = disk[0]
    if irregularity > 0.5 and rng.uniform() < 0.6:  # noqa: PLR2004 (wrecks by merging)
        parts = _merge(rng, parts, body, kind)
    main, index = (spheroid, spheroid.n) if bulge >= 0.5 else (body, 1.0)  # noqa: PLR2004
    return Galaxy(
        recentered(tuple(parts)),
        redshift,
        bulge,
        index,
        main.r_e,
        main.axis_ratio,
        angle,
        irregularity,
        arms,
    )


def _disk(
    rng: np.random.Generator,
    light: tuple[float, float, float],
    r_e: float,
    angle: float,
    early: float,
) -> tuple[tuple[Sersic, *tuple[Knots, ...]], float]:
    """Draw a disk with its arms and clumps; `light` is its flux, irregularity and type."""
    flux, irregularity, kind = light
    thickness = _THICKNESS + 0.3 * irregularity
    tilt = rng.uniform(0, 1)  # cosine of the inclination
    lopsided = 0.6 * irregularity**1.5 * r_e
    arms = 0.0
    if early < 0.7 and rng.uniform() < 0.55:  # noqa: PLR2004 (share of disks with arms)
        arms = float(rng.uniform(0.10, 0.30)) * (1 - irregularity)
    clumps = float(0.05 * rng.uniform() * (1 - early) + 0.6 * irregularity**1.6)
    body = Sersic(
        flux * (1 - clumps) * (1 - arms),
        kind,
        1.0,
        r_e,
        math.sqrt(tilt**2 + thickness**2 * (1 - tilt**2)),
        angle,
        dx=float(rng.normal(0, lopsided)),
        dy=float(rng.normal(0, lopsided)),
    )
    knots = []
    if arms:
        knots.append(_arms(rng, flux * (1 - clumps) * arms, min(_LATE, kind + 0.6), body))
    if clumps > 0:
        knots.append(_clumps(rng, flux * clumps, min(_LATE, kind + 0.9), body, irregularity))
    return (body, *knots), arms


def _bulge_index(rng: np.random.Generator, bulge: float) -> float:
    """Steeper the more there is of it: bulges of disks are flat."""
    index = float(np.clip(rng.normal(1.6 + 1.9 * bulge, 0.6), 1.5, 4.5))
    return _INDEX_STEP * round(index / _INDEX_STEP)


def _spectral_type(
    rng: np.random.Generator, mag: float, redshift: float, early: float, irregularity: float
) -> float:
    """Bluer the later its shape, the fainter, and the younger the universe."""
    kind = 0.3 + 1.6 * (1 - early) + 0.6 * irregularity + 1.5 * min(max(0.0, mag - 22), 0.75)
    kind = float(np.clip(rng.normal(kind, 0.7), 0, _LATE))
    return min(_LATE, kind + 0.25 * max(0.0, redshift - 1.5))


def _step(value: float) -> float:
    """Rise smoothly from 0 to 1."""
    return 1 / (1 + math.exp(-2 * value))


def _redshift(rng: np.random.Generator, mag: float) -> float:
    """Lognormal about a median that rises from 0.55 at 20 mag to 1.6 at 26."""
    median = max(0.3, 0.55 + 0.18 * (mag - 20))
    return float(np.clip(median * rng.lognormal(0, 0.5), 0.05, 7.5))


def _morphology(rng: np.random.Generator, mag: float) -> tuple[float, float]:
    """B/T, and irregularity."""
    early = float(np.clip(0.24 - 0.03 * (mag - 22), 0.08, 0.3))
    wreck = float(np.clip(0.11 + 0.03 * (mag - 22), 0.05, 0.3))
    draw = rng.uniform()
    if draw < early:
        return float(rng.beta(5, 0.8)), float(rng.beta(1, 14))
    if draw < early + wreck:
        return float(rng.beta(0.5, 9)), float(rng.beta(4, 1.5))
    return float(rng.beta(0.8, 4.5)), float(rng.beta(1, 14))


def _tilted(body: Sersic, major: np.ndarray, minor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets in the plane of a disk, as they are seen."""
    minor = minor * body.axis_ratio
    cos, sin = math.cos(body.angle), math.sin(body.angle)
    return body.dx + major * cos - minor * sin, body.dy + major * sin + minor * cos


def _arms(rng: np.random.Generator, fraction: float, kind: float, body: Sersic) -> Knots:
    """Two logarithmic spirals of overlapping knots, patchy along their length."""
    scale = body.r_e / 1.678  # of an exponential disk
    radius = np.linspace(0.8, 4.2, 60) * scale
    pitch = float(rng.uniform(0.2, 0.5)) * (1 if rng.uniform() < 0.5 else -1)  # noqa: PLR2004
    turn = np.log(radius / scale) / math.tan(pitch)
    patchy = rng.lognormal(0, 0.3, (2, radius.size))
    light = np.exp(-radius / scale) * radius * patchy
    phase = np.array([[0.0], [math.pi]])
    theta = turn + phase + rng.normal(0, 0.06, (2, radius.size))
    dx, dy = _tilted(body, (radius * np.cos(theta)).ravel(), (radius * np.sin(theta)).ravel())
    weights = light.ravel() / light.sum()
    return Knots(fraction, kind, 0.11 * body.r_e * math.sqrt(body.axis_ratio), dx, dy, weights)


def _clumps(
    rng: np.random.Generator, fraction: float, kind: float, body: Sersic, irregularity: float
) -> Knots:
    """Regions of star formation, all over the disk."""
    # Many even ones in a regular disk, a few of any brightness in a wreck.
    number = int(rng.integers(3, 10)) + round(14 * (1 - irregularity))
    spread = body.r_e * (0.6 + 0.5 * irregularity)
    major, minor = rng.normal(0, spread, (2, number))
    dx, dy = _tilted(body, major, minor)
    weights = rng.dirichlet(np.full(number, 1.2 + 2 * (1 - irregularity)))
    return Knots(fraction, kind, body.r_e * float(rng.uniform(0.08, 0.22)), dx, dy, weights)


def _merge(
    rng: np.random.Generator, parts: list[Sersic | Knots], body: Sersic, kind: float
) -> list[Sersic | Knots]:
    """Add a companion and, to half of them, a tail that leads to it."""
    companion, tail = float(rng.uniform(0.15, 0.4)), 0.0
    if rng.uniform() < 0.5:  # noqa: PLR2004
        tail = float(rng.uniform(0.05, 0.15))
    kept = [_scaled(part, 1 - companion - tail) for part in parts]
    distance, direction = body.r_e * rng.uniform(1.2, 2.6), rng.uniform(0, 2 * math.pi)
    dx, dy = distance * math.cos(direction), distance * math.sin(direction)
    kept.append(
        Sersic(
            companion,
            float(np.clip(kind + rng.normal(0, 0.5), 0, _LATE)),
            1.0,
            body.r_e * float(rng.uniform(0.3, 0.8)),
            float(rng.uniform(0.4, 1.0)),
            float(rng.uniform(0, math.pi)),
            dx=body.dx + dx,
            dy=body.dy + dy,
        )
    )
    if tail:
        along = np.linspace(0, 1.6, 40)
        bend = 0.6 * along**2 * (1 if rng.uniform() < 0.5 else -1)  # noqa: PLR2004
        light = np.exp(-along)
        kept.append(
            Knots(
                tail,
                kind,
                0.2 * body.r_e,
                body.dx + dx * along - dy * bend,
                body.dy + dy * along + dx * bend,
                light / light.sum(),
            )
        )
    return kept


def _scaled(part: Sersic | Knots, factor: float) -> Sersic | Knots:
    return replace(part, fraction=part.fraction * factor)
