"""What goes wrong in a run, and that it can be gone on with to the same bytes."""

import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from glob import glob
from typing import NamedTuple

import numpy as np
import psutil
import pytest
from astropy.io import fits

from morpheus.cli import main
from morpheus.distributed import stages
from morpheus.distributed.store import FieldStore
from morpheus.errors import IncompleteError
from morpheus.model import Model, load_model, save_model
from morpheus.mosaic.locking import working_in
from morpheus.pipeline import Execution, run_in_chunks

CHUNK = 37
BANDS = ("F160W", "F125W", "F606W")


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs morpheus in this process."""
    terminate = signal.getsignal(signal.SIGTERM)

    def run(arguments):
        monkeypatch.setattr(sys, "argv", ["morpheus", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Done(end.value.code or 0, *capsys.readouterr())

    yield run
    signal.signal(signal.SIGTERM, terminate)


@pytest.fixture
def run(command, arguments, fields, tmp_path, without_pictures):
    """Runs the small field in chunks, serially, without pictures."""

    def start(*more, folder=None, output=tmp_path / "out", **how):
        execution = ("--scheduler", "serial", "--chunk", CHUNK)
        return command(
            arguments(folder or fields["small"], output, *execution, "--quiet", *more, **how)
        )

    return start


@pytest.fixture
def count(monkeypatch):
    """Counts the chunks that a stage works on, and may let some of them fail."""

    def watch(name, fail=None):
        function, seen = getattr(stages, name), []

        def counted(spec, chunk, *more):
            seen.append(chunk.key)
            if fail is not None:
                fail(chunk)
            return function(spec, chunk, *more)

        monkeypatch.setattr(stages, name, counted)
        return seen

    return watch


def line(done, code=2):
    """The one line of an error."""
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("morpheus: error: ")
    return lines[0]


@pytest.fixture(scope="module")
def stopped_once(fields, models, inputs, tmp_path_factory):
    """A run that was stopped when all chunks were classified and three of them separated."""
    function, left = stages.separate_chunk, [3]

    def stopping(*arguments):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return function(*arguments)

    root = tmp_path_factory.mktemp("stopped")
    given = inputs(fields["small"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "separate_chunk", stopping)
        with pytest.raises(KeyboardInterrupt):
            run_in_chunks(
                given["images"],
                root / "out",
                model=models["dense"],
                weights=given["weights"],
                execution=Execution("serial", chunk=CHUNK),
            )
    assert len(list((root / "out/unfinished").glob("*/records/separate-*.npz"))) == 3
    return root


@pytest.fixture
def stopped(stopped_once, tmp_path):
    """A copy of it."""
    return shutil.copytree(stopped_once / "out", tmp_path / "out")


def chunk_file(output, name, plane=0, row=1, column=1):
    (store,) = output.glob("unfinished/*/maps.zarr")
    return store / f"{name}/c/{plane}/{row}/{column}"


def flip(path, where=1 / 3):
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 1
    path.write_bytes(content)


EARLY = ("classify_chunk", "detect_chunk", "sky_chunk", "noise_chunk")


# ---- what was done is not done again, unless it is damaged


def test_a_run_is_gone_on_with(stopped, run, count, expected, check_same):
    seen = {name: count(name) for name in (*EARLY, "separate_chunk")}
    assert run("--resume").returncode == 0
    assert [len(keys) for keys in seen.values()] == [0, 0, 0, 0, 9 - 3]
    check_same(expected("small"), stopped)


def test_damaged_chunks_are_made_again(stopped, run, count, expected, check_same):
    flip(chunk_file(stopped, "mean", plane=2))
    chunk_file(stopped, "n", row=0, column=2).unlink()
    chunk_file(stopped, "mask", column=0).write_bytes(b"")
    regions = chunk_file(stopped, "regions", column=2)
    regions.write_bytes(regions.read_bytes()[:-5])
    seen = {name: count(name) for name in EARLY}
    assert run("--resume").returncode == 0
    assert seen["classify_chunk"] == ["0000-0002", "0001-0000", "0001-0001"]
    assert seen["detect_chunk"] == ["0001-0002"]
    assert not seen["sky_chunk"]
    check_same(expected("small"), stopped)


def test_damaged_records_are_made_again(stopped, run, count, expected, check_same):
    (records,) = stopped.glob("unfinished/*/records")
    (records / "classify-0000-0001.npz").unlink()
    (records / "detect-0001-0002.npz").write_bytes(b"")
    flip(records / "sky-0001-0000.npz")
    cut = records / "noise-0002-0002.npz"
    cut.write_bytes(cut.read_bytes()[:-9])
    seen = {name: count(name) for name in EARLY}
    assert run("--resume").returncode == 0
    assert list(seen.values()) == [["0000-0001"], ["0001-0002"], ["0001-0000"], ["0002-0002"]]
    check_same(expected("small"), stopped)


def test_what_was_half_written_goes(stopped, run, expected, check_same):
    for name in ("disk_mean.fits", "segmap.fits", "catalog.fits", "rgb.png", "report.json"):
        (stopped / f".{name}-abcd1234.part").write_bytes(b"SIMPLE")
    assert run("--resume").returncode == 0
    check_same(expected("small"), stopped)


def test_a_chunk_that_is_damaged_in_mid_run(run, monkeypatch, tmp_path, expected, check_same):
    """It is said where, and with --resume it is made again."""
    function, damaged = stages.detect_chunk, []

    def damaging(spec, chunk):
        if chunk.key == "0001-0001" and not damaged:
            damaged.append(True)
            flip(chunk_file(tmp_path / "out", "mean", plane=4))
        return function(spec, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(stages, "detect_chunk", damaging)
        message = line(run(), 3)
    assert "1 of 9 chunks failed 2 times (detect): chunk 0001-0001" in message
    assert "a chunk of mean is damaged" in message
    assert run("--resume").returncode == 0
    check_same(expected("small"), tmp_path / "out")


# ---- chunks that fail


def test_what_fails_is_named(run, count, tmp_path):
    def fail(chunk):
        if chunk.key == "0000-0002":
            raise RuntimeError("a cable\nwas pulled")

    seen = count("classify_chunk", fail)
    assert line(run(), 3) == (
        "morpheus: error: 1 of 9 chunks failed 2 times (classify): chunk 0000-0002 (x 74 to 103,"
        " y 0 to 36): a cable was pulled. The others are done and kept: mend the cause, and go on"
        " with --resume"
    )
    assert len(seen) == 10
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["unfinished"]


@pytest.mark.parametrize("stage", ["separate_chunk", "measure_cell_task"])
def test_a_failure_in_any_stage(command, arguments, fields, expected, check_same, tmp_path, stage):
    output = tmp_path / "out"
    call = arguments(fields["small"], output, "--scheduler", "serial", "--chunk", CHUNK, "--quiet")
    function, seen, mended = getattr(stages, stage), [], []

    def failing(spec, chunk, *more):
        seen.append(chunk.key)
        if chunk.key in {"0000-0000", "0001-0002"} and not mended:
            raise OSError(errno.EIO, "Input/output error")
        return function(spec, chunk, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, stage, failing)
        message = line(command(call), 3)
        assert "chunk 0000-0000 (x 0 to " in message
        assert "Input/output error" in message
        assert not (output / "catalog.fits").exists()
        mended.append(True)
        seen.clear()
        assert command([*call, "--resume"]).returncode == 0
    assert seen == (["0000-0000"] if "cell" in stage else ["0000-0000", "0001-0002"])
    check_same(expected("small"), output)


def test_a_file_that_is_cut_off_while_a_run_begins(
    fields, models, inputs, expected, check_same, tmp_path, without_pictures
):
    shutil.copytree(fields["small"], tmp_path / "in")
    given, path = inputs(tmp_path / "in"), tmp_path / "in/F125W.fits"
    content = path.read_bytes()

    def start(**more):
        return run_in_chunks(
            given["images"],
            tmp_path / "out",
            model=models["dense"],
            weights=given["weights"],
            execution=Execution("serial", chunk=CHUNK),
            **more,
        )

    with pytest.raises(IncompleteError) as caught:
        start(announce=lambda _: path.write_bytes(content[:9000]))
    assert "9 of 9 chunks failed 2 times (classify): chunk 0000-0000 (x 0 to 36" in str(
        caught.value
    )
    assert "F125W.fits is truncated or damaged" in str(caught.value)
    assert "; and 6 more" in str(caught.value)
    path.write_bytes(content)
    start(resume=True)
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["inputs"][1]["path"] == str(path)
    assert (tmp_path / "out/n.fits").exists()


# ---- full disks


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("after", [0, 20])
def test_a_full_disk(run, monkeypatch, tmp_path, expected, check_same, after):
    write, left = FieldStore.write, [after]

    def filling(*arguments):
        left[0] -= 1
        return write(*arguments) if left[0] >= 0 else full()

    with monkeypatch.context() as patch:
        patch.setattr(FieldStore, "write", filling)
        message = line(run())
    store = tmp_path / "out/unfinished"
    assert message.startswith(f"morpheus: error: cannot write to {store}/")
    assert message.endswith(": No space left on device; make room, and go on with --resume")
    assert run("--resume").returncode == 0
    check_same(expected("small"), tmp_path / "out")


def test_a_full_disk_between_the_stages(run, monkeypatch, tmp_path, expected, check_same):
    save = FieldStore.save_table

    def filling(store, table, content):
        if table == "sources":
            with monkeypatch.context() as patch:
                patch.setattr("pathlib.Path.write_bytes", full)
                save(store, table, content)
        save(store, table, content)

    with monkeypatch.context() as patch:
        patch.setattr(FieldStore, "save_table", filling)
        message = line(run())
    assert f"cannot write to {tmp_path}/out/unfinished" in message
    assert "No space left on device" in message
    assert "--resume" in message
    assert run("--resume").returncode == 0
    check_same(expected("small"), tmp_path / "out")


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
import morpheus
from morpheus.cli import main
main()
"""


def test_files_that_may_not_grow(run, arguments, fields, expected, tmp_path, check_same):
    """As on a full disk, first the store and then the products; in a process of its own."""
    output = tmp_path / "out"
    call = arguments(fields["small"], output, "--scheduler", "serial", "--chunk", 64, "--quiet")

    def limited(n_bytes, *more):
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, str(n_bytes), *call, *more],
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    message = line(limited(12_000))
    assert f"cannot write to {output}/unfinished/" in message
    assert ": File too large; make room" in message
    assert "go on with --resume" in message
    message = line(limited(30_000, "--resume"))
    assert f"cannot write {output}/spheroid_mean.fits: File too large" in message
    assert "go on with --resume" in message
    assert run("--resume").returncode == 0
    check_same(expected("small"), output)


# ---- another run than the one that was begun


@pytest.mark.parametrize(
    ("name", "kind"), [("F125W.fits", "F125W image"), ("F606W_wht.fits", "F606W weight")]
)
def test_an_input_that_changed(stopped, run, fields, tmp_path, name, kind):
    folder = shutil.copytree(fields["small"], tmp_path / "in")
    with fits.open(folder / name, mode="update") as hdus:
        hdus[0].data[3, 4] += 1
    message = line(run("--resume", folder=folder))
    assert f"{folder / name} ({kind}) is not what it was when the run in {stopped} was" in message
    assert "put the file back, or start anew with --overwrite" in message


def test_files_may_be_moved(stopped, run, fields, tmp_path, count):
    seen = count("classify_chunk")
    folder = shutil.copytree(fields["small"], tmp_path / "elsewhere")
    assert run("--resume", folder=folder).returncode == 0
    assert seen == []


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--grow", "0.4"), "segmentation.grow: none then, 0.4 now"),
        (("--min-area", "9"), "segmentation.min_area"),
        (("--statistic", "votes"), "segmentation.statistic"),
        (("--no-deblend",), "segmentation.deblend: True then, False now"),
        (("--aperture", "0.7"), "catalog.apertures"),
        (("--zero-point", "F160W=25"), "catalog.zero_points.F160W: none then, 25.0 now"),
        (("--catalog", "sources.ecsv"), "catalog_file"),
        (("--rgb", "F160W,F125W,F606W"), "rgb: none then"),
        (("--region", "53.12090,-27.80080,61pix,47pix"), "section.origin"),
        (("--positions", "{}/positions.csv"), "positions_sha256: none then"),
    ],
)
def test_other_options(stopped, run, tmp_path, more, named):
    (tmp_path / "positions.csv").write_text("id,x,y\n1,3,4\n")
    message = line(run("--resume", *(one.format(tmp_path) for one in more)))
    assert f"the run in {stopped} was begun with other options ({named}" in message
    assert "give the same, or start anew with --overwrite" in message


def test_another_model(stopped, command, arguments, fields, models, tmp_path):
    model = load_model(models["dense"])
    weights = {**model.weights, "head.bias": model.weights["head.bias"] + np.float32(1)}
    save_model(Model(model.config, weights), tmp_path / "model", "")
    call = arguments(fields["small"], stopped, "--quiet", "--resume")
    call[call.index("-m") + 1] = tmp_path / "model"
    assert "model.weights_sha256" in line(command(call))


def test_what_makes_no_difference_may_differ(stopped, run, count):
    seen = count("classify_chunk")
    more = ("--threads", "1", "--batch-size", "3", "--memory", "9GB", "--chunk", "20")
    assert run("--resume", *more).returncode == 0
    assert seen == []


def test_an_unfinished_run_is_not_replaced_by_chance(stopped, run, count):
    assert line(run()) == (
        f"morpheus: error: {stopped} holds an unfinished run: go on with --resume (resume=True),"
        " or start anew with --overwrite"
    )
    seen = count("classify_chunk")
    assert run("--overwrite", "--min-area", "9").returncode == 0
    assert len(seen) == 9


def test_nothing_to_go_on_with(run, tmp_path, expected, check_same):
    """An empty folder is begun; a complete run is not done again."""
    assert run("--resume").returncode == 0
    check_same(expected("small"), tmp_path / "out")
    assert "a run that is complete: there is nothing to go on with" in line(run("--resume"))
    assert "would be overwritten" in line(run())


def test_chunks_may_be_kept(run, tmp_path, count):
    assert run("--keep-chunks").returncode == 0
    assert len(list((tmp_path / "out/unfinished").glob("*/records/classify-*"))) == 9
    seen = count("classify_chunk")
    assert run("--resume").returncode == 0
    assert seen == []
    assert not (tmp_path / "out/unfinished").exists()


# ---- mistakes


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--memory", "lots"), "--memory lots: give a size such as 2GB or 800MB"),
        (("--memory", "0"), "memory is 0; it is a whole number from 1"),
        (("--memory", "-2GB"), "memory is -2000000000"),
        (("--memory", "nan"), "--memory nan"),
        (("--memory", "infGB"), "--memory infGB"),
        (("--memory", "300MB"), "--memory 0.3 GB is not enough: this model takes"),
        (("--chunk", "0"), "chunk is 0; it is a whole number from 1"),
        (("--chunk", "-4"), "chunk is -4"),
        (("--chunk", "many"), "--chunk"),
        (("--scheduler", "magic"), "scheduler is 'magic'; it is processes, threads, serial or an"),
        (("--scheduler", "nonsense://here"), "no Dask scheduler can be reached there"),
        (("--method", "published"), "the published method is made of the whole image at once"),
        (("--background", "mesh"), "the background 'mesh' is made of the whole image at once"),
    ],
)
def test_mistakes(command, arguments, fields, tmp_path, more, message):
    chunk = () if {"--memory", "--chunk"} & set(more) else ("--chunk", CHUNK)
    call = arguments(fields["small"], tmp_path / "out", *chunk, *more)
    assert message in line(command(call))
    assert not list(tmp_path.glob("out/*.fits"))


# ---- processes that are killed


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


def killing_when_begun(output, kill):
    """Kill something in a thread when the first chunks are classified."""

    def wait():
        wait_for(lambda: n_records(output, "classify-*") >= 2)
        kill()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.fixture
def start(fields, models, inputs, tmp_path, without_pictures):
    """Runs the small field in small chunks."""

    def run(scheduler):
        given = inputs(fields["small"])
        return run_in_chunks(
            given["images"],
            tmp_path / "out",
            model=models["dense"],
            weights=given["weights"],
            execution=Execution(scheduler, chunk=30),
        )

    return run


def test_a_killed_worker_of_a_cluster(start, make_cluster, tmp_path, expected, check_same):
    cluster = make_cluster()
    thread = killing_when_begun(tmp_path / "out", cluster.workers[0].kill)
    start(cluster.address)
    thread.join()
    assert cluster.workers[0].wait() == -signal.SIGKILL
    check_same(expected("small"), tmp_path / "out")


def test_a_killed_worker_on_this_machine(start, tmp_path, expected, check_same):
    def kill():
        workers_of(psutil.Process())[0].kill()

    thread = killing_when_begun(tmp_path / "out", kill)
    start("processes")
    thread.join()
    check_same(expected("small"), tmp_path / "out")


def workers_of(process):
    """Its children's children that are copies of the one that has loaded everything."""
    found = []
    for one in process.children(recursive=True):
        try:
            if one.ppid() != process.pid and "forkserver" in " ".join(one.parent().cmdline()):
                found.append(one)
        except psutil.NoSuchProcess:
            pass
    return found


def n_records(output, name="*"):
    """Count records: the folder goes when the run ends, at which `Path.glob` would raise."""
    return len(glob(f"{output}/unfinished/*/records/{name}.npz"))  # noqa: PTH207


@pytest.fixture(scope="module")
def start_command():
    """Starts commands, in processes that have what takes seconds to import when they begin."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["morpheus.cli", "morpheus.pipeline"])

    def begin(arguments):
        process = context.Process(target=main)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["morpheus", *map(str, arguments)])  # which it takes over
            process.start()
        return process

    return begin


def test_a_run_that_is_killed_again_and_again(
    arguments, fields, expected, tmp_path, check_same, start_command
):
    """By SIGKILL, at random moments; the workers end with it, and the bytes are the same."""
    rng = np.random.default_rng(11)
    output = tmp_path / "out-0"
    n_kills, n_complete, n_workers = 0, 0, 0
    while not n_complete or n_kills < 10:
        # Another scheduler may go on with what one has begun; a serial run starts sooner.
        scheduler = "processes" if n_kills in {2, 6} else "serial"
        how = ("--scheduler", scheduler, "--chunk", CHUNK, "--resume", "--quiet")
        process = start_command(arguments(fields["small"], output, *how))
        if n_kills < 10:
            moment = n_records(output) + rng.integers(0, 15)
            while process.is_alive() and n_records(output) < moment:
                time.sleep(0.01)
            process.join(rng.uniform(0, 0.3))
        else:
            process.join(300)
        if process.is_alive():
            workers = workers_of(psutil.Process(process.pid))
            process.kill()
            process.join()
            _, alive = psutil.wait_procs(workers, 30)
            assert not alive
            n_kills, n_workers = n_kills + 1, n_workers + len(workers)
            continue
        # It may have been killed when all was done but to say so.
        assert process.exitcode in {0, 2}
        check_same(expected("small"), output, pictures=False)
        n_complete += 1
        output = tmp_path / f"out-{n_complete}"
    assert n_workers > 0


@pytest.mark.skipif(sys.platform != "linux", reason="workers are copied on Linux only")
def test_ctrl_c_while_workers_are_coming(arguments, fields, tmp_path):
    """It reaches the terminal's whole group; one line is said, and nobody stays."""
    call = arguments(
        fields["small"], tmp_path / "out", "--scheduler", "processes", "--chunk", CHUNK
    )
    # Where the tests run in the background, SIGINT is ignored, which children inherit.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from morpheus.cli import main; main()"
    )
    process = psutil.Popen(
        [sys.executable, "-c", program, *map(str, call), "--quiet"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    started = []
    while process.poll() is None and not started:
        started = [one for one in process.children() if "forkserver" in " ".join(one.cmdline())]
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=120)[1].strip().splitlines()
    assert process.returncode == 130
    assert len(said) == 1
    assert "interrupted" in said[0]
    _, alive = psutil.wait_procs(started, 30)
    assert not alive


# ---- what is not this run's


def test_nothing_is_left_of_what_cannot_be_run(tmp_path, arguments, command):
    """Not even the folders above."""
    call = arguments(tmp_path / "nowhere", tmp_path / "a/b/out", "--scheduler", "serial")
    for more in ((), ("--chunk", str(CHUNK))):
        assert "no such file" in line(command([*call, *more]))
    assert list(tmp_path.iterdir()) == []


def test_another_process_at_work(stopped, run, command, arguments, fields):
    """Two that go on with one run would remove each other's files."""
    before = sorted(stopped.rglob("*"))
    refused = f"another process works in {stopped}: wait for it, or end it"
    with working_in(stopped):
        for more in ("--resume", "--overwrite"):
            assert refused in line(run(more))
        # In memory, too: it would remove what is unfinished.
        whole = arguments(fields["small"], stopped, "--overwrite", "--quiet")
        assert refused in line(command(whole))
    assert sorted(stopped.rglob("*")) == before
    assert run("--resume").returncode == 0


def test_what_is_not_of_a_run_is_not_removed(run, tmp_path):
    mine = tmp_path / "out/unfinished/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("a year of work")
    for more in ((), ("--overwrite",), ("--resume",)):
        assert f"{mine} is of no run, and would be removed" in line(run(*more))
    assert mine.read_text() == "a year of work"


def test_hidden_files_of_others_are_left(stopped, run):
    ours, others = stopped / ".n.fits-abcdefgh.part", stopped / ".paper.tex-abcdefgh.part"
    for path in (ours, others):
        path.write_text("")
    assert run("--resume").returncode == 0
    assert others.exists()
    assert not ours.exists()


def test_a_run_in_memory_does_not_mix_with_an_unfinished_one(stopped, command, arguments, fields):
    call = arguments(fields["small"], stopped, "--quiet")
    assert "holds an unfinished run" in line(command(call))
    assert command([*call, "--overwrite"]).returncode == 0
    assert not (stopped / "unfinished").exists()


def test_a_task_that_outlives_its_run_writes_to_no_other(run, tmp_path, monkeypatch):
    """What a cluster has still at work when a run was ended is of other options."""
    stores, function = [], stages.classify_chunk

    def noting(spec, chunk):
        stores.append(spec.store)
        return function(spec, chunk)

    monkeypatch.setattr(stages, "classify_chunk", noting)
    assert run("--keep-chunks").returncode == 0
    assert run("--keep-chunks", "--overwrite").returncode == 0
    assert len(set(stores)) == 2
    assert [str(p) for p in (tmp_path / "out/unfinished").iterdir() if p.is_dir()] == [stores[-1]]


@pytest.mark.parametrize("device", ["banana", "cuda:77"])
def test_a_device_that_is_not_there_is_found_before_anything_is_stored(run, tmp_path, device):
    assert device in line(run("--device", device))
    assert not (tmp_path / "out").exists()
