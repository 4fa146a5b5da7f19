"""Small arrays in a file, which is there as a whole or not at all, and not believed if damaged."""

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Record", "read_arrays", "write_arrays"]

Record: TypeAlias = dict[str, NDArray[Any]]
"""What a task gave back: small arrays by name."""


def read_arrays(path: Path) -> Record | None:
    """Read what `write_arrays` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict of str to ndarray, or None
        None if the file is missing or damaged: its zip has checksums.
    """
    try:
        # Opened here: NumPy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            return dict(content)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def write_arrays(path: Path, content: Mapping[str, Any]) -> None:
    """Write arrays; a file that is there is replaced.

    Parameters
    ----------
    path : Path
        The file, .npz.
    content : mapping of str to array
        What to write.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    memory = io.BytesIO()
    np.savez(memory, allow_pickle=False, **content)
    # Not ProductError, as `replacing` raises: a task says where it failed.
    temporary = path.with_suffix(f".{os.getpid()}-{id(memory)}.part")
    try:
        temporary.write_bytes(memory.getbuffer())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
