"""Who does the work: tries, failures, full disks, and what is not done twice."""

import dataclasses
import errno
import gc
import os
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from morpheus.distributed import cluster
from morpheus.distributed import crew as crew_module
from morpheus.distributed.chunks import ChunkGrid
from morpheus.distributed.cluster import connect, connecting
from morpheus.distributed.crew import Crew, Task
from morpheus.distributed.execution import Execution
from morpheus.distributed.kept import Kept
from morpheus.distributed.progress import WholeProgress
from morpheus.distributed.spec import devices
from morpheus.distributed.store import FieldStore
from morpheus.errors import IncompleteError, OptionError, ProductError

GRID = ChunkGrid((6, 9), (3, 3))


@dataclasses.dataclass(frozen=True)
class Spec:
    """All that a crew needs to know of a field."""

    store: str
    grid: ChunkGrid


@pytest.fixture
def spec(tmp_path):
    FieldStore.create(tmp_path / "store", GRID, {"map": ("int32", 1, -1)})
    return Spec(str(tmp_path / "store"), GRID)


class Work:
    """A task that writes its chunk's number, and is told how to fail."""

    def __init__(self):
        self.seen, self.errors = [], {}

    def __call__(self, spec, chunk, *arguments):
        self.seen.append(chunk.key)
        if self.errors.get(chunk.key):
            raise self.errors[chunk.key].pop()
        block = np.full(
            tuple(s.stop - s.start for s in chunk.section), chunk.row * 3 + chunk.column
        )
        digest = FieldStore(spec.store, spec.grid).write("map", chunk, block)
        return {"sha256_map": np.array(digest), "arguments": np.array(arguments)}

    def tasks(self):
        return [Task("work", chunk, self, (1, 2)) for chunk in GRID]


@pytest.fixture
def work():
    return Work()


def test_every_task_is_done_once(spec, work):
    told = []
    records = Crew().run(spec, work.tasks(), lambda *what: told.append(what))
    assert sorted(records) == [(row, column) for row in range(2) for column in range(3)]
    assert records[1, 2]["arguments"].tolist() == [1, 2]
    assert told == [("work", 9 * i, 54) for i in range(1, 7)]
    again = Crew().run(spec, work.tasks())
    assert len(work.seen) == 6
    assert {k: str(r["sha256_map"]) for k, r in again.items()} == {
        k: str(r["sha256_map"]) for k, r in records.items()
    }


def test_what_is_damaged_is_done_again(spec, work, tmp_path):
    Crew().run(spec, work.tasks())
    (tmp_path / "store/maps.zarr/map/c/0/1/0").unlink()
    (tmp_path / "store/records/work-0000-0002.npz").write_bytes(b"")
    work.seen.clear()
    Crew().run(spec, work.tasks())
    assert sorted(work.seen) == ["0000-0002", "0001-0000"]


def test_a_task_is_tried_twice(spec, work):
    work.errors = {"0001-0001": [RuntimeError("a cosmic ray")]}
    assert len(Crew().run(spec, work.tasks())) == 6
    assert work.seen.count("0001-0001") == 2


def test_what_fails_twice_is_named_and_the_rest_is_done(spec, work):
    work.errors = {"0001-0001": [ValueError("bad\n  pixel")] * 2, "0000-0000": [OSError()] * 2}
    with pytest.raises(IncompleteError) as caught:
        Crew().run(spec, work.tasks())
    message = str(caught.value)
    assert message == (
        "2 of 6 chunks failed 2 times (work): chunk 0000-0000 (x 0 to 2, y 0 to 2): OSError;"
        " chunk 0001-0001 (x 3 to 5, y 3 to 5): bad pixel. The others are done and kept: mend the"
        " cause, and go on with --resume"
    )
    work.seen.clear()
    assert len(Crew().run(spec, work.tasks())) == 6
    assert sorted(work.seen) == ["0000-0000", "0001-0001"]


def test_many_failures_are_counted(spec, work):
    work.errors = {chunk.key: [ValueError("no")] * 2 for chunk in GRID}
    with pytest.raises(IncompleteError, match=r"6 of 6 chunks failed .*; and 3 more"):
        Crew().run(spec, work.tasks())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_ends_the_stage(spec, work, number):
    work.errors = {"0000-0001": [OSError(number, os.strerror(number))]}
    with pytest.raises(ProductError) as caught:
        Crew().run(spec, work.tasks())
    assert str(caught.value) == (
        f"cannot write to {spec.store}: {os.strerror(number)}; make room, and go on with --resume"
    )
    assert work.seen == ["0000-0000", "0000-0001"]  # nothing more was begun, nor tried again
    assert len(Crew().run(spec, work.tasks())) == 6


def test_a_record_that_cannot_be_written_leaves_nothing(spec, work, monkeypatch, tmp_path):
    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(ProductError, match="No space left on device"):
            Crew().run(spec, work.tasks())
    assert list((tmp_path / "store/records").iterdir()) == []


# ---- where workers come from


@pytest.mark.parametrize("scheduler", ["magic", "", "head:8786", None])
def test_a_scheduler_is_a_word_or_an_address(scheduler):
    with pytest.raises((OptionError, TypeError)):
        Execution(scheduler)


@pytest.mark.parametrize("value", [0, -1, 1.5, "2GB"])
@pytest.mark.parametrize("name", ["memory", "chunk"])
def test_sizes_are_whole_numbers(name, value):
    with pytest.raises(OptionError, match=f"{name} is {value!r}; it is a whole number from 1"):
        Execution(**{name: value})


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://a", "tcp://:x", "tcp://"])
def test_an_address_where_nobody_is(address, monkeypatch):
    # Ten seconds, in which one may just be starting, are many here.
    monkeypatch.setattr(cluster, "_PATIENCE", 0.5)
    match = "no Dask scheduler can be reached"
    with pytest.raises(OptionError, match=match) as caught, connect(address, 2):
        pass
    assert "\n" not in str(caught.value)
    assert address in str(caught.value)


def test_a_cluster_without_workers(make_cluster):
    cluster = make_cluster(0)
    match = "it has no workers; start some"
    with pytest.raises(OptionError, match=match), connect(cluster.address, 2):
        pass


def test_processes_and_threads_end_with_the_work(spec):
    import psutil

    with connect("threads", 2) as crew:
        assert crew.n_workers == 2
        assert len(crew.run(spec, Work().tasks())) == 6
    with connect("processes", 2) as crew:
        assert crew.n_workers == 2
        pids = set(crew.client.run(os.getpid).values())
        assert len(pids) == 2
        workers = [psutil.Process(pid) for pid in pids]
    _, alive = psutil.wait_procs(workers, 20)
    assert not alive


def test_what_a_process_begins_with():
    """All that tasks need, out of the garbage collector's way; this process stays as it is."""
    before = dict(os.environ)
    with connect("processes", 1) as crew:
        ((threads, modules, frozen),) = crew.client.run(beginnings).values()
    assert threads == "1"
    assert "morpheus.distributed.stages" in modules
    assert "morpheus.cli" not in modules
    assert frozen > 0
    assert {name: os.environ.get(name) for name in before} == before


def beginnings():
    return os.environ["OPENBLAS_NUM_THREADS"], list(sys.modules), gc.get_freeze_count()


def test_every_worker_makes_the_engine_where_tasks_find_it(spec, monkeypatch):
    """What is kept is kept by a thread: an engine of another one would be a second one."""
    asked = []

    def made(_):
        return str(os.getpid()), threading.current_thread().name

    monkeypatch.setattr(crew_module, "_engine_of", made)
    with connect("processes", 2) as crew:
        gather = crew.client.gather
        monkeypatch.setattr(crew.client, "gather", lambda f: asked.extend(gather(f)) or gather(f))
        assert crew.engine_of(spec) == asked[0]
    assert len({pid for pid, _ in asked}) == 2
    assert all("Dask-Default-Threads" in name for _, name in asked)


def test_they_come_while_something_else_is_done(spec):
    with connecting("threads", 1) as awaited:
        crew = awaited()
        assert len(crew.run(spec, Work().tasks())) == 6
    assert crew.client.status == "closed"


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_workers_that_are_not_wanted_any_more_go(scheduler):
    with pytest.raises(ZeroDivisionError), connecting(scheduler, 1) as awaited:
        raise ZeroDivisionError
    assert awaited().client.status == "closed"


def test_who_does_not_come_is_said_by_who_waits():
    with connecting("tcp://127.0.0.1:1", 1) as awaited, pytest.raises(OptionError, match="no Dask"):
        awaited()


# ---- what a process keeps


def test_what_is_kept_is_closed():
    kept, closed = Kept(), []

    def make(name):
        def made(stack):
            stack.callback(closed.append, name)
            return name

        return made

    assert kept.give("a", make("first")) == "first"
    assert kept.give("a", make("second")) == "first"
    for i in range(20):
        kept.give(i, make(i))
    assert closed  # not without end
    kept.release()
    assert sorted(map(str, closed)) == sorted(map(str, ["first", *range(20)]))
    assert kept.give("a", make("third")) == "third"
    kept.forget(str)
    assert kept.give("a", make("fourth")) == "fourth"
    kept.release()
    assert {"third", "fourth"} <= set(closed)


def test_devices():
    assert devices("cpu") == ("cpu",)
    assert devices("cuda:1") == ("cuda:1",)
    assert devices("cuda:0,2") == ("cuda:0", "cuda:2")
    for text in ("cuda:0,", "cuda:0,0", "cuda:a,b"):
        with pytest.raises(OptionError, match="several are written as cuda:0,1"):
            devices(text)


def test_progress_is_of_the_whole_run():
    told = []
    config = SimpleNamespace(is_dense=False)
    show = WholeProgress(lambda *what: told.append(what), 1000, config, 1)
    for stage in ("classify", "write maps", "separate", "measure", "pictures"):
        for done in (0, 50, 100):
            show(stage, done, 100)
    done = [what[1] for what in told]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[2] > 900  # most of the work, with windows that overlap
    assert done[-1] == 1000


# ---- a cluster that is lost


def slow_tasks():
    def slow(spec, chunk):
        import time

        time.sleep(600)

    return [Task("work", chunk, slow) for chunk in GRID]


def test_a_scheduler_that_is_gone(make_cluster, spec):
    cluster = make_cluster(1)
    with connect(cluster.address, 1) as crew:
        threading.Timer(2, cluster.scheduler.kill).start()
        with pytest.raises(IncompleteError, match=r"the Dask cluster was lost .*--resume"):
            crew.run(SimpleNamespace(**vars(spec)), slow_tasks())


def test_workers_that_do_not_come_back(make_cluster, spec, monkeypatch):
    monkeypatch.setattr(crew_module, "_LOOK", 0.2)
    monkeypatch.setattr(crew_module, "_LONGEST", 1.0)
    cluster = make_cluster(1)
    with connect(cluster.address, 1) as crew:
        threading.Timer(2, cluster.workers[0].kill).start()
        with pytest.raises(IncompleteError, match="it has had no workers for 1 s"):
            crew.run(SimpleNamespace(**vars(spec)), slow_tasks())


def test_options_that_cannot_be_used_are_not_tried_on_every_chunk(spec, work):
    work.errors = {chunk.key: [OptionError("no such device")] * 2 for chunk in GRID}
    with pytest.raises(OptionError, match="no such device"):
        Crew().run(spec, work.tasks())
    assert set(work.seen) == {"0000-0000"}
