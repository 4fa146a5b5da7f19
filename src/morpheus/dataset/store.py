"""A dataset that is being made: begun beside its final name, gone on with, and put in its place."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import zarr
from numpy.typing import NDArray

from morpheus.dataset.layout import CENTERED, CONFIG, FORMAT, checksum, is_dataset
from morpheus.dataset.rows import gather_rows, write_rows
from morpheus.errors import DatasetError, ProductError
from morpheus.mosaic.locking import take_lock
from morpheus.mosaic.products import check_targets, write_json

__all__ = ["ArraySpec", "Partial", "check_inputs", "check_target", "partial_path"]

ArraySpec = tuple[tuple[int, ...], np.dtype[Any], tuple[str, ...]]
"""Shape, type and names of the axes of an array."""

_BEGUN, _LOCK = "begun.json", "lock"


def partial_path(path: Path) -> Path:
    """Tell where a dataset lies while it is made.

    Parameters
    ----------
    path : Path
        Of the dataset.

    Returns
    -------
    Path
        The folder beside it.
    """
    return path.with_name(path.name + ".partial")


class Partial:
    """A store that is being made, by one process at a time. It is a context.

    Its folder has the store, a file with rows of the table for each group of examples that is
    complete, the options with which it was begun, and a folder for what lasts no longer than this
    process, `scratch`.

    Parameters
    ----------
    path : Path
        Where the complete store goes.
    begun : mapping
        What must be the same to go on: options and versions, as JSON can hold them.
    overwrite : bool
        Whether a dataset that exists may be replaced, in the end.

    Raises
    ------
    DatasetError
        If the partial store was begun otherwise, or another process works at it.
    ProductError
        If something exists that may not be replaced, or the folder cannot be written to.
    """

    def __init__(self, path: Path, begun: Mapping[str, Any], *, overwrite: bool) -> None:
        self.path, self.folder = path, partial_path(path)
        self._store, self._rows = self.folder / "store", self.folder / "rows"
        self._replaced = self.folder / "replaced"
        self.scratch = self.folder / "scratch"
        check_targets([path], overwrite=True)
        if not self.folder.exists():
            check_target(path, overwrite=overwrite)
            self.folder.mkdir(parents=True)
        before = self._read_begun()
        self._lock = self._take_lock()
        self.done = 0
        with self._closed_if_refused():
            self._put_back()
            check_target(path, overwrite=overwrite)
            if self._store.exists():
                self._check_begun(before, begun)
            else:
                shutil.rmtree(self._rows, ignore_errors=True)
            self._rows.mkdir(exist_ok=True)
            shutil.rmtree(self.scratch, ignore_errors=True)  # of a process that was killed
            self.scratch.mkdir()
            write_json(self.folder / _BEGUN, begun, overwrite=True)
        while self._row_file(self.done).exists():
            self.done += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.close()
        if self.done == 0:
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def _closed_if_refused(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._lock.close()
            raise

    def _put_back(self) -> None:
        """Tidy up after an end in the midst of `finish`."""
        if self._replaced.exists() and self.path.exists():
            shutil.rmtree(self._replaced)
        elif self._replaced.exists():
            self._replaced.rename(self.path)

    def _read_begun(self) -> dict[str, Any]:
        """Read with which options the folder was begun; nothing of a new one."""
        if self.folder.is_dir() and {item.name for item in self.folder.iterdir()} <= {_LOCK}:
            return {}
        try:
            return dict(json.loads((self.folder / _BEGUN).read_bytes()))
        except (OSError, ValueError, TypeError):
            raise DatasetError(
                f"{self.folder} is not a dataset that was begun; remove it or choose another name"
            ) from None

    def _check_begun(self, before: Mapping[str, Any], begun: Mapping[str, Any]) -> None:
        for key, value in begun.items():
            if before.get(key) != value:
                raise DatasetError(
                    f"{self.folder} was begun with {key} = {before.get(key)}, not {value}: go on"
                    " with the same, remove it, or choose another name"
                )

    def _take_lock(self) -> IO[str]:
        file = (self.folder / _LOCK).open("w")
        if not take_lock(file):
            file.close()
            raise DatasetError(f"another process works at {self.folder}")
        return file

    def _row_file(self, number: int) -> Path:
        return self._rows / f"{number:07d}.npz"

    def create(self, arrays: Mapping[str, ArraySpec], group_size: int) -> None:
        """Create the arrays, unless there are groups of them already.

        Parameters
        ----------
        arrays : mapping of str to ArraySpec
            By name.
        group_size : int
            Examples in a group, and in a chunk.
        """
        if self.done:
            return
        store: Any = zarr.create_group(self._store, overwrite=True)
        for name, (shape, dtype, axes) in arrays.items():
            store.create_array(
                name,
                shape=shape,
                chunks=(min(group_size, shape[0]), *shape[1:]),
                dtype=dtype,
                fill_value=np.nan if name == "images" else 0,
                dimension_names=axes,
            )

    def write(
        self, arrays: Mapping[str, NDArray[Any]], columns: Mapping[str, NDArray[Any]]
    ) -> None:
        """Write the next group; when this returns it is on disk.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            By name.
        columns : mapping of str to ndarray
            Rows of the table.
        """
        store: Any = zarr.open_group(self._store, mode="r+")
        number = self.done
        for name in arrays:
            array = store[name].with_config(CONFIG)
            start = number * array.chunks[0]
            array[start : start + len(arrays[name])] = arrays[name]
            key = array.metadata.encode_chunk_key((number,) + (0,) * (array.ndim - 1))
            _flush(self._store / name / key)
        pixels = arrays["classes"].sum(axis=(0, 2, 3), dtype=float)
        write_rows(self._row_file(number), columns, pixels)
        self.done += 1

    def column(self, name: str) -> NDArray[Any]:
        """Read a column of the table as far as it is written.

        Parameters
        ----------
        name : str
            Of the column.

        Returns
        -------
        ndarray, shape (rows,)
            Of the groups that are done, in their order.
        """
        columns = []
        for number in range(self.done):
            with np.load(self._row_file(number)) as rows:
                columns.append(rows[name])
        return np.concatenate(columns)

    def finish(self, card: Mapping[str, Any], units: Mapping[str, str]) -> dict[str, Any]:
        """Write the table and the card, and put the store in its place.

        Parameters
        ----------
        card : mapping
            Attributes of the store; counts, checksum and format are added.
        units : mapping of str to str
            Of the columns that have one.

        Returns
        -------
        dict
            The card.
        """
        store: Any = zarr.open_group(self._store, mode="r+")
        files = [self._row_file(number) for number in range(self.done)]
        counts = gather_rows(store, files, units)
        if card["kind"] not in CENTERED:
            del counts["centers"]
        whole = {"format": FORMAT, **card, "counts": counts, "checksum": checksum(store)}
        store.attrs.put(whole)
        for file in self._store.rglob("*"):
            _flush(file)
        if self.path.exists():
            self.path.rename(self._replaced)
        self._store.rename(self.path)
        shutil.rmtree(self.folder)
        return whole


def check_target(path: Path, *, overwrite: bool) -> None:
    """Find out whether a dataset may be made, before any work is done for it.

    Parameters
    ----------
    path : Path
        Where it goes.
    overwrite : bool
        Whether a dataset that exists may be replaced.

    Raises
    ------
    ProductError
        If something exists that may not be replaced.
    """
    if not path.exists():
        return
    if not is_dataset(path):
        raise ProductError(f"{path} exists and is no dataset; choose another name")
    if not overwrite:
        raise ProductError(
            f"{path} exists; choose another name or give --overwrite (in Python: overwrite=True)"
        )


def check_inputs(path: Path, inputs: Iterable[Path | str]) -> None:
    """Find out whether a dataset would take the place of what it is made of.

    Parameters
    ----------
    path : Path
        Where it goes.
    inputs : iterable of Path or str
        Files and folders that it is made of.

    Raises
    ------
    ProductError
        If it is one of them, by whatever name, holds one, or lies in one.
    """
    target = path.resolve()
    for one in inputs:
        source = Path(one).resolve()
        if target == source:
            raise ProductError(f"{path} is an input, and cannot be the output; choose another name")
        if target in source.parents or (source in target.parents and is_dataset(source)):
            where = "lies in" if source in target.parents else "holds"
            raise ProductError(f"{path} {where} the input {one}; choose another name")


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is on disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
