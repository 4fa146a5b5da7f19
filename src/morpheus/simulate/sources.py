"""Sources: what they are made of, and how they look to experts."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Knots", "Sersic", "Source", "recentered"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sersic:
    """A Sersic profile.

    Parameters
    ----------
    fraction : float
        Of the source's F160W flux.
    kind : float
        Spectral type, from 0 (elliptical) to 4 (starburst).
    n : float
        Sersic index.
    r_e : float
        Half-light semi-major axis, in arcsec.
    axis_ratio : float
        Minor over major axis.
    angle : float
        Of the major axis, in radians from x towards y.
    dx, dy : float, optional
        Offset from the source's position, in arcsec.
    """

    fraction: float
    kind: float
    n: float
    r_e: float
    axis_ratio: float
    angle: float
    dx: float = 0.0
    dy: float = 0.0

    @property
    def extent(self) -> float:
        """Radius, in arcsec, beyond which there is little light."""
        return float(np.hypot(self.dx, self.dy)) + self.r_e * min(4.0 + 1.2 * self.n, 9.0)

    @property
    def offset(self) -> tuple[float, float]:
        """Centre of the light, in arcsec."""
        return self.dx, self.dy

    def moved(self, dx: float, dy: float) -> "Sersic":
        """Move it.

        Parameters
        ----------
        dx, dy : float
            By how much, in arcsec.

        Returns
        -------
        Sersic
            The same, elsewhere.
        """
        return replace(self, dx=self.dx + dx, dy=self.dy + dy)


@dataclass(frozen=True)
class Knots:
    """Gaussian knots of one size: clumps, arms or tails.

    Parameters
    ----------
    fraction : float
        Of the source's F160W flux.
    kind : float
        Spectral type, from 0 (elliptical) to 4 (starburst).
    sigma : float
        Of a knot, in arcsec.
    dx, dy, weights : ndarray, shape (knots,)
        Offsets in arcsec, and shares of the flux.
    """

    fraction: float
    kind: float
    sigma: float
    dx: Array
    dy: Array
    weights: Array

    @property
    def extent(self) -> float:
        """Radius, in arcsec, beyond which there is little light."""
        return float(np.hypot(self.dx, self.dy).max()) + 4 * self.sigma

    @property
    def offset(self) -> tuple[float, float]:
        """Centre of the light, in arcsec."""
        return float(self.dx @ self.weights), float(self.dy @ self.weights)

    def moved(self, dx: float, dy: float) -> "Knots":
        """Move it.

        Parameters
        ----------
        dx, dy : float
            By how much, in arcsec.

        Returns
        -------
        Knots
            The same, elsewhere.
        """
        return replace(self, dx=self.dx + dx, dy=self.dy + dy)


@dataclass(frozen=True)
class Source:
    """One source of the sky.

    Parameters
    ----------
    id : int
        Number, from 1.
    x, y : float
        Centroid of the F160W light, 0-based pixels.
    mag : float
        F160W AB magnitude, in total.
    nature : str
        'galaxy', 'star' or 'quasar'.
    votes : tuple of float
        Shares of the experts' votes for spheroid, disk, irregular and point source; sum 1.
    n_experts : int
        How many voted.
    parts : tuple of Sersic or Knots, optional
        What a galaxy consists of; fractions add up to 1.
    redshift : float, optional
        Redshift; 0 for a star.
    temperature : float, optional
        Of a star, in K.
    bulge_fraction, sersic_index, r_e, axis_ratio, angle, irregularity : float, optional
        Of a galaxy: B/T, index of the bulge (B/T of a half or more) or of the disk, half-light
        semi-major axis of the same in arcsec, its axis ratio, its angle in radians, and the
        place between a regular galaxy (0) and a wreck (1).
    tendency : tuple of float, optional
        How much it looks like each class: what the votes were drawn with.
    """

    id: int
    x: float
    y: float
    mag: float
    nature: str
    votes: tuple[float, ...]
    n_experts: int
    parts: tuple[Sersic | Knots, ...] = field(default=())
    redshift: float = 0.0
    temperature: float = 0.0
    bulge_fraction: float = 0.0
    sersic_index: float = 0.0
    r_e: float = 0.0
    axis_ratio: float = 1.0
    angle: float = 0.0
    irregularity: float = 0.0
    tendency: tuple[float, ...] = ()


def recentered(parts: tuple[Sersic | Knots, ...]) -> tuple[Sersic | Knots, ...]:
    """Move parts so that the centroid of their light is the source's position.

    Parameters
    ----------
    parts : tuple of Sersic or Knots
        Their fractions add up to 1.

    Returns
    -------
    tuple of Sersic or Knots
        The same, moved.
    """
    x = sum(part.fraction * part.offset[0] for part in parts)
    y = sum(part.fraction * part.offset[1] for part in parts)
    return tuple(part.moved(-x, -y) for part in parts)
