"""Worker processes that do not get in each other's way."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["one_thread_each"]

_LIMITS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let processes that are started meanwhile do linear algebra in one thread each.

    Otherwise each takes all processors: two of them took 1.4 times as long as one.

    Yields
    ------
    None
        Control; afterwards the environment is what it was.
    """
    before = {name: os.environ.get(name) for name in _LIMITS}
    os.environ.update({name: os.environ.get(name, "1") for name in _LIMITS})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
