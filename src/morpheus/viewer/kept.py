"""Arrays that are kept on disk: written once, whole or not at all, and for what they are of."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from morpheus.errors import ProductError

__all__ = ["Layout", "keep"]

Layout: TypeAlias = Mapping[str, tuple[tuple[int, ...], str]]
"""By name, the shape of an array and its type, such as '<f4'."""

_RECORD = "made-from.json"


def keep(
    folder: Path, layout: Layout, signature: str, write: Callable[[list[BinaryIO]], None]
) -> list[NDArray[Any]]:
    """Give arrays that are kept in a folder; those that are not there yet are written first.

    Parameters
    ----------
    folder : Path
        Where they are, and nothing else.
    layout : mapping of str to (tuple of int, str)
        By name, the shapes and types; without any, it is only kept that `write` has succeeded.
    signature : str
        Of all that they are made from: what was made from something else is made anew.
    write : callable
        Takes a file for each array, and writes its values in C order.

    Returns
    -------
    list of ndarray
        Memory maps, which cannot be written to.

    Raises
    ------
    ProductError
        If they cannot be written or read back.
    """
    kept = _kept(folder, layout, signature)
    if kept is None:
        with _replacing_folder(folder) as temporary, ExitStack() as stack:
            # Written as streams: a memory map on a full disk ends the program without a word.
            files: list[BinaryIO] = [
                stack.enter_context((temporary / f"{name}.npy").open("wb")) for name in layout
            ]
            for file, (shape, kind) in zip(files, layout.values(), strict=True):
                header = {"descr": kind, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            write(files)
            record = json.dumps({"signature": signature})
            (temporary / _RECORD).write_text(record, encoding="utf-8")
        kept = _kept(folder, layout, signature)
    if kept is None:
        raise ProductError(f"{folder} cannot be read back; remove it, or use --tiles FOLDER")
    return kept


def _kept(folder: Path, layout: Layout, signature: str) -> list[NDArray[Any]] | None:
    """Give the arrays of a folder; None if they are not whole, or of something else."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        if record != {"signature": signature}:
            return None
        arrays = [
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in layout
        ]
    except (OSError, ValueError):
        return None
    found = [(array.shape, array.dtype) for array in arrays]
    wanted = [(shape, np.dtype(kind)) for shape, kind in layout.values()]
    return arrays if found == wanted else None


@contextmanager
def _replacing_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write in, which gets its name when it is complete."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        try:
            yield temporary
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise ProductError(
            f"cannot write the tiles of the map to {folder.parent}: {error.strerror or error};"
            " give another folder with --tiles FOLDER"
        ) from error
