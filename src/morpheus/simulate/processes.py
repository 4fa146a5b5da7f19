"""Worker processes that do not get in each other's way, and that can be ended at any moment."""

import os
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arrays", "in_processes", "one_thread_each"]

T = TypeVar("T")

Arrays = dict[str, NDArray[Any]]
"""Arrays by name."""

_LIMITS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def in_processes(
    make: Callable[[T], Arrays], items: Sequence[T], jobs: int, folder: Path | None = None
) -> Generator[Arrays]:
    """Make arrays of items, several at a time; those in progress are a few more than the processes.

    Who does not take all of them closes the generator: processes and files last as long as it does.

    Parameters
    ----------
    make : callable
        Makes the arrays of one item, none of them of objects; other processes can import it.
    items : sequence
        Of what they are made.
    jobs : int
        Processes. With one, or with one item, this process does the work.
    folder : Path, optional
        Where files may lie meanwhile, as large as what is made of a few items; by default where the
        system has temporary files.

    Yields
    ------
    dict of str to ndarray
        The arrays of each item, in the order of the items.

    Raises
    ------
    BrokenProcessPool
        If a process was ended.
    OSError
        If a process cannot be started, or cannot write what it made.
    """
    jobs = min(jobs, len(items))
    if jobs <= 1:
        yield from map(make, items)
        return
    spawn = get_context("spawn")
    reader, writer = spawn.Pipe(duplex=False)
    waiting: deque[tuple[Future[None], Path]] = deque()
    # The pipe is closed before the pool waits for its processes: an interruption does not wait for
    # what nobody wants. If this process is killed, the system closes it.
    with (
        tempfile.TemporaryDirectory(prefix="morpheus-", dir=folder) as files,
        one_thread_each(),
        reader,
        ProcessPoolExecutor(jobs, spawn, _begin_worker, (reader,)) as pool,
        writer,
    ):
        for number, item in enumerate(items):
            path = Path(files, f"{number}.npz")
            with _signals_held():
                waiting.append((pool.submit(_make_file, make, item, path), path))
            if len(waiting) > jobs:
                yield _take(*waiting.popleft())
        while waiting:
            yield _take(*waiting.popleft())
        pool.shutdown()


def _make_file(make: Callable[[T], Arrays], item: T, path: Path) -> None:
    """Put the arrays into a file, in a worker.

    A process that is ended while it sends them would leave half of them in the pool's pipe, and the
    reader would wait for the rest for ever. That it is done is sent all at once.
    """
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **make(item))


def _take(done: Future[None], path: Path) -> Arrays:
    done.result()
    with np.load(path) as file:
        arrays = dict(file)
    path.unlink()
    return arrays


def _begin_worker(reader: Connection) -> None:
    """End this process when the other end of the pipe is closed."""

    def watch() -> None:
        wait([reader])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _signals_held() -> Iterator[None]:
    """Start processes that do not see Ctrl-C or the end of a batch job: this one ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
