"""The images of a run for a page: its bands, the sky in colour; unpacked where they are packed."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from morpheus.errors import ImageError, MosaicWarning
from morpheus.mosaic import parse_region
from morpheus.mosaic.calibration import calibrate
from morpheus.mosaic.files import FitsFiles
from morpheus.mosaic.images import Image, Section
from morpheus.pipeline.pictures import color_channels
from morpheus.pipeline.viewing_files import RunFiles, reader
from morpheus.viewer import Reader, TileSet, ViewedBand, band_set, keep, picture_set
from morpheus.visual.rgb import color_scale, rgb_planes, sky_level

__all__ = ["band_views", "bands_of", "picture_of"]

_SAMPLE = 2_000_000  # pixels that skies and colours are measured on
_CLOSE = 4  # rows between two that are read: fewer are read too, since a row takes as long as many
_ROWS = 512  # that are unpacked at a time


def band_views(
    run: RunFiles, kept: Path, signature: str, progress: Callable[[int, int], None] | None = None
) -> dict[str, Reader]:
    """Give what reads the field in each band.

    Of a file that is compressed as a whole (.fits.gz) every part is found by unpacking all before
    it: the field's part of it is unpacked once, and kept.

    Parameters
    ----------
    run : RunFiles
        The run.
    kept : Path
        Folder of what is unpacked: 4 bytes a pixel.
    signature : str
        Of the run's files.
    progress : callable, optional
        Takes the number of pixels that are unpacked, and of all that are.

    Returns
    -------
    dict of str to callable
        By band, in the order of the images; gives pixels (y, x) as float32.

    Raises
    ------
    ImageError
        If a region was classified and an image has no WCS, or what is packed is damaged.
    ProductError
        If what is unpacked cannot be written.
    """
    shape, region = run.maps.shape, run.record.region
    views: dict[str, Reader] = {
        band: partial(_read_band, reader(image), _origin(region, image))
        for band, image in run.images.items()
    }
    packed = [band for band, image in run.images.items() if _is_packed(image, run.files)]
    total, done = len(packed) * shape[0] * shape[1], 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        if progress:
            progress(done, total)

    for number, band in enumerate(views):
        if band in packed:
            write = partial(_unpack, views[band], shape, advance)
            layout = {"pixels": (shape, "<f4")}
            (pixels,) = keep(kept / f"unpacked-{number}", layout, signature, write)
            views[band] = pixels.__getitem__
    return views


def bands_of(run: RunFiles, views: Mapping[str, Reader]) -> tuple[list[ViewedBand], list[TileSet]]:
    """Give the bands that are shown.

    Parameters
    ----------
    run : RunFiles
        The run.
    views : mapping of str to callable
        As `band_views` gives them.

    Returns
    -------
    list of ViewedBand
        What there is to say of each.
    list of TileSet
        What their tiles are made of.
    """
    bands, sets = [], []
    for number, (band, image) in enumerate(run.images.items()):
        sky = sky_level(_sample(views[band], run.maps.shape))
        sets.append(band_set(number, band, views[band], sky))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MosaicWarning)  # said when it was classified
            zero_point = calibrate(image.headers, image.unit, image.wcs).zero_point
        bands.append(ViewedBand(band, image.unit, sky.level, sky.noise, zero_point, sets[-1].name))
    return bands, sets


def picture_of(run: RunFiles, views: Mapping[str, Reader]) -> Iterator[TileSet]:
    """Give the sky in colour, if it is known which band is which colour.

    Parameters
    ----------
    run : RunFiles
        The run.
    views : mapping of str to callable
        As `band_views` gives them.

    Yields
    ------
    TileSet
        One, or none.
    """
    channels = color_channels(tuple(views)) if views else None
    if not channels:
        return
    masked, shape = reader(run.maps.mask), run.maps.shape

    def valid(read: Reader, section: Section) -> NDArray[np.float32]:
        return np.where(masked(section) > 0, np.float32(np.nan), read(section))

    readers: list[Reader] = [partial(valid, views[band]) for band in channels]
    if len(readers) == 2:  # noqa: PLR2004 (green is the mean of the two)
        red, blue = readers
        readers = [red, lambda section: rgb_planes([red(section), blue(section)])[1], blue]
    elif len(readers) == 1:
        readers *= 3
    samples = [_sample(read, shape) for read in readers]
    good = np.isfinite(samples).all(axis=0)
    if good.any():
        names = (channels[0], channels[len(channels) // 2], channels[-1])
        yield picture_set(names, readers, color_scale([sample[good] for sample in samples]))


def _origin(region: str | None, image: Image) -> tuple[int, int]:
    """Find where in an image the field begins."""
    if region is None:
        return 0, 0
    if image.wcs is None:
        raise ImageError(f"{image.name} has no WCS, and a region of it was classified")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MosaicWarning)  # said when it was classified
        rows, columns = parse_region(region).section(image.wcs, image.shape)
    return rows.start, columns.start


def _read_band(read: Reader, origin: tuple[int, int], section: Section) -> NDArray[np.float32]:
    rows, columns = (
        slice(part.start + start, part.stop + start)
        for part, start in zip(section, origin, strict=True)
    )
    return read((rows, columns)).astype(np.float32)


def _is_packed(image: Image, files: FitsFiles) -> bool:
    if image.path is None:
        return False
    file = files.open(image.path).fileinfo(0)["file"]
    return file.compression is not None


def _unpack(
    read: Reader, shape: tuple[int, int], advance: Callable[[int], None], files: list[BinaryIO]
) -> None:
    height, width = shape
    for start in range(0, height, _ROWS):
        rows = slice(start, min(start + _ROWS, height))
        files[0].write(read((rows, slice(0, width))).astype("<f4").tobytes())
        advance(width * (rows.stop - start))


def _sample(read: Reader, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Read evenly spaced rows, of about two million pixels."""
    height, width = shape
    step = max(1, height * width // _SAMPLE)
    if step <= _CLOSE:
        return read((slice(0, height), slice(0, width)))[step // 2 :: step].ravel()
    rows = [read((slice(y, y + 1), slice(0, width))) for y in range(step // 2, height, step)]
    return np.concatenate(rows).ravel()
