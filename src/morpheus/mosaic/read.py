"""Images in, a `Mosaic` out."""

import warnings
from collections.abc import Sequence
from typing import Any

from astropy.wcs import WCS

from morpheus.errors import ImageError, MosaicWarning, OptionError
from morpheus.mosaic.images import Section
from morpheus.mosaic.mosaic import Mosaic
from morpheus.mosaic.opened import Pixels, open_mosaic
from morpheus.mosaic.region import Region, parse_region
from morpheus.mosaic.sky import SkyLevel, grid_step, looks_filled, measure_skies

__all__ = ["cut_out", "measure_field_skies", "read_mosaic"]


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
    if isinstance(region, str):
        region = parse_region(region)
    if not isinstance(region, Region | None):
        raise OptionError(
            f"region is a {type(region).__name__}; give a Region, or text such as"
            ' "53.12,-27.80,30arcsec"'
        )
    with open_mosaic(
        images, bands=bands, weights=weights, rms=rms, dq=dq, check_filters=check_filters
    ) as opened:
        section, core, wcs = cut_out(region, context, opened.wcs, opened.shape)
        pixels = opened.read(section)
        if pixels.mask[core].all():
            raise ImageError(f"no valid pixel in the region {region}: all are masked")
        skies: tuple[SkyLevel, ...] = ()
        if sky:
            step = grid_step(opened.shape)
            whole = pixels
            if region is not None:
                whole, step = opened.thinned_out(step), 1
            skies = measure_field_skies(opened.bands, whole, step)
        records, calibrations = opened.records(), opened.calibrations
    if wcs is not None:
        wcs.array_shape = pixels.mask.shape
    return Mosaic(
        pixels.data,
        opened.bands,
        pixels.mask,
        wcs,
        opened.units,
        pixels.weight,
        records,
        core,
        calibrations,
        (section[0].start, section[1].start),
        skies,
    )


def cut_out(
    region: Region | None, context: int, wcs: WCS | None, shape: tuple[int, int]
) -> tuple[Section, Section, WCS | None]:
    """Find what to read, where in it the region lies, and the WCS of what is read.

    Parameters
    ----------
    region : Region or None
        What is wanted; None: the whole.
    context : int
        Pixels to read around it, as far as the image reaches.
    wcs : astropy.wcs.WCS or None
        Coordinates of the image.
    shape : tuple of int
        Its size (y, x) in pixels.

    Returns
    -------
    section : tuple of slice
        What to read.
    core : tuple of slice
        Where in it the region lies.
    wcs : astropy.wcs.WCS or None
        Coordinates of what is read.

    Raises
    ------
    ImageError
        If there is no WCS to find the region with.
    OptionError
        If it does not overlap the image.
    """
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


def measure_field_skies(bands: tuple[str, ...], pixels: Pixels, step: int) -> tuple[SkyLevel, ...]:
    """Measure the sky of each band; warn where what was measured may be no sky.

    Parameters
    ----------
    bands : tuple of str
        Their names.
    pixels : Pixels
        Of the whole image, or thinned out.
    step : int
        Distance of the pixels to look at; 1 for what was thinned out.

    Returns
    -------
    tuple of SkyLevel
        Of each band.

    Raises
    ------
    ImageError
        If the sky of a band cannot be measured.

    Warns
    -----
    MosaicWarning
        If hardly any of it is blank.
    """
    data, mask = pixels.data, pixels.mask
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
