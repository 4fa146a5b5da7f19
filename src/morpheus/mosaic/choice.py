"""Which of a model's bands there are, where it does with fewer, or with others in their place."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from morpheus.errors import MosaicWarning, OptionError
from morpheus.mosaic.bands import array_of, is_list, is_pair
from morpheus.mosaic.files import FitsFiles
from morpheus.mosaic.filters import header_filters
from morpheus.mosaic.images import open_image

__all__ = ["BandChoice", "choose_bands", "choose_images"]

_REMEDY = "say which band each image is: --band NAME=FILE (images={'NAME': ...})"


@dataclass(frozen=True)
class BandChoice:
    """What stands for each band of a model.

    Parameters
    ----------
    bands : tuple of str
        The bands of the model that something stands for, in its order.
    given : tuple of str
        What stands for each of them: the band itself, or one that may take its place.
    absent : tuple of str
        The other bands of the model.
    unused : tuple of str
        What else was given, and could have taken the place of a band that was given too.
    """

    bands: tuple[str, ...]
    given: tuple[str, ...]
    absent: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def substituted(self) -> dict[str, str]:
        """By band, the other one that takes its place."""
        pairs = zip(self.bands, self.given, strict=True)
        return {band: other for band, other in pairs if band != other}

    def record(self) -> dict[str, Any]:
        """Give what there was for a report.

        Returns
        -------
        dict
            `given`, in the order of the model's bands; `absent`; and `substituted`, by band.
        """
        return {
            "given": list(self.given),
            "absent": list(self.absent),
            "substituted": self.substituted,
        }


def choose_bands(
    names: Sequence[str],
    bands: Sequence[str],
    alternatives: Mapping[str, Sequence[str]],
) -> BandChoice:
    """Choose what stands for each band of a model that does with some of them.

    Parameters
    ----------
    names : sequence of str
        What there is, in any order and case.
    bands : sequence of str
        The bands of the model, in its order.
    alternatives : mapping of str to sequence of str
        By band, others that may take its place, in the order of preference.

    Returns
    -------
    BandChoice
        Names in the spelling of the model.

    Raises
    ------
    OptionError
        If a name is none of them or is given twice, or none of them is given.
    """
    takes = _takes(bands, alternatives)
    known = {band.casefold(): band for band in (*bands, *_others(alternatives))}
    found: list[str] = []
    problems = []
    for name in names:
        band = known.get(str(name).strip().casefold())
        if band is None:
            problems.append(f"{name} is none of them")
        elif band in found:
            problems.append(f"{band} is given twice")
        else:
            found.append(band)
    if not found and not problems:
        problems.append("none was given")
    if problems:
        raise OptionError(f"{takes}; {', '.join(problems)}")
    chosen = {}
    for band in bands:
        there = [one for one in (band, *alternatives.get(band, ())) if one in found]
        if there:
            chosen[band] = there[0]
    return BandChoice(
        tuple(chosen),
        tuple(chosen.values()),
        tuple(band for band in bands if band not in chosen),
        tuple(name for name in found if name not in chosen.values()),
    )


def choose_images(
    images: Any, bands: Sequence[str], alternatives: Mapping[str, Sequence[str]]
) -> tuple[BandChoice, dict[str, Any], tuple[str, ...]]:
    """Find out which band each image is, for a model that does with some of its bands.

    Parameters
    ----------
    images : mapping of str to image, sequence of images, or 3-D array
        By name; or in any order, each of which says in its header which band it is; or, if they do
        not, as many as there are bands, in their order.
    bands : sequence of str
        The bands of the model, in its order.
    alternatives : mapping of str to sequence of str
        By band, others that may take its place, in the order of preference.

    Returns
    -------
    choice : BandChoice
        What stands for each band.
    images : dict of str to image
        The images by the names in `choice.given`.
    order : tuple of str
        The names of all images in the order in which they were given, which maps that are given
        without names have too.

    Raises
    ------
    OptionError
        If it is not clear which band an image is, or there are too many.
    ImageError
        If a file cannot be read.

    Warns
    -----
    MosaicWarning
        If an image is not used, since the band whose place it could take is there.
    """
    if isinstance(images, Mapping):
        named = [(str(name).strip(), image) for name, image in images.items()]
    else:
        listed = _listed(images, bands, alternatives)
        named = _named_by_headers(listed, bands, alternatives)
    choice = choose_bands([name for name, _ in named], bands, alternatives)
    for name in choice.unused:
        place = next(band for band, others in alternatives.items() if name in others)
        used = choice.given[choice.bands.index(place)]
        warnings.warn(
            f"{name} is not used: {used}, for which it could stand, is there"
            if used == place
            else f"{name} is not used: {used} takes the place of {place} already",
            MosaicWarning,
            stacklevel=4,
        )
    spelled = {one.casefold(): one for one in (*choice.given, *choice.unused)}
    order = tuple(spelled[name.casefold()] for name, _ in named)
    by_name = dict(zip(order, (image for _, image in named), strict=True))
    return choice, {name: by_name[name] for name in choice.given}, order


def _others(alternatives: Mapping[str, Sequence[str]]) -> list[str]:
    return [name for names in alternatives.values() for name in names]


def _takes(bands: Sequence[str], alternatives: Mapping[str, Sequence[str]]) -> str:
    places = [
        f"{' or '.join(others)} for {band}" for band, others in alternatives.items() if others
    ]
    more = f" ({', '.join(places)})" if places else ""
    return f"the model takes images in {' '.join(bands)}{more}, any of them or all"


def _listed(
    images: Any, bands: Sequence[str], alternatives: Mapping[str, Sequence[str]]
) -> list[Any]:
    """Make a list of images without names."""
    array = array_of(images)
    if is_list(images):
        listed = list(images)
    elif getattr(array, "ndim", None) == 3:  # noqa: PLR2004 (band, y, x)
        listed = [(plane, images[1]) if is_pair(images) else plane for plane in array]
    else:
        listed = [images]
    if not listed or len(listed) > len(bands):
        raise OptionError(f"{_takes(bands, alternatives)}; {len(listed)} were given")
    return listed


def _named_by_headers(
    images: Sequence[Any], bands: Sequence[str], alternatives: Mapping[str, Sequence[str]]
) -> list[tuple[str, Any]]:
    """Name images after the filters in their headers or, if these do not tell, by their order."""
    known = {name.upper(): name for name in (*bands, *_others(alternatives))}
    named, unclear = [], ""
    with FitsFiles() as files:
        for number, image in enumerate(images, start=1):
            opened = open_image(image, label=f"image {number}", kind="image", files=files)
            filters = header_filters(opened.headers)
            names = [known[one] for one in filters if one in known]
            if len(names) == 1:
                named.append((names[0], image))
            elif not unclear:
                says = f"its FILTER header says {'/'.join(filters)}" if filters else "no header"
                says += "" if filters else " tells its filter"
                what = Path(image).name if isinstance(image, str | Path) else opened.name
                unclear = f"{what} is ({says})"
    is_clear = not unclear and len({name for name, _ in named}) == len(images)
    if len(images) == len(bands) and not is_clear:
        return list(zip(bands, images, strict=True))
    if unclear:
        raise OptionError(
            f"{len(images)} images were given for {len(bands)} bands, and it is not clear which"
            f" band {unclear}: {_REMEDY}"
        )
    return named
