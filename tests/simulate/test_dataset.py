"""Datasets: examples depend on their number only, and what was begun is gone on with."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("galsim")
pytest.importorskip("zarr")

import zarr

from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.dataset import Dataset
from morpheus.dataset.store import partial_path
from morpheus.errors import DatasetError, MorpheusError, OptionError, ProductError
from morpheus.simulate import SURVEYS, DatasetOptions, make_dataset, simulate_field
from morpheus.simulate.examples import field_seed
from morpheus.simulate.psf import sky_sigma

# One band, and 4 examples in a group.
PIECES = DatasetOptions(survey="euclid-vis", size=256, n=10, seed=5, density=20)
STAMPS = replace(PIECES, kind="stamps", size=128, n=20, balance=True, density=10, defects=False)
SMALL = replace(PIECES, n=1, density=0)


def names(folder):
    return sorted(item.name for item in folder.iterdir())


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    path = tmp_path_factory.mktemp("pieces") / "made/train.zarr"
    make_dataset(path, PIECES)
    return Dataset.open(path)


@pytest.fixture(scope="module")
def stamps(tmp_path_factory):
    path = tmp_path_factory.mktemp("stamps") / "stamps.zarr"
    make_dataset(path, STAMPS)
    return Dataset.open(path)


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.zarr"
    make_dataset(path, SMALL)
    return path


def test_what_a_store_holds(pieces):
    assert len(pieces) == 10
    assert pieces.chunk == 4
    assert (pieces.images.shape, pieces.images.dtype) == ((10, 1, 256, 256), np.float32)
    assert (pieces.weights.shape, pieces.weights.dtype) == ((10, 1, 256, 256), np.float32)
    assert (pieces.classes.shape, pieces.classes.dtype) == ((10, 5, 256, 256), np.float16)
    assert (pieces.owner.shape, pieces.owner.dtype) == ((10, 256, 256), np.int32)
    card = pieces.card
    assert card["bands"] == ["VIS"]
    assert card["class_names"] == list(CLASS_NAMES)
    assert (card["survey"], card["seed"], card["size"]) == ("euclid-vis", 5, 256)
    assert_allclose(sum(card["counts"]["pixels"].values()), 10 * 256**2, rtol=1e-3)
    assert sum(card["counts"]["sources"].values()) == len(pieces.sources)
    assert not partial_path(pieces.path).exists()
    pieces.verify()


def test_zarr_alone_reads_it(pieces):
    store = zarr.open_group(pieces.path, mode="r")
    assert_array_equal(store["owner"][2:5], pieces.read(2, 5).owner)
    assert store["sources/x"].attrs["unit"] == "pix"
    codes = store["sources/class"]
    names = np.array(codes.attrs["values"])[codes[:]]
    assert_array_equal(names, pieces.sources["class"])


def test_pieces_are_those_of_fields(pieces):
    fields = [simulate_field(PIECES.field(field_seed(PIECES, group))) for group in range(2)]
    for group, field in enumerate(fields):
        made = pieces.read(4 * group, 4 * group + 4)
        for name, whole in (("images", field.images[0]), ("weights", field.weights[0])):
            found = {part.tobytes() for part in getattr(made, name)}
            quarters = whole.reshape(2, 256, 2, 256).swapaxes(1, 2).reshape(4, 256, 256)
            assert found == {quarter.tobytes() for quarter in quarters}
    assert np.isnan(fields[0].images).any()  # defects are there too


def test_the_number_of_jobs_changes_nothing(pieces, tmp_path):
    card = make_dataset(tmp_path / "two.zarr", replace(PIECES, jobs=2))
    assert card["checksum"] == pieces.card["checksum"]


def test_a_smaller_dataset_is_the_beginning_of_a_larger_one(stamps, tmp_path):
    make_dataset(tmp_path / "few.zarr", replace(STAMPS, n=18))
    few = Dataset.open(tmp_path / "few.zarr")
    for name in ("images", "weights", "classes", "owner"):
        assert getattr(few, name)[:].tobytes() == getattr(stamps, name)[:18].tobytes()
    rows = stamps.sources[stamps.sources["example"] < 18]
    assert rows.as_array().tobytes() == few.sources.as_array().tobytes()


def test_other_seeds_and_kinds_are_other_examples(pieces, small, tmp_path):
    images = {Dataset.open(small).images[:].tobytes()}
    for number, change in enumerate(({"seed": 6}, {"kind": "stamps"})):
        path = tmp_path / f"{number}.zarr"
        make_dataset(path, replace(SMALL, **change))
        images.add(Dataset.open(path).images[:].tobytes())
    assert len(images) == 3


@pytest.mark.parametrize("kind", ["pieces", "stamps"])
def test_the_truth_is_consistent(kind, request):
    made = request.getfixturevalue(kind)
    batch, table = made.read(0, len(made)), made.sources
    classes = batch.classes.astype(float)
    assert_allclose(classes.sum(axis=1), 1, atol=2e-3)
    assert_array_equal(batch.owner == 0, classes[:, BACKGROUND] == 1)
    size = made.card["size"]
    for example, owner in enumerate(batch.owner):
        rows = table[table["example"] == example]
        assert_array_equal(rows["id"], np.arange(1, len(rows) + 1))
        owners = set(np.unique(owner)) - {0}
        assert owners <= set(rows["id"])
        inside = (abs(rows["x"] - (size - 1) / 2) <= size / 2) & (
            abs(rows["y"] - (size - 1) / 2) <= size / 2
        )
        assert all(inside[i] or rows["id"][i] in owners for i in range(len(rows)))
        assert (rows["flux_sum_vis"] > 0).all()
        assert (rows["flux_sum_vis"] < rows["flux_vis"] * 1.001).all()


def test_there_is_light_where_a_source_owns(stamps):
    batch = stamps.read(0, len(stamps))
    noise = 1 / np.sqrt(np.median(batch.weights))
    seen = batch.images[:, 0]
    assert seen[batch.owner > 0].mean() > 2 * noise
    assert abs(np.median(seen[batch.owner == 0])) < noise
    rows = stamps.sources[stamps.sources["id"] == 1]
    bright = np.flatnonzero(rows["mag_vis"] < 24)
    assert len(bright) > 2
    for example in bright:
        y, x = round(rows["y"][example]), round(rows["x"][example])
        near = batch.owner[example, y - 3 : y + 4, x - 3 : x + 4]
        assert (near == 1).any()


def test_stamps_have_a_source_at_the_center(stamps, tmp_path):
    rows = stamps.sources[stamps.sources["id"] == 1]
    assert_array_equal(rows["example"], np.arange(len(stamps)))
    offsets = np.array([rows["x"], rows["y"]]) - 63.5
    assert 0.3 < abs(offsets).max() <= 0.5
    assert rows["mag_f160w"].max() <= 26
    assert len(stamps.sources) > len(stamps)  # there are neighbours
    shifted = replace(STAMPS, n=16, shift=9.0, faintest=22.0, balance=False)
    make_dataset(tmp_path / "shifted.zarr", shifted)
    table = Dataset.open(tmp_path / "shifted.zarr").sources
    rows = table[table["id"] == 1]
    offsets = np.array([rows["x"], rows["y"]]) - 63.5
    assert 5 < abs(offsets).max() <= 9
    assert rows["mag_f160w"].max() <= 22


def test_balance(stamps):
    assert stamps.card["counts"]["centers"] == dict.fromkeys(CLASS_NAMES[:BACKGROUND], 5)
    rows = stamps.sources[stamps.sources["id"] == 1]
    assert_array_equal(rows["class"], list(CLASS_NAMES[:BACKGROUND]) * 5)


def test_sources_alone(tmp_path):
    """There is the light of one source and the noise of its photons, and nothing else."""
    make_dataset(tmp_path / "alone.zarr", replace(STAMPS, n=16, alone=True, faintest=23.0))
    made = Dataset.open(tmp_path / "alone.zarr")
    assert_array_equal(made.sources["example"], np.arange(16))  # no neighbours
    assert set(np.unique(made.owner[:])) == {0, 1}
    images, owner = made.images[:], made.owner[:]
    assert np.isfinite(images).all()
    light = images.sum((2, 3))[:, 0]
    assert_allclose(light, made.sources["flux_sum_vis"], rtol=0.02)
    survey = SURVEYS["euclid-vis"]
    sigma = sky_sigma(survey, survey.bands[0])
    # Between the sources there is less than a thousandth of the noise of a survey's pixel.
    corners = np.concatenate([images[..., :9, :9], images[..., -9:, -9:]])[
        np.concatenate([owner[:, :9, :9], owner[:, -9:, -9:]])[:, None] == 0
    ]
    assert np.median(abs(corners)) < 1e-3 * sigma
    # The edge of a source is where its light is one standard deviation of that noise.
    assert images[:, 0][owner == 0].max() < 1.5 * sigma
    assert np.percentile(images[:, 0][owner == 1], 1) > 0.7 * sigma


def test_an_empty_sky(small):
    made = Dataset.open(small)
    assert len(made.sources) == 0
    assert (made.owner[:] == 0).all()
    made.verify()


# ---- what was begun is gone on with

KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from morpheus.simulate import DatasetOptions, make_dataset

def tell(done, total):
    if done == 4:
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    options = DatasetOptions(survey="euclid-vis", size=256, n=10, seed=5, density=20, jobs=2)
    make_dataset(sys.argv[1], options, progress=tell)
"""


def test_a_killed_run_goes_on(pieces, tmp_path):
    (tmp_path / "killed.py").write_text(KILLED)
    path = tmp_path / "train.zarr"
    # Returns when all that hold its output have ended: its own processes too.
    done = subprocess.run(
        [sys.executable, tmp_path / "killed.py", path], check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not path.exists()
    with pytest.raises(DatasetError, match="seed = 5, not 6"):
        make_dataset(path, replace(PIECES, seed=6))
    scratch = partial_path(path) / "scratch"
    assert list(scratch.iterdir())  # what the killed processes had made
    with pytest.raises(KeyboardInterrupt):
        make_dataset(path, PIECES, progress=stop_at(4))
    assert list(scratch.iterdir()) == []
    told = []
    card = make_dataset(path, PIECES, progress=lambda *numbers: told.append(numbers))
    assert told == [(4, 10), (8, 10), (10, 10)]
    assert card["checksum"] == pieces.card["checksum"]
    assert names(tmp_path) == ["killed.py", "train.zarr"]


def stop_at(number):
    def tell(done, total):
        if done == number:
            raise KeyboardInterrupt

    return tell


def test_an_interrupted_group_is_made_again(pieces, tmp_path, monkeypatch):
    """The interruption comes when a group's pixels are written, and its rows are not."""
    path = tmp_path / "train.zarr"
    from morpheus.dataset import store

    calls = []

    def write_rows(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        original(*arguments)

    original = store.write_rows
    monkeypatch.setattr(store, "write_rows", write_rows)
    with pytest.raises(KeyboardInterrupt):
        make_dataset(path, PIECES)
    monkeypatch.undo()
    assert make_dataset(path, PIECES)["checksum"] == pieces.card["checksum"]


def test_what_is_being_made_is_not_made_twice(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "train.zarr"
    many = replace(SMALL, n=5)
    with pytest.raises(KeyboardInterrupt):
        make_dataset(path, many, progress=stop_at(4))
    with (partial_path(path) / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DatasetError, match="another process"):
            make_dataset(path, many)
    make_dataset(path, many)


def test_nothing_is_left_where_nothing_was_made(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        make_dataset(tmp_path / "train.zarr", SMALL, progress=stop_at(0))
    assert names(tmp_path) == []


def test_a_lost_process_is_said(tmp_path):
    def kill(done, total):
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(ProductError, match="goes on"):
        make_dataset(tmp_path / "a.zarr", replace(SMALL, n=40, jobs=2), progress=kill)


def test_a_dataset_is_replaced_when_the_new_one_is_complete(small):
    def tell(done, total):
        assert Dataset.open(small).card["seed"] == 5

    other = replace(SMALL, seed=6)
    with pytest.raises(ProductError, match="overwrite"):
        make_dataset(small, other)
    assert not partial_path(small).exists()
    make_dataset(small, other, overwrite=True, progress=tell)
    assert Dataset.open(small).card["seed"] == 6
    assert names(small.parent) == [small.name]


def test_an_end_between_the_old_and_the_new(small, monkeypatch):
    other, rename = replace(SMALL, seed=6), Path.rename

    def interrupted(self, target):
        if self.name == "store":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_dataset(small, other, overwrite=True)
    monkeypatch.undo()
    assert not small.exists()
    with pytest.raises(ProductError, match="overwrite"):
        make_dataset(small, SMALL)
    assert Dataset.open(small).card["seed"] == 5  # the old one is back
    make_dataset(small, other, overwrite=True)
    assert Dataset.open(small).card["seed"] == 6
    assert names(small.parent) == [small.name]


# ---- what can be wrong


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "cubes"}, "kind"),
        ({"survey": "dss"}, f"known are {', '.join(SURVEYS)}"),
        ({"n": 0}, "n is 0"),
        ({"n": -3}, "n is -3"),
        ({"size": 31}, "size"),
        ({"size": 513}, "size"),
        ({"density": -1}, "density"),
        ({"density": float("nan")}, "density"),
        ({"density": 1e9}, "density"),
        ({"truth_threshold": 0}, "threshold"),
        ({"faintest": 12}, "faintest"),
        ({"faintest": 40}, "faintest"),
        ({"faintest": float("nan")}, "faintest"),
        ({"shift": -1}, "shift"),
        ({"shift": 128}, "shift"),
        ({"seed": -1}, "seed"),
        ({"jobs": 0}, "jobs"),
        ({"alone": True}, "stamps"),
    ],
)
def test_bad_options(options, message, tmp_path):
    with pytest.raises(OptionError, match=message):
        make_dataset(tmp_path / "a/b.zarr", replace(PIECES, **options))
    assert names(tmp_path) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_dataset_is_not_replaced(overwrite, tmp_path):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("precious")
    (tmp_path / "b.zarr.partial").mkdir()
    (tmp_path / "b.zarr.partial/file").write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    for name in ("file", "folder", "b.zarr", "file/in.zarr"):
        with pytest.raises(ProductError):
            make_dataset(tmp_path / name, SMALL, overwrite=overwrite)
    assert sorted(tmp_path.rglob("*")) == before


def spoil_nothing_there(path):
    return path.parent / "other.zarr", "does not exist"


def spoil_file(path):
    return path / "zarr.json", "is a file"


def spoil_folder(path):
    return path.parent, "no dataset"


def spoil_group(path):
    return path / "sources", "no dataset"


def spoil_card(path):
    text = (path / "zarr.json").read_text()
    (path / "zarr.json").write_text(text[: len(text) // 2])
    return path, "no dataset"


def spoil_size(path):
    text = (path / "zarr.json").read_text()
    (path / "zarr.json").write_text(text.replace('"n": 1', '"n": 2'))
    return path, "shape"


def spoil_entry(path):
    card = json.loads((path / "zarr.json").read_text())
    del card["attributes"]["bands"]
    (path / "zarr.json").write_text(json.dumps(card))
    return path, "damaged"


def spoil_array(path):
    (path / "owner/zarr.json").unlink()
    return path, "damaged"


def spoil_chunk(path):
    (path / "weights/c/0/0/0/0").unlink()
    return path, "1 chunks of weights"


def spoil_column(path):
    (path / "sources/x/zarr.json").unlink()
    return path, "damaged"


@pytest.mark.parametrize(
    "spoil", [value for name, value in sorted(globals().items()) if name.startswith("spoil_")]
)
def test_what_cannot_be_opened(spoil, small):
    path, message = spoil(small)
    with pytest.raises(DatasetError, match=message):
        Dataset.open(path)


def test_what_was_truncated(small):
    chunk = small / "images/c/0/0/0/0"
    chunk.write_bytes(chunk.read_bytes()[:1000])
    made = Dataset.open(small)
    with pytest.raises(DatasetError, match="damaged"):
        made.read(0, 1)
    with pytest.raises(DatasetError, match="damaged"):
        made.verify()


def test_what_was_changed(small):
    zarr.open_group(small, mode="r+")["owner"][0, 3, 4] = 1
    with pytest.raises(DatasetError, match="changed"):
        Dataset.open(small).verify()


def test_dataset_errors_are_ours():
    assert issubclass(DatasetError, ProductError)
    assert issubclass(DatasetError, MorpheusError)
