"""Examples for training, drawn in an order that the seed decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from morpheus.classes import CLASS_NAMES
from morpheus.train.compose import Piece, add_source
from morpheus.train.data import Unpacked
from morpheus.train.options import TrainOptions

__all__ = ["Draws", "Example"]

# Standard deviation, along an axis, of the pixels between sources that are put near each other.
_NEAR = 8.0


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
        center: tuple[int, int] | None = None
        for one, part in zip(self.data, self.parts, strict=True):
            # With a handful of examples kept for validation, there may be none of these.
            n = int(rng.poisson(one.options.added)) if len(part) else 0
            for number in rng.choice(part, n) if n else ():
                source = self._read(one, int(number), every, every)
                turned = source.turned(int(rng.integers(4)), mirrored=bool(rng.integers(2)))
                half = turned.owner.shape[0] // 2
                if center is not None and one.options.near and rng.uniform() < one.options.near:
                    y, x = center + np.rint(rng.normal(0, _NEAR, 2)).astype(int)
                else:
                    y, x = rng.integers(0, self.side, 2)
                center = int(y), int(x)
                taken += 1
                add_source(piece, turned, center[0] - half, center[1] - half, taken)

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
