"""The images to measure in: each band with a mask of its own."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.errors import ImageError, OptionError
from morpheus.mosaic import InputRecord, Region, read_mosaic
from morpheus.mosaic.bands import images_by_band, maps_by_band
from morpheus.mosaic.calibration import Calibration
from morpheus.mosaic.grid import check_same_shape, check_same_sky
from morpheus.mosaic.units import parse_unit

__all__ = ["BandImage", "check_grid", "errors_of", "read_band_images"]


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class BandImage:
    """One band of a field.

    Parameters
    ----------
    band : str
        Its name.
    data : ndarray or Quantity, shape (y, x)
        Pixels in `unit`, kept as float32; what is NaN or infinite is masked.
    error : ndarray or Quantity, shape (y, x), or None, optional
        Standard deviation of each pixel, in `unit`; what is not positive is masked.
    mask : ndarray of bool, shape (y, x), or None, optional
        True where a pixel is invalid in this band; None if none is.
    unit : str or None, optional
        Unit of the pixels, as written in the file; that of a Quantity without it.
    calibration : Calibration, optional
        Its flux scale.
    wcs : astropy.wcs.WCS or None, optional
        World coordinates.
    inputs : tuple of InputRecord, optional
        What it was read from.

    Raises
    ------
    GridMismatchError
        If the arrays do not have the same shape.
    ImageError
        If they are not two-dimensional and of real numbers.
    OptionError
        If the units contradict each other.
    """

    band: str
    data: NDArray[np.float32]
    error: NDArray[np.float32] | None = None
    mask: NDArray[np.bool_] | None = None
    unit: str | None = None
    calibration: Calibration = dataclasses.field(default_factory=Calibration)
    wcs: WCS | None = None
    inputs: tuple[InputRecord, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.data, u.Quantity):
            if self.unit is None:
                object.__setattr__(self, "unit", str(self.data.unit))
            object.__setattr__(self, "data", self._in_unit("pixels", self.data))
        if isinstance(self.error, u.Quantity):
            object.__setattr__(self, "error", self._in_unit("errors", self.error))
        for name, dtype in (("data", np.float32), ("error", np.float32), ("mask", np.bool_)):
            value = getattr(self, name)
            if value is not None or name == "data":
                what = f"the {name} of {self.band}"
                object.__setattr__(self, name, _plane(what, value, dtype))
        for name in ("error", "mask"):
            array = getattr(self, name)
            if array is not None:
                check_same_shape(f"the {name} of {self.band}", array.shape, self.band, self.shape)

    def _in_unit(self, what: str, values: u.Quantity) -> NDArray[np.floating[Any]]:
        unit = values.unit
        if self.unit is not None and self.unit != str(unit):
            unit = parse_unit(self.unit)
        if unit is None or not values.unit.is_equivalent(unit):
            raise OptionError(
                f"the {what} of {self.band} are in {values.unit}, the image in {self.unit}"
            )
        converted: NDArray[np.floating[Any]] = values.to_value(unit)
        return converted

    @property
    def shape(self) -> tuple[int, int]:
        """Size (y, x) in pixels."""
        return self.data.shape[0], self.data.shape[1]

    def invalid(self) -> NDArray[np.bool_]:
        """Find the pixels that cannot be measured.

        Returns
        -------
        ndarray of bool, shape (y, x)
            True where the pixel is masked or not finite, or its error is not positive.
        """
        invalid = ~np.isfinite(self.data)
        if self.mask is not None:
            invalid |= self.mask
        if self.error is not None:
            invalid |= ~((self.error > 0) & (self.error < np.inf))
        return invalid


def read_band_images(
    images: Any,
    *,
    bands: Sequence[str],
    weights: Any = None,
    rms: Any = None,
    dq: Any = None,
    region: Region | str | None = None,
    zero_points: Mapping[str, float] | None = None,
    check_filters: bool = True,
) -> list[BandImage]:
    """Read the bands of a field, each by itself.

    A classification needs every band in every pixel; a flux does not. So a pixel that is invalid
    in one band can be measured in the others.

    Parameters
    ----------
    images : mapping of str, sequence, or 3-D array
        The images, as `morpheus.read_mosaic` takes them.
    bands : sequence of str
        Names of the bands.
    weights, rms, dq : mapping of str, sequence, 3-D array or one image for all, optional
        Inverse variance, noise and data quality, as `morpheus.read_mosaic` takes them.
    region : Region or str, optional
        Part to read.
    zero_points : mapping of str to float, optional
        AB magnitude of one image unit by band, instead of what the header says.
    check_filters : bool, optional
        Whether a FILTER header that contradicts the band is an error.

    Returns
    -------
    list of BandImage
        In the order of `bands`; errors are ``1 / sqrt(weight)`` or the rms map, and None for a
        band without either.

    Raises
    ------
    ImageError
        If an image cannot be read or has no valid pixel.
    OptionError
        If the images or options do not fit the bands.
    """
    names = tuple(bands)
    given = {} if zero_points is None else dict(zero_points)
    for band in given:
        if band not in names:
            raise OptionError(f"zero points: {band} is no band; there are {', '.join(names)}")
    maps = [
        {band: one for on, one in maps_by_band(option, names, kind) for band in on}
        for kind, option in (("weights", weights), ("rms", rms), ("dq", dq))
    ]
    result = []
    for band, image in zip(names, images_by_band(images, names), strict=True):
        weight, noise, quality = ({band: by[band]} if band in by else None for by in maps)
        mosaic = read_mosaic(
            {band: image},
            bands=(band,),
            weights=weight,
            rms=noise,
            dq=quality,
            region=region,
            check_filters=check_filters,
        )
        calibration = mosaic.calibrations[0]
        if band in given:
            calibration = dataclasses.replace(
                calibration, zero_point=float(given[band]), zero_point_source="option"
            )
        core = mosaic.core
        result.append(
            BandImage(
                band=band,
                data=mosaic.data[0][core],
                error=None if mosaic.weight is None else errors_of(mosaic.weight[0][core]),
                mask=mosaic.mask[core],
                unit=mosaic.units[0],
                calibration=calibration,
                wcs=None if mosaic.wcs is None else mosaic.wcs.slice(core),
                inputs=mosaic.inputs,
            )
        )
    return result


def check_grid(images: Sequence[BandImage], shape: tuple[int, int], wcs: WCS | None) -> None:
    """Check that images have the pixel grid of a segmentation map.

    Parameters
    ----------
    images : sequence of BandImage
        The images.
    shape : tuple of int
        Size (y, x) of the map.
    wcs : astropy.wcs.WCS or None
        Its coordinates; what has none is not compared.

    Raises
    ------
    GridMismatchError
        If they differ.
    """
    for image in images:
        check_same_shape(image.band, image.shape, "the segmentation map", shape)
        if image.wcs is not None and wcs is not None:
            check_same_sky(image.band, image.wcs, "the segmentation map", wcs, shape)


def _plane(what: str, values: Any, dtype: type[np.generic]) -> NDArray[Any]:
    """Make an image of anything that is one; what is masked is NaN."""
    masked = np.ma.isMaskedArray(values)
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:  # rows of different length
        raise ImageError(f"{what} cannot be read as an image: {error}") from error
    if array.ndim != 2 or array.dtype.kind not in "buif":  # noqa: PLR2004 (an image)
        raise ImageError(
            f"{what} has shape {array.shape} and type {array.dtype}; give two dimensions of real"
            " numbers"
        )
    array = array.astype(dtype, copy=False)
    if masked and dtype is np.float32:
        return np.where(np.ma.getmaskarray(values), np.float32(np.nan), array)
    return array


def errors_of(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the standard deviations that inverse variances mean.

    Parameters
    ----------
    weight : ndarray of float32
        Inverse variances.

    Returns
    -------
    ndarray of float32
        Standard deviations; 0 where the weight is, which is masked.
    """
    error = np.sqrt(weight)
    return np.divide(1, error, out=error, where=error > 0)
