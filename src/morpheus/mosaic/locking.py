"""Locks of the operating system, which are gone when the process is, however it ended."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from morpheus.errors import ProductError

try:
    import fcntl
except ImportError:  # pragma: no cover (Windows)
    _HAS_LOCKS = False
else:
    _HAS_LOCKS = True

__all__ = ["take_lock", "working_in"]


def take_lock(file: IO[str] | int, *, shared: bool = False) -> bool:
    """Lock an open file or folder until it is closed, if no other process has.

    Parameters
    ----------
    file : file object or int
        What is open, or its descriptor.
    shared : bool, optional
        Whether others may have such a lock at the same time.

    Returns
    -------
    bool
        Whether it could be taken: False if another process has it. True, too, where there are no
        locks (some network file systems, Windows): nothing keeps another process out there.
    """
    if not _HAS_LOCKS:  # pragma: no cover (Windows)
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Be the one process that works in a folder; the folder itself is locked, not a file in it.

    Parameters
    ----------
    folder : Path
        The folder. It is made if it is not there, with those above it, and what was made and is
        empty in the end is removed again.

    Yields
    ------
    None
        Control.

    Raises
    ------
    ProductError
        If another process works in it, or it cannot be made.
    """
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY) if _HAS_LOCKS else None
    except OSError as error:
        raise ProductError(f"cannot write to {folder}: {error.strerror or error}") from error
    try:
        if handle is not None and not take_lock(handle):
            raise ProductError(f"another process works in {folder}: wait for it, or end it")
        yield
    finally:
        if handle is not None:
            os.close(handle)
        with contextlib.suppress(OSError):  # one that holds something
            for one in new:
                one.rmdir()
