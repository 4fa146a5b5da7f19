"""What is injected, and how it is looked for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from morpheus.errors import OptionError
from morpheus.pipeline.evaluation import MATCH_RADIUS

__all__ = ["InjectionOptions"]

_MAGNITUDES = 10.0, 35.0  # within which magnitudes mean something
_DENSEST = 1000.0


@dataclass(frozen=True)
class InjectionOptions:
    """What is injected, and how it is looked for.

    Parameters
    ----------
    survey : str or None, optional
        Survey for PSFs, spectra, gains and the correlation of the noise; None: the first that has
        all bands.
    n : int, optional
        Number of sources.
    mag : tuple of float or None, optional
        AB magnitudes in the reference band, between which theirs are uniform; None: from 6 mag
        brighter than the 5 sigma depth to 1 mag fainter.
    density : float, optional
        Most sources at a time, per square arcminute.
    seed : int, optional
        Of the random numbers: the same seed gives the same sources.
    psf : mapping of str to path, optional
        By band, the image of a PSF at the images' own pixel scale, in place of the survey's.
    zero_points : mapping of str to float, optional
        AB magnitude of one image unit by band, in place of what the headers say.
    exposure : mapping of str to float, optional
        Exposure time in seconds by band, in place of what the headers say.
    pixel_scale : float or None, optional
        In arcsec, of images without a WCS.
    radius : float, optional
        Largest distance between a position and a centroid, in pixels.
    check_filters : bool, optional
        Whether a FILTER header that contradicts the band is an error.
    """

    survey: str | None = None
    n: int = 200
    mag: tuple[float, float] | None = None
    density: float = 20.0
    seed: int = 0
    psf: Mapping[str, str | Path] = field(default_factory=dict)
    zero_points: Mapping[str, float] = field(default_factory=dict)
    exposure: Mapping[str, float] = field(default_factory=dict)
    pixel_scale: float | None = None
    radius: float = MATCH_RADIUS
    check_filters: bool = True

    def check(self) -> None:
        """Check the values.

        Raises
        ------
        OptionError
            If one is out of range.
        """
        if self.n < 1:
            raise OptionError(f"n is {self.n}; it must be 1 or more sources")
        low, high = (21.0, 28.0) if self.mag is None else self.mag
        brightest, faintest = _MAGNITUDES
        if not brightest <= low < high <= faintest:
            raise OptionError(
                f"the magnitudes are {low:g} to {high:g}; they must rise, and lie from"
                f" {brightest:g} to {faintest:g}"
            )
        if not 0 < self.density <= _DENSEST:
            raise OptionError(
                f"the density is {self.density:g}; it must be above 0 and at most {_DENSEST:g}"
                " sources per square arcminute"
            )
        if self.seed < 0:
            raise OptionError(f"the seed is {self.seed}; it must be 0 or more")
        self._check_images()

    def _check_images(self) -> None:
        for name, value in (("pixel scale", self.pixel_scale), ("match radius", self.radius)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise OptionError(f"the {name} is {value:g}; it must be above 0")
        for band, value in self.exposure.items():
            if not (math.isfinite(value) and value > 0):
                raise OptionError(f"the exposure of {band} is {value:g}; it must be above 0 s")
        for band, value in self.zero_points.items():
            if not math.isfinite(value):
                raise OptionError(f"the zero point of {band} is {value:g}")
