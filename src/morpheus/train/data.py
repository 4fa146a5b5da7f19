"""Datasets of a training: what can be used, and arrays unpacked from it on disk."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morpheus.classes import CLASS_NAMES
from morpheus.dataset import Dataset, split_examples
from morpheus.errors import DatasetError
from morpheus.mosaic.units import parse_unit
from morpheus.train.options import DataOptions, TrainOptions
from morpheus.train.processes import is_first

__all__ = ["Unpacked", "needed_bands", "open_datasets", "unpack"]

_ARRAYS = ("images", "classes", "owner")
_ZERO_POINT_TOLERANCE = 0.05  # magnitudes


@dataclass(frozen=True)
class Unpacked:
    """A dataset as arrays on disk, from which examples are read without decoding.

    Parameters
    ----------
    options : DataOptions
        What was asked for.
    card : dict
        Of the dataset.
    bands : tuple of str
        Of `images`.
    images : ndarray of float32, shape (n, band, y, x)
        NaN where there is no data.
    classes : ndarray of float16, shape (n, 5, y, x)
        Shares of the classes; all 0 where nothing is known.
    owner : ndarray of int32, shape (n, y, x)
        Number of the source in the example; 0 is sky.
    magnitudes : ndarray of float32, shape (n, sources) or None
        Of the sources of an example by their numbers, in the model's first band; NaN where there
        is no such source. None if the dataset has no magnitudes.
    training, validation : ndarray of int
        Examples of each part.
    """

    options: DataOptions
    card: dict[str, Any]
    bands: tuple[str, ...]
    images: NDArray[np.float32]
    classes: NDArray[np.float16]
    owner: NDArray[np.int32]
    magnitudes: NDArray[np.float32] | None
    training: NDArray[np.int64]
    validation: NDArray[np.int64]


def needed_bands(bands: Sequence[str], alternatives: Mapping[str, Sequence[str]]) -> list[str]:
    """List a model's bands and their alternatives.

    Parameters
    ----------
    bands : sequence of str
        Of the model.
    alternatives : mapping of str to sequence of str
        By band.

    Returns
    -------
    list of str
        The bands first.
    """
    return [*bands, *(other for band in bands for other in alternatives.get(band, ()))]


def unpack(options: TrainOptions, folder: Path) -> list[Unpacked]:
    """Unpack the datasets of a training; what is unpacked already is taken as it is.

    Parameters
    ----------
    options : TrainOptions
        What is trained on. Bands that a dataset lacks are NaN, but for the first of the model.
    folder : Path
        Where to; it holds nothing but what this makes.

    Returns
    -------
    list of Unpacked
        In the order of the options.

    Raises
    ------
    DatasetError
        If a dataset is none, is damaged, lacks the model's first band, has other classes, or has
        no example for training or for validation.
    """
    wanted = needed_bands(options.model.bands, options.model.alternatives)
    stores = open_datasets(options)
    return [
        _unpack(one, store, split, wanted, folder)
        for one, store, split in zip(options.data, stores, _split(stores, options), strict=True)
    ]


def open_datasets(options: TrainOptions) -> list[Dataset]:
    """Open the datasets of a training, and find out whether they can be used.

    Parameters
    ----------
    options : TrainOptions
        What is trained on.

    Returns
    -------
    list of Dataset
        In the order of the options.

    Raises
    ------
    DatasetError
        If one cannot be used; see `unpack`.
    """
    wanted = needed_bands(options.model.bands, options.model.alternatives)
    stores = [Dataset.open(one.path) for one in options.data]
    for store in stores:
        _check(store, options, wanted)
    bases = [s for s, one in zip(stores, options.data, strict=True) if not one.added]
    for store, one in zip(stores, options.data, strict=True):
        for base in bases if one.added else ():
            _check_added(store, base, wanted)
    _split(stores, options)
    return stores


def _split(
    stores: Sequence[Dataset], options: TrainOptions
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Split all datasets at once: an area of the sky is on one side in all of them."""
    areas = [store.areas for store in stores]
    training, validation = split_examples(
        np.concatenate(areas), options.validation.share, options.seed
    )
    if not training.size or not validation.size:
        names = ", ".join(str(store.path) for store in stores)
        raise DatasetError(
            f"{names} cannot be split into training and validation: all examples are of one field"
            " or area of sky"
        )
    ends = np.cumsum([len(one) for one in areas])
    parts = []
    for start, end in zip(ends - [len(one) for one in areas], ends, strict=True):
        sides = (side[(side >= start) & (side < end)] - start for side in (training, validation))
        parts.append((next(sides), next(sides)))
    bases = [
        part for part, one in zip(parts, options.data, strict=True) if one.share and not one.added
    ]
    if not all(any(len(part[side]) for part in bases) for side in (0, 1)):
        raise DatasetError(
            "only sources that are added have examples for training, or for validation: choose"
            " another seed, another share for validation, or more examples"
        )
    return parts


def _check(store: Dataset, options: TrainOptions, wanted: Sequence[str]) -> None:
    bands, first = store.card["bands"], options.model.bands[0]
    if first not in bands:
        raise DatasetError(
            f"{store.path} has no {first}, the model's first band; it has {', '.join(bands)}"
        )
    if tuple(store.card["class_names"]) != CLASS_NAMES:
        raise DatasetError(
            f"{store.path} has other classes: {', '.join(store.card['class_names'])}"
        )
    if not options.model.alternatives and set(options.model.bands) - set(bands):
        missing = sorted(set(options.model.bands) - set(bands))
        if options.model.normaliser == "joint-window":
            raise DatasetError(
                f"{store.path} has no {', '.join(missing)}, which the published architecture cannot"
                " do without"
            )
    for data in options.data:
        unknown = set(data.noise) - set(wanted)
        if unknown:
            raise DatasetError(
                f"the noise of {unknown.pop()} is to be raised, but the model has no such band; it"
                f" has {', '.join(wanted)}"
            )


def _check_added(store: Dataset, base: Dataset, wanted: Sequence[str]) -> None:
    """Refuse what cannot be added to images: the sum would be no sky, without a sign of it."""
    if not store.card.get("options", {}).get("alone"):
        raise DatasetError(
            f"{store.path} cannot be added to other images: it holds more than sources alone; make"
            " some by 'morpheus simulate stamps --alone'"
        )
    here, there = store.card, base.card
    missing = [band for band in wanted if band in there["bands"] and band not in here["bands"]]
    if missing:
        raise DatasetError(
            f"{store.path} cannot be added to {base.path}: it has no {', '.join(missing)}"
        )
    units = [parse_unit(str(card["unit"])) for card in (here, there)]
    if units[0] is None or units[0] != units[1]:
        raise DatasetError(
            f"{store.path} cannot be added to {base.path}: it is in {here['unit']}, not"
            f" {there['unit'] or 'a known unit'}"
        )
    for band in set(wanted) & set(there["bands"]):
        one, other = (c["zero_points"][list(c["bands"]).index(band)] for c in (here, there))
        if one is None or other is None or abs(one - other) > _ZERO_POINT_TOLERANCE:
            raise DatasetError(
                f"{store.path} cannot be added to {base.path}: the zero point of {band} is"
                f" {one if one is None else f'{one:g}'}, not"
                f" {'known' if other is None else f'{other:g}'}"
            )


def _unpack(
    one: DataOptions,
    store: Dataset,
    split: tuple[NDArray[np.int64], NDArray[np.int64]],
    wanted: list[str],
    folder: Path,
) -> Unpacked:
    place = folder / f"{store.card['checksum'][:16]}-{'-'.join(wanted)}"
    while not place.is_dir() and not is_first():  # the first of several processes unpacks
        time.sleep(0.5)
    if not place.is_dir():
        temporary = place.with_name(place.name + ".partial")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        _write(store, wanted, temporary)
        temporary.rename(place)
    images, classes, owner = (np.load(place / f"{name}.npy", mmap_mode="r") for name in _ARRAYS)
    magnitudes = _magnitudes(store, wanted[0])
    return Unpacked(one, store.card, tuple(wanted), images, classes, owner, magnitudes, *split)


def _magnitudes(store: Dataset, band: str) -> NDArray[np.float32] | None:
    """Arrange the sources' magnitudes by example and number."""
    table, name = store.sources, f"mag_{band.lower()}"
    if name not in table.colnames or not len(table):
        return None
    numbers = np.asarray(table["id"])
    arranged = np.full((len(store), int(numbers.max()) + 1), np.nan, np.float32)
    arranged[np.asarray(table["example"]), numbers] = np.asarray(table[name])
    return arranged


def _write(store: Dataset, wanted: list[str], place: Path) -> None:
    n, size = len(store), int(store.card["size"])
    shapes: dict[str, tuple[tuple[int, ...], Any]] = {
        "images": ((n, len(wanted), size, size), np.float32),
        "classes": ((n, len(CLASS_NAMES), size, size), np.float16),
        "owner": ((n, size, size), np.int32),
    }
    arrays = {
        name: np.lib.format.open_memmap(place / f"{name}.npy", "w+", dtype, shape)
        for name, (shape, dtype) in shapes.items()
    }
    bands = list(store.card["bands"])
    channels = [bands.index(band) if band in bands else None for band in wanted]
    for start in range(0, n, store.chunk):
        batch = store.read(start, min(n, start + store.chunk))
        part = slice(start, start + len(batch.owner))
        images = np.where(batch.weights > 0, batch.images, np.float32(np.nan))
        for place_in, channel in enumerate(channels):
            arrays["images"][part, place_in] = np.nan if channel is None else images[:, channel]
        arrays["classes"][part], arrays["owner"][part] = batch.classes, batch.owner
    for array in arrays.values():
        array.flush()
