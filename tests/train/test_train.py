"""Whole trainings: they learn, go on after a kill to the same end, and leave what they say."""

import csv
import dataclasses
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib

import numpy as np
import pytest
import torch
import zarr
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import morpheus
from morpheus.classes import CLASS_NAMES
from morpheus.dataset import Dataset
from morpheus.errors import DatasetError, ModelError, OptionError
from morpheus.model import ModelConfig, load_model, save_model
from morpheus.model.config import DetectionThresholds, UNetConfig, WindowRecipe
from morpheus.simulate import DatasetOptions, make_dataset
from morpheus.train import (
    AugmentOptions,
    DataOptions,
    Devices,
    LossOptions,
    ModelOptions,
    OptimiserOptions,
    TeacherOptions,
    TrainOptions,
    ValidationOptions,
    fine_tuning,
    read_options,
    train,
)
from morpheus.train import fit as fit_module
from morpheus.train.card import write_card
from morpheus.train.data import unpack
from morpheus.train.fine_tuning import started_from
from morpheus.train.module import Training

from .conftest import small

CPU = Devices("cpu", 1)


def run(options, folder, **rest):
    return train(options, folder, devices=CPU, **rest)


def short(path, *, epochs=1, steps=3, **changes):
    options = small(path, **changes)
    chosen = dataclasses.replace(options.optimiser, epochs=epochs, steps=steps)
    return dataclasses.replace(options, optimiser=chosen)


def curve(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def names(folder):
    return sorted(item.name for item in folder.iterdir())


@pytest.fixture(scope="module")
def trained(deep, tmp_path_factory):
    """A training that was not disturbed: options, folder, what it gave, what it told."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    told, steps, losses = [], [], []
    original = Training.training_step

    def step(self, batch, batch_idx):
        loss = original(self, batch, batch_idx)
        losses.append(float(loss.detach()))
        return loss

    options, began = small(deep), time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "training_step", step)
        done = run(options, folder, progress=told.append, step=lambda *two: steps.append(two))
    return options, folder, done, told, steps, losses, time.monotonic() - began


def test_it_learns(trained):
    _, _, done, *_ = trained
    first, last = done.history[0], done.history[-1]
    assert last["val_loss"] < 0.9 * first["val_loss"]
    assert last["loss"] < 0.65 * first["loss"]
    assert last["val_iou"] > 0.55
    assert 0 < last["val_top1"] <= 1
    assert done.report["best"] == min(done.history, key=lambda row: row["val_loss"])


def test_rows_are_of_their_epochs(trained):
    _, folder, done, told, steps, losses, seconds = trained
    assert [row["epoch"] for row in done.history] == [1, 2, 3]
    assert [row["step"] for row in done.history] == [20, 40, 60]
    assert told == done.history
    means = np.array(losses).reshape(3, 20).mean(1)
    assert_allclose([row["loss"] for row in done.history], means, rtol=1e-5)
    assert 0.2 * seconds < sum(row["seconds"] for row in done.history) < seconds
    assert steps == [(k + 1, 60) for k in range(60)]
    with (folder / "history.csv").open() as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert rows == done.history


def test_what_the_folder_holds(trained):
    options, folder, done, *_ = trained
    assert names(folder) == [
        *("checkpoints", "config.toml", "history.csv", "logs", "made_from.json"),
        *("pictures", "report.json"),
    ]
    assert read_options(folder / "config.toml") == options
    assert names(folder / "checkpoints") == ["best.ckpt", "last.ckpt"]
    assert names(folder / "pictures") == [f"epoch_000{k}.png" for k in (1, 2, 3)]
    assert [name.split(".")[0] for name in names(folder / "logs")] == ["events", "hparams"]
    pictures = [np.asarray(Image.open(folder / f"pictures/epoch_000{k}.png")) for k in (1, 3)]
    assert pictures[0].shape == pictures[1].shape
    assert np.any(pictures[0] != pictures[1])
    report = json.loads((folder / "report.json").read_text())
    assert report == done.report
    assert report["best"] in done.history
    assert report["data"][0]["path"] == "deep.zarr"
    assert report["data"][0]["training"] == report["data"][0]["validation"] == 16
    assert report["options"]["optimiser"]["crop"] == 64
    assert set(report["software"]) >= {"morpheus", "torch", "lightning"}
    assert report["started"] < report["finished"]
    assert set(report["calibration"]) == {
        *("class_temperature", "source_temperature", "background_offset"),
    }


def test_the_state_holds_no_code(trained):
    _, folder, *_ = trained
    for name in ("best", "last"):
        torch.load(folder / f"checkpoints/{name}.ckpt", weights_only=True)


def test_the_model_is_that_of_the_best_epoch_calibrated(trained):
    _, folder, done, *_ = trained
    state = torch.load(folder / "checkpoints/best.ckpt", weights_only=True)
    assert state["epoch"] + 1 == done.report["best"]["epoch"]
    name = "down.0.0.conv.weight"
    assert_array_equal(done.model.weights[name], state["state_dict"][f"network.{name}"])
    assert done.model.config.bands == ("F160W", "F125W", "F606W", "F850LP")
    assert done.model.config.pixel_scale == 0.06
    assert done.model.config.unit == "electron / s"
    assert done.model.config.normaliser == "sky-noise"


def test_the_model_finds_sources(trained, deep, tmp_path):
    _, _, done, *_ = trained
    save_model(done.model, tmp_path / "model", "")
    store = Dataset.open(deep)
    example = store.read(0, 1)
    images = dict(zip(store.card["bands"], example.images[0], strict=True))
    found = morpheus.classify(images, model=tmp_path / "model").mean["background"] < 0.5
    true = example.classes[0, -1] < 0.5
    assert (found & true).sum() > 0.5 * (found | true).sum()


def test_the_card_says_how_to_repeat_it(trained, tmp_path):
    options, _, done, *_ = trained
    card = write_card(done, options)
    text = card.split("```toml\n")[1].split("```")[0]
    tomllib.loads(text)
    (tmp_path / "config.toml").write_text(text)
    again = read_options(tmp_path / "config.toml")
    assert dataclasses.replace(again, data=options.data) == options
    assert again.data[0].path == str(tmp_path / "deep.zarr")
    assert options.data[0].path not in card  # folders of this machine are nobody's business
    assert done.report["data"][0]["checksum"][:16] in card
    assert f"{done.report['best']['val_iou']:.4f}" in card


def test_the_same_seed_gives_the_same_model(trained, tmp_path):
    options, _, done, *_ = trained
    torch.manual_seed(77)
    expected = torch.rand(3)
    torch.manual_seed(77)
    again = run(options, tmp_path / "again")
    assert torch.equal(torch.rand(3), expected)  # the caller's random numbers are left alone
    assert curve(again.history) == curve(done.history)
    for name, array in done.model.weights.items():
        assert_array_equal(again.model.weights[name], array)
    other = run(short(options.data[0].path, seed=3), tmp_path / "other")
    assert other.history[0]["loss"] != done.history[0]["loss"]


KILLED = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
from morpheus.train import Devices, read_options, train
folder = Path(sys.argv[1])
train(read_options(folder / "begin.toml"), folder / "run", devices=Devices("cpu", 1))
"""


def test_a_killed_training_ends_the_same(trained, tmp_path):
    options, _, done, *_ = trained
    (tmp_path / "begin.toml").write_text(options.to_toml())
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)])
    last = tmp_path / "run/checkpoints/last.ckpt"
    deadline = time.monotonic() + 120
    while not last.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "run/report.json").exists()
    told = []
    again = run(options, tmp_path / "run", progress=told.append)
    assert curve(again.history) == curve(done.history)
    assert told == again.history  # with the epochs that were done before
    for name, array in done.model.weights.items():
        assert_array_equal(again.model.weights[name], array)
    assert names(tmp_path / "run") == names(trained[1])


INTERRUPTED = """
import signal, sys, threading, torch
from pathlib import Path
# Where the tests run in the background, SIGINT is ignored, which children inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
torch.set_num_threads(1)
from morpheus.train import Devices, read_options, train
folder = Path(sys.argv[1])

def press(row):
    if row["epoch"] == 2:
        signal.raise_signal(signal.SIGINT)

options = read_options(folder / "begin.toml")
try:
    train(options, folder / "run", devices=Devices("cpu", 1), progress=press)
except KeyboardInterrupt:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert threading.active_count() < 20
    print("interrupted")
"""


def test_ctrl_c_keeps_the_epochs_that_are_done(trained, tmp_path):
    """In a process of its own, as at a terminal."""
    options, _, done, *_ = trained
    (tmp_path / "begin.toml").write_text(options.to_toml())
    program = [sys.executable, "-c", INTERRUPTED, str(tmp_path)]
    ended = subprocess.run(program, capture_output=True, text=True, check=False, timeout=300)
    assert (ended.returncode, ended.stdout) == (0, "interrupted\n"), ended.stderr
    assert not (tmp_path / "run/report.json").exists()
    rows = []
    again = run(options, tmp_path / "run", progress=rows.append)
    assert curve(again.history) == curve(done.history)


def test_a_finished_training_is_not_trained_again(trained, monkeypatch):
    options, folder, done, *_ = trained
    monkeypatch.setattr(Training, "training_step", lambda *_: pytest.fail("it is trained again"))
    again = run(options, folder)
    assert again.history == done.history
    for name, array in done.model.weights.items():
        assert_array_equal(again.model.weights[name], array)
    assert "unpacked" not in names(folder)


def test_another_training_is_not_gone_on_with(trained, tmp_path):
    options, folder, *_ = trained
    before = (folder / "config.toml").read_bytes()
    with pytest.raises(OptionError, match="holds a training with another configuration"):
        run(dataclasses.replace(options, seed=5), folder)
    assert (folder / "config.toml").read_bytes() == before
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OptionError, match="exists and holds no training"):
        run(options, tmp_path)
    assert names(tmp_path) == ["notes.txt"]


def test_early_stopping_also_after_an_interruption(deep, tmp_path):
    options = short(deep, epochs=30, validation=ValidationOptions(0.5, 8, patience=2))
    slow = dataclasses.replace(options.optimiser, learning_rate=1e-12, weight_decay=0.0)
    options = dataclasses.replace(options, optimiser=slow)
    done = run(options, tmp_path / "run")
    best = done.report["best"]["epoch"]
    assert len(done.history) == best + 2 < 30
    (tmp_path / "run/report.json").unlink()  # as if it had been killed just before
    assert run(options, tmp_path / "run").history == done.history


def test_what_is_no_number_ends_the_training(deep, tmp_path, monkeypatch):
    monkeypatch.setattr(Training, "_loss", lambda self, logits, _: torch.nan * logits.mean())
    told = []
    with pytest.raises(DatasetError, match="the validation loss is not a number"):
        run(short(deep, epochs=9), tmp_path / "run", progress=told.append)
    assert len(told) == 1


def test_bfloat16(deep, tmp_path):
    options = short(deep, steps=20)
    chosen = dataclasses.replace(options.optimiser, precision="bfloat16")
    done = run(dataclasses.replace(options, optimiser=chosen), tmp_path / "run")
    exact = run(options, tmp_path / "exact")
    assert done.history[0]["loss"] != exact.history[0]["loss"]
    assert done.history[0]["loss"] == pytest.approx(exact.history[0]["loss"], rel=0.1)
    assert all(array.dtype == np.float32 for array in done.model.weights.values())


def test_processes_that_read_do_not_change_the_result(trained, tmp_path):
    options = trained[0]
    chosen = dataclasses.replace(options.optimiser, epochs=1)
    options = dataclasses.replace(options, optimiser=chosen)
    rows = [
        train(options, tmp_path / f"{n}", devices=Devices("cpu", 1, workers=n)).history
        for n in (0, 1)
    ]
    assert curve(rows[0]) == curve(rows[1])


def test_the_published_architecture(deep, tmp_path):
    options = small(
        deep,
        model=ModelOptions(network=UNetConfig(), window=WindowRecipe(40, 5, 1)),
        augment=AugmentOptions(drop_band=0.0, only_first=0.0),
        loss=LossOptions(kind="published"),
        optimiser=OptimiserOptions(epochs=1, steps=20, batch=4, crop=40, warmup=5),
    )
    done = run(options, tmp_path / "run")
    assert done.model.config.normaliser == "joint-window"
    assert done.model.n_parameters > 70_000
    save_model(done.model, tmp_path / "model", "")
    store = Dataset.open(deep)
    images = dict(zip(store.card["bands"], store.read(0, 1).images[0, :, :80, :80], strict=True))
    made = morpheus.classify(images, model=tmp_path / "model")
    assert int(made.n.max()) == 900
    total = sum(made.mean[name] for name in made.mean.classes)
    assert_allclose(total[made.n > 0], 1, atol=1e-4)


def test_fine_tuning(deep, stamps, tmp_path):
    begun = run(short(deep, steps=4), tmp_path / "begun")
    thresholds = DetectionThresholds(seed=0.7, grow=0.4, min_area=5)
    config = dataclasses.replace(begun.model.config, detection=thresholds)
    save_model(dataclasses.replace(begun.model, config=config), tmp_path / "start", "")
    options = fine_tuning(str(tmp_path / "start"), [stamps])
    assert options.name == "small-tuned"
    assert options.validation.share == 0.2
    chosen = dataclasses.replace(
        options.optimiser, epochs=3, steps=15, batch=4, crop=64, learning_rate=3e-3, warmup=5
    )
    options = dataclasses.replace(
        options, optimiser=chosen, validation=ValidationOptions(0.5, 8), seed=3
    )
    # Without a step, its validation loss is that of the model which it starts from.
    still = dataclasses.replace(chosen, epochs=1, steps=1, learning_rate=1e-12, weight_decay=0.0)
    before = run(dataclasses.replace(options, optimiser=still), tmp_path / "still")
    tuned = run(options, tmp_path / "tuned")
    assert tuned.report["best"]["val_loss"] < 0.8 * before.history[0]["val_loss"]
    assert tuned.model.config.detection == thresholds
    assert tuned.model.config.network == begun.model.config.network
    again = load_model(tmp_path / "start")
    name = "down.0.0.conv.weight"
    assert_allclose(before.model.weights[name], again.weights[name], atol=1e-6)
    assert np.any(tuned.model.weights[name] != again.weights[name])
    others = DetectionThresholds(seed=0.3, grow=0.3, min_area=6)
    assert started_from(again, dataclasses.replace(options, detection=others)).detection == others
    # What was written is a training that can be gone on with, from any folder.
    assert read_options(tmp_path / "tuned/config.toml").start == str(tmp_path / "start")


def test_fine_tuning_makes_the_model_that_it_starts_from(deep, small_model, tmp_path):
    save_model(small_model, tmp_path / "start", "")
    options = small(deep)
    other = ModelOptions(bands=("F160W",), network=options.model.network)
    with pytest.raises(OptionError, match=r"starts from small .* leave out \[model\]"):
        run(
            dataclasses.replace(options, start=str(tmp_path / "start"), model=other),
            tmp_path / "run",
        )
    with pytest.raises(ModelError, match="unknown model 'nothing'"):
        run(dataclasses.replace(options, start="nothing"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        (Devices("abacus"), "cannot train on these devices"),
        (Devices("cpu", 0), "cannot train on these devices"),
        (Devices("cpu", 1, strategy="none"), "cannot train on these devices"),
        (Devices("cpu", "first"), "cannot train on these devices"),
    ],
)
def test_devices_that_are_not_there(deep, tmp_path, devices, message):
    with pytest.raises(OptionError, match=message) as error:
        train(small(deep), tmp_path / "run", devices=devices)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_nothing_is_written_for_data_that_cannot_be_used(deep, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    with pytest.raises(DatasetError, match="does not exist"):
        run(small(tmp_path / "none.zarr"), folder)
    with pytest.raises(ModelError, match="name"):
        run(small(deep, name="two words"), folder)
    model = ModelOptions(
        network=UNetConfig(), window=WindowRecipe(40, 5, 1), alternatives={"F125W": ("F105W",)}
    )
    options = small(deep)
    with pytest.raises(ModelError, match="only a dense network takes other bands"):
        run(
            dataclasses.replace(
                options,
                model=model,
                optimiser=dataclasses.replace(options.optimiser, crop=40),
                augment=AugmentOptions(drop_band=0.0, only_first=0.0),
            ),
            folder,
        )
    stores = fit_module.open_datasets(options)
    coarse = Dataset.open(deep)
    coarse.card["pixel_scale"] = 0.1
    monkeypatch.setattr(fit_module, "open_datasets", lambda _: [*stores, coarse])
    with pytest.raises(DatasetError, match=r"pixels of 0\.06 and 0\.1 arcsec"):
        run(options, folder)
    assert not folder.exists()


def test_learning_from_a_teacher_with_sources_added(deep, published, make_model, tmp_path):
    make_dataset(
        tmp_path / "alone.zarr",
        DatasetOptions("stamps", "candels-deep", n=32, size=84, seed=6, alone=True, faintest=23.0),
    )
    data = (DataOptions(str(deep)), DataOptions(str(tmp_path / "alone.zarr"), added=1.0))
    options = short(deep, epochs=2, data=data, teacher=TeacherOptions(str(published)), seed=1)
    done = run(options, tmp_path / "run")
    assert done.model.weights["head.bias"].shape == (4 * len(CLASS_NAMES),)
    assert all(np.isfinite(row["val_loss"]) for row in done.history)
    alone = run(dataclasses.replace(options, teacher=TeacherOptions()), tmp_path / "without")
    # Two parts learn classes instead of one.
    assert done.history[0]["loss"] > alone.history[0]["loss"] + 0.5
    # Another teacher makes another training, and one that is not there none.
    config = load_model(published).config
    save_model(make_model(config, seed=1), published.with_name("other"), "")
    made_from = json.loads((tmp_path / "run/made_from.json").read_text())
    assert made_from["teacher"] == config.weights_sha256
    other = dataclasses.replace(options, teacher=TeacherOptions(str(published.with_name("other"))))
    with pytest.raises(OptionError, match="holds a training with another configuration"):
        run(other, tmp_path / "run")
    none = dataclasses.replace(options, teacher=TeacherOptions("nobody"))
    with pytest.raises(ModelError, match="unknown model 'nobody'"):
        run(none, tmp_path / "none")
    with pytest.raises(DatasetError, match="only sources that are added have examples for"):
        run(dataclasses.replace(options, seed=3), tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ({"options": {"alone": False}}, "it holds more than sources alone; make some by"),
        ({"unit": "nJy"}, "it is in nJy, not ELECTRONS/S"),
        ({"zero_points": [27.0, 26.2303, 26.4935, 24.8429]}, "the zero point of F160W is 27, not"),
        ({"zero_points": [None] * 4}, "is None, not"),
        ({"bands": ["F160W", "F125W", "F606W", "F814W"]}, "it has no F850LP"),
    ],
)
def test_what_would_make_no_sky_is_not_added(deep, tmp_path, spoil, message):
    path = tmp_path / "alone.zarr"
    chosen = {"n": 4, "size": 64, "seed": 6, "faintest": 22.0}
    make_dataset(path, DatasetOptions("stamps", "candels-deep", alone=True, **chosen))
    zarr.open_group(path, mode="r+").attrs.update(spoil)
    options = short(deep, data=(DataOptions(str(deep)), DataOptions(str(path), added=1.0)))
    with pytest.raises(DatasetError, match=re.escape(message)):
        run(options, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_two_datasets(deep, stamps, tmp_path):
    data = (
        DataOptions(str(deep), noise={"F160W": (1.0, 3.0), "F125W": (1.0, 3.0)}),
        DataOptions(str(stamps), share=0.5),
    )
    done = run(short(deep, data=data), tmp_path / "run")
    assert [one["path"] for one in done.report["data"]] == ["deep.zarr", "stamps.zarr"]
    assert isinstance(read_options(tmp_path / "run/config.toml"), TrainOptions)


def test_other_data_of_the_same_name_are_refused(deep, tmp_path):
    from morpheus.simulate import DatasetOptions, make_dataset

    path = tmp_path / "data.zarr"
    shutil.copytree(deep, path)
    options = short(path)
    run(options, tmp_path / "run")
    shutil.rmtree(path)
    other = DatasetOptions(survey="candels-deep", n=32, seed=5, defects=False)
    make_dataset(path, other)
    with pytest.raises(OptionError, match="other data"):
        run(options, tmp_path / "run")


def test_an_area_is_on_one_side_in_all_datasets(deep, tmp_path):
    """Two copies of one sky: what validates in one must not train in the other."""
    copy = tmp_path / "copy.zarr"
    shutil.copytree(deep, copy)
    options = small(deep)
    both = dataclasses.replace(options, data=(*options.data, DataOptions(str(copy), share=3.0)))
    data = unpack(both, tmp_path / "unpacked")
    sides = [{*one.training.tolist()} for one in data]
    assert sides[0] == sides[1]
    assert all(not {*one.training.tolist()} & {*one.validation.tolist()} for one in data)


def test_pixel_scales_must_fit_the_start(deep, tmp_path, make_model):
    start = tmp_path / "start"
    done = small(deep)
    config = ModelConfig(
        "start", done.model.bands, 0.1, "electron / s", done.model.window, "sky-noise",
        done.model.network,
    )  # fmt: skip
    save_model(make_model(config), start, "# start\n")
    options = dataclasses.replace(done, start=str(start), model=ModelOptions())
    with pytest.raises(DatasetError, match=r"0\.06 and 0\.1 arcsec"):
        run(options, tmp_path / "run")
    assert not (tmp_path / "run").exists()
