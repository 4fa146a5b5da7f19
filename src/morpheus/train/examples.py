"""Examples for training: unpacked from their datasets, drawn in an order that the seed decides."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from morpheus.classes import CLASS_NAMES
from morpheus.dataset import Dataset, split_examples
from morpheus.errors import DatasetError
from morpheus.train.compose import Piece, add_source
from morpheus.train.options import DataOptions, TrainOptions
from morpheus.train.processes import is_first

__all__ = ["Draws", "Example", "Unpacked", "needed_bands", "open_datasets", "unpack"]

_ARRAYS = ("images", "classes", "owner")


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


@dataclass(frozen=True)
class Example:
    """Pixels of one example, or of several.

    Parameters
    ----------
    images : Tensor of float32, shape (..., band, y, x)
        NaN where there is no data.
    classes : Tensor of float32, shape (..., 5, y, x)
        Shares of the classes; all 0 where nothing is known.
    owner : Tensor of int32, shape (..., y, x)
        Number of the source.
    weight : Tensor of float32, shape (..., y, x)
        Of the class of a pixel.
    asked : Tensor of bool, shape (..., y, x)
        Whether a teacher is asked about the source of the pixel.
    noise : Tensor of float32, shape (..., band, 2)
        By how many times the noise may be raised: from, to.
    """

    images: Tensor
    classes: Tensor
    owner: Tensor
    weight: Tensor
    asked: Tensor
    noise: Tensor

    @classmethod
    def stack(cls, examples: Sequence["Example"]) -> Self:
        """Put examples together.

        Parameters
        ----------
        examples : sequence of Example
            Of the same size.

        Returns
        -------
        Example
            With a first axis more.
        """
        names = "images", "classes", "owner", "weight", "asked", "noise"
        return cls(*(torch.stack([getattr(one, name) for one in examples]) for name in names))


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


class Draws(TorchDataset[Example]):
    """Examples drawn at random: the i-th depends on the seed and on i only.

    Parameters
    ----------
    data : sequence of Unpacked
        Where they are from.
    options : TrainOptions
        Shares, seed and sizes.
    start : int
        Number of the first one.
    n : int
        How many.
    side : int
        Side of what is cut out, in pixels; what lies outside an example has no data.
    validation : bool, optional
        Whether they are of the part for validation.
    """

    def __init__(
        self,
        data: Sequence[Unpacked],
        options: TrainOptions,
        start: int,
        n: int,
        side: int,
        *,
        validation: bool = False,
    ) -> None:
        self.data, self.options, self.start, self.n = data, options, start, n
        self.side, self.validation = side, validation
        self.parts = [one.validation if validation else one.training for one in data]
        shares = np.array(
            [
                one.options.share * bool(len(part) and not one.options.added)
                for one, part in zip(data, self.parts, strict=True)
            ]
        )
        self.shares = shares / shares.sum()

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Example:
        rng = np.random.default_rng([self.options.seed, int(self.validation), self.start + index])
        chosen = int(rng.choice(len(self.data), p=self.shares))
        one, number = self.data[chosen], int(rng.choice(self.parts[chosen]))
        size = one.owner.shape[1]
        y, x = (self._corner(rng, size) for _ in range(2))
        rows, columns = (slice(max(0, c), min(size, c + self.side)) for c in (y, x))
        found = self._read(one, number, rows, columns)
        top, left = max(0, -y), max(0, -x)
        place = (slice(top, top + found.owner.shape[0]), slice(left, left + found.owner.shape[1]))
        piece = self._empty(len(one.bands))
        piece.images[:, *place] = found.images
        piece.classes[:, *place] = found.classes
        piece.owner[place] = found.owner
        piece.weight[place], piece.asked[place] = found.weight, found.asked
        self._add(piece, rng, int(one.owner[number].max(initial=0)))
        noise = np.array([one.options.noise.get(band, (1.0, 1.0)) for band in one.bands])
        return Example(
            torch.from_numpy(piece.images),
            torch.from_numpy(piece.classes),
            torch.from_numpy(piece.owner),
            torch.from_numpy(piece.weight),
            torch.from_numpy(piece.asked),
            torch.from_numpy(noise.astype(np.float32)),
        )

    def _read(self, one: Unpacked, number: int, rows: slice, columns: slice) -> Piece:
        """Read a part of an example."""
        owner = np.asarray(one.owner[number, rows, columns])
        areas = np.bincount(one.owner[number].ravel())
        weight = np.maximum(areas, 1)[owner] ** -self.options.loss.size_power
        asked = owner > 0
        if one.magnitudes is not None:
            asked &= (one.magnitudes[number] <= self.options.teacher.faintest)[owner]
        return Piece(
            np.asarray(one.images[number, :, rows, columns]),
            one.classes[number, :, rows, columns].astype(np.float32),
            owner,
            weight.astype(np.float32),
            asked,
        )

    def _add(self, piece: Piece, rng: np.random.Generator, taken: int) -> None:
        """Add sources that are alone, anywhere in what the crop is made from."""
        every = slice(None)
        for one, part in zip(self.data, self.parts, strict=True):
            # With a handful of examples kept for validation, there may be none of these.
            n = int(rng.poisson(one.options.added)) if len(part) else 0
            for number in rng.choice(part, n) if n else ():
                source = self._read(one, int(number), every, every)
                turned = source.turned(int(rng.integers(4)), mirrored=bool(rng.integers(2)))
                half = turned.owner.shape[0] // 2
                y, x = rng.integers(0, self.side, 2) - half
                taken += 1
                add_source(piece, turned, int(y), int(x), taken)

    def _empty(self, n_bands: int) -> Piece:
        """Make an example without data."""
        shape = (self.side, self.side)
        return Piece(
            np.full((n_bands, *shape), np.nan, np.float32),
            np.zeros((len(CLASS_NAMES), *shape), np.float32),
            np.zeros(shape, np.int32),
            np.zeros(shape, np.float32),
            np.zeros(shape, np.bool_),
        )

    def _corner(self, rng: np.random.Generator, size: int) -> int:
        """Draw where to cut: anywhere as long as most of the crop has data, or of the example."""
        free = abs(size - self.options.optimiser.crop) // 2
        middle = (size - self.side) // 2
        return middle + int(rng.integers(-free, free, endpoint=True))
