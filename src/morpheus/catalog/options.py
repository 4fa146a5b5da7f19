"""How a catalogue is measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from morpheus.errors import OptionError

__all__ = ["Background", "CatalogOptions", "NoiseScale"]

Background = Literal["none", "global", "mesh"]
NoiseScale = Literal["measured", "none"]


@dataclass(frozen=True)
class CatalogOptions:
    """How a catalogue is measured.

    Parameters
    ----------
    apertures : tuple of float, optional
        Diameters of the circular apertures, in arcsec; in pixels for images without a WCS.
    kron_params : tuple of float, optional
        The semi-major axis of the Kron aperture in Kron radii, and the smallest Kron radius in
        units of the source's semi-major axis (Kron 1980; as in SExtractor's PHOT_AUTOPARAMS).
    background : {'none', 'global', 'mesh'}, optional
        What is subtracted from each band: nothing, the clipped median of its sky pixels, or a
        smooth map of it in boxes of `mesh_size`.
    mesh_size : int, optional
        Side of a box of the mesh, in pixels.
    noise_scale : {'measured', 'none'}, optional
        Whether errors are multiplied by the factor that `noise_factor` finds on the sky,
        for correlated noise and errors of the wrong scale; 'none' takes them as they are given.
    exposure : mapping of str to float, optional
        Exposure time in seconds by band, for images in electrons per second: adds the photon
        noise of the sources to the errors. Nothing is added where it is not given.
    saturation : mapping of str to float, optional
        Level from which a pixel is saturated, by band, in image units; else that of the header.
    zero_points : mapping of str to float, optional
        AB magnitude of one image unit by band; else that of the header.
    low_snr : float, optional
        Sources with a signal-to-noise ratio below it are flagged.

    Raises
    ------
    OptionError
        If a value is out of range.
    """

    apertures: tuple[float, ...] = (0.5, 1.0)
    kron_params: tuple[float, float] = (2.5, 1.4)
    background: Background = "global"
    mesh_size: int = 128
    noise_scale: NoiseScale = "measured"
    exposure: Mapping[str, float] = field(default_factory=dict)
    saturation: Mapping[str, float] = field(default_factory=dict)
    zero_points: Mapping[str, float] = field(default_factory=dict)
    low_snr: float = 5.0

    def __post_init__(self) -> None:
        # Lists are as good as tuples, but a frozen object keeps what nobody can change.
        for name in ("apertures", "kron_params"):
            values = getattr(self, name)
            if isinstance(values, str) or not all(map(_is_positive, values)):
                raise OptionError(f"{name} are {values!r}; give positive numbers")
            object.__setattr__(self, name, tuple(float(value) for value in values))
        if len(set(self.apertures)) != len(self.apertures):
            raise OptionError(f"the apertures {self.apertures} are not all different")
        if len(self.kron_params) != 2:  # noqa: PLR2004 (a pair)
            raise OptionError("kron_params are two numbers: the scale and the smallest radius")
        for name, allowed in (("background", Background), ("noise_scale", NoiseScale)):
            if getattr(self, name) not in get_args(allowed):
                raise OptionError(
                    f"{name.replace('_', ' ')} is {getattr(self, name)!r}; choose one of"
                    f" {', '.join(get_args(allowed))}"
                )
        if not isinstance(self.mesh_size, int) or self.mesh_size < 8:  # noqa: PLR2004
            raise OptionError(f"mesh size is {self.mesh_size!r}; it is a whole number from 8")
        self._check_numbers()

    def check_bands(self, bands: tuple[str, ...]) -> None:
        """Make sure that what is given by band is for bands that there are.

        Parameters
        ----------
        bands : tuple of str
            Names of the bands.

        Raises
        ------
        OptionError
            If a name is none of them.
        """
        for name in ("exposure", "saturation", "zero_points"):
            for band in getattr(self, name):
                if band not in bands:
                    raise OptionError(
                        f"{name}: {band} is no band; the bands are {', '.join(bands)}"
                    )

    def _check_numbers(self) -> None:
        for name in ("exposure", "saturation"):
            for band, value in getattr(self, name).items():
                if not _is_positive(value):
                    raise OptionError(f"{name} of {band} is {value!r}; give a positive number")
        for band, value in self.zero_points.items():
            if not _is_finite(value):
                raise OptionError(f"zero point of {band} is {value!r}; give an AB magnitude")
        if not _is_finite(self.low_snr) or self.low_snr < 0:
            raise OptionError(f"low snr is {self.low_snr!r}; it is a number from 0")


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: object) -> bool:
    return _is_finite(value) and value > 0  # type: ignore[operator]
