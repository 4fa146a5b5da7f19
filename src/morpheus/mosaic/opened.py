"""Images and their maps opened on one pixel grid, to read any part of them."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.errors import ImageError, MosaicWarning, OptionError
from morpheus.mosaic.bands import images_by_band, maps_by_band
from morpheus.mosaic.calibration import Calibration, calibrate
from morpheus.mosaic.files import FitsFiles
from morpheus.mosaic.filters import check_band_filters, header_filters
from morpheus.mosaic.grid import check_same_shape, check_same_sky
from morpheus.mosaic.images import Image, Section, open_image
from morpheus.mosaic.masks import flagged, inverse_variance, to_float32
from morpheus.mosaic.mosaic import InputRecord, Kind

__all__ = ["OpenMosaic", "Pixels", "open_mosaic"]


@dataclass(frozen=True)
class _Map:
    """A weight, rms or data-quality map, and the bands that it is for."""

    kind: Kind
    bands: tuple[str, ...]
    image: Image

    @property
    def name(self) -> str:
        return _map_name(self.kind, self.bands)


@dataclass(frozen=True, eq=False)
class Pixels:
    """What was read of a part of a mosaic.

    Parameters
    ----------
    data : ndarray of float32, shape (band, y, x)
        The images; 0 where the mask is True.
    mask : ndarray of bool, shape (y, x)
        True where a pixel is invalid in any band.
    weight : ndarray of float32, shape (band, y, x), or None
        Inverse variance, 0 where the mask is True; None unless every band has a map.
    """

    data: NDArray[np.float32]
    mask: NDArray[np.bool_]
    weight: NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class OpenMosaic:
    """The bands of a field, of which no pixel was read yet. Made by `open_mosaic`.

    Parameters
    ----------
    bands : tuple of str
        Names of the bands.
    images : tuple of Image
        One for each.
    maps : tuple
        Weight, rms and data-quality maps.
    wcs : astropy.wcs.WCS or None
        Coordinates of the pixel grid.
    files : FitsFiles
        The files that are open.
    """

    bands: tuple[str, ...]
    images: tuple[Image, ...]
    maps: tuple[_Map, ...]
    wcs: WCS | None
    files: FitsFiles

    @property
    def shape(self) -> tuple[int, int]:
        """Size (y, x) in pixels."""
        return self.images[0].shape

    @property
    def whole(self) -> Section:
        """All rows and columns."""
        return slice(0, self.shape[0]), slice(0, self.shape[1])

    @property
    def units(self) -> tuple[str | None, ...]:
        """Unit of each band, as written."""
        return tuple(image.unit for image in self.images)

    @property
    def calibrations(self) -> tuple[Calibration, ...]:
        """What each band's header says of its flux scale."""
        return tuple(calibrate(image.headers, image.unit, image.wcs) for image in self.images)

    def read(self, section: Section, *, partial: bool = False) -> Pixels:
        """Read a part.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns.
        partial : bool, optional
            Whether it is no error if no pixel in it is valid, or a band is constant: where the part
            is one of many.

        Returns
        -------
        Pixels
            Its pixels.

        Raises
        ------
        ImageError
            If pixels cannot be read; and, but for `partial`, if there is nothing usable.
        """
        return _read_pixels(self, section, partial=partial)

    def thinned_out(self, step: int) -> Pixels:
        """Read the pixels of every `step`-th row and column of the whole.

        Parameters
        ----------
        step : int
            At least 1.

        Returns
        -------
        Pixels
            Those.

        Raises
        ------
        ImageError
            If pixels cannot be read, or nothing among them is usable.
        """
        images = tuple(image.thinned_out(step) for image in self.images)
        maps = tuple(replace(one, image=one.image.thinned_out(step)) for one in self.maps)
        few = replace(self, images=images, maps=maps)
        return few.read(few.whole)

    def records(self) -> tuple[InputRecord, ...]:
        """Tell what is open, with the digests of the files, which are read for that.

        Returns
        -------
        tuple of InputRecord
            One for each image and for each band of each map.
        """
        return tuple(_records(self))


@contextmanager
def open_mosaic(
    images: Any,
    *,
    bands: Sequence[str],
    weights: Any = None,
    rms: Any = None,
    dq: Any = None,
    check_filters: bool = True,
    checked: bool = False,
) -> Iterator[OpenMosaic]:
    """Open the bands of a field, and check that they are on one pixel grid.

    Parameters
    ----------
    images : mapping of str, sequence, or 3-D array
        As `read_mosaic` takes them.
    bands : sequence of str
        The bands, in the order of the model.
    weights, rms, dq : mapping of str, sequence, or 3-D array, optional
        As `read_mosaic` takes them.
    check_filters : bool, optional
        Whether to compare the filter that a header names with the band.
    checked : bool, optional
        Whether this was found in order before: nothing is compared, and there is no WCS.

    Yields
    ------
    OpenMosaic
        To read from, until the context ends.

    Raises
    ------
    ImageError
        If an image cannot be opened.
    GridMismatchError
        If the bands do not share a pixel grid to 0.01 pixel, or look swapped.
    OptionError
        If the images do not fit the bands, or options contradict each other.

    Warns
    -----
    MosaicWarning
        If a band has no WCS while another has, so that its grid cannot be checked.
    """
    names = _checked_bands(bands)
    with FitsFiles() as files:
        opened = tuple(
            open_image(image, label=f"the {band} image", kind="image", files=files)
            for band, image in zip(names, images_by_band(images, names), strict=True)
        )
        maps = _open_maps({"weight": weights, "rms": rms, "dq": dq}, names, opened, files)
        wcs = None
        if not checked:
            if check_filters:
                filters = [header_filters(image.headers) for image in opened]
                check_band_filters(names, filters, [image.name for image in opened])
            wcs = _common_wcs(names, opened)
            _check_maps(maps, names, opened)
        yield OpenMosaic(names, opened, tuple(maps), wcs, files)


def _checked_bands(bands: Sequence[str]) -> tuple[str, ...]:
    names = (bands,) if isinstance(bands, str) else tuple(bands)
    if not names or len({name.casefold() for name in names}) != len(names):
        raise OptionError(f"bands must be different names, at least one; got {list(names)}")
    return names


def _map_name(kind: Kind, bands: tuple[str, ...]) -> str:
    return f"the {kind} map of {' '.join(bands)}"


def _open_maps(
    options: dict[Kind, Any], bands: tuple[str, ...], images: Sequence[Image], files: FitsFiles
) -> list[_Map]:
    maps = [
        _Map(kind, on, open_image(one, label=_map_name(kind, on), kind=kind, files=files))
        for kind, given in options.items()
        for on, one in maps_by_band(given, bands, kind)
    ]
    maps += [
        _Map("weight", (band,), image.weight)
        for band, image in zip(bands, images, strict=True)
        if image.weight is not None
    ]
    weighed = [band for one in maps if one.kind != "dq" for band in one.bands]
    for band in bands:
        if weighed.count(band) > 1:
            raise OptionError(
                f"{band} has more than one of a weight map, an rms map and an uncertainty of its "
                "own (NDData); give one"
            )
    return maps


def _common_wcs(bands: tuple[str, ...], images: Sequence[Image]) -> WCS | None:
    """Check that the bands share a pixel grid, and give its WCS."""
    for band, image in zip(bands, images, strict=True):
        check_same_shape(band, image.shape, bands[0], images[0].shape)
    reference, wcs = next(
        ((b, im.wcs) for b, im in zip(bands, images, strict=True) if im.wcs is not None),
        (bands[0], None),
    )
    if wcs is None:
        return None
    for band, image in zip(bands, images, strict=True):
        if image.wcs is not None:
            check_same_sky(band, image.wcs, reference, wcs, image.shape)
    unchecked = [band for band, image in zip(bands, images, strict=True) if image.wcs is None]
    if unchecked:
        warnings.warn(
            f"{', '.join(unchecked)}: no WCS, so that it cannot be checked whether the pixels "
            f"are those of {reference}",
            MosaicWarning,
            stacklevel=5,
        )
    return wcs


def _check_maps(maps: Sequence[_Map], bands: tuple[str, ...], images: Sequence[Image]) -> None:
    for one in maps:
        for band in one.bands:
            image = images[bands.index(band)]
            check_same_shape(one.name, one.image.shape, band, image.shape)
            if one.image.wcs is not None and image.wcs is not None:
                check_same_sky(one.name, one.image.wcs, band, image.wcs, image.shape)


def _read_pixels(mosaic: OpenMosaic, section: Section, *, partial: bool) -> Pixels:
    bands, maps = mosaic.bands, mosaic.maps
    shape = (section[0].stop - section[0].start, section[1].stop - section[1].start)
    data = np.empty((len(bands), *shape), np.float32)
    mask = np.zeros(shape, bool)
    for band, image, plane in zip(bands, mosaic.images, data, strict=True):
        invalid = to_float32(image.read(section), plane)
        what = "NaN" if np.isnan(plane).all() else "NaN, infinite or masked"
        _add(mask, invalid, image, section, None if partial else f"{band} is {what} everywhere")

    weighed = {band for one in maps if one.kind != "dq" for band in one.bands}
    weight = np.empty_like(data) if weighed == set(bands) else None
    for one in maps:
        values = one.image.read(section)
        if one.kind == "dq":
            invalid = flagged(values, one.name)
            why = f"{one.name} flags every pixel"
        else:
            plane = np.empty(shape, np.float32)
            invalid = inverse_variance(values, one.kind, plane)  # type: ignore[arg-type]
            why = f"{one.name} is nowhere finite and above 0"
            if weight is not None:
                weight[[bands.index(band) for band in one.bands]] = plane
        _add(mask, invalid, one.image, section, None if partial else why)

    if not partial:
        if mask.all():
            raise ImageError("no valid pixel: each is invalid in at least one band or map")
        _check_not_constant(bands, data, mask)
    for cube in (data, weight):
        for plane in () if cube is None else cube:
            np.copyto(plane, 0, where=mask)
    return Pixels(data, mask, weight)


def _add(
    mask: NDArray[np.bool_],
    invalid: NDArray[np.bool_],
    image: Image,
    section: Section,
    why: str | None,
) -> None:
    """Add the invalid pixels of an image to the mask; raise if none are left, and say why."""
    masked = image.masked(section)
    if masked is not None:
        invalid |= masked
    if why is not None and invalid.all():
        raise ImageError(f"no valid pixel: {why}")
    mask |= invalid


def _check_not_constant(
    bands: tuple[str, ...], data: NDArray[np.float32], mask: NDArray[np.bool_]
) -> None:
    valid = ~mask
    for band, plane in zip(bands, data, strict=True):
        lowest = plane.min(where=valid, initial=np.inf)
        if lowest == plane.max(where=valid, initial=-np.inf):
            raise ImageError(f"{band} is constant ({lowest} everywhere): not an image")


def _records(mosaic: OpenMosaic) -> Iterable[InputRecord]:
    inputs = [
        _Map("image", (band,), image)
        for band, image in zip(mosaic.bands, mosaic.images, strict=True)
    ]
    every = (*inputs, *mosaic.maps)
    digests = mosaic.files.digest([one.image.path for one in every if one.image.path is not None])
    for one in every:
        path = one.image.path
        for band in one.bands:
            yield InputRecord(
                band=band,
                kind=one.kind,
                path=None if path is None else str(path),
                hdu=one.image.hdu,
                sha256=None if path is None else digests[path],
                shape=one.image.shape,
            )
