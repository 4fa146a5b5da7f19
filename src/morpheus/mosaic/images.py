"""The door: a path, HDU, NDData, array or array with WCS becomes an `Image`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from astropy.io import fits
from astropy.nddata import InverseVariance, NDData, UnknownUncertainty
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.errors import ImageError, OptionError
from morpheus.mosaic.files import (
    HDU_TYPES,
    READ_ERRORS,
    FitsFiles,
    astropy_chatter_off,
    choose_hdu,
    hdu_label,
    split_hdu,
)
from morpheus.mosaic.grid import celestial_wcs
from morpheus.mosaic.mosaic import Kind
from morpheus.mosaic.plain import plain_reader

__all__ = ["Image", "Section", "open_image"]

Section: TypeAlias = tuple[slice, slice]


@dataclass(frozen=True)
class Image:
    """A 2-D image whose pixels have not been read yet.

    Parameters
    ----------
    name : str
        What messages call it.
    shape : tuple of int
        Size (y, x) in pixels.
    pixels : callable
        Gives the pixels of a section, of any number type.
    mask : callable or None
        Gives what `masked` does, as any type that is true where a pixel is invalid.
    wcs : `~astropy.wcs.WCS` or None
        Its celestial coordinates.
    headers : tuple of Header
        Where keywords are looked up: that of the HDU, then that of the primary HDU.
    unit : str or None
        Unit of the pixels, as written.
    weight : Image or None
        The inverse variance that came with the image.
    path : Path or None
        The file.
    hdu : str or None
        The HDU.
    """

    name: str
    shape: tuple[int, int]
    pixels: Callable[[Section], Any]
    mask: Callable[[Section], Any] | None = None
    wcs: WCS | None = None
    headers: tuple[fits.Header, ...] = ()
    unit: str | None = None
    weight: "Image | None" = None
    path: Path | None = None
    hdu: str | None = None

    def read(self, section: Section) -> NDArray[Any]:
        """Read the pixels of a section.

        Parameters
        ----------
        section : tuple of slice
            The rows and columns.

        Returns
        -------
        ndarray, shape (y, x)
            Scaled values (BSCALE, BZERO); NaN where they are blank (BLANK).

        Raises
        ------
        ImageError
            If they cannot be read.
        """
        try:
            with astropy_chatter_off(), np.errstate(all="ignore"):
                return np.asarray(self.pixels(section))
        except READ_ERRORS as error:
            raise ImageError(f"{self.name}: its pixels cannot be read ({error})") from error

    def masked(self, section: Section) -> NDArray[np.bool_] | None:
        """Give the pixels that the mask of an NDData or masked array marks.

        Parameters
        ----------
        section : tuple of slice
            The rows and columns.

        Returns
        -------
        ndarray of bool, shape (y, x), or None
            True where a pixel is invalid; None without a mask.
        """
        return None if self.mask is None else np.asarray(self.mask(section), dtype=bool)

    def thinned_out(self, step: int) -> "Image":
        """Give the image of every `step`-th row and column, which is read row by row.

        Parameters
        ----------
        step : int
            At least 1.

        Returns
        -------
        Image
            Of which only the whole can be read.
        """
        height, width = self.shape

        def of_rows(pixels: Callable[[Section], Any]) -> Callable[[Section], Any]:
            if step == 1:
                return pixels
            return lambda _: np.concatenate(
                [
                    np.asarray(pixels((slice(y, y + 1), slice(0, width))))[:, ::step]
                    for y in range(0, height, step)
                ]
            )

        return replace(
            self,
            shape=(-(-height // step), -(-width // step)),
            pixels=of_rows(self.pixels),
            mask=None if self.mask is None else of_rows(self.mask),
        )


def open_image(source: Any, *, label: str, kind: Kind, files: FitsFiles) -> Image:
    """Open anything that holds an image.

    Parameters
    ----------
    source : path, HDU, HDUList, (array, WCS), (array, Header), NDData or array
        The image.
    label : str
        What messages call it if it is no file.
    kind : {"image", "weight", "rms", "dq"}
        What it holds.
    files : FitsFiles
        Opens the files, and closes them.

    Returns
    -------
    Image
        The image, its pixels not yet read.

    Raises
    ------
    ImageError
        If it holds no usable 2-D image.
    OptionError
        If `source` is something else.
    """
    if isinstance(source, str | PathLike):
        path, key = split_hdu(Path(source))
        hdus = files.open(path)
        image = _from_hdus(hdus, key, kind=kind, name=str(source))
        index = choose_hdu(hdus, key, kind=kind, name=str(source))
        return replace(image, path=path, pixels=plain_reader(path, hdus[index]) or image.pixels)
    if isinstance(source, fits.HDUList):
        return _from_hdus(source, None, kind=kind, name=label)
    if isinstance(source, HDU_TYPES):
        return _from_hdu(source, (source.header,), name=label)
    if isinstance(source, NDData):
        return _from_nddata(source, name=label, kind=kind)
    pair = isinstance(source, tuple) and len(source) == 2  # noqa: PLR2004 (a pair)
    array, coordinates = source if pair else (source, None)
    return _from_array(array, coordinates, name=label, kind=kind)


def _from_hdus(hdus: fits.HDUList, key: Any, *, kind: Kind, name: str) -> Image:
    with astropy_chatter_off():
        index = choose_hdu(hdus, key, kind=kind, name=name)
        headers = (hdus[index].header, hdus[0].header)
        image = _from_hdu(hdus[index], headers, name=name, hdus=hdus)
    return replace(image, hdu=hdu_label(hdus, index))


def _from_hdu(
    hdu: Any,
    headers: tuple[fits.Header, ...],
    *,
    name: str,
    hdus: fits.HDUList | None = None,
) -> Image:
    # Copies, because reading the data of an HDU in memory rewrites its header.
    headers = tuple(header.copy() for header in headers)

    def pixels(section: Section) -> NDArray[Any]:
        # `section` reads the file only: it misses changes to data that are in memory.
        values = hdu.data[section] if "data" in vars(hdu) else hdu.section[section]
        return _blank_to_nan(np.asarray(values), headers[0])

    try:
        shape = _checked_shape(hdu.shape, name)
    except READ_ERRORS as error:  # a header without NAXISn
        raise ImageError(f"{name}: its header does not say how large it is ({error})") from error
    return Image(
        name=name,
        shape=shape,
        pixels=pixels,
        wcs=celestial_wcs(headers[0], name=name, hdus=hdus),
        headers=headers,
        unit=_header_unit(headers[0]),
        hdu=hdu.name or None,
    )


def _blank_to_nan(values: NDArray[Any], header: fits.Header) -> NDArray[Any]:
    """Do what astropy (8.0) leaves out: BLANK = 0, and BLANK of unsigned integers."""
    blank = header.get("BLANK")
    if blank is None or header["BITPIX"] < 0 or (blank != 0 and values.dtype.kind == "f"):
        return values
    stored = header.get("BZERO", 0) + header.get("BSCALE", 1) * blank
    blanks = values == stored
    return np.where(blanks, np.nan, values) if blanks.any() else values


def _from_nddata(source: NDData, *, name: str, kind: Kind) -> Image:
    image = _from_array(source.data, source.wcs, name=name, kind=kind)
    changes: dict[str, Any] = {"unit": None if source.unit is None else str(source.unit)}
    if isinstance(source.meta, fits.Header):
        changes["headers"] = (source.meta,)
    if source.mask is not None:
        changes["mask"] = _same_shape(source.mask, image.shape, f"the mask of {name}")
    if kind == "image" and source.uncertainty is not None:
        changes["weight"] = _inverse_variance(source, image)
    return replace(image, **changes)


def _inverse_variance(source: NDData, image: Image) -> Image:
    uncertainty, name = source.uncertainty, f"the uncertainty of {image.name}"
    if isinstance(uncertainty, UnknownUncertainty) or uncertainty.array is None:
        raise ImageError(
            f"{name} does not say what it is; "
            "use StdDevUncertainty, VarianceUncertainty or InverseVariance, or set it to None"
        )
    _same_shape(uncertainty.array, image.shape, name)

    def pixels(section: Section) -> NDArray[Any]:
        inverse_variance = uncertainty[section].represent_as(InverseVariance)
        if inverse_variance.unit is None or source.unit is None:
            return np.asarray(inverse_variance.array)
        return np.asarray(inverse_variance.quantity.to_value(source.unit**-2))

    return Image(name=name, shape=image.shape, pixels=pixels)


def _from_array(array: Any, coordinates: Any, *, name: str, kind: Kind) -> Image:
    if not (hasattr(array, "shape") and hasattr(array, "dtype")):
        raise OptionError(
            f"{name} is a {type(array).__name__}; give a path, an HDU, an array, "
            "(array, WCS), (array, Header) or NDData"
        )
    # Boolean flags are common, boolean images are masks that took the wrong place.
    if getattr(array.dtype, "kind", "?") not in ("biuf" if kind == "dq" else "iuf"):
        raise ImageError(f"{name} holds {array.dtype} data; an image holds real numbers")
    shape = _checked_shape(array.shape, name)
    header = coordinates if isinstance(coordinates, fits.Header) else None
    unit = getattr(array, "unit", None)  # of a Quantity
    if unit is None and header is not None:
        unit = _header_unit(header)
    mask = getattr(array, "mask", None)  # of numpy.ma and astropy.utils.masked
    values = getattr(array, "unmasked", array)
    return Image(
        name=name,
        shape=shape,
        pixels=lambda section: values[section],
        mask=None if mask is None else _same_shape(mask, shape, f"the mask of {name}"),
        wcs=celestial_wcs(coordinates, name=name),
        headers=() if header is None else (header,),
        unit=None if unit is None else str(unit),
    )


def _same_shape(array: Any, shape: tuple[int, int], name: str) -> Callable[[Section], Any]:
    if np.ndim(array) == 0:  # numpy.ma.nomask, or a mask of one value
        array = np.broadcast_to(array, shape)
    if np.shape(array) != shape:
        raise ImageError(f"{name} has shape {np.shape(array)}, the image {shape}")
    return lambda section: array[section]


def _checked_shape(shape: tuple[int, ...], name: str) -> tuple[int, int]:
    if 0 in shape:
        raise ImageError(f"{name} has no pixels: its shape is {tuple(shape)}")
    if len(shape) == 2:  # noqa: PLR2004 (two axes)
        return int(shape[0]), int(shape[1])
    remedy = ""
    if len(shape) > 2:  # noqa: PLR2004 (two axes)
        first = ", ".join("0" * (len(shape) - 2))
        remedy = f"; choose a plane and give it as an array, e.g. data[{first}]"
    raise ImageError(f"{name} has shape {tuple(shape)}, a band is a 2-D image (y, x){remedy}")


def _header_unit(header: fits.Header) -> str | None:
    return str(header.get("BUNIT", "")).strip() or None
