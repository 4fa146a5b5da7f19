"""Images in, a `Mosaic` out."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.errors import ImageError, OptionError
from morpheus.mosaic.bands import images_by_band, maps_by_band
from morpheus.mosaic.calibration import calibrate
from morpheus.mosaic.files import FitsFiles
from morpheus.mosaic.filters import check_band_filters, header_filters
from morpheus.mosaic.grid import check_same_shape, check_same_sky
from morpheus.mosaic.images import Image, Section, open_image
from morpheus.mosaic.masks import flagged, inverse_variance, to_float32
from morpheus.mosaic.mosaic import InputRecord, Kind, Mosaic, MosaicWarning
from morpheus.mosaic.region import Region, parse_region
from morpheus.mosaic.sky import SkyLevel, grid_step, looks_filled, measure_skies

__all__ = ["read_mosaic"]


@dataclass(frozen=True)
class _Map:
    """A weight, rms or data-quality map, and the bands that it is for."""

    kind: Kind
    bands: tuple[str, ...]
    image: Image

    @property
    def name(self) -> str:
        return _map_name(self.kind, self.bands)


def read_mosaic(
    images: Any,
    *,
    bands: Sequence[str],
    weights: Any = None,
    rms: Any = None,
    dq: Any = None,
    region: Region | str | None = None,
    context: int = 0,
    sky: bool = False,
    check_filters: bool = True,
) -> Mosaic:
    """Read the bands of a field onto one cube.

    An image is a path (``"h.fits"``, ``"h.fits[SCI]"``, ``"h.fits[1]"``, ``"h.fits[SCI,2]"``;
    plain, ``.gz``, ``.bz2`` or tile-compressed), an astropy HDU or HDUList, an (array, WCS) or
    (array, Header), an NDData or CCDData (with mask and uncertainty), or an array.

    Parameters
    ----------
    images : mapping of str, sequence, or 3-D array
        The images: by the name of their band (in any order and case), or in the order of
        `bands`, or one array (or array with WCS) of shape (band, y, x) in that order.
    bands : sequence of str
        The bands that the model needs, in its order.
    weights : mapping of str, sequence, 3-D array or one image for all, optional
        Inverse variance. Pixels where it is NaN, infinite, zero or negative are invalid.
    rms : mapping of str, sequence, 3-D array or one image for all, optional
        Noise (standard deviation), in the unit of the image; invalid as for `weights`. A band
        has either a weight or an rms map.
    dq : mapping of str, sequence, 3-D array or one image for all, optional
        Data quality, whole numbers. Pixels where it is not 0 are invalid.
    region : Region or str, optional
        What part to read, as `parse_region` takes it. Only that part of the files is read.
    context : int, optional
        Pixels to read around the region too, as far as the image reaches.
    sky : bool, optional
        Whether to measure the sky of each band, in the whole image also where a region is read.
    check_filters : bool, optional
        Whether to compare the filter that a header names with the band.

    Returns
    -------
    Mosaic
        The cube, its mask, weights and coordinates.

    Raises
    ------
    ImageError
        If an image cannot be read, or holds nothing usable.
    GridMismatchError
        If the bands do not share a pixel grid to 0.01 pixel, or look swapped.
    OptionError
        If the images do not fit the bands, or options contradict each other.

    Warns
    -----
    MosaicWarning
        If a band has no WCS while another has, so that its grid cannot be checked; if the region
        reaches beyond the image.

    Notes
    -----
    Pixels that are invalid in one band are invalid in all. The whole image is never held in
    any other form than the float32 cube, but for one band at a time.
    """
    names = _checked_bands(bands)
    if isinstance(region, str):
        region = parse_region(region)
    if not isinstance(region, Region | None):
        raise OptionError(
            f"region is a {type(region).__name__}; give a Region, or text such as"
            ' "53.12,-27.80,30arcsec"'
        )
    with FitsFiles() as files:
        opened = [
            open_image(image, label=f"the {band} image", kind="image", files=files)
            for band, image in zip(names, images_by_band(images, names), strict=True)
        ]
        maps = _open_maps({"weight": weights, "rms": rms, "dq": dq}, names, opened, files)
        if check_filters:
            filters = [header_filters(image.headers) for image in opened]
            check_band_filters(names, filters, [image.name for image in opened])
        wcs = _common_wcs(names, opened)
        _check_maps(maps, names, opened)
        section, core, wcs = _cut_out(region, context, wcs, opened[0].shape)
        data, mask, weight = _read_pixels(names, opened, maps, section)
        if mask[core].all():
            raise ImageError(f"no valid pixel in the region {region}: all are masked")
        skies: tuple[SkyLevel, ...] = ()
        if sky:
            whole = None if region is None else _thinned_out(names, opened, maps)
            step = grid_step(opened[0].shape) if whole is None else 1
            skies = _measure_skies(names, *((data, mask) if whole is None else whole), step)
        records = tuple(_records(names, opened, maps, files))
        calibrations = tuple(calibrate(image.headers, image.unit, image.wcs) for image in opened)
    if wcs is not None:
        wcs.array_shape = mask.shape
    units = tuple(image.unit for image in opened)
    origin = (section[0].start, section[1].start)
    return Mosaic(data, names, mask, wcs, units, weight, records, core, calibrations, origin, skies)


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
            stacklevel=3,
        )
    return wcs


def _check_maps(maps: Sequence[_Map], bands: tuple[str, ...], images: Sequence[Image]) -> None:
    for one in maps:
        for band in one.bands:
            image = images[bands.index(band)]
            check_same_shape(one.name, one.image.shape, band, image.shape)
            if one.image.wcs is not None and image.wcs is not None:
                check_same_sky(one.name, one.image.wcs, band, image.wcs, image.shape)


def _cut_out(
    region: Region | None, context: int, wcs: WCS | None, shape: tuple[int, int]
) -> tuple[Section, Section, WCS | None]:
    """Find what to read, where in it the region lies, and the WCS of what is read."""
    if region is None:
        whole = (slice(0, shape[0]), slice(0, shape[1]))
        return whole, whole, wcs
    if wcs is None:
        raise ImageError(
            f"region {region}: no image has a WCS to find it with; "
            "give (array, WCS), or cut the arrays out"
        )
    wanted = region.section(wcs, shape)
    rows, columns = (
        slice(max(0, part.start - context), min(n, part.stop + context))
        for part, n in zip(wanted, shape, strict=True)
    )
    core = tuple(
        slice(part.start - read.start, part.stop - read.start)
        for part, read in zip(wanted, (rows, columns), strict=True)
    )
    return (rows, columns), (core[0], core[1]), wcs.slice((rows, columns))


def _read_pixels(
    bands: tuple[str, ...], images: Sequence[Image], maps: Sequence[_Map], section: Section
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32] | None]:
    shape = (section[0].stop - section[0].start, section[1].stop - section[1].start)
    data = np.empty((len(bands), *shape), np.float32)
    mask = np.zeros(shape, bool)
    for band, image, plane in zip(bands, images, data, strict=True):
        invalid = to_float32(image.read(section), plane)
        what = "NaN" if np.isnan(plane).all() else "NaN, infinite or masked"
        _add(mask, invalid, image, section, f"{band} is {what} everywhere")

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
        _add(mask, invalid, one.image, section, why)

    if mask.all():
        raise ImageError("no valid pixel: each is invalid in at least one band or map")
    _check_not_constant(bands, data, mask)
    for cube in (data, weight):
        for plane in () if cube is None else cube:
            np.copyto(plane, 0, where=mask)
    return data, mask, weight


def _thinned_out(
    bands: tuple[str, ...], images: Sequence[Image], maps: Sequence[_Map]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Read the pixels of the whole image that the sky is measured from, and their mask."""
    step = grid_step(images[0].shape)
    few = [image.thinned_out(step) for image in images]
    few_maps = [replace(one, image=one.image.thinned_out(step)) for one in maps]
    height, width = few[0].shape
    data, mask, _ = _read_pixels(bands, few, few_maps, (slice(0, height), slice(0, width)))
    return data, mask


def _measure_skies(
    bands: tuple[str, ...], data: NDArray[np.float32], mask: NDArray[np.bool_], step: int
) -> tuple[SkyLevel, ...]:
    """Measure the sky of each band; warn where what was measured may be no sky."""
    skies = measure_skies(bands, data, mask, step=step)
    filled = [b for b, yes in zip(bands, looks_filled(data, mask, step=step), strict=True) if yes]
    if filled:
        warnings.warn(
            f"{', '.join(filled)}: hardly any blank sky, against which the model measures all: a"
            " source fills the image, or its sky is uneven. The classes mean little; give a larger"
            " image, and --region for the part that is wanted",
            MosaicWarning,
            stacklevel=3,
        )
    return skies


def _add(
    mask: NDArray[np.bool_],
    invalid: NDArray[np.bool_],
    image: Image,
    section: Section,
    why: str,
) -> None:
    """Add the invalid pixels of an image to the mask; raise if none are left, and say why."""
    masked = image.masked(section)
    if masked is not None:
        invalid |= masked
    if invalid.all():
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


def _records(
    bands: tuple[str, ...], images: Sequence[Image], maps: Sequence[_Map], files: FitsFiles
) -> Iterable[InputRecord]:
    inputs: list[_Map] = [_Map("image", (b,), i) for b, i in zip(bands, images, strict=True)]
    for one in (*inputs, *maps):
        path = one.image.path
        for band in one.bands:
            yield InputRecord(
                band=band,
                kind=one.kind,
                path=None if path is None else str(path),
                hdu=one.image.hdu,
                sha256=None if path is None else files.sha256(path),
                shape=one.image.shape,
            )
