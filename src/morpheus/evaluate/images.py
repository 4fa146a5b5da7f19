"""An image whose truth is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.evaluate.truth import Truth
from morpheus.mosaic import InputRecord
from morpheus.mosaic.scale import pixel_scale

__all__ = ["KnownImage"]

Image = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class KnownImage:
    """A multi-band image whose truth is known.

    Parameters
    ----------
    name : str
        What reports call it.
    bands : mapping of str to ndarray, shape (y, x)
        The bands, the reference band first; NaN where they have no data.
    truth : Truth
        What is known.
    weights : mapping of str to ndarray, shape (y, x), optional
        Inverse variances; 0 where there is no data.
    wcs : astropy.wcs.WCS, optional
        Of all bands.
    unit : str, optional
        Of the bands.
    zero_point : float, optional
        AB magnitude of one unit of the reference band.
    inputs : tuple of InputRecord, optional
        Files that it was read from.
    """

    name: str
    bands: Mapping[str, Image]
    truth: Truth
    weights: Mapping[str, Image] = field(default_factory=dict)
    wcs: WCS | None = None
    unit: str | None = None
    zero_point: float | None = None
    inputs: tuple[InputRecord, ...] = ()

    @property
    def pixel_scale(self) -> float | None:
        """Side of a pixel in arcsec; None if there is no WCS."""
        return pixel_scale(self.wcs)

    @property
    def reference_band(self) -> str:
        """Name of the band whose fluxes are compared."""
        return next(iter(self.bands))

    @property
    def reference(self) -> Image:
        """Image in the reference band."""
        return self.bands[self.reference_band]

    @property
    def reference_weight(self) -> Image | None:
        """Inverse variance in the reference band."""
        return self.weights.get(self.reference_band)
