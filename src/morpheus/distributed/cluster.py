"""Where workers come from: this process, this machine, or a Dask cluster that is there."""

import asyncio
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from morpheus.distributed.crew import Crew, one_line
from morpheus.distributed.execution import LOCAL_SCHEDULERS
from morpheus.distributed.kept import KEPT
from morpheus.errors import OptionError

__all__ = ["connect", "connecting", "load_workers"]

_PATIENCE = 10  # seconds
_WORKER = "morpheus.distributed.worker"
# Of every process, from its start.
_ENVIRONMENT = {
    # Tasks are what runs at once.
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    # What was allocated is kept for what is allocated next. Dask has memory given back at once,
    # which costs a third of the time of a chunk: every new array is then zeroed page by page.
    "MALLOC_TRIM_THRESHOLD_": str(192 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
}
# Elsewhere a process that has loaded numerical libraries cannot be copied safely, or not at all.
_COPIES = sys.platform == "linux"
_BEGUN = threading.Event()  # in this process


def load_workers(scheduler: str) -> None:
    """Begin to load what tasks need, in a process that workers are then copied from.

    Loading takes seconds, in which something else can be done. The process stays until this one
    ends, for other workers. One that is there already is used as it is.

    Parameters
    ----------
    scheduler : str
        As for `connect`; only 'processes', on Linux, are copied.
    """
    if scheduler != "processes" or not _COPIES or _BEGUN.is_set():
        return
    _BEGUN.set()
    from multiprocessing import forkserver, resource_tracker  # noqa: PLC0415 (not everywhere)

    resource_tracker.ensure_running()  # which would let signals through again
    absent = {name: value for name, value in _ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(absent)
    # Ctrl-C is for this process, which then ends the others.
    signals = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.set_forkserver_preload(["distributed", _WORKER])
        forkserver.ensure_running()
    finally:
        forkserver.set_forkserver_preload(["__main__"])
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)
        for name in absent:
            del os.environ[name]


@contextmanager
def connect(scheduler: str, n_workers: int) -> Iterator[Crew]:
    """Get hold of workers.

    Parameters
    ----------
    scheduler : str
        'processes' or 'threads' of this machine, as a Dask cluster of their own; 'serial', this
        process alone; or the address of a Dask scheduler, such as 'tcp://head:8786'.
    n_workers : int
        How many processes or threads.

    Yields
    ------
    Crew
        To run tasks with, until the context ends.

    Raises
    ------
    OptionError
        If the scheduler cannot be reached, or has no workers.
    """
    if scheduler == "serial":
        try:
            yield Crew()
        finally:
            KEPT.release()
        return
    if scheduler in LOCAL_SCHEDULERS:
        with _local(scheduler, n_workers) as crew:
            yield crew
        return
    import distributed  # noqa: PLC0415 (a second, and not for a serial run)

    try:
        _greet(distributed, scheduler)
        client = distributed.Client(scheduler, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise OptionError(
            f"--scheduler {scheduler}: no Dask scheduler can be reached there ({one_line(error)});"
            f" give its address, such as tcp://head:8786, or {', '.join(LOCAL_SCHEDULERS)}"
        ) from error
    with client:
        cores = sum(client.nthreads().values())
        if not cores:
            raise OptionError(f"--scheduler {scheduler}: it has no workers; start some")
        # What workers have open is theirs: they may be at work for others.
        yield Crew(client, cores, client.dashboard_link)


@contextmanager
def connecting(scheduler: str, n_workers: int) -> Iterator[Callable[[], Crew]]:
    """Get hold of workers while something else is done.

    Parameters
    ----------
    scheduler : str
        As for `connect`.
    n_workers : int
        As for `connect`.

    Yields
    ------
    callable
        Waits for them, and gives them or raises what `connect` does.
    """
    with ExitStack() as stack, ThreadPoolExecutor(1) as beside:
        yield beside.submit(stack.enter_context, connect(scheduler, n_workers)).result


def _greet(distributed: Any, address: str) -> None:
    """Make sure that a scheduler answers.

    A client that finds none stays half open, and may block the next one when it is collected.
    """

    async def greet() -> None:
        arguments = distributed.Security().get_connection_args("client")
        comm = await distributed.comm.connect(address, timeout=_PATIENCE, **arguments)
        await comm.close()

    # In a thread of its own, since that of a notebook has a loop that is running.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, greet()).result()


@contextmanager
def _local(scheduler: str, n_workers: int) -> Iterator[Crew]:
    load_workers(scheduler)
    import dask  # noqa: PLC0415 (as above)

    import distributed  # noqa: PLC0415 (as above)

    processes = scheduler == "processes"
    how = {f"distributed.nanny.pre-spawn-environ.{k}": value for k, value in _ENVIRONMENT.items()}
    if _COPIES:
        how["distributed.worker.multiprocessing-method"] = "forkserver"
    with (
        dask.config.set(how),
        distributed.LocalCluster(
            n_workers=n_workers if processes else 1,
            threads_per_worker=1 if processes else n_workers,
            processes=processes,
            host="127.0.0.1" if processes else None,  # threads need no address
            dashboard_address="127.0.0.1:0",
            # Whoever is on this machine could have workers do as they like, but for the keys.
            security=True if processes else None,
            memory_limit=None,  # chunks are as large as the memory allows
            silence_logs=50,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        # It listens to the garbage collector, and a Ctrl-C that came meanwhile would be lost.
        distributed.gc.disable_gc_diagnosis(force=True)
        if processes:
            client.run(_settle)
        try:
            yield Crew(client, n_workers, cluster.dashboard_link)
        finally:
            if not processes:
                KEPT.release()


def _settle() -> None:
    """Load what tasks need, where it was not there from the start."""
    importlib.import_module(_WORKER)
