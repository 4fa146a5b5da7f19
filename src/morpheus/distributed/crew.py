"""Who does the work, and what becomes of it: tries, failures, costs."""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from morpheus.distributed.chunks import Chunk
from morpheus.distributed.progress import StageProgress
from morpheus.distributed.records import Record
from morpheus.distributed.spec import FieldSpec
from morpheus.distributed.store import FieldStore
from morpheus.distributed.stored import StoredField
from morpheus.errors import IncompleteError, ModelError, OptionError, ProductError

__all__ = ["Crew", "StageCost", "Task", "one_line"]

_TRIES = 2
_POLL, _LOOK, _LONGEST = 0.02, 10.0, 300.0  # seconds; of waiting for workers that are not there
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


@dataclass(frozen=True)
class _Outcome:
    """What became of a task: its record, or why the disk cannot take it."""

    record: Record | None
    full: str = ""
    cpu: float = 0.0
    kept: bool = False


def _perform(spec: FieldSpec, task: Task) -> _Outcome:
    """Do a task, unless it was done before.

    Digests of what it wrote are compared first: what a crash or a disk has damaged is made again.
    """
    start = time.process_time()
    store = FieldStore(spec.store, spec.grid)
    found = store.record(task.stage, task.chunk.key)
    if found is not None and store.is_intact(task.chunk, found):
        return _Outcome(found, cpu=time.process_time() - start, kept=True)
    try:
        record = task.function(spec, task.chunk, *task.arguments)
        store.save_record(task.stage, task.chunk.key, record)
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        return _Outcome(None, os.strerror(error.errno or 0))
    arrays = {name: np.asarray(value) for name, value in record.items()}
    return _Outcome(arrays, cpu=time.process_time() - start)


@dataclass
class StageCost:
    """What a stage took.

    Parameters
    ----------
    seconds : float, optional
        Wall time.
    cpu_seconds : float, optional
        Processor time of all tasks; with threads, also of what ran beside them.
    tasks, kept : int, optional
        How many tasks, and how many of them were done before.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    tasks: int = 0
    kept: int = 0


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
    costs : dict of str to StageCost
        What the stages took that were run.
    """

    client: Any = None
    n_workers: int = 1
    dashboard: str | None = None
    costs: dict[str, StageCost] = field(default_factory=dict)

    def anew(self) -> "Crew":
        """Give the same workers for another field.

        Returns
        -------
        Crew
            Which has done nothing yet.
        """
        return replace(self, costs={})

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
        start = time.perf_counter()
        for task, outcome in self._outcomes(spec, tasks):
            if isinstance(outcome, OptionError | ModelError):
                raise outcome  # as it would for all others
            if isinstance(outcome, BaseException):
                failed.append((task.chunk, outcome))
                continue
            if outcome.record is None:
                raise ProductError(
                    f"cannot write to {spec.store}: {outcome.full}; make room, and go on with"
                    " --resume"
                )
            records[task.chunk.row, task.chunk.column] = outcome.record
            cost = self.costs.setdefault(task.stage, StageCost())
            cost.cpu_seconds += outcome.cpu
            cost.tasks += 1
            cost.kept += outcome.kept
            cost.seconds = time.perf_counter() - start
            done += task.chunk.n_pixels
            if progress is not None:
                progress(task.stage, done, total)
        if failed:
            named = "; ".join(
                f"{chunk}: {one_line(why)}" for chunk, why in failed[:_NAMED_FAILURES]
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
    ) -> Iterator[tuple[Task, _Outcome | BaseException]]:
        if self.client is None:
            for task in tasks:
                yield task, _tried(spec, task)
            return
        from distributed import as_completed  # noqa: PLC0415 (a second)

        futures = {
            self.client.submit(_perform, spec, task, pure=False, retries=_TRIES - 1): task
            for task in tasks
        }
        done = as_completed(list(futures), loop=self.client.loop)
        try:
            while not done.is_empty():
                self._wait(done)
                future = next(done)
                error = future.exception()
                if future.cancelled():
                    raise _lost("its scheduler is gone")
                yield futures[future], (future.result() if error is None else error)
                future.release()
        except (OSError, CancelledError) as error:  # Dask's errors of connections are OSErrors
            raise _lost(one_line(error)) from error
        finally:
            with contextlib.suppress(OSError, TimeoutError, CancelledError):
                self.client.cancel(list(futures))

    def _wait(self, done: Any) -> None:
        """Wait for a task to be done, but not for ever where there is nobody to do it."""
        looked = missed = time.monotonic()
        while not done.has_ready():
            time.sleep(_POLL)
            now = time.monotonic()
            if now - looked < _LOOK:
                continue
            looked = now
            if self.client.status != "running":
                raise _lost("its scheduler is gone")
            if self.client.nthreads():
                missed = now
            elif now - missed > _LONGEST:
                raise _lost(f"it has had no workers for {_LONGEST:.0f} s")

    def engine_of(self, spec: FieldSpec) -> tuple[str, str]:
        """Find out with what the network is evaluated, and that it can be.

        Parameters
        ----------
        spec : FieldSpec
            The field; its store need not exist.

        Returns
        -------
        tuple of str
            Library and arithmetic.

        Raises
        ------
        MorpheusError
            If the device, the precision or the model cannot be used.
        """
        if self.client is None:
            return _engine_of(spec)
        # By all that are there now, so that none has to make it while others are at work; as tasks,
        # in whose thread it is kept.
        futures = [
            self.client.submit(
                _engine_of, spec, pure=False, workers=[one], allow_other_workers=True
            )
            for one in self.client.nthreads()
        ]
        found: list[tuple[str, str]] = self.client.gather(futures)
        return found[0]


def _engine_of(spec: FieldSpec) -> tuple[str, str]:
    _, engine = StoredField(spec).model()
    return engine.name, engine.precision


def _lost(why: str) -> IncompleteError:
    return IncompleteError(
        f"the Dask cluster was lost ({why}); what is done is kept: go on with --resume"
    )


def _tried(spec: FieldSpec, task: Task) -> _Outcome | BaseException:
    error: Exception | None = None
    for _ in range(_TRIES):
        try:
            return _perform(spec, task)
        except Exception as caught:  # noqa: BLE001 (as a cluster does; all are reported)
            error = caught
    assert error is not None  # noqa: S101 (for the type checker)
    return error


def one_line(error: BaseException) -> str:
    """Say what is wrong in one line.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    str
        Its message, or what it is.
    """
    return " ".join(str(error).split()) or type(error).__name__
