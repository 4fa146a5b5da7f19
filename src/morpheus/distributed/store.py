"""Where a run keeps what is done: chunks of maps, a record of every task, and what it is a run of.

A folder that any number of processes on any number of machines write to at once, each file as a
whole. Every chunk carries a checksum (CRC-32C) that is verified whenever it is read. A task is done
when its record is there, which has the digests (SHA-256) of what it wrote; so after a crash
whatever the records vouch for is taken, and the rest is made again.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec

from morpheus.distributed.chunks import Chunk, ChunkGrid
from morpheus.distributed.records import Record, read_arrays, write_arrays
from morpheus.errors import ProductError
from morpheus.mosaic.images import Section
from morpheus.mosaic.products import replacing, to_json

__all__ = ["STORE_FOLDER", "FieldStore", "clear_folder"]

STORE_FOLDER = "unfinished"
_MANIFEST, _MAPS, _RECORDS, _TABLES = "manifest.json", "maps.zarr", "records", "tables"

_RUN = re.compile(r"[0-9a-f]{32}")


def clear_folder(folder: Path) -> None:
    """Remove what runs have stored: a manifest, and a store for each run, called by its id.

    Parameters
    ----------
    folder : Path
        The folder, which need not exist; the manifest goes first.

    Raises
    ------
    ProductError
        If it holds something else, or cannot be removed.
    """
    if not folder.exists():
        return
    try:
        for path in folder.iterdir():
            ours = path.name.startswith((_MANIFEST, f".{_MANIFEST}-"))
            if not (ours or (path.is_dir() and _RUN.fullmatch(path.name))):
                raise ProductError(
                    f"{path} is of no run, and would be removed: move it, or choose another folder"
                )
        (folder / _MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(folder)
    except OSError as error:
        raise ProductError(f"cannot remove {folder}: {error.strerror or error}") from error


# Pixels: a file holds a chunk of the field, in pieces of about this side that can be read alone.
_PIECE = 896


def _inner(side: int) -> int:
    """Divide a chunk evenly into pieces; a chunk that cannot be divided is one."""
    n = max(1, round(side / _PIECE))
    return side // n if side % n == 0 else side


class FieldStore:
    """The folder of a run.

    Parameters
    ----------
    root : str or Path
        The folder.
    grid : ChunkGrid
        How the field is divided.
    """

    def __init__(self, root: str | Path, grid: ChunkGrid) -> None:
        self.root, self.grid = Path(root), grid

    @classmethod
    def create(
        cls, root: Path, grid: ChunkGrid, arrays: Mapping[str, tuple[str, int, Any]]
    ) -> "FieldStore":
        """Make an empty store; the manifest, which says that it is complete, is written after.

        Parameters
        ----------
        root : Path
            The folder; what is there is removed.
        grid : ChunkGrid
            How the field is divided.
        arrays : mapping of str to (str, int, Any)
            Maps by name: their type, number of planes, and what they hold where nothing was
            written, which no pixel may have.

        Returns
        -------
        FieldStore
            The store.

        Raises
        ------
        ProductError
            If it cannot be written.
        """
        store = cls(root, grid)
        try:
            store.remove()
            (root / _RECORDS).mkdir(parents=True)
            (root / _TABLES).mkdir()
            group = zarr.create_group(root / _MAPS)
            for name, (dtype, n_planes, fill) in arrays.items():
                packed = dtype != "float32"  # probabilities hardly become smaller
                group.create_array(
                    name,
                    shape=(n_planes, *grid.stored_shape),
                    chunks=(1, *(_inner(side) for side in grid.size)),
                    shards=(1, *grid.size),
                    dtype=dtype,
                    fill_value=fill,
                    compressors=[*([ZstdCodec(level=1)] if packed else []), Crc32cCodec()],
                    config={"write_empty_chunks": True},
                )
        except OSError as error:
            raise ProductError(f"cannot write {root}: {error.strerror or error}") from error
        return store

    @staticmethod
    def manifest(root: Path) -> dict[str, Any] | None:
        """Read what a store is of.

        Parameters
        ----------
        root : Path
            Its folder.

        Returns
        -------
        dict or None
            What `write_manifest` wrote; None if there is no store, or an incomplete one.

        Raises
        ------
        ProductError
            If it cannot be read.
        """
        path = root / _MANIFEST
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ProductError(
                f"cannot read {path} ({error}); remove {root} and start anew"
            ) from error
        if not isinstance(content, dict):
            raise ProductError(f"{path} is no manifest; remove {root} and start anew")
        return content

    def write_manifest(self, content: Mapping[str, Any]) -> None:
        """Write what the store is of.

        Parameters
        ----------
        content : mapping
            What JSON can hold.

        Raises
        ------
        ProductError
            If it cannot be written.
        """
        with replacing(self.root / _MANIFEST, overwrite=True) as temporary:
            temporary.write_text(to_json(content) + "\n", encoding="utf-8")

    def remove(self) -> None:
        """Remove the store; the manifest first, so that a half-removed one is none."""
        (self.root / _MANIFEST).unlink(missing_ok=True)
        if self.root.exists():
            shutil.rmtree(self.root)

    # Maps

    @cached_property
    def _group(self) -> Any:
        return zarr.open_group(self.root / _MAPS, mode="r+")

    def write(self, name: str, chunk: Chunk, block: NDArray[Any]) -> str:
        """Write a chunk of a map.

        Parameters
        ----------
        name : str
            The map.
        chunk : Chunk
            Which.
        block : ndarray, shape (plane, y, x) or (y, x)
            Its values.

        Returns
        -------
        str
            Their digest.

        Raises
        ------
        OSError
            If they cannot be written.
        """
        array = self._group[name]
        block = np.ascontiguousarray(block.reshape(-1, *block.shape[-2:]), array.dtype)
        # Chunks are written whole, so that none has to be read first.
        whole = block
        if block.shape[1:] != self.grid.size:
            whole = np.full((len(block), *self.grid.size), array.fill_value, array.dtype)
            whole[:, *self._inside(chunk)] = block
        y, x = chunk.row * self.grid.size[0], chunk.column * self.grid.size[1]
        # One file at a time: of several that fail at once, Zarr forgets all but the first, which
        # asyncio reports later.
        for plane, values in enumerate(whole):
            # Zarr reads the table of contents of a file that is there, and it may be damaged.
            self._file(name, plane, chunk).unlink(missing_ok=True)
            array[plane, y : y + self.grid.size[0], x : x + self.grid.size[1]] = values
        return hashlib.sha256(block.data).hexdigest()

    def read(self, name: str, section: Section, plane: int | None = None) -> NDArray[Any]:
        """Read a section of a map.

        Parameters
        ----------
        name : str
            The map.
        section : tuple of slice
            Rows and columns of the field.
        plane : int, optional
            Which plane; all if None.

        Returns
        -------
        ndarray, shape (y, x) or (plane, y, x)
            Its values.

        Raises
        ------
        ProductError
            If a chunk is damaged.
        """
        rows, columns = (
            slice(part.start + offset, part.stop + offset)
            for part, offset in zip(section, self.grid.offset, strict=True)
        )
        array = self._group[name]
        planes = range(array.shape[0]) if plane is None else (plane,)
        for chunk in self.grid.overlapping(section):
            for one in planes:  # Zarr takes a file that is missing for one that was never written
                if not self._file(name, one, chunk).exists():
                    raise ProductError(
                        f"{self.root}: {chunk} of {name} is missing; go on with --resume, which"
                        " makes it again"
                    )
        try:
            found: NDArray[Any] = array[slice(None) if plane is None else plane, rows, columns]
        except (ValueError, RuntimeError, OSError) as error:
            raise ProductError(
                f"{self.root}: a chunk of {name} is damaged ({error}); go on with --resume, which"
                " makes it again"
            ) from error
        return found

    def _file(self, name: str, plane: int, chunk: Chunk) -> Path:
        """Say which file holds a chunk of a plane."""
        return self.root / _MAPS / name / "c" / str(plane) / str(chunk.row) / str(chunk.column)

    def _inside(self, chunk: Chunk) -> Section:
        """Tell where in a whole chunk its pixels lie."""
        rows, columns = (
            slice(part.start + offset - i * size, part.stop + offset - i * size)
            for part, offset, i, size in zip(
                chunk.section,
                self.grid.offset,
                (chunk.row, chunk.column),
                self.grid.size,
                strict=True,
            )
        )
        return rows, columns

    # Records of tasks, and tables that all tasks of a stage read

    def record(self, stage: str, key: str) -> Record | None:
        """Read what a task gave back.

        Parameters
        ----------
        stage, key : str
            The task.

        Returns
        -------
        dict of str to ndarray, or None
            None if it was not done, or the record is damaged.
        """
        return read_arrays(self.root / _RECORDS / f"{stage}-{key}.npz")

    def save_record(self, stage: str, key: str, record: Mapping[str, Any]) -> None:
        """Keep what a task gave back; with that it is done.

        Parameters
        ----------
        stage, key : str
            The task.
        record : mapping of str to array
            What it gave back.
        """
        write_arrays(self.root / _RECORDS / f"{stage}-{key}.npz", record)

    def is_intact(self, chunk: Chunk, record: Record) -> bool:
        """Tell whether what a task wrote is what it was.

        Parameters
        ----------
        chunk : Chunk
            Of the task.
        record : dict of str to ndarray
            With `sha256_<map>` for each map that was written.

        Returns
        -------
        bool
            Whether all digests agree.
        """
        for name, digest in record.items():
            if not name.startswith("sha256_"):
                continue
            try:
                block = self.read(name.removeprefix("sha256_"), chunk.section)
            except ProductError:
                return False
            if hashlib.sha256(np.ascontiguousarray(block).data).hexdigest() != str(digest):
                return False
        return True

    def table(self, name: str) -> Record:
        """Read a table that all tasks need.

        Parameters
        ----------
        name : str
            As it was saved.

        Returns
        -------
        dict of str to ndarray
            Its columns.

        Raises
        ------
        ProductError
            If it is missing or damaged.
        """
        found = read_arrays(self.root / _TABLES / f"{name}.npz")
        if found is None:
            raise ProductError(f"{self.root}: the table {name} is missing or damaged")
        return found

    def save_table(self, name: str, table: Mapping[str, Any]) -> None:
        """Write a table that all tasks need.

        Parameters
        ----------
        name : str
            What it is called.
        table : mapping of str to array
            Its columns.

        Raises
        ------
        ProductError
            If it cannot be written.
        """
        try:
            write_arrays(self.root / _TABLES / f"{name}.npz", table)
        except OSError as error:
            raise ProductError(f"cannot write to {self.root}: {error.strerror or error}") from error
