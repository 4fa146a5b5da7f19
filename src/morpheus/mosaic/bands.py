"""Putting what the user gives into the order of the model's bands."""

from collections.abc import Mapping, Sequence
from typing import Any

from astropy.io import fits
from astropy.wcs import WCS

from morpheus.errors import ImageError, OptionError

__all__ = ["array_of", "images_by_band", "is_list", "is_pair", "maps_by_band"]


def images_by_band(images: Any, bands: Sequence[str]) -> list[Any]:
    """Put the images into the order of the bands.

    Parameters
    ----------
    images : mapping of str, sequence, or 3-D array with or without a WCS
        The images by name, in the order of `bands`, or as planes in that order.
    bands : sequence of str
        The bands that the model needs, in its order.

    Returns
    -------
    list
        An image for each band.

    Raises
    ------
    OptionError
        If images are missing or there are too many.
    ImageError
        If an array has the wrong number of axes.
    """
    if isinstance(images, Mapping):
        return [image for _, image in _match_names(images, bands, complete=True)]
    if is_list(images):
        return _counted(images, bands)
    planes = _planes(images, bands)
    if planes is not None:
        return planes
    if len(bands) == 1:
        return [images]
    array = array_of(images)
    if hasattr(array, "ndim"):
        raise ImageError(
            f"the array has shape {array.shape}; for the bands {' '.join(bands)} give one of "
            f"shape ({len(bands)}, y, x), or an image for each band"
        )
    raise OptionError(f"one image was given; {_needs(bands)}")


def maps_by_band(maps: Any, bands: Sequence[str], option: str) -> list[tuple[tuple[str, ...], Any]]:
    """Find the bands that weight, rms or data-quality maps belong to.

    Parameters
    ----------
    maps : mapping of str, sequence, 3-D array, one image, or None
        The maps by name (of some bands or all), in the order of `bands`, or one for all.
    bands : sequence of str
        The bands that the model needs, in its order.
    option : str
        What messages call them.

    Returns
    -------
    list of (tuple of str, map)
        Each map with its bands.

    Raises
    ------
    OptionError
        If they do not fit the bands.
    """
    if maps is None:
        return []
    try:
        if isinstance(maps, Mapping):
            return [((band,), one) for band, one in _match_names(maps, bands, complete=False)]
        separate = _counted(maps, bands) if is_list(maps) else _planes(maps, bands)
    except OptionError as error:
        raise OptionError(f"{option}: {error}") from None
    if separate is None:
        return [(tuple(bands), maps)]
    return [((band,), one) for band, one in zip(bands, separate, strict=True)]


def _match_names(
    images: Mapping[str, Any], bands: Sequence[str], *, complete: bool
) -> list[tuple[str, Any]]:
    names = {band.casefold(): band for band in bands}
    found: dict[str, Any] = {}
    problems = []
    for name, image in images.items():
        band = names.get(str(name).strip().casefold())
        if band is None:
            problems.append(f"{name} is none of them")
        elif band in found:
            problems.append(f"{band} is given twice")
        else:
            found[band] = image
    if complete:
        problems += [f"{band} is missing" for band in bands if band not in found]
    if problems:
        raise OptionError(f"{_needs(bands)}; {', '.join(problems)}")
    return [(band, found[band]) for band in bands if band in found]


def is_list(images: Any) -> bool:
    """Tell whether these are several images. HDULists, paths and (array, WCS) are one.

    Parameters
    ----------
    images : Any
        What was given.

    Returns
    -------
    bool
        True for a list or tuple of images.
    """
    return isinstance(images, list | tuple) and not (
        isinstance(images, fits.HDUList) or is_pair(images)
    )


def is_pair(images: Any) -> bool:
    """Tell whether this is an array with its coordinates.

    Parameters
    ----------
    images : Any
        What was given.

    Returns
    -------
    bool
        True for (array, WCS), (array, Header) and (array, None).
    """
    return (
        isinstance(images, tuple)
        and len(images) == 2  # noqa: PLR2004 (a pair)
        and (images[1] is None or isinstance(images[1], WCS | fits.Header))
    )


def _counted(images: Sequence[Any], bands: Sequence[str]) -> list[Any]:
    if len(images) != len(bands):
        raise OptionError(f"{_needs(bands)} in this order; {len(images)} were given")
    return list(images)


def array_of(image: Any) -> Any:
    """Take the array of an (array, WCS) pair.

    Parameters
    ----------
    image : Any
        Such a pair, or anything else.

    Returns
    -------
    Any
        The array, or what was given.
    """
    return image[0] if is_pair(image) else image


def _planes(images: Any, bands: Sequence[str]) -> list[Any] | None:
    """Split a 3-D array, with or without a WCS. None if it is something else."""
    array = array_of(images)
    if getattr(array, "ndim", None) != 3:  # noqa: PLR2004 (band, y, x)
        return None
    if len(array) != len(bands):
        raise OptionError(
            f"{_needs(bands)} in this order; the array of shape {array.shape} holds {len(array)}"
        )
    return [(plane, images[1]) if is_pair(images) else plane for plane in array]


def _needs(bands: Sequence[str]) -> str:
    return f"the model needs {'an image' if len(bands) == 1 else 'images'} in {' '.join(bands)}"
