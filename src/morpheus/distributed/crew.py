"""Who does the work: one process, or the workers of a Dask cluster."""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from morpheus.distributed.chunks import Chunk
from morpheus.distributed.execution import LOCAL_SCHEDULERS
from morpheus.distributed.progress import StageProgress
from morpheus.distributed.spec import FieldSpec, release
from morpheus.distributed.store import FieldStore, Record
from morpheus.errors import IncompleteError, OptionError, ProductError

__all__ = ["Crew", "Task", "connect"]

_TRIES = 2
_NAMED_FAILURES = 3
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True)
class Task:
    """A piece of work that leaves a record.

    Parameters
    ----------
    stage : str
        What is done.
    chunk : Chunk
        Where.
    function : callable
        Takes the field, the chunk and `arguments`, and gives the record.
    arguments : tuple
        What else it needs.
    """

    stage: str
    chunk: Chunk
    function: Callable[..., Record]
    arguments: tuple[Any, ...] = ()


def _perform(spec: FieldSpec, task: Task) -> tuple[Record | None, str]:
    """Do a task unless it was done before; give its record, or why the disk cannot take it.

    Digests of what it wrote are compared first: what a crash or a disk has damaged is made again.
    """
    store = FieldStore(spec.store, spec.grid)
    found = store.record(task.stage, task.chunk.key)
    if found is not None and store.is_intact(task.chunk, found):
        return found, ""
    try:
        record = task.function(spec, task.chunk, *task.arguments)
        store.save_record(task.stage, task.chunk.key, record)
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        return None, os.strerror(error.errno or 0)
    return {name: np.asarray(value) for name, value in record.items()}, ""


@dataclass(frozen=True)
class Crew:
    """Runs tasks, here one after the other or on a cluster.

    Parameters
    ----------
    client : distributed.Client or None
        The cluster; None: this process.
    n_workers : int
        How many tasks are worked on at once.
    dashboard : str or None
        Address of the cluster's dashboard.
    """

    client: Any = None
    n_workers: int = 1
    dashboard: str | None = None

    def run(
        self, spec: FieldSpec, tasks: Sequence[Task], progress: StageProgress | None = None
    ) -> dict[tuple[int, int], Record]:
        """Do all tasks of a stage.

        Parameters
        ----------
        spec : FieldSpec
            The field.
        tasks : sequence of Task
            The tasks, of different chunks.
        progress : callable, optional
            Told how far they are.

        Returns
        -------
        dict of (int, int) to Record
            The records by row and column of their chunks.

        Raises
        ------
        ProductError
            If the disk is full; nothing is begun any more then.
        IncompleteError
            If tasks failed twice; says where and why, after all others were done.
        """
        records: dict[tuple[int, int], Record] = {}
        failed: list[tuple[Chunk, BaseException]] = []
        total, done = sum(task.chunk.n_pixels for task in tasks), 0
        for task, outcome in self._outcomes(spec, tasks):
            if isinstance(outcome, BaseException):
                failed.append((task.chunk, outcome))
                continue
            record, full = outcome
            if record is None:
                raise ProductError(
                    f"cannot write to {spec.store}: {full}; make room, and go on with --resume"
                )
            records[task.chunk.row, task.chunk.column] = record
            done += task.chunk.n_pixels
            if progress is not None:
                progress(task.stage, done, total)
        if failed:
            named = "; ".join(
                f"{chunk}: {_one_line(why)}" for chunk, why in failed[:_NAMED_FAILURES]
            )
            more = len(failed) - _NAMED_FAILURES
            raise IncompleteError(
                f"{len(failed)} of {len(tasks)} chunks failed {_TRIES} times ({tasks[0].stage}):"
                f" {named}{f'; and {more} more' if more > 0 else ''}. The others are done and kept:"
                " mend the cause, and go on with --resume"
            )
        return records

    def _outcomes(
        self, spec: FieldSpec, tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, tuple[Record | None, str] | BaseException]]:
        if self.client is None:
            for task in tasks:
                yield task, _tried(spec, task)
            return
        from distributed import as_completed  # noqa: PLC0415 (a second)

        futures = {
            self.client.submit(_perform, spec, task, pure=False, retries=_TRIES - 1): task
            for task in tasks
        }
        try:
            for future in as_completed(list(futures), loop=self.client.loop):
                error = future.exception()
                yield futures[future], (future.result() if error is None else error)
                future.release()
        finally:
            self.client.cancel(list(futures))


def _tried(spec: FieldSpec, task: Task) -> tuple[Record | None, str] | BaseException:
    error: Exception | None = None
    for _ in range(_TRIES):
        try:
            return _perform(spec, task)
        except Exception as caught:  # noqa: BLE001 (as a cluster does; all are reported)
            error = caught
    assert error is not None  # noqa: S101 (for the type checker)
    return error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


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
            release()
        return
    import distributed  # noqa: PLC0415 (a second, and not for a serial run)

    if scheduler in LOCAL_SCHEDULERS:
        with _local(distributed, scheduler, n_workers) as crew:
            yield crew
        return
    try:
        client = distributed.Client(scheduler, timeout=10, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise OptionError(
            f"--scheduler {scheduler}: no Dask scheduler can be reached there ({_one_line(error)});"
            f" give its address, such as tcp://head:8786, or {', '.join(LOCAL_SCHEDULERS)}"
        ) from error
    with client:
        cores = sum(client.nthreads().values())
        if not cores:
            raise OptionError(f"--scheduler {scheduler}: it has no workers; start some")
        try:
            yield Crew(client, cores, client.dashboard_link)
        finally:
            client.run(release)


@contextmanager
def _local(distributed: Any, scheduler: str, n_workers: int) -> Iterator[Crew]:
    processes = scheduler == "processes"
    with (
        distributed.LocalCluster(
            n_workers=n_workers if processes else 1,
            threads_per_worker=1 if processes else n_workers,
            processes=processes,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=None,  # chunks are as large as the memory allows
            silence_logs=50,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        try:
            yield Crew(client, n_workers, cluster.dashboard_link)
        finally:
            if not processes:
                release()
