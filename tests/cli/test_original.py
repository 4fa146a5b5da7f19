"""The original program's command line, as its users type it."""

import csv
import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits

from morpheus.classes import CLASS_NAMES
from morpheus.cli.original import is_original
from morpheus.model import save_model
from morpheus.model.hausen2020 import CONFIG

IMAGES = "h.fits", "j.fits", "v.fits", "z.FITS"
MAPS = {*(f"{name}.fits" for name in CLASS_NAMES), "n.fits"}
SEGMAP, CATALOG, PICTURE = {"segmap.fits"}, {"catalog.txt"}, {"colorized.png"}


@pytest.fixture(scope="module")
def models(small_config, make_model, tmp_path_factory):
    """A random network in the published one's place."""
    folder = tmp_path_factory.mktemp("models")
    config = dataclasses.replace(small_config, name=CONFIG.name, bands=CONFIG.bands)
    save_model(make_model(config), folder / CONFIG.name, "")
    return folder


@pytest.fixture
def field(tmp_path):
    cube = np.random.default_rng(0).normal(0.05, 0.1, (4, 24, 30)).astype(np.float32)
    for name, image in zip(IMAGES, cube, strict=True):
        fits.writeto(tmp_path / name, image)
    return tmp_path


@pytest.fixture
def morpheus(field, models, command, monkeypatch):
    """Runs the command in the folder of the images, in this process."""
    monkeypatch.setenv("MORPHEUS_MODELS", str(models))
    monkeypatch.chdir(field)

    def run(*arguments, images=IMAGES):
        return command(*images, *arguments)

    return run


def made(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "products"),
    [
        ((), set()),
        (("--action", "catalog"), SEGMAP | CATALOG),
        (("--action=all", "--cpus", "2", "--batch_size", "5"), SEGMAP | CATALOG | PICTURE),
    ],
)
def test_actions(field, morpheus, arguments, products):
    done = morpheus(*arguments, "--out_dir", field / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert made(field / "out") == MAPS | products
    if products >= CATALOG:
        segmap = fits.getdata(field / "out/segmap.fits")
        with (field / "out/catalog.txt").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["source_id"]) for row in rows] == [*range(1, segmap.max() + 1)]
        assert all(segmap[int(r["y"]), int(r["x"])] == int(r["source_id"]) for r in rows)


def test_options_first_and_the_current_folder(field, morpheus):
    before = made(field)
    done = morpheus(*IMAGES, images=("--action", "colorize"))
    assert (done.returncode, done.stderr) == (0, "")
    assert made(field) - before == MAPS | PICTURE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--action", "catalogue"), "invalid choice: 'catalogue'"),
        (("--gpus", "0,1", "--cpus", "2"), "not both"),
        (("--gpus", "zero"), "'zero' is no list of numbers like 0,1"),
        (("--cpus", "many"), "invalid int value: 'many'"),
        (("more.fits",), "unrecognized arguments: more.fits"),
        (("--overwrite",), "unrecognized arguments: --overwrite"),
    ],
)
def test_mistakes_are_one_line(field, morpheus, arguments, message):
    done = morpheus(*arguments, "--out_dir", "out")
    assert done.returncode == 2
    assert done.stderr.startswith("morpheus: error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (field / "out").exists()


def test_what_is_there_is_kept(field, morpheus):
    (field / "colorized.png").write_text("mine")
    before = made(field)
    done = morpheus("--action", "all")
    assert done.returncode == 2
    assert "colorized.png exists and is not overwritten" in done.stderr
    assert made(field) == before
    assert morpheus("--action", "segmap").returncode == 0


def test_missing_images(field, morpheus):
    for images, message in (
        (("h.fits", "j.fits"), "required: v, z"),
        (("h.fits", "j.fits", "v.fits", "no.fits"), "no.fits: no such file"),
    ):
        done = morpheus(images=images)
        assert done.returncode == 2
        assert message in done.stderr


def test_help(field, morpheus):
    done = morpheus("--help")
    assert done.returncode == 0
    assert "--action {catalog,segmap,colorize,all}" in done.stdout


def test_which_command_lines_are_the_original_s():
    assert is_original(["h.fits", "j.fits", "v.fits", "z.fits"])
    assert is_original(["/data/H.FITS"])
    assert is_original(["--out_dir=x", "h.fits"])
    assert not is_original([])
    assert not is_original(["--help"])
    assert not is_original(["classify", "h.fits", "j.fits"])
    assert not is_original(["--version"])


def test_as_a_process(field, models):
    done = subprocess.run(
        [sys.executable, "-m", "morpheus", *IMAGES],
        cwd=field,
        env=os.environ | {"MORPHEUS_MODELS": str(models)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert made(field) >= MAPS
