"""Where workers come from: this process, this machine, or a Dask cluster that is there."""

import asyncio
import gc
import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from morpheus.distributed.crew import Crew, one_line
from morpheus.distributed.execution import LOCAL_SCHEDULERS
from morpheus.distributed.kept import KEPT
from morpheus.errors import OptionError

__all__ = ["connect"]

_PATIENCE = 10  # seconds


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
    import distributed  # noqa: PLC0415 (a second, and not for a serial run)

    if scheduler in LOCAL_SCHEDULERS:
        with _local(distributed, scheduler, n_workers) as crew:
            yield crew
        return
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
def _local(distributed: Any, scheduler: str, n_workers: int) -> Iterator[Crew]:
    import dask  # noqa: PLC0415 (as above)

    processes = scheduler == "processes"
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": _environment(dask)}),
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
        if processes:
            client.run(_settle)
        try:
            yield Crew(client, n_workers, cluster.dashboard_link)
        finally:
            if not processes:
                KEPT.release()


def _settle() -> None:
    """Load all that a process of our own needs, which is there to stay.

    Looking through it for garbage after every task took a sixth of the time of measuring.
    """
    importlib.import_module("morpheus.pipeline")
    gc.collect()
    gc.freeze()


def _environment(dask: Any) -> dict[str, Any]:
    """Give what is set for processes: what was allocated is kept for what is allocated next.

    Dask has memory given back at once, which costs a third of the time of a chunk: every new array
    is then zeroed page by page.
    """
    given = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    return {**given, "MALLOC_TRIM_THRESHOLD_": 192 << 20, "MALLOC_MMAP_THRESHOLD_": 32 << 20}
