"""`morpheus train`: a whole run, and mistakes in one line each."""

import json
import os
import re
import signal
import subprocess
import sys
from functools import partial

import pytest

from morpheus.dataset import Dataset
from morpheus.model import load_model
from morpheus.train import read_options

from .conftest import small

CPU = "--accelerator", "cpu", "--devices", 1


def names(folder):
    return sorted(item.name for item in folder.iterdir())


@pytest.fixture
def config(deep, tmp_path, monkeypatch):
    """A configuration of two short epochs, in a folder of its own; the command runs in another."""
    (tmp_path / "in").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = tmp_path / "in/config.toml"
    text = small(deep).to_toml()
    text = re.sub(r"epochs = \d+", "epochs = 2", text)
    path.write_text(re.sub(r"\nsteps = \d+", "\nsteps = 4", text))
    return path


def changed(config, pattern, replacement):
    text, n = re.subn(pattern, replacement, config.read_text())
    assert n == 1
    config.write_text(text)
    return config


def test_a_run_and_the_same_again(command, config, tmp_path):
    output = tmp_path / "run"
    done = command("train", config, "-o", output, *CPU)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[:2]] == ["epoch 1", "epoch 2"]
    assert re.fullmatch(
        r"epoch 2  step 8  loss \d+\.\d{4}  validation \d+\.\d{4}  IoU 0\.\d{3}  top-1 0\.\d{3}"
        r"  entropy \d\.\d{3}  seconds \d+\.\d",
        lines[1],
    )
    assert len(lines) == 3
    assert f"-m {output / 'model'}" in lines[2]
    assert names(output / "model") == ["README.md", "config.json", "weights.safetensors"]
    assert names(tmp_path / "here") == []  # Lightning wrote nothing here
    model = load_model(output / "model")
    assert model.config.name == "small"
    assert "## To repeat it" in (output / "model/README.md").read_text()

    before = (output / "model/weights.safetensors").read_bytes()
    (output / "model/weights.safetensors").unlink()
    again = command("train", config, "-o", output, *CPU)
    assert again.returncode == 0
    assert again.stdout == done.stdout
    assert (output / "model/weights.safetensors").read_bytes() == before
    assert command("models", "import", output / "model").returncode == 0


@pytest.fixture(autouse=True)
def _models(models):
    """Models of the user are not touched."""


def test_options_take_the_place_of_the_configuration_s(command, config, tmp_path):
    done = command("train", config, "--epochs", 1, "--seed", 9, *CPU, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    folder = tmp_path / "here/small-training"
    options = read_options(folder / "config.toml")
    assert (options.optimiser.epochs, options.seed) == (1, 9)
    assert len(json.loads((folder / "report.json").read_text())["best"]) > 5
    # What was written is a configuration that goes on with it.
    again = command("train", folder / "config.toml", "-o", folder, *CPU, "-q")
    assert (again.returncode, again.stderr) == (0, "")


def test_fine_tuning_without_a_configuration(command, config, stamps, tmp_path, monkeypatch):
    assert command("train", config, "--epochs", 1, "-o", tmp_path / "run", *CPU).returncode == 0
    module = sys.modules["morpheus.train.fine_tuning"]
    monkeypatch.setattr(module, "_STEPS", 2)
    for name, few in (("OptimiserOptions", {"batch": 2}), ("ValidationOptions", {"examples": 2})):
        monkeypatch.setattr(module, name, partial(getattr(module, name), **few))
    done = command(
        *("train", "--from", tmp_path / "run/model", "--data", stamps, "--name", "mine"),
        *("--epochs", 1, *CPU),
    )
    assert (done.returncode, done.stderr) == (0, "")
    made = load_model(tmp_path / "here/mine-training/model")
    assert made.config.name == "mine"
    card = (tmp_path / "here/mine-training/model/README.md").read_text()
    assert "- **Start**: model; seed 0." in card
    assert str(tmp_path) not in card


def test_ctrl_c(command, config, tmp_path):
    """In a process of its own, as at a terminal."""
    output = tmp_path / "run"
    arguments = [str(one) for one in ("train", config, "-o", output, *CPU)]
    # Where the tests run in the background, SIGINT is ignored, which children inherit.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heard}; from morpheus.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stdout:
            if line.startswith("epoch 1"):
                process.send_signal(signal.SIGINT)
                break
        _, error = process.communicate(timeout=300)
    assert process.returncode == 130
    assert error.startswith("morpheus: interrupted")
    assert error.count("\n") == 1
    assert not (output / "model").exists()
    assert command(*arguments).returncode == 0
    assert command("train", config, "-o", tmp_path / "whole", *CPU).returncode == 0
    weights = [tmp_path / f"{name}/model/weights.safetensors" for name in ("run", "whole")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def refused(done, message):
    assert done.returncode == 2
    assert re.search(message, done.stderr), done.stderr
    assert done.stderr.startswith("morpheus: error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_what_is_not_given(command, deep, config, tmp_path):
    refused(command("train"), "give a configuration, or --from MODEL and --data DATASET")
    refused(command("train", "--data", deep), "give a configuration, or --from")
    refused(command("train", "--from", "hst4"), "give a configuration, or --from")
    refused(command("train", config, "--data", deep), "leave out --data, --from, --name")
    refused(command("train", "no.toml"), r"cannot read the configuration no\.toml: No such file")
    refused(command("train", "--from", "nothing", "--data", deep), "unknown model 'nothing'")
    refused(command("train", config, "--epochs", 0), "epochs is 0; it is a whole number")
    refused(command("train", config, "--seed", -1), "seed is -1; it is a whole number")
    refused(command("train", config, "--workers", -1), "workers")
    assert names(tmp_path / "here") == []


def test_what_is_wrong_with_a_configuration(command, config, tmp_path):
    broken = tmp_path / "in/broken.toml"
    broken.write_text("name = 'a'\n[data\n")
    refused(command("train", broken), r"broken\.toml is no TOML file")
    changed(config, r"rotate = [\d.]+", "rotate = 2.0")
    refused(command("train", config), r"config\.toml: augment: rotate is 2\.0")
    assert names(tmp_path / "here") == []


def test_datasets_that_cannot_be_used(command, config, tmp_path):
    text = config.read_text()
    (tmp_path / "in/empty").mkdir()
    changed(config, r'path = ".*"', 'path = "empty"')
    refused(command("train", config), r"in/empty is no dataset")
    changed(config, r'path = ".*"', 'path = "none.zarr"')
    refused(command("train", config), r"in/none\.zarr is no dataset: it does not exist")
    changed(config, r'path = ".*"', 'path = "config.toml"')
    refused(command("train", config), r"in/config\.toml is no dataset: it is a file")
    config.write_text(text.replace('"F160W"', '"F105W"'))
    refused(command("train", config), "has no F105W, the model's first band; it has F160W, F125W")
    assert names(tmp_path / "here") == []


def test_where_it_is_not_to_be_trained(command, config, tmp_path):
    refused(command("train", config, "--accelerator", "abacus"), "cannot train on these devices")
    refused(command("train", config, *CPU[:2], "--devices", "x"), "cannot train on these devices")
    refused(command("train", config, *CPU, "--strategy", "no"), "cannot train on these devices")
    assert names(tmp_path / "here") == []
    (tmp_path / "here/small-training").mkdir()
    (tmp_path / "here/small-training/notes.txt").write_text("mine")
    refused(command("train", config, *CPU), "exists and holds no training")
    assert names(tmp_path / "here/small-training") == ["notes.txt"]
    refused(command("train", config, *CPU, "-o", config), r"config\.toml")


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="needs permissions")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to(command, config, tmp_path):
    (tmp_path / "here").chmod(0o500)
    refused(command("train", config, *CPU), "cannot write to small-training: Permission denied")
    (tmp_path / "here").chmod(0o700)


def test_without_lightning(command, config, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning", None)
    for name in [name for name in sys.modules if name.startswith("morpheus.train")]:
        monkeypatch.delitem(sys.modules, name)
    refused(command("train", config), r"training needs lightning: pip install 'morpheus-sky\[train")


def test_two_processes_train_together(config, deep, tmp_path):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MORPHEUS_MODELS": str(tmp_path / "no")}
    program = tmp_path / "in/program.py"  # the second process is started like the first
    program.write_text("from morpheus.cli import main\nif __name__ == '__main__':\n    main()\n")
    devices = "--accelerator", "cpu", "--devices", "2", "--strategy", "ddp"
    done = subprocess.run(
        [sys.executable, program, "train", config, "-o", tmp_path / "run", *devices],
        capture_output=True, text=True, env=environment, check=False, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["epoch", "epoch", "small:"]
    assert names(tmp_path / "run") == [
        *("checkpoints", "config.toml", "history.csv", "logs", "made_from.json"),
        *("model", "pictures", "report.json"),
    ]
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["best"]["step"] in {4, 8}
    assert len(Dataset.open(deep)) == 32
