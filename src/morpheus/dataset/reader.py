"""Datasets, read."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import zarr
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.classes import CLASS_NAMES
from morpheus.dataset.cells import simulated_cells
from morpheus.dataset.layout import ARRAYS, CELLS, FORMAT, SOURCES, checksum
from morpheus.errors import DatasetError

__all__ = ["Batch", "Dataset"]

# What the card of every dataset has, of whatever kind.
_KEYS = (
    *("kind", "survey", "bands", "pixel_scale", "unit", "zero_points", "n", "size", "counts"),
    *("checksum", "software", "created"),
)

# What zarr, its codecs and the file system raise on what is damaged.
_ERRORS = (OSError, ValueError, KeyError, TypeError, RuntimeError)


@dataclass(frozen=True)
class Batch:
    """A few examples.

    Parameters
    ----------
    images : ndarray, shape (n, band, y, x), float32
        In the unit of the card; NaN where there is no data.
    weights : ndarray, shape (n, band, y, x), float32
        Inverse variance of the sky, without the correlation of pixels; 0 where there is no data.
    classes : ndarray, shape (n, 5, y, x), float16
        Shares of the classes; they add up to 1, or are all 0 where it is not known what a pixel
        is: such a pixel counts neither in training nor in evaluation.
    owner : ndarray, shape (n, y, x), int32
        The column ``id`` of the source with the most light in the example's rows of the table;
        0 is sky.
    """

    images: NDArray[np.float32]
    weights: NDArray[np.float32]
    classes: NDArray[np.float16]
    owner: NDArray[np.int32]


class Dataset:
    """A dataset of examples on disk. Open one with `Dataset.open`.

    Parameters
    ----------
    path : Path
        Of the store.
    store : zarr.Group
        The store, open for reading.

    Attributes
    ----------
    path : Path
        Of the store.
    card : dict
        What the dataset is: kind, survey, bands, pixel scale, unit, zero points, class names,
        size, seed, options, counts by class, software, checksum.
    images, weights, classes, owner : zarr.Array, shape (n, ...)
        As in `Batch`; read when they are indexed.
    """

    def __init__(self, path: Path, store: Any) -> None:
        self.path, self._store = path, store
        self.card: dict[str, Any] = store.attrs.asdict()
        self.images, self.weights, self.classes, self.owner = (store[name] for name in ARRAYS)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a dataset. Whether a part is missing is found out; `verify` reads all there is.

        Parameters
        ----------
        path : Path or str
            Of the store.

        Returns
        -------
        Dataset
            The dataset.

        Raises
        ------
        DatasetError
            If there is none, or a part of it is missing.
        """
        path = Path(path)
        if not path.is_dir():
            state = "is a file" if path.exists() else "does not exist"
            raise DatasetError(f"{path} is no dataset: it {state}")
        try:
            store: Any = zarr.open_group(path, mode="r")
            kind = store.attrs.get("format")
        except FileNotFoundError as error:
            raise DatasetError(f"{path} is no dataset: there is no Zarr store in it") from error
        except _ERRORS as error:
            raise DatasetError(f"{path} is no dataset: {error}") from error
        if kind != FORMAT:
            raise DatasetError(
                f"{path} is no dataset that this version reads: its format is {kind}"
            )
        try:
            dataset = cls(path, store)
            dataset._check()
        except _ERRORS as error:
            raise DatasetError(f"{path} is damaged: {error}") from error
        return dataset

    def _check(self) -> None:
        missing = [key for key in _KEYS if key not in self.card]
        if missing:
            raise DatasetError(f"{self.path} is damaged: its card has no {missing[0]!r}")
        card, pixels = self.card, (self.card["size"],) * 2
        bands, classes = len(card["bands"]), len(CLASS_NAMES)
        shapes = (bands, *pixels), (bands, *pixels), (classes, *pixels), pixels
        table = self._store[SOURCES]
        columns = [table[name] for name in table.attrs["columns"]]
        rows = sum(card["counts"]["sources"].values())
        cells = [(self._store[CELLS], ())] if CELLS in self._store else []
        for array, shape in (
            *zip((self._store[name] for name in ARRAYS), shapes, strict=True),
            *cells,
            *((column, None) for column in columns),
        ):
            expected = (rows,) if shape is None else (card["n"], *shape)
            if array.shape != expected:
                raise DatasetError(
                    f"{self.path} is damaged: {array.path} has the shape {array.shape}, not"
                    f" {expected}"
                )
            lost = array.nchunks - array.nchunks_initialized
            if lost:
                raise DatasetError(
                    f"{self.path} is damaged: {lost} chunks of {array.path} are not there"
                )

    def __len__(self) -> int:
        return int(self.card["n"])

    @property
    def chunk(self) -> int:
        """Number of examples in a file: to read one costs as much as to read them all."""
        return int(self.images.chunks[0])

    def read(self, start: int, stop: int) -> Batch:
        """Read examples.

        Parameters
        ----------
        start, stop : int
            The first, and the one after the last.

        Returns
        -------
        Batch
            At most as many as there are.

        Raises
        ------
        DatasetError
            If they cannot be read.
        """
        try:
            return Batch(*(np.asarray(self._store[name][start:stop]) for name in ARRAYS))
        except _ERRORS as error:
            raise DatasetError(f"{self.path} is damaged: {error}") from error

    @property
    def stores_cells(self) -> bool:
        """Whether the store says which area of the sky an example is from."""
        return CELLS in self._store

    @cached_property
    def cells(self) -> NDArray[np.int64]:
        """Number of the area of the sky that each example is from, shape (n,).

        Examples that may show the same sources have the same number. Simulated examples have that
        of the field they were cut from, which is the number of their chunk.

        Raises
        ------
        DatasetError
            If they cannot be read.
        """
        if not self.stores_cells:
            return np.arange(len(self), dtype=np.int64) // self.chunk
        try:
            return np.asarray(self._store[CELLS][:], dtype=np.int64)
        except _ERRORS as error:
            raise DatasetError(f"{self.path} is damaged: {error}") from error

    @cached_property
    def areas(self) -> NDArray[np.int64]:
        """Number of the area of the sky that each example is from, in all datasets, shape (n,).

        As `cells`, which in a store of simulated examples count its own fields only: these are
        numbers that examples of other datasets have if they may show the same sources, and no
        others do. A copy with other labels has those of its original.

        Raises
        ------
        DatasetError
            If they cannot be read.
        """
        return self.cells if self.stores_cells else simulated_cells(self.card, self.cells)

    @cached_property
    def sources(self) -> Table:
        """Table of the sources of all examples; the column ``example`` says of which.

        Raises
        ------
        DatasetError
            If it cannot be read.
        """
        table = Table()
        try:
            for name in self._store[SOURCES].attrs["columns"]:
                column = self._store[SOURCES][name]
                values, attributes = np.asarray(column[:]), column.attrs.asdict()
                if "values" in attributes:
                    values = np.array(attributes["values"])[values]
                table[name] = values
                table[name].unit = attributes.get("unit")
        except _ERRORS as error:
            raise DatasetError(f"{self.path} is damaged: {error}") from error
        return table

    def verify(self) -> None:
        """Read everything and compare it with the checksum.

        Raises
        ------
        DatasetError
            If it is not what was written.
        """
        try:
            found = checksum(self._store)
        except _ERRORS as error:
            raise DatasetError(f"{self.path} is damaged: {error}") from error
        if found != self.card["checksum"]:
            raise DatasetError(
                f"{self.path} was changed: it does not have the checksum of its card"
            )
